"""Hours counted from the messages. The days since the last count are counted anew as a whole, so nothing that came
late, was deleted or counted twice can stay wrong; days before them are as they were."""

from django.db import migrations

from staffroom.core.wall import Wall

TALLY = """
CREATE FUNCTION chats_count_hours(p_since timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    here uuid := current_workspace();
    nobody uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
    DELETE FROM chats_hour WHERE workspace_id = here AND hour >= p_since;
    INSERT INTO chats_hour (workspace_id, hour, employee_id, messages, chats, alone, helped, replies, seconds)
    WITH active AS MATERIALIZED (
        SELECT id, coalesce(employee_id, nobody) AS employee_id FROM chats_chat
        WHERE workspace_id = here AND last_message_at >= p_since
    ), said AS MATERIALIZED (
        SELECT a.employee_id, m.chat_id, m.author, date_trunc('hour', m.created_at) AS hour,
               date_trunc('day', m.created_at) AS day
        FROM active a JOIN chats_message m ON m.workspace_id = here AND m.chat_id = a.id
        WHERE m.created_at >= p_since
    ), of_chats AS (
        SELECT employee_id, min(hour) AS hour, bool_or(author = 'manager') AS by_person,
               bool_or(author = 'employee') AS by_employee
        FROM said GROUP BY employee_id, chat_id, day
    ), parts AS (
        SELECT employee_id, hour, count(*) AS messages, 0 AS chats, 0 AS alone, 0 AS helped, 0 AS replies, 0.0 AS seconds
        FROM said GROUP BY 1, 2
        UNION ALL
        SELECT employee_id, hour, 0, count(*), count(*) FILTER (WHERE by_employee AND NOT by_person),
               count(*) FILTER (WHERE by_person), 0, 0.0
        FROM of_chats GROUP BY 1, 2
        UNION ALL
        SELECT a.employee_id, date_trunc('hour', t.ended_at), 0, 0, 0, 0, count(*),
               sum(extract(epoch FROM t.ended_at - t.created_at))
        FROM active a JOIN chats_turn t ON t.workspace_id = here AND t.chat_id = a.id
        WHERE t.state = 'done' AND t.ended_at >= p_since GROUP BY 1, 2
    )
    SELECT here, hour, employee_id, sum(messages), sum(chats), sum(alone), sum(helped), sum(replies), sum(seconds)
    FROM parts GROUP BY hour, employee_id;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("chats", "0006_hours")]
    operations = [
        Wall("chats_hour"),
        Wall("chats_tally"),
        migrations.RunSQL(TALLY, "DROP FUNCTION chats_count_hours"),
    ]
