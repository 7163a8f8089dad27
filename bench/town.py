"""A town of organizations for a bench, written by SQL as the owner: quick, and past every rule.

Everybody has a personal account and a key, `key(n)`; the owner of organization n is person n. Person 1 owns the large
organization and belongs to fifty in all.
"""

from __future__ import annotations

from dataclasses import dataclass

PEOPLE, ORGANIZATIONS, LARGE = 1_000, 200, 10_000
FIFTY = 50
COLLEAGUES = 10  # of each organization, beside its owner
INVITED = 5_000  # that wait for an answer

TABLES = (
    "accounts_user", "account_emailaddress", "workspaces_workspace", "workspaces_slug", "workspaces_membership",
    "workspaces_apikey", "workspaces_invitation", "billing_wallet",
)  # fmt: skip


@dataclass(frozen=True)
class Town:
    """So many times the people and the organizations."""

    times: int = 1

    @property
    def people(self) -> int:
        return PEOPLE * self.times

    @property
    def organizations(self) -> int:
        return ORGANIZATIONS * self.times

    def anybody(self, number: int) -> int:
        """One after the other; person 1 keeps the fifty organizations."""
        return 2 + number % (self.people - 1)

    def any_organization(self, number: int) -> int:
        """One after the other, the large one left out."""
        return 2 + number % (self.organizations - 1)

    def colleague(self, organization: int) -> int:
        return organization + 101

    @property
    def sql(self) -> str:
        return f"BEGIN;\n{self.rows}\nCOMMIT;\nVACUUM ANALYZE {', '.join(TABLES)};\n"

    @property
    def rows(self) -> str:
        people, everybody = self.people, self.people + LARGE * self.times
        others = self.organizations - 1
        return f"""
INSERT INTO accounts_user (id, password, email, name, avatar, language, theme, is_active, is_staff, is_superuser,
        created_at) SELECT {_id("a", "n")}, '', 'person-' || n || '@example.com', 'Person ' || n, '', 'en', 'system', true, false, false,
           now() FROM generate_series(1, {everybody}) n;
INSERT INTO account_emailaddress (user_id, email, verified, "primary")
    SELECT id, email, true, true FROM accounts_user WHERE {_ours("a")};
INSERT INTO workspaces_workspace (id, kind, name, owner_id, avatar, created_at)
    SELECT {_id("b", "n")}, 'personal', 'Person ' || n, {_id("a", "n")}, '', now() FROM generate_series(1, {everybody}) n;
INSERT INTO workspaces_workspace (id, kind, slug, name, owner_id, avatar, created_at)
    SELECT {_id("c", "n")}, 'organization', 'org-' || n, 'Organization ' || n, {_id("a", "n")}, '', now()
    FROM generate_series(1, {self.organizations}) n;
INSERT INTO workspaces_slug (slug, workspace_id) SELECT slug, id FROM workspaces_workspace WHERE {_ours("c")};
INSERT INTO billing_wallet (workspace_id, plan, moved_at) SELECT id, 20000, now() FROM workspaces_workspace
    WHERE {_ours("b")} OR {_ours("c")};

CREATE TEMPORARY TABLE seats (workspace_id uuid, user_id uuid, role text, PRIMARY KEY (workspace_id, user_id));
INSERT INTO seats SELECT id, owner_id, 'admin' FROM workspaces_workspace WHERE {_ours("b")} OR {_ours("c")};
INSERT INTO seats SELECT {_id("c", "1")}, {_id("a", "n")}, CASE WHEN n % 100 = 0 THEN 'admin' ELSE 'member' END
    FROM generate_series({people + 1}, {everybody - 1}) n;
INSERT INTO seats SELECT {_id("c", "n")}, {_id("a", "1")}, 'member' FROM generate_series(2, {FIFTY}) n;
INSERT INTO seats SELECT {_id("c", "n")}, {_id("a", "n + 101 + c")}, 'member'
    FROM generate_series(2, {self.organizations}) n, generate_series(0, {COLLEAGUES - 1}) c ON CONFLICT DO NOTHING;
INSERT INTO workspaces_membership (id, workspace_id, user_id, role, status, joined_at, last_used_at, created_at)
    SELECT gen_random_uuid(), workspace_id, user_id, role, 'active', joined, joined, joined
    FROM (SELECT *, now() - row_number() OVER () * interval '1 second' AS joined FROM seats) s;

INSERT INTO workspaces_apikey (id, workspace_id, hash, prefix, name, user_id, role, created_at)
    SELECT gen_random_uuid(), {_id("b", "n")}, sha256(('sr_bench-' || n)::bytea), 'sr_bench', '', {_id("a", "n")}, '',
           now() FROM generate_series(1, {people}) n;
INSERT INTO workspaces_invitation (id, workspace_id, email, email_norm, role, token_hash, expires_at, invited_by_id,
        state, created_at)
    SELECT gen_random_uuid(), w.id, u.email, u.email, 'member', sha256(('token-' || n)::bytea),
           now() + interval '7 days', w.owner_id, 'pending', now()
    FROM generate_series(0, {INVITED - 1}) n
    JOIN workspaces_workspace w ON w.id = {_id("c", f"2 + (n / {people - 1} * 31 + n * 7) % {others}")}
    JOIN accounts_user u ON u.id = {_id("a", f"2 + n % {people - 1}")};
"""


def key(person: int) -> str:
    return f"sr_bench-{person}"


def token(invitation: int) -> str:
    return f"token-{invitation}"


def user_id(person: int) -> str:
    return f"0000000a-0000-7000-8000-{person:012x}"


def _id(kind: str, number: str) -> str:
    """The UUID of person (a), personal account (b) or organization (c) of this number."""
    return f"('0000000{kind}-0000-7000-8000-' || lpad(to_hex({number}), 12, '0'))::uuid"


def _ours(kind: str) -> str:
    return f"id BETWEEN {_id(kind, '0')} AND {_id(kind, '10000000')}"
