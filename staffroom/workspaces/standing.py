"""What every change of people, names and invitations begins with: the workspace's row, then the actor's standing.

A condition in a WHERE clause alone is not enough under READ COMMITTED: of two owners who step down at the same
moment both would succeed. So these changes queue up behind one row, and what the door found is asked again there.
The lock leaves foreign keys alone (FOR NO KEY UPDATE): messages and charges of the workspace do not wait for it.
"""

from __future__ import annotations

from uuid import UUID

from django.db import connection

from staffroom.accounts.models import User
from staffroom.core.errors import NotHere
from staffroom.core.scope import current_workspace_id
from staffroom.core.sentences import part

from .members import By, Member
from .models import ORGANIZATION, ApiKey, Membership, Workspace
from .permissions import ROLES, May, Role, RoleForbids


@part
def locked(by: By, deed: May) -> Workspace:
    """The organization's row until the end of the sentence; 404 for who is no member any more, 403 for the role."""
    workspace = lock()
    if isinstance(by, Member) and deed not in ROLES[_now(by, workspace)]:
        raise RoleForbids
    return workspace


@part
def lock() -> Workspace:
    workspace = Workspace.objects.select_for_update(no_key=True).get(id=current_workspace_id())
    if workspace.closed_at or workspace.kind != ORGANIZATION:
        raise NotHere
    return workspace


@part
def present(user: User) -> None:
    """Whoever founds or joins is still there, and stays until the end of the sentence (`farewells` waits for it)."""
    _hold(user, "pg_advisory_xact_lock_shared")


@part
def departing(user: User) -> None:
    """Whoever departs does so once, and joins nothing meanwhile."""
    _hold(user, "pg_advisory_xact_lock")


def _hold(user: User, lock: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {lock}(hashtextextended('person ' || %s, 0))", [str(user.pk)])
    if not User.objects.filter(pk=user.pk, is_active=True).exists():
        raise NotHere


def role_of(workspace: Workspace, membership: Membership) -> Role:
    return Role.OWNER if workspace.owner_id == membership.user_id else Role(membership.role)


def seat(user_id: UUID, *, active: bool = True) -> Membership | None:
    """The person's membership of the open workspace."""
    found = Membership.objects.filter(user_id=user_id)
    return (found.filter(status=Membership.ACTIVE) if active else found).first()


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


def _now(by: Member, workspace: Workspace) -> Role:
    if by.user_id:
        membership = seat(by.user_id)
        role = role_of(workspace, membership) if membership else None
    else:
        key = ApiKey.objects.filter(id=by.key_id or UUID(int=0), revoked_at=None).first()
        role = Role(key.role) if key else None
    if role is None:
        raise NotHere
    return role
