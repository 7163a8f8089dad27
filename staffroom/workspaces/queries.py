"""Reads of workspaces and their people.

Those that start from a person, before any workspace is open, go through functions of the owner; those that take a
member run in the member's open scope.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from staffroom.core.paging import TwoWayPage, both_ways, position

from .members import Member
from .models import Slug
from .permissions import May, Role

_NAME = "coalesce(nullif(u.name, ''), split_part(u.email, '@', 1))"


@dataclass(frozen=True, slots=True)
class Context:
    """One entry of the switcher."""

    id: UUID
    kind: str
    slug: str | None
    name: str
    avatar: str
    role: Role
    last_used_at: Any
    barred: bool = False  # for want of a second factor

    @property
    def prefix(self) -> str:
        return f"/o/{self.slug}" if self.slug else "/me"


def contexts(user_id: UUID) -> list[Context]:
    """The personal account first, then organizations by name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, kind, slug, name, avatar, role, last_used_at, barred FROM contexts_and_bars(%s)",
            [user_id],
        )
        return [
            Context(id_, kind, slug, name, avatar, Role(role), last_used_at, barred)
            for id_, kind, slug, name, avatar, role, last_used_at, barred in cursor.fetchall()
        ]


def last_used(user_id: UUID) -> Context:
    """Where bare addresses lead."""
    return max(contexts(user_id), key=lambda context: context.last_used_at)


@dataclass(frozen=True, slots=True)
class Organization:
    slug: str
    name: str
    role: Role
    avatar: str
    created_at: datetime
    owner_id: UUID
    owner_name: str
    owner_email: str
    owner_avatar: str


def organization(member: Member) -> Organization:
    """The organization that the member stands in, with its owner."""
    [row] = _rows(
        f"SELECT w.slug, w.name, %(role)s, w.avatar, w.created_at, u.id, {_NAME}, u.email, u.avatar"  # noqa: S608
        " FROM workspaces_workspace w JOIN accounts_user u ON u.id = w.owner_id WHERE w.id = %(workspace)s",
        {"role": member.role, "workspace": member.workspace_id},
    )
    return Organization(*row)


def organizations(user_id: UUID, only: Collection[UUID] | None = None) -> list[Organization]:
    """Where the person is active, by name; of those in `only`, where it is given."""
    sql, values = "SELECT * FROM organizations_of(%(user)s)", {"user": user_id}
    if only is not None:
        sql += " WHERE slug IN (SELECT slug FROM contexts_of(%(user)s) WHERE id = ANY (%(only)s))"
    rows = _rows(sql, {**values, "only": list(only or ())})
    return [Organization(*row) for row in rows]


def avatar_of(user_id: UUID) -> str:
    """The picture of a person, which the door does not bring along; "" where there is none."""
    [(avatar,)] = _rows("SELECT avatar FROM accounts_user WHERE id = %(user)s", {"user": user_id})
    return str(avatar)


@dataclass(frozen=True, slots=True)
class Colleague:
    """One row of the members' list."""

    id: UUID
    user_id: UUID
    name: str
    email: str
    role: Role
    joined_at: datetime
    avatar: str = ""
    listed: str = ""

    @property
    def is_owner(self) -> bool:
        return self.role == Role.OWNER


_ROLE = "CASE WHEN w.owner_id = m.user_id THEN 'owner' ELSE m.role END"
_RANKS = {Role.OWNER: 0, Role.ADMIN: 1, Role.MEMBER: 2}
_RANK = "CASE WHEN w.owner_id = m.user_id THEN 0 WHEN m.role = 'admin' THEN 1 ELSE 2 END"
_OF_ROLE = {
    Role.OWNER: "m.user_id = w.owner_id",
    Role.ADMIN: "m.role = 'admin' AND m.user_id <> w.owner_id",
    Role.MEMBER: "m.role = 'member'",
}


@dataclass(frozen=True, slots=True)
class Sort:
    columns: str
    shape: Any  # of a cursor's position
    position: Callable[[Colleague], tuple[Any, ...]]


# A minus in front turns an order round.
SORTS = {
    "joined": Sort("m.joined_at, m.id", tuple[bool, datetime, UUID], lambda one: (one.joined_at, one.id)),
    "name": Sort("m.listed, m.id", tuple[bool, str, UUID], lambda one: (one.listed, one.id)),
    "role": Sort(
        f"{_RANK}, m.listed, m.id",
        tuple[bool, int, str, UUID],
        lambda one: (_RANKS[one.role], one.listed, one.id),
    ),
}


def members(
    member: Member,
    cursor: str | None = None,
    limit: int = 50,
    q: str = "",
    *,
    sort: str = "joined",
    role: str = "",
) -> TwoWayPage[Colleague]:
    """Everybody with an active membership; each word of `q` is looked for in name and address.

    Sorting and searching read the membership's own copy of both, and only the rows of the page are joined with
    persons, of whom there are many more.
    """
    member.require(May.SEE_MEMBERS)
    order, name = SORTS[sort.removeprefix("-")], f"members by {sort}"
    came, *after = position(name, cursor, order.shape) or (None,)
    values: dict[str, Any] = {"workspace": member.workspace_id, "limit": limit + 1, "after": after}
    where = _matching(q, values) + ([_OF_ROLE[Role(role)]] if role else [])
    down = bool(came) != sort.startswith("-")
    if after:
        values |= {f"after{place}": value for place, value in enumerate(after)}
        marks = ", ".join(f"%(after{place})s" for place in range(len(after)))
        where.append(f"({order.columns}) {'<' if down else '>'} ({marks})")
    found = [_colleague(row) for row in _rows(_members(where, order.columns, down), values)]
    if came and len(found) < limit:
        return members(member, None, limit, q, sort=sort, role=role)  # the first page, whole
    return both_ways(found, limit, name, order.position, came=came)


