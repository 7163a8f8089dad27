"""The verbs of the ledger. Each is one round trip, locks the wallet first, and may be repeated at any time.

They take the workspace from the open scope and fail without one. What a verb needs inside (`ledger_lock`,
`ledger_enter`, …) nobody but the owner may call.
"""

from django.db import migrations

from staffroom.core.wall import Definer

# Tests put their own clock here.
NOW = """
CREATE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()';
"""

# What is left of each lot at this moment: charges took from a source what its lots have more than its part,
# soonest expiry first.
LOTS_NOW = """
CREATE VIEW billing_lot_now WITH (security_invoker = true) AS
    SELECT o.workspace_id, o.id, o.source, o.expires_at, o.created_at, o.remaining,
           least(o.remaining, greatest(0, o.up_to_here - (o.altogether - o.part))) AS words
    FROM (
        SELECT l.*,
               CASE l.source WHEN 'plan' THEN w.plan WHEN 'bonus' THEN w.bonus ELSE w.purchased END AS part,
               (sum(l.remaining) OVER (PARTITION BY l.workspace_id, l.source
                    ORDER BY l.expires_at NULLS LAST, l.created_at, l.id))::bigint AS up_to_here,
               (sum(l.remaining) OVER (PARTITION BY l.workspace_id, l.source))::bigint AS altogether
        FROM billing_lot l JOIN billing_wallet w ON w.workspace_id = l.workspace_id
        WHERE l.remaining > 0
    ) o;
"""

# Every verb starts here. NO KEY: a plain FOR UPDATE would deadlock with the foreign keys that refer to a wallet.
# Words past their time are gone before anything else happens, whether or not a job ran.
LOCK = """
CREATE FUNCTION ledger_lock() RETURNS billing_wallet LANGUAGE plpgsql AS $$
DECLARE
    here uuid := current_workspace();
    w billing_wallet;
BEGIN
    SELECT * INTO w FROM billing_wallet WHERE workspace_id = here FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        INSERT INTO billing_wallet (workspace_id, moved_at) VALUES (here, ledger_now()) ON CONFLICT DO NOTHING;
        SELECT * INTO w FROM billing_wallet WHERE workspace_id = here FOR NO KEY UPDATE;
    END IF;
    IF w.due_at <= ledger_now() THEN
        w := ledger_fall_due(w);
    END IF;
    RETURN w;
END $$;
"""

# The one place where words move: the wallet by the entry's deltas, and the entry with the balances after them.
ENTER = """
CREATE FUNCTION ledger_enter(e billing_entry, p_held bigint) RETURNS billing_wallet LANGUAGE plpgsql AS $$
DECLARE w billing_wallet;
BEGIN
    UPDATE billing_wallet SET
        plan = plan + e.plan, bonus = bonus + e.bonus, purchased = purchased + e.purchased,
        debt = debt + e.debt, held = held + p_held,
        sequence = sequence + 1, moved_at = greatest(moved_at, ledger_now())
    WHERE workspace_id = e.workspace_id RETURNING * INTO w;
    e.sequence := w.sequence; e.at := w.moved_at;
    e.plan_after := w.plan; e.bonus_after := w.bonus; e.purchased_after := w.purchased; e.debt_after := w.debt;
    INSERT INTO billing_entry VALUES (e.*);
    RETURN w;
END $$;
"""

# An entry of this workspace with nothing moved yet.
BLANK = """
CREATE FUNCTION ledger_blank(p_here uuid, p_kind text, p_reference uuid) RETURNS billing_entry
    LANGUAGE plpgsql AS $$
DECLARE e billing_entry;
BEGIN
    e.workspace_id := p_here; e.kind := p_kind; e.reference := p_reference;
    e.plan := 0; e.bonus := 0; e.purchased := 0; e.debt := 0; e.written_off := 0;
    e.details := '{}'; e.reason := '';
    RETURN e;
END $$;
"""

# Takes words from what the wallet has, in the order of spending. The caller has made sure that they are there.
SPEND = """
CREATE FUNCTION ledger_spend(w billing_wallet, p_words bigint, INOUT e billing_entry) LANGUAGE plpgsql AS $$
DECLARE
    from_plan bigint := least(w.plan + e.plan, p_words);
    from_bonus bigint := least(w.bonus + e.bonus, p_words - from_plan);
BEGIN
    e.plan := e.plan - from_plan;
    e.bonus := e.bonus - from_bonus;
    e.purchased := e.purchased - (p_words - from_plan - from_bonus);
END $$;
"""

