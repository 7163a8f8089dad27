"""Roles of members, and how a membership ends. Nothing is deleted: an ended membership opens no door."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from staffroom.core.errors import Conflict, Invalid, NotHere
from staffroom.core.sentences import part

from . import audit, invitations, standing
from .members import Member
from .models import Membership, Workspace
from .permissions import May


class OwnerCannotLeave(Conflict):
    code, title = "owner_cannot_leave", "The owner cannot leave"

    def default_sentence(self) -> str:
        return _("The owner cannot leave. Transfer the ownership first, or delete the organization.")


class OwnerCannotBeRemoved(Conflict):
    code, title = "owner_cannot_be_removed", "The owner cannot be removed"

    def default_sentence(self) -> str:
        return _("The owner cannot be removed and keeps the role. Only a transfer makes another owner.")


@part
def change_role(user_id: UUID, role: str, *, by: Member) -> Membership:
    """Admin or Member, never the owner's and never to Owner. The role that one has already is no change."""
    if role not in {Membership.ADMIN, Membership.MEMBER}:
        raise Invalid({"role": [_("Choose Admin or Member. An owner is made by a transfer.")]})
    membership = _other_than_owner(standing.locked(by, May.MANAGE_MEMBERS), user_id)
    if membership.role == role:
        return membership
    before, membership.role = membership.role, role
    membership.save(update_fields=["role"])
    audit.write(
        "member.role_changed",
        by=by,
        target={"user": str(user_id)},
        before={"role": before},
        after={"role": role},
    )
    if role == Membership.MEMBER:
        invitations.revoke_sent_by(user_id, by=by)
    return membership


@part
def remove(user_id: UUID, *, by: Member) -> None:
    membership = _other_than_owner(standing.locked(by, May.MANAGE_MEMBERS), user_id)
    end(membership, Membership.REMOVED, by=by)


@part
def leave(*, by: Member) -> None:
    workspace = standing.lock()
    membership = standing.seat(by.user_id) if by.user_id else None
    if membership is None:
        raise NotHere
    if workspace.owner_id == by.user_id:
        raise OwnerCannotLeave
    end(membership, Membership.LEFT, by=by)


@part
def end(membership: Membership, status: str, *, by: Member) -> None:
    """What the person sent out to others dies with the membership."""
    membership.status, membership.ended_at = status, timezone.now()
    membership.save(update_fields=["status", "ended_at"])
    audit.write(
        f"member.{status}",
        by=by,
        target={"user": str(membership.user_id)},
        before={"role": membership.role, "status": Membership.ACTIVE},
        after={"status": status},
    )
    invitations.revoke_sent_by(membership.user_id, by=by)


def _other_than_owner(workspace: Workspace, user_id: UUID) -> Membership:
    membership = standing.seat(user_id)
    if membership is None:
        raise NotHere
    if workspace.owner_id == user_id:
        raise OwnerCannotBeRemoved
    return membership
