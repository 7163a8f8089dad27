"""Keys that are made by people and limited by them, and organizations that ask for a second factor.

The two doors say two things more: whether the organization turns this person away for want of a second factor
(`barred`), and what a limited key is limited to (`key_only`).
"""

import django.contrib.postgres.fields
from django.db import migrations, models

from staffroom.core.wall import Definer

# Added to what stands in 0002_wall, and nothing taken away.
DOOR_COLUMNS = """
    user_id uuid, email varchar, password varchar, user_name varchar, language varchar, theme varchar,
    is_staff boolean, last_login timestamptz, user_created_at timestamptz,
    workspace_id uuid, kind varchar, slug varchar, workspace_name varchar, avatar varchar,
    role varchar, moved boolean, last_used boolean, key_id uuid, barred boolean, key_only uuid[]
"""

# Recovery codes are no second factor of their own. CASE: nobody is asked where nothing is required.
BARRED = """
    CASE WHEN w.requires_second_factor THEN NOT EXISTS (
        SELECT FROM mfa_authenticator f WHERE f.user_id = {user} AND f.type <> 'recovery_codes')
    ELSE false END AS barred"""

PLACE = f"""
    SELECT w.id, w.kind, w.slug, w.name, w.avatar,
           CASE WHEN w.owner_id = m.user_id THEN 'owner' ELSE m.role END AS role,
           p_slug IS NOT NULL AND w.slug <> p_slug AS moved,
           NOT EXISTS (SELECT FROM workspaces_membership other
                       WHERE other.user_id = m.user_id AND other.last_used_at > m.last_used_at) AS last_used,
           {BARRED}
    FROM workspaces_workspace w
    JOIN workspaces_membership m ON m.workspace_id = w.id AND m.user_id = {{user}} AND m.status = 'active'
    WHERE w.closed_at IS NULL AND w.id = (
        CASE WHEN p_me THEN
            (SELECT id FROM workspaces_workspace WHERE owner_id = {{user}} AND kind = 'personal')
        ELSE
            (SELECT s.workspace_id FROM workspaces_slug s WHERE s.slug = p_slug)
        END)
"""

USER = """u.id, u.email, u.password, u.name, u.language, u.theme, u.is_staff, u.last_login, u.created_at"""

BY_SESSION = f"""
    SELECT s.session_data, {USER},
           w.id, w.kind, w.slug, w.name, w.avatar, w.role::varchar, w.moved, w.last_used, NULL::uuid,
           w.barred, NULL::uuid[]
    FROM accounts_session s
    LEFT JOIN accounts_user u ON u.id = s.user_id AND u.is_active
    LEFT JOIN LATERAL ({PLACE.format(user="u.id")}) w ON true
    WHERE s.session_key = p_session AND s.expire_date > now()
"""

# A limited key finds no place outside its limits, as a stranger would.
WITHIN_LIMITS = "k.only_in IS NULL OR w.id = ANY (k.only_in)"

BY_KEY = f"""
    WITH touched AS (
        UPDATE workspaces_apikey SET last_used_at = now()
        WHERE hash = p_hash AND revoked_at IS NULL
          AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
    )
    SELECT {USER},
           coalesce(w.id, o.id), coalesce(w.kind, o.kind), coalesce(w.slug, o.slug), coalesce(w.name, o.name),
           coalesce(w.avatar, o.avatar), coalesce(w.role, k.role)::varchar,
           coalesce(w.moved, o.slug <> p_slug), coalesce(w.last_used, true), k.id, w.barred, k.only_in
    FROM workspaces_apikey k
    JOIN workspaces_workspace home ON home.id = k.workspace_id AND home.closed_at IS NULL
    LEFT JOIN accounts_user u ON u.id = k.user_id AND u.is_active
    LEFT JOIN LATERAL ({PLACE.format(user="u.id")}) w ON {WITHIN_LIMITS}
    LEFT JOIN LATERAL (
        SELECT home.id, home.kind, home.slug, home.name, home.avatar
        WHERE k.user_id IS NULL
          AND home.id = (SELECT s.workspace_id FROM workspaces_slug s WHERE s.slug = p_slug)
    ) o ON true
    WHERE k.hash = p_hash AND k.revoked_at IS NULL AND (k.user_id IS NULL OR u.id IS NOT NULL)
"""

