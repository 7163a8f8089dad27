"""Words a month for each member: counted and refused in the same step as the balance.

Nothing is counted where nobody is limited; the wallet says so, and every verb has its row in hand anyway. The
wallet's lock is also the one for a member's counter: nobody else may write it.
"""

from importlib import import_module

import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.lookups
from django.db import migrations, models

from staffroom.core.wall import Definer, Wall

_verbs = import_module("staffroom.billing.migrations.0003_verbs")
_differences = import_module("staffroom.billing.migrations.0004_differences")

ONLY_FUNCTIONS_WRITE = """
DO $$
DECLARE given record;
BEGIN
    FOR given IN
        SELECT DISTINCT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.relname = 'billing_memberwords' AND c.relnamespace = 'public'::regnamespace AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON billing_memberwords FROM %I', given.rolname);
    END LOOP;
END $$;
ALTER TABLE billing_memberwords SET (fillfactor = 70);
"""

MONTH = """
CREATE FUNCTION ledger_month(p_at timestamptz) RETURNS date LANGUAGE sql IMMUTABLE AS $$
    SELECT date_trunc('month', p_at AT TIME ZONE 'UTC')::date
$$;
"""

# What a member may still ask for this month; NULL is no limit. Below zero where the limit was lowered.
ROOM = """
CREATE FUNCTION ledger_room(w billing_wallet, p_user uuid) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    m billing_memberwords;
    most bigint := w.member_limit;
BEGIN
    IF p_user IS NULL THEN RETURN NULL; END IF;
    SELECT * INTO m FROM billing_memberwords WHERE workspace_id = w.workspace_id AND user_id = p_user;
    IF m.own THEN most := m.words_limit; END IF;
    IF m.month = ledger_month(greatest(w.moved_at, ledger_now())) THEN most := most - m.used; END IF;
    RETURN most - coalesce(m.held, 0);
END $$;
"""

# `p_at` is the time of the charge whose words these are; only holds change without one.
TALLY = """
CREATE FUNCTION ledger_tally(w billing_wallet, p_user uuid, p_held bigint, p_used bigint, p_at timestamptz)
    RETURNS void LANGUAGE plpgsql AS $$
DECLARE this date := ledger_month(coalesce(p_at, greatest(w.moved_at, ledger_now())));
BEGIN
    UPDATE billing_memberwords SET
        held = held + p_held,
        used = CASE WHEN p_at IS NULL OR month = this THEN used + p_used ELSE p_used END,
        month = CASE WHEN p_at IS NULL THEN month ELSE this END
        WHERE workspace_id = w.workspace_id AND user_id = p_user;
    IF NOT FOUND THEN
        INSERT INTO billing_memberwords (workspace_id, user_id, month, used, held)
            VALUES (w.workspace_id, p_user, this, p_used, p_held);
    END IF;
END $$;
"""

CHARGE = _verbs.CHARGE.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION").replace(
    "    RETURN w;",
    """    IF w.counts_since IS NOT NULL AND h.user_id IS NOT NULL THEN
        PERFORM ledger_tally(w, h.user_id, -h.words, paid, w.moved_at);
    END IF;
    RETURN w;""",
)

