"""Nobody answers in an organization that was closed: its turns are not claimed. And turns find their reply by key:
each one that was deleted read all messages of the workspace, so that erasing took the square of them.
"""

from django.db import migrations, models

from staffroom.core.wall import Definer

GENERIC = "SET plan_cache_mode = force_generic_plan SET enable_seqscan = off"

# As before, and passes closed organizations by.
CLAIM = """
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH free AS (
        SELECT t.workspace_id, t.id FROM chats_turn t
        WHERE t.state = 'queued' AND t.lease_until <= clock_timestamp() AND NOT EXISTS (
            SELECT FROM chats_turn r
            WHERE r.workspace_id = t.workspace_id AND r.chat_id = t.chat_id AND r.state = 'running')
            AND EXISTS (SELECT FROM workspaces_workspace w WHERE w.id = t.workspace_id AND w.closed_at IS NULL)
        ORDER BY t.created_at LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE chats_turn t SET state = 'running', attempt = t.attempt + 1, worker = p_worker,
        lease_until = clock_timestamp() + p_lease
    FROM free f WHERE t.workspace_id = f.workspace_id AND t.id = f.id
    RETURNING t.workspace_id, t.id, t.chat_id, t.attempt;
    IF NOT p_sweep THEN RETURN; END IF;
    RETURN QUERY
    WITH alive AS MATERIALIZED (
        SELECT objid::bigint AS worker FROM pg_locks
        WHERE locktype = 'advisory' AND classid = p_class AND objsubid = 2 AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ), free AS (
        SELECT t.workspace_id, t.id FROM chats_turn t
        WHERE t.state = 'running' AND (t.lease_until <= clock_timestamp() OR (
            t.worker <> p_worker AND NOT EXISTS (SELECT FROM alive a WHERE a.worker = t.worker)))
            AND EXISTS (SELECT FROM workspaces_workspace w WHERE w.id = t.workspace_id AND w.closed_at IS NULL)
        ORDER BY t.created_at LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE chats_turn t SET attempt = t.attempt + 1, worker = p_worker,
        lease_until = clock_timestamp() + p_lease, draft = ''
    FROM free f WHERE t.workspace_id = f.workspace_id AND t.id = f.id
    RETURNING t.workspace_id, t.id, t.chat_id, t.attempt;
END
"""


class Migration(migrations.Migration):
    dependencies = [("chats", "0003_turns"), ("workspaces", "0005_deletion")]
    operations = [
        migrations.AddIndex(
            "message",
            models.Index(
                condition=models.Q(turn__isnull=False), fields=["workspace", "turn"], name="replies_of_turn"
            ),
        ),
        migrations.RunSQL("DROP FUNCTION turns_claim", migrations.RunSQL.noop),
        Definer(
            "turns_claim(p_worker int, p_class bigint, p_limit int, p_lease interval, p_sweep boolean)",
            "TABLE (workspace_id uuid, id uuid, chat_id uuid, attempt int)",
            CLAIM,
            f"plpgsql {GENERIC}",
        ),
    ]
