"""The tenant wall around the first tables, and the few reads that come before a context is known."""

from django.db import migrations

from staffroom.core.wall import Definer, Wall

DOOR_COLUMNS = """
    user_id uuid, email varchar, password varchar, user_name varchar, language varchar, theme varchar,
    is_staff boolean, last_login timestamptz, user_created_at timestamptz,
    workspace_id uuid, kind varchar, slug varchar, workspace_name varchar, avatar varchar,
    role varchar, moved boolean, last_used boolean, key_id uuid
"""

# The place at an address, for one person: nothing for a stranger, a former member or a closed organization.
PLACE = """
    SELECT w.id, w.kind, w.slug, w.name, w.avatar,
           CASE WHEN w.owner_id = m.user_id THEN 'owner' ELSE m.role END AS role,
           p_slug IS NOT NULL AND w.slug <> p_slug AS moved,
           NOT EXISTS (SELECT FROM workspaces_membership other
                       WHERE other.user_id = m.user_id AND other.last_used_at > m.last_used_at) AS last_used
    FROM workspaces_workspace w
    JOIN workspaces_membership m ON m.workspace_id = w.id AND m.user_id = {user} AND m.status = 'active'
    WHERE w.closed_at IS NULL AND w.id = (
        CASE WHEN p_me THEN
            (SELECT id FROM workspaces_workspace WHERE owner_id = {user} AND kind = 'personal')
        ELSE
            (SELECT s.workspace_id FROM workspaces_slug s WHERE s.slug = p_slug)
        END)
"""

USER = """u.id, u.email, u.password, u.name, u.language, u.theme, u.is_staff, u.last_login, u.created_at"""

BY_SESSION = f"""
    SELECT s.session_data, {USER},
           w.id, w.kind, w.slug, w.name, w.avatar, w.role::varchar, w.moved, w.last_used, NULL::uuid
    FROM accounts_session s
    LEFT JOIN accounts_user u ON u.id = s.user_id AND u.is_active
    LEFT JOIN LATERAL ({PLACE.format(user="u.id")}) w ON true
    WHERE s.session_key = p_session AND s.expire_date > now()
"""

# A key's last use is noted at most once a minute, so that a busy key does not write at every call.
BY_KEY = f"""
    WITH touched AS (
        UPDATE workspaces_apikey SET last_used_at = now()
        WHERE hash = p_hash AND revoked_at IS NULL
          AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
    )
    SELECT {USER},
           coalesce(w.id, o.id), coalesce(w.kind, o.kind), coalesce(w.slug, o.slug), coalesce(w.name, o.name),
           coalesce(w.avatar, o.avatar), coalesce(w.role, k.role)::varchar,
           coalesce(w.moved, o.slug <> p_slug), coalesce(w.last_used, true), k.id
    FROM workspaces_apikey k
    JOIN workspaces_workspace home ON home.id = k.workspace_id AND home.closed_at IS NULL
    LEFT JOIN accounts_user u ON u.id = k.user_id AND u.is_active
    LEFT JOIN LATERAL ({PLACE.format(user="u.id")}) w ON true
    LEFT JOIN LATERAL (
        SELECT home.id, home.kind, home.slug, home.name, home.avatar
        WHERE k.user_id IS NULL
          AND home.id = (SELECT s.workspace_id FROM workspaces_slug s WHERE s.slug = p_slug)
    ) o ON true
    WHERE k.hash = p_hash AND k.revoked_at IS NULL AND (k.user_id IS NULL OR u.id IS NOT NULL)
"""

CONTEXTS = """
    SELECT w.id, w.kind, w.slug, w.name, w.avatar,
           (CASE WHEN w.owner_id = p_user THEN 'owner' ELSE m.role END)::varchar, m.last_used_at
    FROM workspaces_membership m
    JOIN workspaces_workspace w ON w.id = m.workspace_id AND w.closed_at IS NULL
    WHERE m.user_id = p_user AND m.status = 'active'
    ORDER BY w.kind = 'organization', lower(w.name), w.id
"""

# A slug is free when nobody has it and nobody's former one is still held. The insert decides between two
# who ask at the same moment.
CLAIM_SLUG = """
BEGIN
    DELETE FROM workspaces_slug
        WHERE slug = p_slug AND held_until IS NOT NULL AND (held_until < now() OR workspace_id = p_workspace);
    INSERT INTO workspaces_slug (slug, workspace_id) VALUES (p_slug, p_workspace) ON CONFLICT DO NOTHING;
    RETURN FOUND;
END
"""

