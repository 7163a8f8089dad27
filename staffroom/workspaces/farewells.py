"""A person's account is deleted: every membership ends as if one had left, and the personal account is erased."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from staffroom.accounts import people
from staffroom.accounts.models import User
from staffroom.core import mail
from staffroom.core.errors import Conflict
from staffroom.core.scope import workspace_scope
from staffroom.core.sentences import sentence

from . import deletion, memberships, standing
from .deletion import Place
from .models import PERSONAL, Membership, Workspace


class OwnsOrganizations(Conflict):
    code, title = "owns_organizations", "You own organizations"

    def default_sentence(self) -> str:
        return _(
            "You own organizations. Transfer each of them to another member, or delete it; then delete your account."
        )


@dataclass(frozen=True, slots=True)
class Hanging:
    """What a person sees before the account is deleted."""

    owned: list[Place]  # stand in the way, those in their grace time too
    member_of: list[Place]


def hanging(user: User) -> Hanging:
    places = [place for place in deletion.places(user.id) if place.kind != PERSONAL]
    return Hanging(
        owned=[place for place in places if _stands_in_the_way(place)],
        member_of=[place for place in places if not place.owned and not place.asked_at],
    )


@sentence
def depart(user: User) -> None:
    """Raises `OwnsOrganizations`. Whether it was confirmed with the password is asked by the face."""
    standing.departing(user)
    address, language = user.email, user.language
    for place in deletion.places(user.id):
        if not place.over:
            with workspace_scope(place.id):
                _leave(user)
    people.forget(user)
    mail.send("workspaces/mail/departed", address, {}, language=language)


def _leave(user: User) -> None:
    """The open workspace, unless the person was removed from it, or it was erased, a moment ago."""
    workspace = Workspace.objects.select_for_update(no_key=True).first()
    seat = standing.seat(user.id)
    if workspace is None or seat is None:
        return
    actor = standing.member_for(workspace, user, standing.role_of(workspace, seat))
    if workspace.kind == PERSONAL:
        deletion.shut(workspace, by=actor, now=True)
    elif workspace.owner_id == user.id:
        raise OwnsOrganizations
    else:
        memberships.end(seat, Membership.LEFT, by=actor)


def _stands_in_the_way(place: Place) -> bool:
    return place.owned and not place.over
