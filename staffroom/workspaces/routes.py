"""Contexts, organizations, their people and invitations by API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpResponse
from django.utils.translation import gettext as _
from ninja import Query, Router, Schema
from pydantic import Field

from staffroom.api.doors import PersonNeeded, answer, personal_route, route, within_limits
from staffroom.api.shapes import In, PageOf, Paging, Problem
from staffroom.billing import limits
from staffroom.billing import queries as balances
from staffroom.core.answers import document
from staffroom.core.errors import NotHere
from staffroom.core.scope import workspace_scope

from . import (
    avatars,
    deletion,
    factors,
    history,
    invitations,
    keys,
    memberships,
    organizations,
    ownership,
    queries,
    sent,
)
from .members import Member
from .models import Invitation, Workspace
from .permissions import May

router = Router(tags=["organizations"])

Role = Literal["owner", "admin", "member"]
Crop = Annotated[
    str,
    Query(
        "",
        description="`x,y,side`: the corner as parts of width and height, the edge as a part of the shorter one.",
    ),
]
_PICTURE = {
    "requestBody": {
        "required": True,
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class Context(Schema):
    kind: Literal["personal", "organization"]
    slug: str | None
    name: str
    role: Role
    avatar_url: str | None
    words_left: int


class Person(Schema):
    id: UUID
    name: str
    email: str
    avatar_url: str | None = None


class Organization(Schema):
    slug: str
    name: str
    role: Role
    avatar_url: str | None
    created_at: datetime
    owner: Person


class NewOrganization(In):
    name: str
    slug: str = Field("", description="Made from the name where it is left out.")


class OrganizationChange(In):
    name: str | None = None
    slug: str | None = None


class Colleague(Schema):
    user: Person
    role: Role
    joined_at: datetime
    words_limit: int | None
    words_used: int | None


class MemberChange(In):
    role: str | None = Field(None, description="`admin` or `member`; left out, it stays.")
    words_limit: int | Literal["none"] | None = Field(
        None, description="Words a month; `none`: no limit, null: the one for everybody."
    )


class NewOwner(In):
    user_id: UUID
    leave: bool = Field(False, description="Whether the former owner leaves in the same step.")


class Ending(In):
    confirm: str = Field("", description="The slug of the organization.")
    now: bool = Field(False, description="Whether the grace time is given up: nobody can cancel it then.")


class Ended(Schema):
    delete_after: datetime


class Entry(Schema):
    at: datetime
    actor: dict[str, Any]
    action: str
    target: dict[str, Any]
    before: Any
    after: Any
    ip: str | None
    hash: str


class Key(Schema):
    id: UUID
    name: str
    prefix: str = Field(description="How the key begins.")
    role: Literal["admin", "member"]
    made_by: str | None = Field(description="By name, as it was when the key was made.")
    created_at: datetime
    last_used_at: datetime | None = Field(description="Within a minute.")
    revoked_at: datetime | None


class MadeKey(Key):
    key: str = Field(description="Shown this once; only its hash is kept.")


class NewKey(In):
    name: str
    role: str = Field("member", description="`admin` or `member`.")


class Security(Schema):
    requires_second_factor: bool
    members: int
    members_without: int = Field(description="Who cannot enter while a second factor is required.")


class SecurityChange(In):
    requires_second_factor: bool


class Invited(Schema):
    id: UUID
    email: str
    role: Role
    state: str
    invited_by: str | None
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    accept_url: str | None


class OneInvitation(In):
    email: str
    role: str = "member"


class NewInvitations(In):
    email: str | None = None
    role: str = "member"
    invitations: Annotated[list[OneInvitation], Field(min_length=1, max_length=100)] | None = Field(
        None, description="Several at once, each with a result of its own."
    )


class Result(Schema):
    email: str
    invitation: Invited | None = None
    problem: Problem | None = None


class Results(Schema):
    results: list[Result]


class Place(Schema):
    slug: str
    name: str
    avatar_url: str | None


class Offer(Schema):
    id: UUID
    organization: Place
    role: Role
    invited_by: str | None
    expires_at: datetime


class Seat(Schema):
    organization: Place
    role: Role


class Declined(Schema):
    state: Literal["declined"]


# --- where somebody may work ----------------------------------------------------------------------------------------


@router.get("contexts", response=PageOf[Context], tags=["user"], summary="Where I may work")
@personal_route
@within_limits
def contexts(request: Any) -> Any:
    """The personal account first, then organizations by name; all of them at once, or those of a limited key."""
    rows = balances.words_of_contexts(request.user.id, request.key_only)
    return {
        "items": [
            {
                "kind": kind,
                "slug": slug,
                "name": name,
                "role": role,
                "avatar_url": avatars.url(avatar),
                "words_left": words,
            }
            for kind, slug, name, role, avatar, words in rows
        ],
        "next": None,
    }


@router.get("organizations", response=PageOf[Organization], summary="My organizations")
@personal_route
@within_limits
def mine(request: Any) -> Any:
    """By name; all of them at once, or those of a limited key."""
    found = queries.organizations(request.user.id, request.key_only)
    return {"items": [_organization(one) for one in found], "next": None}


def again(request: Any, first: dict[str, Any], **values: Any) -> Any:
    """The first answer to a repeated write that opened an organization, as long as one is inside."""
    if first["workspace"] not in {str(one.id) for one in queries.contexts(request.user.id)}:
        raise NotHere
    return answer(first["answer"], first["status"], Idempotency_Replayed="true")


@router.post("organizations", response={201: Organization}, summary="Create an organization")
@personal_route(replay=again)
def found(request: Any, new: NewOrganization) -> Any:
    """It belongs to whoever creates it."""
    workspace = organizations.found(new.name, slug=new.slug, by=request.user)
    return _opened(workspace.id, _founded(workspace), 201)


@router.get("o/{slug:slug}", response=Organization, summary="Read an organization")
@route(May.WORK)
def organization(request: Any, member: Member) -> Any:
    return _read(member)


@router.patch("o/{slug:slug}", response=Organization, summary="Change name or slug")
@route(May.SETTINGS)
def change(request: Any, member: Member, change: OrganizationChange) -> Any:
    """A former slug leads to the organization (308) for 90 days."""
    organizations.change(by=member, name=change.name, slug=change.slug)
    return _read(member)


@router.put(
    "o/{slug:slug}/avatar", response=Organization, summary="Change the avatar", openapi_extra=_PICTURE
)
@route(May.SETTINGS, apart=True)
def change_avatar(request: Any, member: Member, crop: Crop = "") -> Any:
    """The body is the picture: PNG, JPEG, WebP or GIF, whatever its header says, up to 5 MB."""
    pictures = avatars.drawn(request.body, crop, by=member)
    with workspace_scope(member.workspace_id):
        avatars.change(pictures, by=member)
        return _read(member)


@router.delete("o/{slug:slug}/avatar", response=Organization, summary="Remove the avatar")
@route(May.SETTINGS)
def remove_avatar(request: Any, member: Member) -> Any:
    """Where there is none, nothing changes."""
    avatars.remove(by=member)
    return _read(member)


@router.get("o/{slug:slug}/members", response=PageOf[Colleague], tags=["members"], summary="Members")
@route(May.SEE_MEMBERS)
def members(
    request: Any,
    member: Member,
    paging: Query[Paging],
    q: str = "",
    sort: Literal["joined", "-joined", "name", "-name", "role", "-role"] = "joined",
    role: Literal["", "owner", "admin", "member"] = "",
) -> Any:
    """The longest there first, or as `sort` says (`-` turns it round); `q` is looked for in name and address."""
    found = queries.members(member, paging.cursor, paging.limit, q, sort=sort, role=role)
    return {"items": _colleagues(member, found.items), "next": found.next}


@router.patch(
    "o/{slug:slug}/members/{uuid:user_id}",
    response=Colleague,
    tags=["members"],
    summary="Change a role or a word limit",
)
@route(May.MANAGE_MEMBERS)
def change_member(request: Any, member: Member, user_id: UUID, change: MemberChange) -> Any:
    """The role: never the owner's (`owner_cannot_be_removed`), and nobody becomes owner this way."""
    if "words_limit" in change.model_fields_set:
        member.require(May.SETTINGS)
        limits.limit(user_id, _rule(change.words_limit), by=member)
    if change.role is not None:
        memberships.change_role(user_id, change.role, by=member)
    return _one(member, user_id)