# Writes down which lots the charges since the last time have used up. Before anything changes the set of lots.
WORK_OUT = """
CREATE FUNCTION ledger_work_out(p_here uuid) RETURNS void LANGUAGE sql AS $$
    UPDATE billing_lot l SET remaining = o.words FROM billing_lot_now o
    WHERE o.workspace_id = p_here AND l.workspace_id = p_here AND l.id = o.id AND l.remaining <> o.words
$$;
"""

SCHEDULE = """
CREATE FUNCTION ledger_schedule(p_here uuid) RETURNS billing_wallet LANGUAGE sql AS $$
    UPDATE billing_wallet SET due_at = least(
        (SELECT min(expires_at) FROM billing_lot WHERE workspace_id = p_here AND remaining > 0),
        (SELECT ends_at FROM billing_subscription WHERE workspace_id = p_here))
    WHERE workspace_id = p_here RETURNING *
$$;
"""

# A new lot pays what is owed first; the rest is there to spend.
ADD_LOT = """
CREATE FUNCTION ledger_add_lot(w billing_wallet, p_source text, p_reference text, p_words bigint,
    p_expires timestamptz, p_reason text, p_details jsonb, OUT p_lot uuid) LANGUAGE plpgsql AS $$
DECLARE
    owed bigint := least(w.debt, p_words);
    e billing_entry;
BEGIN
    PERFORM ledger_work_out(w.workspace_id);
    INSERT INTO billing_lot (workspace_id, source, reference, words, remaining, expires_at, created_at)
        VALUES (w.workspace_id, p_source, p_reference, p_words, p_words - owed, p_expires,
                greatest(w.moved_at, ledger_now()))
        RETURNING id INTO p_lot;
    e := ledger_blank(w.workspace_id, 'grant', p_lot);
    e.debt := -owed;
    CASE p_source
        WHEN 'plan' THEN e.plan := p_words - owed;
        WHEN 'bonus' THEN e.bonus := p_words - owed;
        WHEN 'purchased' THEN e.purchased := p_words - owed;
    END CASE;
    e.reason := p_reason; e.details := p_details;
    PERFORM ledger_enter(e, 0);
    PERFORM ledger_schedule(w.workspace_id);
END $$;
"""

# What the passing of time does: lots expire, soonest first, and the plan's next month begins. Words promised to
# a reply that is being written stay until it ends, if nothing else is there to pay it.
FALL_DUE = """
CREATE FUNCTION ledger_fall_due(w billing_wallet) RETURNS billing_wallet LANGUAGE plpgsql AS $$
DECLARE
    here uuid := w.workspace_id;
    lot billing_lot;
    gone bigint;
    e billing_entry;
BEGIN
    PERFORM ledger_work_out(here);
    FOR lot IN
        SELECT * FROM billing_lot WHERE workspace_id = here AND remaining > 0 AND expires_at <= ledger_now()
        ORDER BY expires_at, created_at, id
    LOOP
        gone := least(lot.remaining, w.plan + w.bonus + w.purchased - w.held);
        CONTINUE WHEN gone = 0;
        UPDATE billing_lot SET remaining = remaining - gone, expired = expired + gone WHERE id = lot.id;
        e := ledger_blank(here, 'expiry', lot.id);
        CASE lot.source
            WHEN 'plan' THEN e.plan := -gone;
            WHEN 'bonus' THEN e.bonus := -gone;
            WHEN 'purchased' THEN e.purchased := -gone;
        END CASE;
        w := ledger_enter(e, 0);
    END LOOP;
    PERFORM ledger_renew(w);
    RETURN ledger_schedule(here);
END $$;
"""

