"""Invitations as those see them who may invite: open ones, and what became of the others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from staffroom.accounts.emails import normalised
from staffroom.core.paging import TwoWayPage, both_ways, position

from .members import Member
from .models import Invitation
from .permissions import May, Role

OPEN, EXPIRED = "open", "expired"
STATES = (OPEN, EXPIRED, Invitation.ACCEPTED, Invitation.DECLINED, Invitation.REVOKED)
_NAME = "coalesce(nullif({0}.name, ''), {0}.email)"


@dataclass(frozen=True, slots=True)
class Sent:
    id: UUID
    email: str
    role: Role
    state: str
    expires_at: datetime
    created_at: datetime
    invited_by_id: UUID | None
    invited_by: str | None
    decided_at: datetime | None
    decided_by: str | None
    token_hash: bytes

    @property
    def is_pending(self) -> bool:
        return self.state == Invitation.PENDING

    @property
    def is_expired(self) -> bool:
        return self.is_pending and self.expires_at <= timezone.now()


def invitations(
    member: Member, cursor: str | None = None, limit: int = 50, *, state: str = OPEN, q: str = ""
) -> TwoWayPage[Sent]:
    """Of one state, the newest first; `open` holds those that are pending, expired ones too. `q`: a part of the address."""
    member.require(May.MANAGE_MEMBERS)
    came, *after = position(f"invitations {state}", cursor, tuple[bool, datetime, UUID]) or (None,)
    where, values = _asked(state, q, after, back=bool(came))
    order = "ASC" if came else "DESC"
    sql = f"""
        SELECT i.id, i.email, i.role, i.state, i.expires_at, i.created_at, i.invited_by_id, {_NAME.format("u")},
               i.decided_at, {_NAME.format("d")}, i.token_hash
        FROM workspaces_invitation i LEFT JOIN accounts_user u ON u.id = i.invited_by_id
        LEFT JOIN accounts_user d ON d.id = i.decided_by_id
        WHERE i.workspace_id = %(workspace)s AND {where}
        ORDER BY i.created_at {order}, i.id {order} LIMIT %(limit)s
    """  # noqa: S608 - put together from constants
    found = _rows(sql, values | {"workspace": member.workspace_id, "limit": limit + 1})
    if came and len(found) < limit:
        return invitations(member, None, limit, state=state, q=q)
    return both_ways(found, limit, f"invitations {state}", lambda row: (row.created_at, row.id), came=came)


def _asked(state: str, q: str, after: list[Any], *, back: bool) -> tuple[str, dict[str, Any]]:
    where = ["i.state = %(state)s"]
    values: dict[str, Any] = {"state": Invitation.PENDING if state in {OPEN, EXPIRED} else state}
    if state == EXPIRED:
        where.append("i.expires_at <= now()")
    if q := normalised(q.replace("\0", "").encode("utf-8", "ignore").decode()[:254]):
        where.append("strpos(i.email_norm, %(q)s) > 0")
        values["q"] = q
    if after:
        where.append(f"(i.created_at, i.id) {'>' if back else '<'} (%(at)s, %(id)s)")
        values["at"], values["id"] = after
    return " AND ".join(where), values


def was_sent(invitation_id: UUID) -> bool:
    """By the open workspace, in whatever state it is now."""
    return Invitation.objects.filter(id=invitation_id).exists()


def pending(member: Member, invitation_id: UUID) -> Invitation | None:
    """For the page that shows the link of what was just sent, wherever in the list it stands."""
    member.require(May.MANAGE_MEMBERS)
    return Invitation.objects.filter(id=invitation_id, state=Invitation.PENDING).first()


def _rows(sql: str, values: dict[str, Any]) -> list[Sent]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [Sent(id_, email, Role(role), *rest) for id_, email, role, *rest in cursor.fetchall()]
