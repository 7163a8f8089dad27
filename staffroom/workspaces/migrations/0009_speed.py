"""What every change begins and ends with, in one round trip each.

Each takes a lock first. A statement inside a function sees what was committed before it began, so what follows the
lock is read as it is once the lock is ours; a join in the locking statement would show it as it was before the wait.
"""

from django.db import migrations

# The actor is a person or, without one, a key. No role: no membership, or a key that was revoked.
STANDING = """
CREATE FUNCTION standing(p_user uuid, p_key uuid, OUT workspace workspaces_workspace, OUT role varchar)
    LANGUAGE plpgsql AS $$
BEGIN
    SELECT * INTO workspace FROM workspaces_workspace WHERE id = current_workspace() FOR NO KEY UPDATE;
    IF p_user IS NULL THEN
        SELECT k.role INTO role FROM workspaces_apikey k
            WHERE k.workspace_id = workspace.id AND k.id = p_key AND k.user_id IS NULL AND k.revoked_at IS NULL;
    ELSE
        SELECT CASE WHEN m.user_id = workspace.owner_id THEN 'owner' ELSE m.role END INTO role
            FROM workspaces_membership m
            WHERE m.workspace_id = workspace.id AND m.user_id = p_user AND m.status = 'active';
    END IF;
END $$;
"""

# The number and the hash of the last entry, which the next one follows; nothing in a log without entries.
AUDIT_END = """
CREATE FUNCTION audit_end(OUT number bigint, OUT hash bytea) LANGUAGE plpgsql AS $$
DECLARE here uuid := current_workspace();
BEGIN
    PERFORM FROM workspaces_workspace WHERE id = here FOR NO KEY UPDATE;
    SELECT e.number, e.hash INTO number, hash FROM workspaces_auditentry e
        WHERE e.workspace_id = here ORDER BY e.number DESC LIMIT 1;
END $$;
"""

# Until the end of the transaction, alone or together with others who hold the same person; whether there is one.
HOLD_PERSON = """
CREATE FUNCTION hold_person(p_user uuid, p_alone boolean) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE name bigint := hashtextextended('person ' || p_user, 0);
BEGIN
    IF p_alone THEN
        PERFORM pg_advisory_xact_lock(name);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(name);
    END IF;
    RETURN EXISTS (SELECT FROM accounts_user WHERE id = p_user AND is_active);
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0008_keys_and_factors")]
    operations = [
        migrations.RunSQL(STANDING, "DROP FUNCTION standing"),
        migrations.RunSQL(AUDIT_END, "DROP FUNCTION audit_end"),
        migrations.RunSQL(HOLD_PERSON, "DROP FUNCTION hold_person"),
    ]