# The month that is running now, counted from the plan's first day; months that nobody used are not made up for.
RENEW = """
CREATE FUNCTION ledger_renew(w billing_wallet) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s billing_subscription;
    starts timestamptz;
    ends timestamptz;
    month integer := 0;
    named text;
BEGIN
    SELECT * INTO s FROM billing_subscription WHERE workspace_id = w.workspace_id AND ends_at <= ledger_now();
    IF NOT FOUND THEN RETURN; END IF;
    ends := s.started_at;
    WHILE ends <= ledger_now() LOOP
        month := month + 1;
        starts := ends;
        ends := (s.started_at AT TIME ZONE 'UTC' + month * interval '1 month') AT TIME ZONE 'UTC';
    END LOOP;
    UPDATE billing_subscription SET ends_at = ends WHERE workspace_id = w.workspace_id;
    named := s.plan || ' ' || to_char(starts AT TIME ZONE 'UTC', 'YYYY-MM-DD');
    IF NOT EXISTS (SELECT FROM billing_lot
                   WHERE workspace_id = w.workspace_id AND source = 'plan' AND reference = named) THEN
        PERFORM ledger_add_lot(w, 'plan', named, s.words, ends, '', '{}');
    END IF;
END $$;
"""

# A reply is paid: at most what is payable, the rest is written off; its hold is over. Twice a reply counts, so
# this does in two statements what `ledger_enter` does for the rare kinds.
CHARGE = """
CREATE FUNCTION ledger_charge(w billing_wallet, h billing_hold, p_payable bigint, p_words bigint,
    p_details jsonb) RETURNS billing_wallet LANGUAGE plpgsql AS $$
DECLARE
    paid bigint := least(p_words, p_payable);
    from_plan bigint := least(w.plan, paid);
    from_bonus bigint := least(w.bonus, paid - from_plan);
    from_purchased bigint := paid - from_plan - from_bonus;
BEGIN
    UPDATE billing_wallet SET
        plan = plan - from_plan, bonus = bonus - from_bonus, purchased = purchased - from_purchased,
        held = held - h.words, sequence = sequence + 1, moved_at = greatest(moved_at, ledger_now())
    WHERE workspace_id = w.workspace_id RETURNING * INTO w;
    INSERT INTO billing_entry (workspace_id, sequence, at, kind, reference, plan, bonus, purchased, debt,
        plan_after, bonus_after, purchased_after, debt_after, written_off, employee_id, chat_id, user_id,
        details, reason)
    VALUES (w.workspace_id, w.sequence, w.moved_at, 'charge', h.turn, -from_plan, -from_bonus, -from_purchased, 0,
        w.plan, w.bonus, w.purchased, w.debt, p_words - paid, h.employee_id, h.chat_id, h.user_id,
        p_details, '');
    RETURN w;
END $$;
"""

INSIDE = [NOW, LOTS_NOW, SPEND, BLANK, ENTER, WORK_OUT, SCHEDULE, ADD_LOT, RENEW, FALL_DUE, LOCK, CHARGE]

# The common case is two statements: the wallet promises, the hold is written. Whatever stands in the way (time
# has run out for something, no wallet yet, asked before, too few words) is looked at under the lock, once.
RESERVE = """
#variable_conflict use_column
DECLARE
    here uuid := current_workspace();
    w billing_wallet;
BEGIN
    IF (p_words > 0) IS NOT TRUE THEN
        RAISE EXCEPTION 'words to reserve: %', p_words USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR attempt IN 1..2 LOOP
        UPDATE billing_wallet SET held = held + p_words
            WHERE workspace_id = here AND held + p_words <= plan + bonus + purchased
              AND (attempt = 2 OR (due_at > ledger_now()) IS NOT FALSE)
            RETURNING plan + bonus + purchased - held INTO words_left;
        IF FOUND THEN
            INSERT INTO billing_hold (workspace_id, turn, words, lease_until, employee_id, chat_id, user_id)
                SELECT here, p_turn, p_words, ledger_now() + p_lease, p_employee, p_chat, p_user
                WHERE NOT EXISTS (SELECT FROM billing_entry
                                  WHERE workspace_id = here AND reference = p_turn AND kind = 'charge')
                ON CONFLICT (workspace_id, turn) DO NOTHING;
            IF FOUND THEN
                granted := true; held := p_words;
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
END
"""

