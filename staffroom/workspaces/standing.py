"""What every change of people, names and invitations begins with: the workspace's row, then the actor's standing.

A condition in a WHERE clause alone is not enough under READ COMMITTED: of two owners who step down at the same
moment both would succeed. So these changes queue up behind one row, and what the door found is asked again there.
The lock leaves foreign keys alone (FOR NO KEY UPDATE): messages and charges of the workspace do not wait for it.
"""

from __future__ import annotations

from uuid import UUID

from django.db import connection

from staffroom.accounts.models import User
from staffroom.core import tables
from staffroom.core.errors import NotHere
from staffroom.core.scope import current_workspace_id
from staffroom.core.sentences import part

from .members import By, Member
from .models import ORGANIZATION, Membership, Workspace
from .permissions import ROLES, May, Role, RoleForbids


@part
def locked(by: By, deed: May) -> Workspace:
    """The organization's row until the end of the sentence; 404 for who is no member any more, 403 for the role."""
    if not isinstance(by, Member):
        return lock()
    workspace, role = _standing(by.user_id, by.key_id)
    _alive(workspace)
    if role is None:
        raise NotHere
    if deed not in ROLES[role]:
        raise RoleForbids
    return workspace


@part
def lock() -> Workspace:
    return _alive(_standing(None, None)[0])


def _alive(workspace: Workspace) -> Workspace:
    if workspace.closed_at or workspace.kind != ORGANIZATION:
        raise NotHere
    return workspace


@part
def present(user: User) -> None:
    """Whoever founds or joins is still there, and stays until the end of the sentence (`farewells` waits for it)."""
    _hold(user, alone=False)


@part
def departing(user: User) -> None:
    """Whoever departs does so once, and joins nothing meanwhile."""
    _hold(user, alone=True)


def _hold(user: User, *, alone: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT hold_person(%s, %s)", [user.pk, alone])
        (is_there,) = cursor.fetchone()
    if not is_there:
        raise NotHere


def role_of(workspace: Workspace, membership: Membership) -> Role:
    return Role.OWNER if workspace.owner_id == membership.user_id else Role(membership.role)


def seat(user_id: UUID, *, active: bool = True) -> Membership | None:
    """The person's membership of the open workspace."""
    condition = "user_id = %(user)s AND status = 'active'" if active else "user_id = %(user)s"
    return tables.one(Membership, condition, {"user": user_id})


def member_for(workspace: Workspace, user: User, role: Role) -> Member:
    """The actor for somebody who became a member in this very sentence."""
    return Member(
        workspace_id=workspace.id,
        kind=workspace.kind,
        slug=workspace.slug,
        name=workspace.name,
        role=role,
        user_id=user.id,
        user_email=user.email,
        user_name=user.shown_name,
        avatar=workspace.avatar,
    )


_FIELDS = [field.attname for field in Workspace._meta.concrete_fields]
_STANDING = f"SELECT {', '.join(f'(workspace).{name}' for name in _FIELDS)}, role FROM standing(%s, %s)"  # noqa: S608


def _standing(user_id: UUID | None, key_id: UUID | None) -> tuple[Workspace, Role | None]:
    """The locked row, and what the person, or the key of an organization, is there at this moment."""
    current_workspace_id()
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [user_id, key_id])
        *values, role = cursor.fetchone()
    return Workspace.from_db("default", _FIELDS, values), Role(role) if role else None