RESERVE = """
#variable_conflict use_column
DECLARE
    here uuid := current_workspace();
    w billing_wallet;
    counted boolean;
BEGIN
    IF (p_words > 0) IS NOT TRUE THEN
        RAISE EXCEPTION 'words to reserve: %', p_words USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR attempt IN 1..2 LOOP
        UPDATE billing_wallet SET held = held + p_words
            WHERE workspace_id = here AND held + p_words <= plan + bonus + purchased
              AND (attempt = 2 OR (due_at > ledger_now()) IS NOT FALSE)
            RETURNING plan + bonus + purchased - held, counts_since IS NOT NULL INTO words_left, counted;
        IF FOUND THEN
            INSERT INTO billing_hold (workspace_id, turn, words, lease_until, employee_id, chat_id, user_id)
                SELECT here, p_turn, p_words, ledger_now() + p_lease, p_employee, p_chat, p_user
                WHERE NOT EXISTS (SELECT FROM billing_entry
                                  WHERE workspace_id = here AND reference = p_turn AND kind = 'charge')
                ON CONFLICT (workspace_id, turn) DO NOTHING;
            IF FOUND THEN
                granted := true; held := p_words;
                IF counted AND p_user IS NOT NULL THEN
                    SELECT * INTO w FROM billing_wallet WHERE workspace_id = here;
                    member_left := ledger_room(w, p_user) - p_words;
                    IF member_left < 0 THEN
                        DELETE FROM billing_hold WHERE workspace_id = here AND turn = p_turn;
                        UPDATE billing_wallet SET held = held - p_words WHERE workspace_id = here;
                        granted := false; held := 0; words_left := words_left + p_words;
                        member_left := greatest(0, member_left + p_words);
                    ELSE
                        PERFORM ledger_tally(w, p_user, p_words, 0, NULL);
                    END IF;
                END IF;
                RETURN;
            END IF;
            UPDATE billing_wallet SET held = held - p_words WHERE workspace_id = here;
        END IF;
        w := ledger_lock();
        words_left := w.plan + w.bonus + w.purchased - w.held;
        UPDATE billing_hold SET lease_until = greatest(lease_until, ledger_now() + p_lease)
            WHERE workspace_id = here AND turn = p_turn RETURNING words INTO held;
        granted := FOUND;
        EXIT WHEN granted;
        held := 0;
        granted := EXISTS (SELECT FROM billing_entry
                           WHERE workspace_id = here AND reference = p_turn AND kind = 'charge');
        EXIT WHEN granted OR p_words > words_left;
    END LOOP;
    IF w.counts_since IS NOT NULL AND NOT granted THEN
        member_left := ledger_room(w, p_user);
        IF member_left < 0 THEN member_left := 0; END IF;
    END IF;
END
"""

EXTEND = """
#variable_conflict use_column
DECLARE
    w billing_wallet := ledger_lock();
    more bigint;
    who uuid;
BEGIN
    words_left := w.plan + w.bonus + w.purchased - w.held;
    SELECT words, user_id INTO held, who FROM billing_hold WHERE workspace_id = w.workspace_id AND turn = p_turn;
    IF NOT FOUND THEN
        granted := false; held := 0;
        RETURN;
    END IF;
    more := greatest(0, least(p_words - held, words_left));
    IF w.counts_since IS NOT NULL AND who IS NOT NULL THEN
        member_left := ledger_room(w, who);
        IF member_left < 0 THEN member_left := 0; END IF;
        IF more > member_left THEN more := member_left; END IF;
        member_left := member_left - more;
    END IF;
    IF more > 0 THEN
        UPDATE billing_hold SET words = words + more WHERE workspace_id = w.workspace_id AND turn = p_turn;
        UPDATE billing_wallet SET held = held + more WHERE workspace_id = w.workspace_id;
        IF w.counts_since IS NOT NULL AND who IS NOT NULL THEN
            PERFORM ledger_tally(w, who, more, 0, NULL);
        END IF;
    END IF;
    held := held + more; words_left := words_left - more; granted := held >= p_words;
END
"""

RELEASE = """
#variable_conflict use_column
DECLARE
    w billing_wallet := ledger_lock();
    who uuid;
BEGIN
    DELETE FROM billing_hold WHERE workspace_id = w.workspace_id AND turn = p_turn
        RETURNING words, user_id INTO released, who;
    released := coalesce(released, 0);
    IF released > 0 THEN
        UPDATE billing_wallet SET held = held - released WHERE workspace_id = w.workspace_id;
        IF w.counts_since IS NOT NULL AND who IS NOT NULL THEN
            PERFORM ledger_tally(w, who, -released, 0, NULL);
        END IF;
    END IF;
    words_left := w.plan + w.bonus + w.purchased - w.held + released;
END
"""

REAP = """
#variable_conflict use_column
DECLARE
    w billing_wallet := ledger_lock();
    h billing_hold;
BEGIN
    settled := 0; released := 0;
    FOR h IN
        DELETE FROM billing_hold WHERE workspace_id = w.workspace_id AND lease_until <= ledger_now() RETURNING *
    LOOP
        IF h.delivered > 0 THEN
            w := ledger_charge(w, h, h.words, h.delivered, '{"reaped": true}');
            settled := settled + 1;
        ELSE
            UPDATE billing_wallet SET held = held - h.words WHERE workspace_id = w.workspace_id RETURNING * INTO w;
            IF w.counts_since IS NOT NULL AND h.user_id IS NOT NULL THEN
                PERFORM ledger_tally(w, h.user_id, -h.words, 0, NULL);
            END IF;
            released := released + 1;
        END IF;
    END LOOP;
END
"""