EXTEND = """
#variable_conflict use_column
DECLARE
    w billing_wallet := ledger_lock();
    more bigint;
BEGIN
    words_left := w.plan + w.bonus + w.purchased - w.held;
    SELECT words INTO held FROM billing_hold WHERE workspace_id = w.workspace_id AND turn = p_turn;
    IF NOT FOUND THEN
        granted := false; held := 0;
        RETURN;
    END IF;
    more := greatest(0, least(p_words - held, words_left));
    IF more > 0 THEN
        UPDATE billing_hold SET words = words + more WHERE workspace_id = w.workspace_id AND turn = p_turn;
        UPDATE billing_wallet SET held = held + more WHERE workspace_id = w.workspace_id;
    END IF;
    held := held + more; words_left := words_left - more; granted := held >= p_words;
END
"""

LEASE = """
DECLARE
    w billing_wallet := ledger_lock();
    renewed integer;
BEGIN
    UPDATE billing_hold h SET lease_until = greatest(h.lease_until, ledger_now() + p_lease),
                              delivered = greatest(h.delivered, t.delivered)
        FROM unnest(p_turns, p_delivered) AS t (turn, delivered)
        WHERE h.workspace_id = w.workspace_id AND h.turn = t.turn;
    GET DIAGNOSTICS renewed = ROW_COUNT;
    RETURN renewed;
END
"""

SETTLE = """
#variable_conflict use_column
DECLARE
    w billing_wallet := ledger_lock();
    h billing_hold;
    payable bigint;
BEGIN
    IF (p_words >= 0) IS NOT TRUE THEN
        RAISE EXCEPTION 'words to settle: %', p_words USING ERRCODE = 'invalid_parameter_value';
    END IF;
    DELETE FROM billing_hold WHERE workspace_id = w.workspace_id AND turn = p_turn RETURNING * INTO h;
    IF FOUND THEN
        payable := h.words;
    ELSE
        SELECT -(plan + bonus + purchased), written_off INTO charged, written_off FROM billing_entry
            WHERE workspace_id = w.workspace_id AND reference = p_turn AND kind = 'charge';
        words_left := w.plan + w.bonus + w.purchased - w.held;
        IF FOUND THEN RETURN; END IF;
        -- The lease had run out and the hold was reaped, and yet the text is there: paid from what is free.
        payable := words_left;
        h.turn := p_turn; h.words := 0;
        h.employee_id := (p_details ->> 'employee')::uuid;
        h.chat_id := (p_details ->> 'chat')::uuid;
        h.user_id := (p_details ->> 'user')::uuid;
    END IF;
    w := ledger_charge(w, h, payable, p_words, p_details);
    charged := least(p_words, payable);
    written_off := p_words - charged;
    words_left := w.plan + w.bonus + w.purchased - w.held;
END
"""

RELEASE = """
#variable_conflict use_column
DECLARE w billing_wallet := ledger_lock();
BEGIN
    DELETE FROM billing_hold WHERE workspace_id = w.workspace_id AND turn = p_turn RETURNING words INTO released;
    released := coalesce(released, 0);
    IF released > 0 THEN
        UPDATE billing_wallet SET held = held - released WHERE workspace_id = w.workspace_id;
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
            released := released + 1;
        END IF;
    END LOOP;
END
"""

GRANT = """
#variable_conflict use_column
DECLARE w billing_wallet;
BEGIN
    IF (p_words > 0) IS NOT TRUE THEN
        RAISE EXCEPTION 'words to grant: %', p_words USING ERRCODE = 'invalid_parameter_value';
    END IF;
    w := ledger_lock();
    SELECT id INTO lot FROM billing_lot
        WHERE workspace_id = w.workspace_id AND source = p_source AND reference = p_reference;
    granted := NOT FOUND;
    IF granted THEN
        lot := ledger_add_lot(w, p_source, p_reference, p_words, p_expires, p_reason, p_details);
        w := ledger_lock();
    END IF;
    words_left := w.plan + w.bonus + w.purchased - w.held;
END
"""

EXPIRE = """
DECLARE
    w billing_wallet := ledger_lock();
BEGIN
    RETURN w.plan + w.bonus + w.purchased - w.held;
END
"""

BEGIN_PLAN = """
DECLARE w billing_wallet := ledger_lock();
BEGIN
    INSERT INTO billing_subscription (workspace_id, plan, words, started_at, ends_at)
        SELECT w.workspace_id, p_plan, p_words, at, at FROM ledger_now() AS at
        ON CONFLICT (workspace_id) DO NOTHING;
    w := ledger_fall_due(w);
    RETURN w.plan + w.bonus + w.purchased - w.held;
END
"""

