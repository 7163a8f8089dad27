"""An organization is closed, may be opened again for a while, and is then erased (`erasing`). See `docs/deletion.md`.

Closed is a column of the workspace: every door, list and claim leaves closed ones out. Its owner alone still finds
it, by the functions here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from staffroom.accounts.models import User
from staffroom.core.errors import Conflict, Invalid, NotHere
from staffroom.core.names import called
from staffroom.core.scope import current_workspace_id
from staffroom.core.sentences import part

from . import audit, erasing, standing
from .members import Member
from .models import ORGANIZATION, Deletion, Workspace
from .permissions import May, Role


class NotClosed(Conflict):
    code, title = "not_closed", "Not being deleted"

    def default_sentence(self) -> str:
        return _("This organization is not being deleted, so there is nothing to cancel.")


@dataclass(frozen=True, slots=True)
class Closed:
    """An organization in its grace time, as its owner sees it."""

    member: Member
    asked_at: datetime
    delete_after: datetime


@part
def close(*, by: Member, confirm: str, now: bool = False) -> Deletion:
    """Gone for everybody from this commit on. `confirm` is the slug; `now` leaves no time to take it back.

    Whether it was confirmed with the password is asked by the face.
    """
    workspace = standing.locked(by, May.OWN)
    _check(confirm, workspace)
    return shut(workspace, by=by, now=now)


@part
def again(*, by: Member, confirm: str, now: bool) -> Deletion:
    """For a closed organization: as it stands, or with the rest of the grace time given up."""
    workspace, deletion = _locked(by)
    _check(confirm, workspace)
    return hasten(by=by) if now else deletion


@part
def shut(workspace: Workspace, *, by: Member, now: bool) -> Deletion:
    """The closing itself, of the open workspace, whose row the caller has locked."""
    at = timezone.now()
    workspace.closed_at = at
    workspace.save(update_fields=["closed_at"])
    deletion = Deletion.objects.create(
        asked_by_id=workspace.owner_id, delete_after=at if now else at + settings.DELETION_GRACE
    )
    if workspace.kind == ORGANIZATION:
        audit.write("organization.closed", by=by, after={"delete_after": deletion.delete_after.isoformat()})
    for ring in called("WORKSPACE_CLOSED"):
        ring(workspace.id)
    if deletion.is_over:
        erasing.ring(workspace.id, late=erasing.LATE)
    return deletion


@part
def hasten(*, by: Member) -> Deletion:
    """Of a closed organization: the rest of the grace time is given up."""
    _workspace, deletion = _locked(by)
    deletion.delete_after = timezone.now()
    deletion.save(update_fields=["delete_after"])
    erasing.ring(deletion.workspace_id)
    return deletion


@part
def cancel(*, by: Member) -> Workspace:
    """Within the grace time. Everything is as it was; invitations that have not expired meanwhile are pending again."""
    workspace, deletion = _locked(by)
    workspace.closed_at = None
    workspace.save(update_fields=["closed_at"])
    deletion.delete()
    audit.write("organization.reopened", by=by)
    return workspace


def closed_for_owner(user: User, workspace_id: UUID) -> Member:
    """The owner of an organization in its grace time, as the actor there. Everybody else gets `NotHere`."""
    return closed(user, workspace_id=workspace_id).member


def closed(user: User, *, workspace_id: UUID | None = None, slug: str | None = None) -> Closed:
    """By its id or its slug; raises `NotHere`."""
    for one in closed_organizations(user):
        if workspace_id == one.member.workspace_id or (slug and slug == one.member.slug):
            return one
    raise NotHere


def closed_organizations(user: User) -> list[Closed]:
    """Those that the person may still open again, by name."""
    found = [
        Closed(_owner(place, user), place.asked_at, place.delete_after)
        for place in places(user.id)
        if place.owned and place.asked_at and place.delete_after and not place.over
    ]
    return sorted(found, key=lambda one: one.member.name.casefold())


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person is active, closed organizations too."""

    id: UUID
    kind: str
    slug: str | None
    name: str
    avatar: str
    owned: bool
    asked_at: datetime | None
    delete_after: datetime | None
    over: bool  # it is being erased, or will be in a moment: nobody opens it again


def places(user_id: UUID) -> list[Place]:
    """In the order of their ids, which is the order in which several are locked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM places_of(%s)", [user_id])
        return [Place(*row) for row in cursor.fetchall()]


def grace_hours() -> int:
    """As the pages say it."""
    return round(settings.DELETION_GRACE.total_seconds() / 3600)


def _check(confirm: str, workspace: Workspace) -> None:
    if confirm.strip().lower() != workspace.slug:
        raise Invalid({"confirm": [_("Type the address of the organization: %s") % workspace.slug]})


def _locked(by: Member) -> tuple[Workspace, Deletion]:
    """The closed organization and its deletion, for the owner, as long as it can be taken back."""
    workspace = Workspace.objects.select_for_update(no_key=True).filter(id=current_workspace_id()).first()
    if workspace is None or workspace.owner_id != by.user_id:
        raise NotHere
    deletion = Deletion.objects.first()
    if workspace.closed_at is None or deletion is None:
        raise NotClosed
    if deletion.is_over:
        raise NotHere
    return workspace, deletion


def _owner(place: Place, user: User) -> Member:
    return Member(
        workspace_id=place.id,
        kind=place.kind,
        slug=place.slug,
        name=place.name,
        role=Role.OWNER,
        user_id=user.id,
        user_email=user.email,
        user_name=user.shown_name,
        avatar="",  # its picture is closed as well
        closed=True,
    )
