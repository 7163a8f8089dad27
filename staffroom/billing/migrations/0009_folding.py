"""Days folded from the entries, and the way from a time to a place in the sequence.

Entries are numbered in the order in which they are committed (each is written under the wallet's lock), and time
never runs backwards along the numbers. So "up to here" is one number, and a time is found by halving.
"""

from django.db import migrations

from staffroom.core.wall import Wall

TABLES = ["billing_day", "billing_daychat", "billing_folded"]

# The next entries into their days. Who comes second waits and goes on from there.
FOLD = """
CREATE FUNCTION billing_fold(p_limit integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    here uuid := current_workspace();
    f bigint;
    upto bigint;
    folded integer;
    nobody uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
    INSERT INTO billing_folded (workspace_id, sequence) VALUES (here, 0) ON CONFLICT DO NOTHING;
    SELECT sequence INTO f FROM billing_folded WHERE workspace_id = here FOR NO KEY UPDATE;
    SELECT max(sequence), count(*) INTO upto, folded FROM (
        SELECT sequence FROM billing_entry WHERE workspace_id = here AND sequence > f ORDER BY sequence LIMIT p_limit) e;
    IF folded = 0 THEN RETURN 0; END IF;
    WITH charged AS MATERIALIZED (
        SELECT (at AT TIME ZONE 'UTC')::date AS day, coalesce(employee_id, nobody) AS employee_id,
               coalesce(user_id, nobody) AS user_id, chat_id, sequence, -plan AS plan, -bonus AS bonus,
               -purchased AS purchased
        FROM billing_entry
        WHERE workspace_id = here AND sequence > f AND sequence <= upto AND kind = 'charge'
    ), seen AS (
        INSERT INTO billing_daychat (workspace_id, day, chat_id)
        SELECT DISTINCT here, day, chat_id FROM charged WHERE chat_id IS NOT NULL
        ON CONFLICT DO NOTHING RETURNING day, chat_id
    ), first AS (
        SELECT DISTINCT ON (c.day, c.chat_id) c.day, c.employee_id, c.user_id
        FROM charged c JOIN seen s ON s.day = c.day AND s.chat_id = c.chat_id
        ORDER BY c.day, c.chat_id, c.sequence
    ), chats AS (
        SELECT day, employee_id, user_id, count(*) AS chats FROM first GROUP BY 1, 2, 3
    )
    INSERT INTO billing_day AS d (workspace_id, day, employee_id, user_id, replies, chats, plan, bonus, purchased)
    SELECT here, c.day, c.employee_id, c.user_id, count(*), coalesce(max(n.chats), 0),
           sum(c.plan), sum(c.bonus), sum(c.purchased)
    FROM charged c LEFT JOIN chats n USING (day, employee_id, user_id)
    GROUP BY 2, 3, 4
    ON CONFLICT (workspace_id, day, employee_id, user_id) DO UPDATE SET
        replies = d.replies + excluded.replies, chats = d.chats + excluded.chats, plan = d.plan + excluded.plan,
        bonus = d.bonus + excluded.bonus, purchased = d.purchased + excluded.purchased;
    UPDATE billing_folded SET sequence = upto WHERE workspace_id = here;
    RETURN folded;
END $$;
"""

SEQUENCE_AT = """
CREATE FUNCTION ledger_sequence_at(p_at timestamptz) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    here uuid := current_workspace();
    low bigint := 0;
    high bigint := coalesce((SELECT sequence FROM billing_wallet WHERE workspace_id = current_workspace()), 0) + 1;
    middle bigint;
BEGIN
    -- The entry at `low` is before the time, the one at `high` is not.
    WHILE high - low > 1 LOOP
        middle := (low + high) / 2;
        IF (SELECT at < p_at FROM billing_entry WHERE workspace_id = here AND sequence = middle) THEN
            low := middle;
        ELSE
            high := middle;
        END IF;
    END LOOP;
    RETURN low;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_days")]
    operations = [
        *[Wall(table) for table in TABLES],
        migrations.RunSQL(FOLD, "DROP FUNCTION billing_fold"),
        migrations.RunSQL(SEQUENCE_AT, "DROP FUNCTION ledger_sequence_at"),
    ]