# Takes words of one lot back, up to `p_words` altogether: the same target again, or a smaller one after a larger,
# changes only what is missing. A refund gives back unused words; a reversed payment also takes what the lot has
# paid for, from other words and at last as a debt. Words that expired were never used: nobody owes them.
TAKE_BACK = """
CREATE FUNCTION ledger_take_back(p_kind text, p_source text, p_reference text, p_words bigint,
    p_reason text, p_details jsonb, OUT taken_back bigint, OUT debt bigint, OUT words_left bigint)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    w billing_wallet := ledger_lock();
    lot billing_lot;
    e billing_entry;
    delta bigint;
    free bigint := w.plan + w.bonus + w.purchased - w.held;
    from_lot bigint;
    from_others bigint := 0;
BEGIN
    PERFORM ledger_work_out(w.workspace_id);
    SELECT * INTO lot FROM billing_lot
        WHERE workspace_id = w.workspace_id AND source = p_source AND reference = p_reference;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no words were granted as % %', p_source, p_reference USING ERRCODE = 'no_data_found';
    END IF;
    delta := greatest(0, least(p_words, lot.words - lot.expired)) - lot.reversed;
    IF p_kind = 'refund' THEN
        delta := greatest(0, least(delta, lot.remaining, free));
    END IF;
    IF delta > 0 THEN
        from_lot := least(delta, lot.remaining, free);
        from_others := least(delta - from_lot, free - from_lot);
        e := ledger_blank(w.workspace_id, p_kind, lot.id);
        e.debt := delta - from_lot - from_others;
        from_lot := -from_lot;
    ELSIF delta < 0 THEN
        e := ledger_blank(w.workspace_id, 'reinstatement', lot.id);
        e.debt := -least(w.debt, -delta);
        from_lot := -delta + e.debt;
    END IF;
    IF delta <> 0 THEN
        CASE lot.source
            WHEN 'plan' THEN e.plan := from_lot;
            WHEN 'bonus' THEN e.bonus := from_lot;
            WHEN 'purchased' THEN e.purchased := from_lot;
        END CASE;
        e := ledger_spend(w, from_others, e);
        e.reason := p_reason; e.details := p_details;
        UPDATE billing_lot SET remaining = remaining + from_lot, reversed = reversed + delta WHERE id = lot.id;
        PERFORM ledger_enter(e, 0);
        PERFORM ledger_schedule(w.workspace_id);
        w := ledger_lock();
    END IF;
    taken_back := lot.reversed + delta; debt := w.debt; words_left := w.plan + w.bonus + w.purchased - w.held;
END $$;
"""

REFUND = """
SELECT * FROM ledger_take_back('refund', p_source, p_reference, p_words, p_reason, p_details)
"""
REVERSE = """
SELECT * FROM ledger_take_back('reversal', p_source, p_reference, p_words, p_reason, p_details)
"""
TAKE_BACK_SIGNATURE = """(p_source text, p_reference text, p_words bigint, p_reason text,
    p_details jsonb DEFAULT '{}', OUT taken_back bigint, OUT debt bigint, OUT words_left bigint)"""

BALANCE = """
#variable_conflict use_column
DECLARE w billing_wallet;
BEGIN
    SELECT * INTO w FROM billing_wallet WHERE workspace_id = current_workspace();
    IF w.due_at <= ledger_now() THEN
        w := ledger_lock();
    END IF;
    words_left := coalesce(w.plan + w.bonus + w.purchased - w.held, 0);
    reserved := coalesce(w.held, 0);
    debt := coalesce(w.debt, 0);
    plan := (SELECT plan FROM billing_subscription WHERE workspace_id = w.workspace_id);
    SELECT coalesce(array_agg(source ORDER BY rank, expires_at NULLS LAST, created_at, id), '{}'),
           coalesce(array_agg(words ORDER BY rank, expires_at NULLS LAST, created_at, id), '{}'),
           coalesce(array_agg(expires_at ORDER BY rank, expires_at NULLS LAST, created_at, id), '{}')
        INTO sources, amounts, expiries
        FROM (SELECT *, array_position('{plan,bonus,purchased}', source) AS rank FROM billing_lot_now
              WHERE workspace_id = w.workspace_id AND words > 0) o;
END
"""

