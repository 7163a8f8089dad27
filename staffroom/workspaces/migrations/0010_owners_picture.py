"""The organizations of a person with their owners' pictures, which were a statement of their own."""

from django.db import migrations

from staffroom.core.wall import Definer

ORGANIZATIONS = """
    SELECT w.slug, w.name, (CASE WHEN w.owner_id = p_user THEN 'owner' ELSE m.role END)::varchar, w.avatar,
           w.created_at, u.id, coalesce(nullif(u.name, ''), split_part(u.email, '@', 1))::varchar, u.email, u.avatar
    FROM workspaces_membership m
    JOIN workspaces_workspace w ON w.id = m.workspace_id AND w.closed_at IS NULL AND w.kind = 'organization'
    JOIN accounts_user u ON u.id = w.owner_id
    WHERE m.user_id = p_user AND m.status = 'active'
    ORDER BY lower(w.name), w.id
"""


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0009_speed"), ("accounts", "0004_avatar")]
    operations = [
        migrations.RunSQL("DROP FUNCTION organizations_of", migrations.RunSQL.noop),
        Definer(
            "organizations_of(p_user uuid)",
            "TABLE (slug varchar, name varchar, role varchar, avatar varchar, created_at timestamptz,"
            " owner_id uuid, owner_name varchar, owner_email varchar, owner_avatar varchar)",
            ORGANIZATIONS,
        ),
    ]
