"""Invitations: by e-mail, with a link, to a role; they open the door for exactly one account.

The link's token is derived from the invitation and the installation's key, so that it can be copied as long as the
invitation is pending; the table holds only its hash, and without the key nothing leads from the one to the other.
The mailed link ends in a proof more. Whoever comes with it has read the mail, which verifies the address; a copied
link does not, or an admin could make oneself an account in anybody's name.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from staffroom.accounts.emails import normalised
from staffroom.accounts.models import User
from staffroom.accounts.people import holder, verified_address
from staffroom.core import mail, tables
from staffroom.core.checks import together
from staffroom.core.errors import Conflict, Forbidden, Invalid, NotHere, StaffroomError, TooMany
from staffroom.core.lines import one_line
from staffroom.core.paging import Page
from staffroom.core.ratelimits import Limit
from staffroom.core.scope import workspace_scope
from staffroom.core.sentences import part

from . import audit, factors, sent, standing
from .keys import hashed
from .members import By, Guest, Member
from .models import Invitation, Membership, Workspace
from .permissions import ROLES, May, Role
from .sent import Sent

VALID = timedelta(days=7)
AT_ONCE = 100
OF_ORGANIZATION = Limit("invitations of an organization", 100, timedelta(days=1))
TO_ADDRESS = Limit("invitations to an address", 5, timedelta(days=1))
DEAD_TOKENS = Limit("dead invitation tokens", 30, timedelta(minutes=15))


class InvitationGone(StaffroomError):
    """Unknown, expired, revoked, used or somebody else's: one and the same."""

    code, status, title = "invitation_gone", 404, "This invitation is not valid any more"

    def default_sentence(self) -> str:
        return _("This invitation does not exist or is not valid any more. Ask for a new one.")


class WrongAccount(Forbidden):
    code, title = "wrong_account", "The invitation is for another account"

    def __init__(self, invited: str, signed_in: str) -> None:
        super().__init__(
            _(
                "This invitation is for %(invited)s, and you are signed in as %(signed_in)s. Switch the account."
            )
            % {"invited": invited, "signed_in": signed_in},
            invited=invited,
            signed_in=signed_in,
        )


class EmailUnverified(Forbidden):
    code, title = "email_unverified", "Your e-mail address is not verified"

    def default_sentence(self) -> str:
        return _("Verify your e-mail address first: open the link in the mail that we sent you.")


class AlreadyMember(Conflict):
    code, title = "already_member", "Already a member"

    def __init__(self, email: str) -> None:
        super().__init__(_("%(email)s is a member of this organization already.") % {"email": email})


@dataclass(frozen=True, slots=True)
class Offer:
    """A pending invitation as its receiver may see it, before any workspace is open."""

    id: UUID
    workspace_id: UUID
    slug: str
    organization: str
    avatar: str
    role: Role
    email: str
    email_norm: str
    invited_by: str
    expires_at: datetime
    requires_second_factor: bool


@dataclass(frozen=True, slots=True)
class Done:
    """One of many that was invited; `token` is that of its link."""

    email: str
    invitation: Invitation
    token: str
    renewed: bool = False
    repeated: bool = False  # an earlier one of the list was the same address


@dataclass(frozen=True, slots=True)
class Refused:
    """One of many that was not, and what stood in its way."""

    email: str
    error: StaffroomError
    repeated: bool = False


# --- those who invite --------------------------------------------------------------------------------------------


@part
def invite(*, email: str, role: str, by: Member) -> tuple[Invitation, str]:
    """The invitation and the token of its link. One that is pending for the address is renewed."""
    email, role = together(partial(_address, email), partial(_role, role))
    answer = _invite(standing.locked(by, May.MANAGE_MEMBERS), email, role, by)
    return answer.invitation, answer.token