# For reading many wallets at once, without a lock: what would be left if what is due were done.
LEFT = """
CREATE FUNCTION ledger_words_left(p_workspace uuid) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN w.due_at > ledger_now() OR w.due_at IS NULL
        THEN w.plan + w.bonus + w.purchased - w.held
        ELSE greatest(0, coalesce((
                SELECT sum(words) FROM billing_lot_now o WHERE o.workspace_id = p_workspace
                AND (o.expires_at IS NULL OR o.expires_at > ledger_now())), 0)::bigint - w.held
            + coalesce((SELECT greatest(0, s.words - w.debt) FROM billing_subscription s
                        WHERE s.workspace_id = p_workspace AND s.ends_at <= ledger_now()), 0))
        END
    FROM billing_wallet w WHERE w.workspace_id = p_workspace
$$;
"""

CONTEXTS = """
    SELECT c.*, coalesce(ledger_words_left(c.id), 0) FROM contexts_of(p_user) c
"""

CLOSED = """
REVOKE EXECUTE ON FUNCTION ledger_lock, ledger_enter, ledger_blank, ledger_spend, ledger_work_out, ledger_schedule,
    ledger_add_lot, ledger_fall_due, ledger_renew, ledger_charge, ledger_take_back, ledger_words_left FROM PUBLIC;
"""

ANSWER = "OUT granted boolean, OUT held bigint, OUT words_left bigint"


def Verb(signature: str, returns: str, body: str) -> migrations.RunSQL:
    return Definer(signature, returns, body, "plpgsql")


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_wall")]
    operations = [
        *[migrations.RunSQL(function, migrations.RunSQL.noop) for function in [*INSIDE, TAKE_BACK, LEFT]],
        Verb(
            "ledger_reserve(p_turn uuid, p_words bigint, p_lease interval, p_employee uuid DEFAULT NULL,"
            f" p_chat uuid DEFAULT NULL, p_user uuid DEFAULT NULL, {ANSWER})",
            "record",
            RESERVE,
        ),
        Verb(f"ledger_extend(p_turn uuid, p_words bigint, {ANSWER})", "record", EXTEND),
        Verb("ledger_lease(p_turns uuid[], p_delivered bigint[], p_lease interval)", "integer", LEASE),
        Verb(
            "ledger_settle(p_turn uuid, p_words bigint, p_details jsonb DEFAULT '{}', OUT charged bigint,"
            " OUT written_off bigint, OUT words_left bigint)",
            "record",
            SETTLE,
        ),
        Verb("ledger_release(p_turn uuid, OUT released bigint, OUT words_left bigint)", "record", RELEASE),
        Verb("ledger_reap(OUT settled integer, OUT released integer)", "record", REAP),
        Verb(
            "ledger_grant(p_source text, p_reference text, p_words bigint, p_expires timestamptz,"
            " p_reason text, p_details jsonb DEFAULT '{}', OUT granted boolean, OUT lot uuid,"
            " OUT words_left bigint)",
            "record",
            GRANT,
        ),
        Verb("ledger_expire()", "bigint", EXPIRE),
        Verb("ledger_begin(p_plan text, p_words bigint)", "bigint", BEGIN_PLAN),
        Definer(f"ledger_refund{TAKE_BACK_SIGNATURE}", "record", REFUND),
        Definer(f"ledger_reverse{TAKE_BACK_SIGNATURE}", "record", REVERSE),
        Verb(
            "ledger_balance(OUT plan text, OUT words_left bigint, OUT reserved bigint, OUT debt bigint,"
            " OUT sources text[], OUT amounts bigint[], OUT expiries timestamptz[])",
            "record",
            BALANCE,
        ),
        Definer(
            "contexts_with_words(p_user uuid)",
            "TABLE (id uuid, kind varchar, slug varchar, name varchar, avatar varchar, role varchar,"
            " last_used_at timestamptz, words_left bigint)",
            CONTEXTS,
        ),
        migrations.RunSQL(CLOSED, migrations.RunSQL.noop),
    ]
