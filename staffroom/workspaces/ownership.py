"""Transfer of ownership: one column changes hands, so that there is exactly one owner at every instant."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext as _

from staffroom.core.errors import Conflict, NotHere
from staffroom.core.sentences import part

from . import audit, memberships, standing
from .members import Member
from .models import Membership
from .permissions import May


class OwnerAlready(Conflict):
    code, title = "owner_already", "The owner already"

    def default_sentence(self) -> str:
        return _("You are the owner already. Choose another active member.")


@part
def transfer(user_id: UUID, *, by: Member, leave: bool = False) -> Membership:
    """To another active member; the former owner becomes admin, or leaves in the same sentence.

    Whether it was confirmed with the password is asked by the face.
    """
    workspace = standing.locked(by, May.OWN)
    former, new = standing.seat(workspace.owner_id), standing.seat(user_id)
    if new is None or former is None:
        raise NotHere
    if new.user_id == workspace.owner_id:
        raise OwnerAlready
    new.role = Membership.ADMIN  # below the owner's column stands an admin's membership
    new.save(update_fields=["role"])
    workspace.owner_id, workspace.founding_key = user_id, None
    workspace.save(update_fields=["owner", "founding_key"])
    audit.write(
        "ownership.transferred",
        by=by,
        target={"user": str(user_id)},
        before={"owner": str(former.user_id)},
        after={"owner": str(user_id)},
    )
    if leave:
        memberships.end(former, Membership.LEFT, by=by)
    return new