def _members(where: list[str], columns: str, down: bool) -> str:
    order = ", ".join(f"{column}{' DESC' if down else ''}" for column in columns.split(", "))
    return f"""
        SELECT m.id, m.user_id, {_NAME}, u.email, m.shown, m.joined_at, m.listed, u.avatar FROM (
            SELECT m.id, m.user_id, {_ROLE} AS shown, {_RANK} AS rank, m.joined_at, m.listed
            FROM workspaces_membership m JOIN workspaces_workspace w ON w.id = m.workspace_id
            WHERE {" AND ".join([*_ACTIVE, *where])} ORDER BY {order} LIMIT %(limit)s
        ) m JOIN accounts_user u ON u.id = m.user_id ORDER BY {order.replace(_RANK, "m.rank")}
    """  # noqa: S608 - put together from constants, here and below


_ACTIVE = ("m.workspace_id = %(workspace)s", "m.status = 'active'")


_COLLEAGUES = f"""
    SELECT m.id, u.id, {_NAME}, u.email, {_ROLE}, m.joined_at, m.listed, u.avatar
    FROM workspaces_membership m
    JOIN accounts_user u ON u.id = m.user_id
    JOIN workspaces_workspace w ON w.id = m.workspace_id
    WHERE {" AND ".join(_ACTIVE)}
"""  # noqa: S608 - put together from constants


def _matching(q: str, values: dict[str, Any]) -> list[str]:
    """Conditions for a few words; the database folds them as it folded what it keeps."""
    words = plain(q).split()[:5]
    values |= {f"word{place}": word for place, word in enumerate(words)}
    return [f"strpos(m.listed, folded(%(word{place})s)) > 0" for place in range(len(words))]


def member_count(member: Member, at_most: int = 1000) -> int:
    """How many are active; counting ends at `at_most`."""
    [(number,)] = _rows(
        "SELECT count(*) FROM (SELECT FROM workspaces_membership WHERE workspace_id = %(workspace)s"
        " AND status = 'active' LIMIT %(most)s) found",
        {"workspace": member.workspace_id, "most": at_most},
    )
    return int(number)


def managers(member: Member, limit: int = 20) -> list[Colleague]:
    """The owner and the admins: whom a member asks for what only they may do. The owner first."""
    sql = f"{_COLLEAGUES} AND m.role = 'admin' ORDER BY w.owner_id <> u.id, m.joined_at, m.id LIMIT %(limit)s"
    return [_colleague(row) for row in _rows(sql, {"workspace": member.workspace_id, "limit": limit})]


def colleague(member: Member, user_id: UUID) -> Colleague | None:
    rows = _rows(f"{_COLLEAGUES} AND u.id = %(user)s", {"workspace": member.workspace_id, "user": user_id})
    return next(map(_colleague, rows), None)


def _colleague(row: tuple[Any, ...]) -> Colleague:
    id_, user_id, name, email, role, joined_at, listed, avatar = row
    return Colleague(id_, user_id, name, email, Role(role), joined_at, avatar, listed)


@dataclass(frozen=True, slots=True)
class Place:
    """The open workspace, for those who act without a member; `slug` is None for a personal account."""

    slug: str | None
    name: str


def place() -> Place:
    [row] = _rows("SELECT slug, name FROM workspaces_workspace WHERE id = current_workspace()", {})
    return Place(*row)


_PAYERS = f"""
    SELECT u.email, {_NAME}, u.language FROM workspaces_membership m JOIN accounts_user u ON u.id = m.user_id
    WHERE m.workspace_id = current_workspace() AND m.status = 'active' AND m.role = 'admin' AND u.is_active
    ORDER BY m.joined_at, m.id LIMIT 100
"""  # noqa: S608


def payers() -> list[tuple[str, str, str]]:
    """Address, name and language of the open workspace's owner and admins; of a personal account its person."""
    return _rows(_PAYERS, {})


_NAMES = f"""
    SELECT u.id, {_NAME} FROM workspaces_membership m JOIN accounts_user u ON u.id = m.user_id
    WHERE m.workspace_id = %(workspace)s AND u.id = ANY(%(users)s)
"""  # noqa: S608


def names(member: Member, user_ids: list[UUID]) -> dict[UUID, str]:
    """Of those who are members of the organization, or were."""
    return dict(_rows(_NAMES, {"workspace": member.workspace_id, "users": user_ids}))


@dataclass(frozen=True, slots=True)
class Hanging:
    """What hangs on one person here."""

    invitations: int  # pending ones that they sent
    keys: int  # live keys of the organization that they made


def hanging(member: Member, user_id: UUID) -> Hanging:
    [row] = _rows(
        "SELECT (SELECT count(*) FROM workspaces_invitation WHERE workspace_id = %(workspace)s"
        " AND state = 'pending' AND invited_by_id = %(user)s),"
        " (SELECT count(*) FROM workspaces_apikey WHERE workspace_id = %(workspace)s"
        " AND revoked_at IS NULL AND user_id IS NULL AND made_by_id = %(user)s)",
        {"workspace": member.workspace_id, "user": user_id},
    )
    return Hanging(*row)


def own_slugs() -> set[str]:
    """Of the open workspace: the present one and former ones that are held for it."""
    return set(Slug.objects.values_list("slug", flat=True))


def plain(q: str) -> str:
    """PostgreSQL stores no NUL and no half of a surrogate pair, so none can be looked for."""
    return q.replace("\0", "").encode("utf-8", "ignore").decode().strip()[:100]


def _rows(sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