@router.delete(
    "o/{slug:slug}/members/{uuid:user_id}", response={204: None}, tags=["members"], summary="Remove a member"
)
@route(May.MANAGE_MEMBERS)
def remove(request: Any, member: Member, user_id: UUID) -> Any:
    """Access ends with the next request; the invitations that the person sent die."""
    memberships.remove(user_id, by=member)


@router.post("o/{slug:slug}/owner", response=Colleague, tags=["members"], summary="Transfer the ownership")
@route(May.OWN)
def transfer(request: Any, member: Member, new: NewOwner) -> Any:
    """To another active member, with a personal key of the owner. The former owner becomes admin, or leaves."""
    _by_a_person(request, _("Use a personal key here. In a browser the Members page asks for the password."))
    ownership.transfer(new.user_id, by=member, leave=new.leave)
    return _one(member, new.user_id)


@router.post("o/{slug:slug}/leave", response={204: None}, tags=["members"], summary="Leave")
@route(May.SEE_MEMBERS)
def leave(request: Any, member: Member) -> Any:
    """The owner cannot (`owner_cannot_leave`)."""
    if member.user_id is None:
        raise PersonNeeded
    memberships.leave(by=member)


@router.delete("o/{slug:slug}", response={202: Ended}, summary="Delete an organization")
@route(May.OWN, closed=True)
def end(request: Any, member: Member, ending: Ending) -> Any:
    """With a personal key of the owner. It is gone for everybody at once, and erased after `delete_after`; until
    then the owner may cancel. Asked again with `now`, the rest of that time is given up."""
    _by_a_person(
        request,
        _("Use a personal key here. In a browser the page “Delete organization” asks for the password."),
    )
    if member.closed:
        done = deletion.again(by=member, confirm=ending.confirm, now=ending.now)
    else:
        done = deletion.close(by=member, confirm=ending.confirm, now=ending.now)
    return answer({"delete_after": done.delete_after}, 202)