# What `contexts_of` says, and which of them turn the person away.
CONTEXTS = f"""
    SELECT w.id, w.kind, w.slug, w.name, w.avatar,
           (CASE WHEN w.owner_id = p_user THEN 'owner' ELSE m.role END)::varchar, m.last_used_at,
           {BARRED.format(user="p_user")}
    FROM workspaces_membership m
    JOIN workspaces_workspace w ON w.id = m.workspace_id AND w.closed_at IS NULL
    WHERE m.user_id = p_user AND m.status = 'active'
    ORDER BY w.kind = 'organization', lower(w.name), w.id
"""

REQUIRING = """
    SELECT w.id, w.slug, w.name
    FROM workspaces_membership m
    JOIN workspaces_workspace w ON w.id = m.workspace_id AND w.closed_at IS NULL AND w.requires_second_factor
    WHERE m.user_id = p_user AND m.status = 'active'
    ORDER BY lower(w.name), w.id
"""

# As 0002_wall has it, and whether the organization asks for a second factor.
INVITATIONS = """
    SELECT i.id, i.workspace_id, w.slug, w.name, w.avatar, i.role, i.email, i.email_norm,
           coalesce(nullif(u.name, ''), u.email)::varchar, i.expires_at, w.requires_second_factor
    FROM workspaces_invitation i
    JOIN workspaces_workspace w ON w.id = i.workspace_id AND w.closed_at IS NULL
    LEFT JOIN accounts_user u ON u.id = i.invited_by_id
    WHERE i.state = 'pending' AND i.expires_at > now() AND {which}
    ORDER BY i.created_at
"""
INVITATION_COLUMNS = """TABLE (
    id uuid, workspace_id uuid, slug varchar, name varchar, avatar varchar, role varchar, email varchar,
    email_norm varchar, invited_by varchar, expires_at timestamptz, requires_second_factor boolean)"""

NAMED = """
UPDATE workspaces_apikey k SET made_by_name = left(coalesce(nullif(u.name, ''), u.email), 254)
FROM accounts_user u WHERE u.id = k.made_by_id;
"""


def dropped(*names: str) -> list[migrations.RunSQL]:
    """Another list of columns needs another function. Its rights are everybody's, as those of all functions."""
    return [migrations.RunSQL(f"DROP FUNCTION {name};", migrations.RunSQL.noop) for name in names]


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0007_avatar"), ("mfa", "0003_authenticator_type_uniq")]
    operations = [
        migrations.AddField(
            "workspace",
            "requires_second_factor",
            models.BooleanField(default=False, db_default=False),
        ),
        migrations.AddField(
            "apikey", "made_by_name", models.CharField(max_length=254, blank=True, db_default="")
        ),
        migrations.AddField(
            "apikey",
            "only_in",
            django.contrib.postgres.fields.ArrayField(models.UUIDField(), null=True),
        ),
        migrations.RunSQL(NAMED, migrations.RunSQL.noop),
        *dropped("door_by_session", "door_by_key", "invitations_of", "invitation_by_token"),
        Definer(
            "door_by_session(p_session varchar, p_me boolean, p_slug varchar)",
            f"TABLE (session_data text, {DOOR_COLUMNS})",
            BY_SESSION,
        ),
        Definer("door_by_key(p_hash bytea, p_me boolean, p_slug varchar)", f"TABLE ({DOOR_COLUMNS})", BY_KEY),
        Definer(
            "contexts_and_bars(p_user uuid)",
            "TABLE (id uuid, kind varchar, slug varchar, name varchar, avatar varchar, role varchar,"
            " last_used_at timestamptz, barred boolean)",
            CONTEXTS,
        ),
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
        Definer(
            "requiring_second_factor(p_user uuid)", "TABLE (id uuid, slug varchar, name varchar)", REQUIRING
        ),
    ]