# A rule for a member, or (without a user) the one for everybody who has none; answers what stood there before.
# `p_words` NULL is no limit. With the first limit counting begins, from what the month has seen so far; with the
# last one it ends.
LIMIT = """
#variable_conflict use_column
DECLARE
    w billing_wallet := ledger_lock();
    here uuid := w.workspace_id;
    this timestamptz := greatest(w.moved_at, ledger_now());
    limited boolean;
BEGIN
    IF p_words < 0 OR p_words > 1000000000000 THEN
        RAISE EXCEPTION 'words a month: %', p_words USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF p_user IS NULL THEN
        own := true; words := w.member_limit;
        UPDATE billing_wallet SET member_limit = p_words WHERE workspace_id = here RETURNING * INTO w;
    ELSE
        SELECT m.own, m.words_limit INTO own, words FROM billing_memberwords m
            WHERE m.workspace_id = here AND m.user_id = p_user;
        own := coalesce(own, false);
        INSERT INTO billing_memberwords AS m (workspace_id, user_id, own, words_limit, month)
            VALUES (here, p_user, p_own, CASE WHEN p_own THEN p_words END, ledger_month(this))
            ON CONFLICT (workspace_id, user_id) DO UPDATE SET own = excluded.own, words_limit = excluded.words_limit;
    END IF;
    limited := w.member_limit IS NOT NULL OR EXISTS (
        SELECT FROM billing_memberwords m WHERE m.workspace_id = here AND m.own AND m.words_limit IS NOT NULL);
    IF limited AND w.counts_since IS NULL THEN
        UPDATE billing_wallet SET counts_since = this WHERE workspace_id = here;
        PERFORM ledger_count(here, this);
    ELSIF NOT limited THEN
        UPDATE billing_wallet SET counts_since = NULL WHERE workspace_id = here;
        DELETE FROM billing_memberwords m WHERE m.workspace_id = here AND NOT m.own;
        UPDATE billing_memberwords m SET used = 0, held = 0 WHERE m.workspace_id = here;
    END IF;
END
"""

# What members have used in a month: the days that were folded, and the entries after them. One statement, so that
# a fold that ends meanwhile is seen whole or not at all.
USED = """
CREATE FUNCTION ledger_used(p_workspace uuid, p_month date, p_users uuid[]) RETURNS TABLE (user_id uuid, words bigint)
    LANGUAGE sql STABLE AS $$
    SELECT user_id, sum(words)::bigint FROM (
        SELECT d.user_id, d.plan + d.bonus + d.purchased AS words FROM billing_day d
        WHERE d.workspace_id = p_workspace AND d.day >= p_month
            AND d.user_id <> '00000000-0000-0000-0000-000000000000'
        UNION ALL
        SELECT e.user_id, -(e.plan + e.bonus + e.purchased) FROM billing_entry e
        WHERE e.workspace_id = p_workspace AND e.kind = 'charge' AND e.user_id IS NOT NULL
            AND e.sequence > greatest(ledger_sequence_at(p_month::timestamp AT TIME ZONE 'UTC'),
                (SELECT f.sequence FROM billing_folded f WHERE f.workspace_id = p_workspace))
    ) u
    WHERE p_users IS NULL OR user_id = ANY (p_users) GROUP BY user_id
$$;
"""

COUNT = """
CREATE FUNCTION ledger_count(p_here uuid, p_at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO billing_memberwords AS m (workspace_id, user_id, month, used, held)
    SELECT p_here, user_id, ledger_month(p_at), sum(used), sum(held) FROM (
        SELECT user_id, words AS used, 0 AS held FROM ledger_used(p_here, ledger_month(p_at), NULL)
        UNION ALL
        SELECT user_id, 0, words FROM billing_hold WHERE workspace_id = p_here AND user_id IS NOT NULL
        UNION ALL
        SELECT user_id, 0, 0 FROM billing_memberwords WHERE workspace_id = p_here
    ) u GROUP BY user_id
    ON CONFLICT (workspace_id, user_id) DO UPDATE
        SET month = excluded.month, used = excluded.used, held = excluded.held
$$;
"""

CLOSED = """
REVOKE EXECUTE ON FUNCTION ledger_room, ledger_tally, ledger_count FROM PUBLIC;
"""