@router.post("o/{slug:slug}/deletion/cancel", response=Organization, summary="Cancel the deletion")
@route(May.OWN, closed=True)
def cancel(request: Any, member: Member) -> Any:
    """The owner, until `delete_after`. Everything is as it was (`not_closed` where nothing is to be cancelled)."""
    deletion.cancel(by=member)
    return _read(member)


class WhichEntries(Schema):
    """Each part narrows the others."""

    action: str = Field("", max_length=60, description="One kind, as in `member.removed`.")
    person: str = Field("", max_length=254, description="Identifier or address, as actor or as target.")
    since: date | None = Field(None, alias="from", description="The first day, in UTC.")
    until: date | None = Field(None, alias="to", description="The last day, in UTC.")
    q: str = Field("", max_length=200, description="Words of actor, target and what changed.")


@router.get("o/{slug:slug}/audit", response=PageOf[Entry], summary="Audit log")
@route(May.SETTINGS)
def audit(request: Any, member: Member, paging: Query[Paging], which: Query[WhichEntries]) -> Any:
    """The newest first. `hash` chains each entry to the one before. A page of a search may be short, or empty, and
    still have a `next`.
    """
    asked = history.Asked(which.action, which.person, which.since, which.until, which.q)
    found = history.entries(member, paging.cursor, paging.limit, asked=asked)
    return {"items": [_entry(one) for one in found.items], "next": found.next}


# --- keys and security ------------------------------------------------------------------------------------------------


@router.get("o/{slug:slug}/keys", response=PageOf[Key], tags=["keys"], summary="API keys of an organization")
@route(May.SETTINGS)
def keys_of(request: Any, member: Member, paging: Query[Paging]) -> Any:
    """The newest first; revoked ones too."""
    found = keys.listed(paging.cursor, paging.limit)
    return {"items": [_listed(one) for one in found.items], "next": found.next}


@router.post("o/{slug:slug}/keys", response={201: MadeKey}, tags=["keys"], summary="Make an API key")
@route(May.SETTINGS)
def make_key(request: Any, member: Member, new: NewKey) -> Any:
    """By a person only: keys make no keys. It outlives whoever made it, and `key` is shown this once."""
    _person(member)
    made, token = keys.make(name=new.name, role=new.role, by=member)
    return answer(_listed(made) | {"key": token}, 201, Cache_Control="no-store")


@router.delete(
    "o/{slug:slug}/keys/{uuid:key_id}", response={204: None}, tags=["keys"], summary="Revoke an API key"
)
@route(May.SETTINGS)
def revoke_key(request: Any, member: Member, key_id: UUID) -> Any:
    """By a person only. The key opens nothing from the next request on; its open streams end within 5 seconds."""
    _person(member)
    keys.revoke(key_id, by=member)


