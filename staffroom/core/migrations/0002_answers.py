"""The first answers to writes that carried an Idempotency-Key.

No policy lets the application's role at the table; two functions of the owner do, and they start from a hash that
only the one who asked can make. Each claim sweeps a few rows that are over, so the table needs no job.
"""

from django.db import migrations

from staffroom.core.wall import Definer

TABLE = """
CREATE TABLE core_answer (
    id bytea PRIMARY KEY,
    request bytea NOT NULL,
    status smallint,
    body bytea,
    made_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX core_answer_by_age ON core_answer (made_at);
ALTER TABLE core_answer ENABLE ROW LEVEL SECURITY;
ALTER TABLE core_answer FORCE ROW LEVEL SECURITY;
"""

# Who comes second waits at the unique key until the first has committed, and then reads its answer.
CLAIM = """
BEGIN
    DELETE FROM core_answer WHERE id IN (
        SELECT a.id FROM core_answer a WHERE a.made_at < now() - interval '24 hours'
        ORDER BY a.made_at LIMIT 20 FOR UPDATE SKIP LOCKED);
    DELETE FROM core_answer a WHERE a.id = p_id AND a.made_at < now() - interval '24 hours';
    INSERT INTO core_answer (id, request) VALUES (p_id, p_request) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN QUERY SELECT a.request, a.status, a.body FROM core_answer a WHERE a.id = p_id;
    END IF;
END
"""

KEEP = "UPDATE core_answer SET status = p_status, body = p_body WHERE id = p_id"


class Migration(migrations.Migration):
    dependencies = [("core", "0001_foundation")]
    operations = [
        migrations.RunSQL(TABLE, "DROP TABLE core_answer"),
        Definer(
            "claim_answer(p_id bytea, p_request bytea)",
            "TABLE (request bytea, status smallint, body bytea)",
            CLAIM,
            "plpgsql",
        ),
        Definer("keep_answer(p_id bytea, p_status smallint, p_body bytea)", "void", KEEP),
    ]