@part
def invite_many(wanted: Sequence[tuple[str, str]], *, by: Member) -> list[Done | Refused]:
    """Addresses with their roles, each with an answer in its place; what is wrong with one undoes nothing of others.

    An address named twice is invited once, to the role that was named first; the others say `repeated`.
    """
    if len({normalised(email) for email, _role in wanted}) > AT_ONCE:
        raise Invalid({"invitations": [_("At most %(most)s addresses at once.") % {"most": AT_ONCE}]})
    workspace = standing.locked(by, May.MANAGE_MEMBERS)
    checked = [_checked(email, role) for email, role in wanted]
    # In one order everywhere: each address has a counter, and two lists must not wait for each other's.
    firsts = sorted({_norm(one): one for one in reversed(checked) if isinstance(one, tuple)}.items())
    answers = {norm: _tried(workspace, *one, by) for norm, one in firsts}
    return list(_in_place(checked, answers))


@part
def resend(invitation_id: UUID, *, by: Member) -> tuple[Invitation, str]:
    """A new token, seven new days, a new mail; the former link is dead."""
    workspace = standing.locked(by, May.MANAGE_MEMBERS)
    invitation = _pending(invitation_id)
    _count(workspace, invitation.email)
    invitation.invited_by_id = by.user_id
    return invitation, _send(invitation, workspace, by, before=invitation.role)


@part
def revoke(invitation_id: UUID, *, by: Member) -> None:
    standing.locked(by, May.MANAGE_MEMBERS)
    _revoke(_pending(invitation_id), by)


@part
def revoke_sent_by(user_id: UUID, *, by: By) -> None:
    """They die with the membership, or the role, of the person who sent them."""
    for invitation in Invitation.objects.filter(invited_by_id=user_id, state=Invitation.PENDING):
        _revoke(invitation, by)


def pending(member: Member, cursor: str | None = None, limit: int = 50) -> Page[Sent]:
    """What was sent and not answered, the newest first; expired ones too, which can be sent again."""
    return sent.invitations(member, cursor, limit)


def link(token: str) -> str:
    """Only ever from the installation's own public address, whatever host a request names."""
    return f"{settings.PUBLIC_URL}/invitations/{token}"


def page_of(offer: Offer) -> str:
    """Where its receiver, who was found by a verified address, reads and answers it."""
    return f"/invitations/{_token(offer.id, offer.expires_at)}"


def token_of(invitation: Invitation | Sent) -> str | None:
    """For “Copy link”; none when the installation's key has changed since."""
    token = _token(invitation.id, invitation.expires_at)
    return token if hmac.compare_digest(hashed(token), bytes(invitation.token_hash)) else None


def _address(email: str) -> str:
    """Domains may be written in their own letters; what stands before the @ only in ASCII, because our mail goes out
    without SMTPUTF8, and many servers would not take it.
    """
    email = email.strip() if isinstance(email, str) else ""
    if email.isprintable() and not (local := email.rpartition("@")[0]).isascii() and "@" not in local:
        said = _(
            "Mail to letters like those before the @ cannot be sent. Ask for an address in Latin letters."
        )
        raise Invalid({"email": [said]})
    with suppress(ValidationError, UnicodeError):
        validate_email(email)
        email.partition("@")[2].encode("idna")
        if len(normalised(email)) <= 254 and email.isprintable():
            return email
    raise Invalid({"email": [_("Enter an e-mail address, such as name@example.com.")]})


def _role(role: str) -> str:
    if role not in {Membership.ADMIN, Membership.MEMBER}:
        raise Invalid({"role": [_("Choose Admin or Member. An owner is made by a transfer.")]})
    return str(role)


def _checked(email: str, role: str) -> tuple[str, str] | Refused:
    try:
        email_, role_ = together(partial(_address, email), partial(_role, role))
    except Invalid as error:
        return Refused(email, error)
    return email_, role_


def _norm(one: tuple[str, str]) -> str:
    return normalised(one[0])