@router.get("o/{slug:slug}/security", response=Security, summary="What the organization asks of its members")
@route(May.SETTINGS)
def security(request: Any, member: Member) -> Any:
    return _security(member)


@router.put("o/{slug:slug}/security", response=Security, summary="Require a second factor")
@route(May.SETTINGS)
def change_security(request: Any, member: Member, change: SecurityChange) -> Any:
    """By a person who has one. Whoever has none gets 403 (`second_factor_required`) from the next request on; keys
    of the organization go on.
    """
    _person(member)
    if change.requires_second_factor:
        factors.demand(by=member, user=request.user)
    else:
        factors.waive(by=member)
    return _security(member)


# --- invitations: those who invite ------------------------------------------------------------------------------------


@router.get(
    "o/{slug:slug}/invitations", response=PageOf[Invited], tags=["invitations"], summary="Invitations"
)
@route(May.MANAGE_MEMBERS)
def pending(
    request: Any,
    member: Member,
    paging: Query[Paging],
    state: Literal["open", "expired", "accepted", "declined", "revoked"] = "open",
    q: str = "",
) -> Any:
    """The newest first. `open` are the pending ones, expired ones too, which can be sent again; `q` is looked for in
    the address.
    """
    found = sent.invitations(member, paging.cursor, paging.limit, state=state, q=q)
    return {"items": [_pending(one) for one in found.items], "next": found.next}


@router.post(
    "o/{slug:slug}/invitations", response={201: Invited | Results}, tags=["invitations"], summary="Invite"
)
@route(May.MANAGE_MEMBERS)
def invite(request: Any, member: Member, new: NewInvitations) -> Any:
    """One person by `email` and `role`, or up to 100 as `invitations`; then each has a result of its own, in the same
    order. An address named twice is invited once, to the first role, and has the same result twice.
    """
    if new.invitations is not None:
        wanted = [(one.email, one.role) for one in new.invitations]
        answers = invitations.invite_many(wanted, by=member)
        return answer({"results": [_result(one, member) for one in answers]}, 201)
    made, token = invitations.invite(email=new.email or "", role=new.role, by=member)
    return answer(_invited(made, member, token), 201)


@router.post(
    "o/{slug:slug}/invitations/{uuid:invitation_id}/resend",
    response=Invited,
    tags=["invitations"],
    summary="Send an invitation again",
)
@route(May.MANAGE_MEMBERS)
def resend(request: Any, member: Member, invitation_id: UUID) -> Any:
    """A new link and seven new days; the former link is dead."""
    made, token = invitations.resend(invitation_id, by=member)
    return _invited(made, member, token)


@router.delete(
    "o/{slug:slug}/invitations/{uuid:invitation_id}",
    response={204: None},
    tags=["invitations"],
    summary="Take an invitation back",
)
@route(May.MANAGE_MEMBERS)
def revoke(request: Any, member: Member, invitation_id: UUID) -> Any:
    invitations.revoke(invitation_id, by=member)


# --- invitations: those who are invited -------------------------------------------------------------------------------


@router.get("invitations", response=PageOf[Offer], tags=["invitations"], summary="Invitations to me")
@personal_route
def offers(request: Any) -> Any:
    """Pending ones, to the verified address."""
    return {"items": [_offer(one) for one in invitations.offers_to(request.user)], "next": None}


@router.post("invitations/{invitation}/accept", response=Seat, tags=["invitations"], summary="Accept")
@personal_route(replay=again)
def accept(request: Any, invitation: str) -> Any:
    """By the invitation's id or by the token out of its link."""
    member = invitations.accept(_id_or_token(invitation), user=request.user)
    place = {"slug": member.slug, "name": member.name, "avatar_url": avatars.url(member.avatar)}
    return _opened(member.workspace_id, {"organization": place, "role": member.role}, 200)


@router.post("invitations/{invitation}/decline", response=Declined, tags=["invitations"], summary="Decline")
@personal_route
def decline(request: Any, invitation: str) -> Any:
    invitations.decline(_id_or_token(invitation), user=request.user)
    return {"state": "declined"}


# --- how it looks -----------------------------------------------------------------------------------------------------


def _read(member: Member) -> dict[str, Any]:
    return _organization(queries.organization(member))