HELD_BY_MEMBERS = """
    SELECT workspace_id, 'what member ' || user_id || ' holds is not the sum of the holds'
    FROM (
        SELECT h.workspace_id, h.user_id, h.words FROM billing_hold h
        JOIN billing_wallet w ON w.workspace_id = h.workspace_id AND w.counts_since IS NOT NULL
        WHERE h.user_id IS NOT NULL
        UNION ALL SELECT workspace_id, user_id, -held FROM billing_memberwords
    ) m GROUP BY workspace_id, user_id HAVING sum(words) <> 0
"""

# Whoever has no row yet was not charged since counting began.
USED_BY_MEMBERS = """
    SELECT workspace_id, 'what member ' || user_id || ' has used is not the sum of the charges'
    FROM (
        SELECT e.workspace_id, e.user_id, -(e.plan + e.bonus + e.purchased) AS words FROM billing_entry e
        JOIN billing_wallet w ON w.workspace_id = e.workspace_id AND w.counts_since IS NOT NULL
        LEFT JOIN billing_memberwords m ON m.workspace_id = e.workspace_id AND m.user_id = e.user_id
        WHERE e.kind = 'charge' AND e.user_id IS NOT NULL
            AND CASE WHEN m.month IS NULL THEN e.at > w.counts_since ELSE ledger_month(e.at) >= m.month END
        UNION ALL SELECT workspace_id, user_id, -used FROM billing_memberwords
    ) m GROUP BY workspace_id, user_id HAVING sum(words) <> 0
"""

VIEW = " UNION ALL ".join(
    [_differences.VIEW.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"), HELD_BY_MEMBERS, USED_BY_MEMBERS]
)

ANSWER = "OUT granted boolean, OUT held bigint, OUT words_left bigint, OUT member_left bigint"


def Verb(signature: str, returns: str, body: str) -> migrations.RunSQL:
    return Definer(signature, returns, body, "plpgsql")


def Dropped(*functions: str) -> migrations.RunSQL:
    return migrations.RunSQL([f"DROP FUNCTION {function}" for function in functions], migrations.RunSQL.noop)


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0011_watching"),
        ("workspaces", "0004_organizations_of"),
    ]

    operations = [
        migrations.AddField(
            model_name="wallet",
            name="counts_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="wallet",
            name="member_limit",
            field=models.BigIntegerField(null=True),
        ),
        migrations.CreateModel(
            name="MemberWords",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "workspace_id",
                        "user_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("user_id", models.UUIDField()),
                ("own", models.BooleanField(db_default=False)),
                ("words_limit", models.BigIntegerField(null=True)),
                ("month", models.DateField()),
                ("used", models.BigIntegerField(db_default=0)),
                ("held", models.BigIntegerField(db_default=0)),
                (
                    "workspace",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="workspaces.workspace",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=django.db.models.lookups.GreaterThanOrEqual(
                            django.db.models.functions.comparison.Least(
                                "used",
                                "held",
                                django.db.models.functions.comparison.Coalesce("words_limit", 0),
                            ),
                            0,
                        ),
                        name="member_words",
                    )
                ],
            },
        ),
        Wall("billing_memberwords"),
        migrations.RunSQL(ONLY_FUNCTIONS_WRITE, migrations.RunSQL.noop),
        *[
            migrations.RunSQL(function, migrations.RunSQL.noop)
            for function in (MONTH, ROOM, TALLY, CHARGE, USED, COUNT)
        ],
        Dropped("ledger_reserve", "ledger_extend", "ledger_release", "ledger_reap"),
        Verb(
            "ledger_reserve(p_turn uuid, p_words bigint, p_lease interval, p_employee uuid DEFAULT NULL,"
            f" p_chat uuid DEFAULT NULL, p_user uuid DEFAULT NULL, {ANSWER})",
            "record",
            RESERVE,
        ),
        Verb(f"ledger_extend(p_turn uuid, p_words bigint, {ANSWER})", "record", EXTEND),
        Verb("ledger_release(p_turn uuid, OUT released bigint, OUT words_left bigint)", "record", RELEASE),
        Verb("ledger_reap(OUT settled integer, OUT released integer)", "record", REAP),
        Verb(
            "ledger_limit(p_user uuid, p_own boolean, p_words bigint, OUT own boolean, OUT words bigint)",
            "record",
            LIMIT,
        ),
        migrations.RunSQL(CLOSED, migrations.RunSQL.noop),
        migrations.RunSQL(VIEW, migrations.RunSQL.noop),
    ]