def _tried(workspace: Workspace, email: str, role: str, by: Member) -> Done | Refused:
    try:
        with transaction.atomic():
            return _invite(workspace, email, role, by)
    except StaffroomError as error:
        return Refused(email, error)


def _in_place(
    checked: list[tuple[str, str] | Refused], answers: dict[str, Done | Refused]
) -> Iterator[Done | Refused]:
    seen: set[str] = set()
    for one in checked:
        if isinstance(one, Refused):
            yield one
            continue
        answer = answers[norm := _norm(one)]
        yield replace(answer, repeated=True) if norm in seen else answer
        seen.add(norm)


def _invite(workspace: Workspace, email: str, role: str, by: Member) -> Done:
    norm = normalised(email)
    if _is_member(norm):
        raise AlreadyMember(email)
    _count(workspace, email)
    former = tables.one(Invitation, "email_norm = %(norm)s AND state = 'pending'", {"norm": norm})
    invitation = former or Invitation(workspace_id=workspace.id, email_norm=norm)
    before = former.role if former else None
    invitation.email, invitation.role, invitation.invited_by_id = email, role, by.user_id
    token = _send(invitation, workspace, by, before=before)
    return Done(email, invitation, token, renewed=former is not None)


def _is_member(norm: str) -> bool:
    person = holder(norm)
    return person is not None and standing.seat(person.id) is not None


def _count(workspace: Workspace, email: str) -> None:
    said = _("%(email)s was invited too often today. Five times a day are allowed; try again tomorrow.")
    with _often(said % {"email": email}):
        TO_ADDRESS.count(normalised(email))
    with _often(_("This organization has sent its 100 invitations of the day. Try again tomorrow.")):
        OF_ORGANIZATION.count(workspace.id)


@contextmanager
def _often(said: str) -> Iterator[None]:
    try:
        yield
    except TooMany as often:
        raise TooMany(said, retry_after=often.retry_after) from None


def _pending(invitation_id: UUID) -> Invitation:
    invitation = tables.one(Invitation, "id = %(id)s AND state = 'pending'", {"id": invitation_id})
    if invitation is None:
        raise NotHere
    return invitation


def _send(invitation: Invitation, workspace: Workspace, by: Member, *, before: str | None) -> str:
    """`before` is the role of one that is renewed."""
    invitation.expires_at = timezone.now() + VALID
    token = _token(invitation.id, invitation.expires_at)
    invitation.token_hash = hashed(token)
    tables.save(invitation)
    audit.write(
        "invitation.renewed" if before else "invitation.sent",
        by=by,
        target=_target(invitation),
        before={"role": before} if before else None,
        after={"role": invitation.role},
    )
    _mail(invitation, token, workspace, by)
    return token


def _mail(invitation: Invitation, token: str, workspace: Workspace, by: Member) -> None:
    reader = holder(invitation.email_norm)
    mail.post(
        "workspaces/mail/invitation",
        invitation.email,
        {
            "organization": _said(workspace.name),
            "inviter": _said(by.user_name) or _said(workspace.name),
            "inviter_email": by.user_email,
            "role": invitation.role,
            "expires_at": invitation.expires_at,
            "url": link(f"{token}.{_proof(token)}"),
        },
        language=reader.language if reader else "",
    )


def _said(name: str) -> str:
    """A name that a mail program makes no link of: names are typed by strangers, and the mail comes from us."""
    return "".join(f"{sign}\u200b" if sign in ".:/@" else sign for sign in one_line(name))


def _revoke(invitation: Invitation, by: By) -> None:
    invitation.state, invitation.decided_at = Invitation.REVOKED, timezone.now()
    invitation.decided_by_id = by.user_id if isinstance(by, Member) else None
    invitation.save(update_fields=["state", "decided_at", "decided_by"])
    audit.write("invitation.revoked", by=by, target=_target(invitation), **_decided(Invitation.REVOKED))