TAKEN_SLUGS = """
    SELECT slug FROM workspaces_slug
    WHERE slug = ANY(p_slugs) AND (held_until IS NULL OR held_until >= now())
"""

INVITATIONS = """
    SELECT i.id, i.workspace_id, w.slug, w.name, w.avatar, i.role, i.email, i.email_norm,
           coalesce(nullif(u.name, ''), u.email)::varchar, i.expires_at
    FROM workspaces_invitation i
    JOIN workspaces_workspace w ON w.id = i.workspace_id AND w.closed_at IS NULL
    LEFT JOIN accounts_user u ON u.id = i.invited_by_id
    WHERE i.state = 'pending' AND i.expires_at > now() AND {which}
    ORDER BY i.created_at
"""
INVITATION_COLUMNS = """TABLE (
    id uuid, workspace_id uuid, slug varchar, name varchar, avatar varchar, role varchar, email varchar,
    email_norm varchar, invited_by varchar, expires_at timestamptz)"""

OWNER_IN_STEP = """
CREATE FUNCTION owner_has_a_membership() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE looked uuid;
BEGIN
    IF TG_TABLE_NAME = 'workspaces_workspace' THEN looked := NEW.id; ELSE looked := OLD.workspace_id; END IF;
    IF EXISTS (SELECT FROM workspaces_workspace w WHERE w.id = looked AND NOT EXISTS (
            SELECT FROM workspaces_membership m
            WHERE m.workspace_id = w.id AND m.user_id = w.owner_id AND m.status = 'active' AND m.role = 'admin'))
    THEN
        RAISE EXCEPTION 'the owner of a workspace must be an active member of it'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER owner_in_step AFTER INSERT OR UPDATE OF owner_id ON workspaces_workspace
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION owner_has_a_membership();
CREATE CONSTRAINT TRIGGER owner_in_step AFTER UPDATE OF status, role, user_id OR DELETE ON workspaces_membership
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION owner_has_a_membership();
"""

APPEND_ONLY = """
CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user = (SELECT tableowner FROM pg_tables WHERE schemaname = 'public' AND tablename = TG_TABLE_NAME)
    THEN RETURN coalesce(NEW, OLD); END IF;
    RAISE EXCEPTION 'rows of % are written once', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON workspaces_auditentry
    FOR EACH ROW EXECUTE FUNCTION append_only();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("workspaces", "0001_initial"),
        ("accounts", "0001_initial"),
        ("core", "0001_foundation"),
    ]
    operations = [
        Wall("workspaces_workspace", column="id"),
        Wall("workspaces_slug"),
        Wall("workspaces_membership"),
        Wall("workspaces_invitation"),
        Wall("workspaces_auditentry"),
        Wall("workspaces_apikey"),
        migrations.RunSQL(OWNER_IN_STEP, migrations.RunSQL.noop),
        migrations.RunSQL(APPEND_ONLY, migrations.RunSQL.noop),
        Definer(
            "door_by_session(p_session varchar, p_me boolean, p_slug varchar)",
            f"TABLE (session_data text, {DOOR_COLUMNS})",
            BY_SESSION,
        ),
        Definer("door_by_key(p_hash bytea, p_me boolean, p_slug varchar)", f"TABLE ({DOOR_COLUMNS})", BY_KEY),
        Definer(
            "contexts_of(p_user uuid)",
            "TABLE (id uuid, kind varchar, slug varchar, name varchar, avatar varchar, role varchar,"
            " last_used_at timestamptz)",
            CONTEXTS,
        ),
        Definer("claim_slug(p_slug varchar, p_workspace uuid)", "boolean", CLAIM_SLUG, "plpgsql"),
        Definer("taken_slugs(p_slugs varchar[])", "SETOF varchar", TAKEN_SLUGS),
        Definer(
            "invitations_of(p_email_norm varchar)",
            INVITATION_COLUMNS,
            INVITATIONS.format(which="i.email_norm = p_email_norm"),
        ),
        Definer(
            "invitation_by_token(p_hash bytea)",
            INVITATION_COLUMNS,
            INVITATIONS.format(which="i.token_hash = p_hash"),
        ),
    ]