def _opened(workspace_id: UUID, rows: dict[str, Any], status: int) -> HttpResponse:
    response = answer(rows, status)
    response.first = {"workspace": workspace_id, "answer": rows, "status": status}  # type: ignore[attr-defined]
    return response


def _organization(found: queries.Organization) -> dict[str, Any]:
    return {
        "slug": found.slug,
        "name": found.name,
        "role": found.role,
        "avatar_url": avatars.url(found.avatar),
        "created_at": found.created_at,
        "owner": {
            "id": found.owner_id,
            "name": found.owner_name,
            "email": found.owner_email,
            "avatar_url": avatars.url(found.owner_avatar),
        },
    }


def _by_a_person(request: Any, otherwise: str) -> None:
    """A browser's session has its own way, which asks for the password."""
    if request.api_key != "person":
        raise PersonNeeded(otherwise)


def _founded(workspace: Workspace) -> dict[str, Any]:
    owner = workspace.owner
    return {
        "slug": workspace.slug,
        "name": workspace.name,
        "role": "owner",
        "avatar_url": None,
        "created_at": workspace.created_at,
        "owner": {
            "id": owner.id,
            "name": owner.shown_name,
            "email": owner.email,
            "avatar_url": avatars.url(queries.avatar_of(owner.id)),
        },
    }


def _rule(words: int | str | None) -> limits.Rule:
    if words is None:
        return limits.LIKE_ALL
    return limits.Rule(True, words) if isinstance(words, int) else limits.NO_LIMIT


def _colleagues(member: Member, found: Sequence[queries.Colleague]) -> list[dict[str, Any]]:
    """What people have used is for those who may limit it; each member sees their own."""
    words = balances.member_words(
        [one.user_id for one in found if member.may(May.SETTINGS) or one.user_id == member.user_id]
    )
    return [_colleague(one, words.get(one.user_id)) for one in found]


def _colleague(one: queries.Colleague, words: balances.MemberWords | None) -> dict[str, Any]:
    return {
        "user": {
            "id": one.user_id,
            "name": one.name,
            "email": one.email,
            "avatar_url": avatars.url(one.avatar),
        },
        "role": one.role,
        "joined_at": one.joined_at,
        "words_limit": words.limit if words else None,
        "words_used": words.used if words else None,
    }


def _one(member: Member, user_id: UUID) -> dict[str, Any]:
    if (found := queries.colleague(member, user_id)) is None:
        raise NotHere
    [one] = _colleagues(member, [found])
    return one


def _entry(one: history.Entry) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Entry.model_fields}


def _person(member: Member) -> None:
    if member.user_id is None:
        raise PersonNeeded


def _listed(one: keys.Key) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Key.model_fields} | {"made_by": one.made_by or None}


def _security(member: Member) -> dict[str, Any]:
    ready = factors.readiness(member)
    return {
        "requires_second_factor": ready.required,
        "members": ready.members,
        "members_without": ready.without,
    }


def _invited(made: Invitation, member: Member, token: str) -> dict[str, Any]:
    return {
        "id": made.id,
        "email": made.email,
        "role": made.role,
        "state": made.state,
        "invited_by": member.user_name or None,
        "created_at": made.created_at,
        "expires_at": made.expires_at,
        "decided_at": None,
        "accept_url": invitations.link(token),
    }


def _pending(one: sent.Sent) -> dict[str, Any]:
    token = invitations.token_of(one) if one.is_pending else None
    return {
        "id": one.id,
        "email": one.email,
        "role": one.role,
        "state": "expired" if one.is_expired else one.state,
        "invited_by": one.invited_by,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
        "decided_at": one.decided_at,
        "accept_url": invitations.link(token) if token else None,
    }


def _result(one: invitations.Done | invitations.Refused, member: Member) -> dict[str, Any]:
    if isinstance(one, invitations.Refused):
        return {"email": one.email, "invitation": None, "problem": document(one.error)}
    return {"email": one.email, "invitation": _invited(one.invitation, member, one.token), "problem": None}


def _offer(one: invitations.Offer) -> dict[str, Any]:
    return {
        "id": one.id,
        "organization": {"slug": one.slug, "name": one.organization, "avatar_url": avatars.url(one.avatar)},
        "role": one.role,
        "invited_by": one.invited_by,
        "expires_at": one.expires_at,
    }


def _id_or_token(given: str) -> UUID | str:
    try:
        return UUID(given)
    except ValueError:
        return given