def _decided(state: str) -> dict[str, dict[str, str]]:
    return {"before": {"state": Invitation.PENDING}, "after": {"state": state}}


def _target(invitation: Invitation) -> dict[str, str]:
    return {"invitation": str(invitation.id), "email": invitation.email}


# --- those who are invited ------------------------------------------------------------------------------------------


def offer(token: str, *, came_from: object = "") -> Offer:
    """What the link's page shows; changes nothing. Dead tokens are counted for `came_from`, an address or a user."""
    with _throttled(came_from):
        return _offer_by_token(token)


def offers_to(user: User) -> list[Offer]:
    """For the switcher: pending, to the verified address."""
    address = verified_address(user)
    return _offers("invitations_of(%s)", normalised(address)) if address else []


def accept(token_or_id: str | UUID, *, user: User, came_from: object = "") -> Member:
    """The member that the user now is. Of several acceptances at the same moment one makes the membership, and
    all get the same good answer.
    """
    with _throttled(came_from or user.id):
        return _accept(token_or_id, user)


def decline(token_or_id: str | UUID, *, user: User | None, came_from: object = "") -> None:
    """Whoever holds the link may say no, also without an account."""
    with _throttled(came_from or (user and user.id)):
        _decline(token_or_id, user)


def arrive(user: User, token: str) -> str:
    """Where somebody lands who signed up to accept: inside, or on the invitation's page, which says why not."""
    try:
        return accept(token, user=user).url()
    except StaffroomError:
        return f"/invitations/{token}"


def is_mailed(token: str) -> bool:
    """Whether this is the link out of the mail, which nobody sees who has not read it."""
    bare, _dot, proof = token.partition(".")
    return bool(proof) and hmac.compare_digest(proof.encode(), _proof(bare).encode())


def _accept(token_or_id: str | UUID, user: User) -> Member:
    """What the offer says is only where to look: everything is asked again behind the workspace's row."""
    offer = _offer_to(user, token_or_id)
    with workspace_scope(offer.workspace_id):
        standing.present(user)
        with _closed_is_gone():
            workspace = standing.lock()
        if not factors.satisfies(user, workspace):
            raise factors.SecondFactorRequired
        if not _claim(offer, token_or_id, Invitation.ACCEPTED, user):
            return _joined_just_now(offer, workspace, user)
        invitation = tables.one(Invitation, "id = %(id)s", {"id": offer.id})
        if invitation is None or not _may_still_grant(workspace, invitation):
            raise InvitationGone
        return _join(workspace, invitation, user)


def _decline(token_or_id: str | UUID, user: User | None) -> None:
    offer = _offer_to(user, token_or_id) if user else _offer_by_token(str(token_or_id))
    with workspace_scope(offer.workspace_id), _closed_is_gone():
        standing.lock()
        if not _claim(offer, token_or_id, Invitation.DECLINED, user):
            raise InvitationGone
        guest = Guest(offer.email, user.id if user else None, user.shown_name if user else "")
        target = {"invitation": str(offer.id), "email": offer.email}
        audit.write("invitation.declined", by=guest, target=target, **_decided(Invitation.DECLINED))


def _offer_to(user: User, token_or_id: str | UUID) -> Offer:
    """Found only by who may answer it; a wrong or unverified account gets told so by the link, never by the id."""
    address = verified_address(user)
    if isinstance(token_or_id, UUID):
        if not address:
            raise EmailUnverified
        offers = {offer.id: offer for offer in _offers("invitations_of(%s)", normalised(address))}
        if token_or_id not in offers:
            raise InvitationGone
        return offers[token_or_id]
    offer = _offer_by_token(token_or_id)
    if normalised(user.email) != offer.email_norm:
        raise WrongAccount(offer.email, user.email)
    if not address:
        raise EmailUnverified
    return offer


