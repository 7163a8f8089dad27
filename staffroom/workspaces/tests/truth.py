"""What the tables say of an organization, and whether the audit log tells the same story.

Both are read as the owner of the tables. `told` plays the log's entries over an earlier state: an entry for something
that did not happen cannot be played, and a change without an entry is missing at the end.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from staffroom.accounts.emails import normalised
from staffroom.workspaces import audit
from staffroom.workspaces.models import AuditEntry

Row = dict[str, Any]
ACTIVE, PENDING = "active", "pending"


@dataclass
class State:
    """`members`: role and status of everybody who ever was one; `invitations`: address, role and state."""

    owner: UUID
    name: str
    slug: str
    closed: bool = False
    members: dict[UUID, tuple[str, str]] = field(default_factory=dict)
    invitations: dict[UUID, tuple[str, str, str]] = field(default_factory=dict)

    def active(self, user: UUID) -> bool:
        return user in self.members and self.members[user][1] == ACTIVE

    def pending(self) -> set[str]:
        return {address for address, _, state in self.invitations.values() if state == PENDING}


class Truth:
    def __init__(self) -> None:
        self.owner = psycopg.connect(os.environ["STAFFROOM_DB_OWNER"], autocommit=True, row_factory=dict_row)
        self.owner.execute("SET timezone TO 'UTC'")

    def rows(self, sql: str, *values: Any) -> list[Row]:
        return self.owner.execute(sql, values).fetchall()  # type: ignore[call-overload, no-any-return]

    def state(self, workspace: UUID) -> State:
        [it] = self.rows("SELECT * FROM workspaces_workspace WHERE id = %s", workspace)
        members = self.rows("SELECT * FROM workspaces_membership WHERE workspace_id = %s", workspace)
        sent = self.rows("SELECT * FROM workspaces_invitation WHERE workspace_id = %s", workspace)
        assert len({one["user_id"] for one in members}) == len(members), "one membership for a person"
        return State(
            it["owner_id"],
            it["name"],
            it["slug"],
            it["closed_at"] is not None,
            {one["user_id"]: (one["role"], one["status"]) for one in members},
            {one["id"]: (one["email_norm"], one["role"], one["state"]) for one in sent},
        )

    def entries(self, workspace: UUID, after: int = 0) -> list[AuditEntry]:
        rows = self.rows(
            "SELECT workspace_id, number, at, actor, action, target, before, after, host(ip) AS ip, hash"
            " FROM workspaces_auditentry WHERE workspace_id = %s AND number > %s ORDER BY number",
            workspace,
            after,
        )
        return [AuditEntry(**row) for row in rows]

    def sound(self, workspace: UUID) -> State:
        """What is true of every organization at every instant."""
        state = self.state(workspace)
        assert state.members.get(state.owner) == ("admin", ACTIVE), "one owner, who is an active admin"
        waiting = [address for address, _, is_now in state.invitations.values() if is_now == PENDING]
        assert len(set(waiting)) == len(waiting), "one pending invitation for an address"
        orphans = self.rows(_ORPHANS, workspace)
        assert not orphans, "a pending invitation of somebody who may not invite"
        slugs = self.rows(
            "SELECT slug FROM workspaces_slug WHERE workspace_id = %s AND held_until IS NULL", workspace
        )
        assert [one["slug"] for one in slugs] == [state.slug], "one live address, and no other one leads here"
        self.chained(workspace)
        return state

    def chained(self, workspace: UUID) -> None:
        former = audit.START
        for number, entry in enumerate(self.entries(workspace), 1):
            assert entry.number == number, "the log has a gap"
            assert audit.digest(former, entry) == bytes(entry.hash), "the chain is broken"
            former = bytes(entry.hash)


_ORPHANS = """
    SELECT i.id FROM workspaces_invitation i
    WHERE i.workspace_id = %s AND i.state = 'pending' AND i.invited_by_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM workspaces_membership m WHERE m.workspace_id = i.workspace_id
        AND m.user_id = i.invited_by_id AND m.status = 'active' AND m.role = 'admin')
"""


def told(before: State, entries: list[AuditEntry]) -> State:
    state = replace(before, members=dict(before.members), invitations=dict(before.invitations))
    for entry in entries:
        assert not state.closed or entry.action == "organization.reopened", f"{entry.action} after the end"
        _PLAYED[entry.action](state, entry)
    return state


def _person(entry: AuditEntry) -> UUID:
    return UUID(entry.target["user"])


def _invitation(entry: AuditEntry) -> UUID:
    return UUID(entry.target["invitation"])


def _sent(state: State, entry: AuditEntry) -> None:
    assert _invitation(entry) not in state.invitations
    state.invitations[_invitation(entry)] = normalised(entry.target["email"]), entry.after["role"], PENDING


def _renewed(state: State, entry: AuditEntry) -> None:
    address, _, is_now = state.invitations[_invitation(entry)]
    assert is_now == PENDING
    state.invitations[_invitation(entry)] = address, entry.after["role"], PENDING


def _answered(state: State, entry: AuditEntry) -> None:
    address, role, is_now = state.invitations[_invitation(entry)]
    assert is_now == PENDING, f"{entry.action} of an invitation that was {is_now}"
    state.invitations[_invitation(entry)] = address, role, entry.action.partition(".")[2]


def _accepted(state: State, entry: AuditEntry) -> None:
    person = UUID(entry.actor["user"])
    role, status = state.members.get(person, (None, None))
    assert entry.before == (role and {"role": role, "status": status})
    if not state.active(person):
        assert entry.after["role"] == state.invitations[_invitation(entry)][1]
        state.members[person] = entry.after["role"], ACTIVE
    _answered(state, entry)


def _role_changed(state: State, entry: AuditEntry) -> None:
    assert state.members[_person(entry)] == (entry.before["role"], ACTIVE)
    assert _person(entry) != state.owner
    assert entry.before != entry.after, "no change"
    state.members[_person(entry)] = entry.after["role"], ACTIVE


def _ended(state: State, entry: AuditEntry) -> None:
    assert state.members[_person(entry)] == (entry.before["role"], ACTIVE)
    assert _person(entry) != state.owner
    state.members[_person(entry)] = entry.before["role"], entry.action.partition(".")[2]


def _transferred(state: State, entry: AuditEntry) -> None:
    assert UUID(entry.before["owner"]) == state.owner
    assert state.active(_person(entry))
    assert _person(entry) != state.owner
    state.owner = _person(entry)
    state.members[_person(entry)] = "admin", ACTIVE


def _moved(state: State, entry: AuditEntry) -> None:
    assert entry.before["slug"] == state.slug != entry.after["slug"]
    state.slug = entry.after["slug"]


def _renamed(state: State, entry: AuditEntry) -> None:
    assert entry.before["name"] == state.name != entry.after["name"]
    state.name = entry.after["name"]


def _opened(state: State, entry: AuditEntry) -> None:
    closes = entry.action == "organization.closed"
    assert state.closed != closes
    state.closed = closes


_PLAYED = {
    "organization.founded": lambda state, entry: None,
    "organization.renamed": _renamed,
    "organization.moved": _moved,
    "organization.closed": _opened,
    "organization.reopened": _opened,
    "ownership.transferred": _transferred,
    "invitation.sent": _sent,
    "invitation.renewed": _renewed,
    "invitation.revoked": _answered,
    "invitation.declined": _answered,
    "invitation.accepted": _accepted,
    "member.role_changed": _role_changed,
    "member.removed": _ended,
    "member.left": _ended,
}
