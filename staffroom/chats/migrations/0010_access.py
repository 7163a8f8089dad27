"""Streams end with everything that opened them: the membership, the key within its limits, the browser's session,
and the second factor where the organization asks for one.
"""

from django.db import migrations

from staffroom.core.wall import Definer

LOST = """
    SELECT g.n FROM unnest(p_workspaces, p_users, p_keys, p_sessions)
        WITH ORDINALITY AS g (workspace_id, user_id, key_id, session, n)
    LEFT JOIN workspaces_workspace w ON w.id = g.workspace_id AND w.closed_at IS NULL
    WHERE w.id IS NULL
        OR (g.user_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM workspaces_membership m JOIN accounts_user u ON u.id = m.user_id AND u.is_active
            WHERE m.workspace_id = g.workspace_id AND m.user_id = g.user_id AND m.status = 'active'))
        OR (g.user_id IS NOT NULL AND w.requires_second_factor AND NOT EXISTS (
            SELECT FROM mfa_authenticator f WHERE f.user_id = g.user_id AND f.type <> 'recovery_codes'))
        OR (g.key_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM workspaces_apikey k WHERE k.id = g.key_id AND k.revoked_at IS NULL
                AND (k.only_in IS NULL OR g.workspace_id = ANY (k.only_in))))
        OR (g.session IS NOT NULL AND NOT EXISTS (
            SELECT FROM accounts_session s
            WHERE s.session_key = g.session AND s.user_id = g.user_id AND s.expire_date > now()))
"""


class Migration(migrations.Migration):
    dependencies = [("chats", "0009_member_limits"), ("workspaces", "0008_keys_and_factors")]
    operations = [
        migrations.RunSQL("DROP FUNCTION access_lost;", migrations.RunSQL.noop),
        Definer(
            "access_lost(p_workspaces uuid[], p_users uuid[], p_keys uuid[], p_sessions varchar[])",
            "SETOF bigint",
            LOST,
        ),
    ]