def _claim(offer: Offer, token_or_id: str | UUID, state: str, user: User | None) -> bool:
    """One conditional UPDATE decides who answers. A token that was renewed meanwhile claims nothing."""
    now = timezone.now()
    open_ = Invitation.objects.filter(id=offer.id, state=Invitation.PENDING, expires_at__gt=now)
    if isinstance(token_or_id, str):
        open_ = open_.filter(token_hash=_hash(token_or_id))
    return bool(open_.update(state=state, decided_at=now, decided_by=user))


def _joined_just_now(offer: Offer, workspace: Workspace, user: User) -> Member:
    """It was pending when this sentence looked and is not now: fine if the same person's other click took it."""
    taken = Invitation.objects.filter(id=offer.id, state=Invitation.ACCEPTED).exists()
    membership = standing.seat(user.id) if taken else None
    if membership is None:
        raise InvitationGone
    return standing.member_for(workspace, user, standing.role_of(workspace, membership))


def _may_still_grant(workspace: Workspace, invitation: Invitation) -> bool:
    """An organization's key has no person behind it; what it sent stays until it is revoked."""
    if invitation.invited_by_id is None:
        return True
    inviter = standing.seat(invitation.invited_by_id)
    return inviter is not None and May.MANAGE_MEMBERS in ROLES[standing.role_of(workspace, inviter)]


def _join(workspace: Workspace, invitation: Invitation, user: User) -> Member:
    """A former member comes back with the new role; who is a member already keeps the role one has."""
    membership = standing.seat(user.id, active=False) or Membership(
        workspace_id=workspace.id, user_id=user.id
    )
    before = None if membership._state.adding else {"role": membership.role, "status": membership.status}
    if before is None or membership.status != Membership.ACTIVE:
        membership.role, membership.status = invitation.role, Membership.ACTIVE
        membership.joined_at, membership.ended_at = timezone.now(), None
    membership.last_used_at = timezone.now()
    tables.save(membership)
    member = standing.member_for(workspace, user, standing.role_of(workspace, membership))
    audit.write(
        "invitation.accepted",
        by=member,
        target=_target(invitation),
        before=before,
        after={"role": str(member.role), "status": Membership.ACTIVE},
    )
    return member


# --- tokens ---------------------------------------------------------------------------------------------------------


def _token(invitation_id: UUID, expires_at: datetime) -> str:
    """43 characters; renewing changes the expiry and with it the token."""
    said = f"{invitation_id}:{expires_at.astimezone(UTC).isoformat(timespec='microseconds')}"
    return _letters(salted_hmac("staffroom.invitations.link", said, algorithm="sha256").digest())


def _proof(token: str) -> str:
    return _letters(salted_hmac("staffroom.invitations.mailed", token, algorithm="sha256").digest()[:18])


def _hash(token: str) -> bytes:
    """With or without the proof; whatever else stands in an address was never a token of ours."""
    return hashed(token.partition(".")[0].encode("utf-8", "replace").decode())


def _letters(digest: bytes) -> str:
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _offer_by_token(token: str) -> Offer:
    offers = _offers("invitation_by_token(%s)", _hash(token))
    if not offers:
        raise InvitationGone
    return offers[0]


_OFFER = (
    "id, workspace_id, slug, name, avatar, role, email, email_norm, invited_by, expires_at,"
    " requires_second_factor"
)


def _offers(function: str, value: str | bytes) -> list[Offer]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_OFFER} FROM {function}", [value])  # noqa: S608 - one of two functions, by name
        return [
            Offer(id_, workspace_id, slug, name, avatar, Role(role), *rest)
            for id_, workspace_id, slug, name, avatar, role, *rest in cursor.fetchall()
        ]


@contextmanager
def _throttled(came_from: object) -> Iterator[None]:
    with DEAD_TOKENS.failures(InvitationGone, came_from):
        yield


@contextmanager
def _closed_is_gone() -> Iterator[None]:
    """An organization that was closed a moment ago answers as its dead invitations do."""
    try:
        yield
    except NotHere:
        raise InvitationGone from None
