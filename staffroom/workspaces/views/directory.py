"""What the Members tab shows: the list of people, and for those who invite the list of invitations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from staffroom.billing import queries as billing
from staffroom.core import mail

from .. import forms, invitations, queries, sent
from ..members import Member
from ..models import Invitation
from ..permissions import May, Role

ROWS = 50
SORTS = {
    "joined": _("Longest here first"),
    "-joined": _("Newest first"),
    "name": _("Name, A to Z"),
    "-name": _("Name, Z to A"),
    "role": _("Owner and admins first"),
    "-role": _("Members first"),
}
ROLES = {Role.OWNER: _("Owner"), Role.ADMIN: _("Admins"), Role.MEMBER: _("Members")}
HEADS = {"name": _("Person"), "role": _("Role"), "joined": _("Since")}
STATES = {
    sent.OPEN: _("Open"),
    sent.EXPIRED: _("Expired"),
    Invitation.ACCEPTED: _("Accepted"),
    Invitation.DECLINED: _("Declined"),
    Invitation.REVOKED: _("Revoked"),
}


def shown(request: HttpRequest, member: Member) -> dict[str, Any]:
    people = _people(request, member)
    return people | (_invitations(request, member) if member.may(May.MANAGE_MEMBERS) else {})


def _people(request: HttpRequest, member: Member) -> dict[str, Any]:
    asked = {
        "q": request.GET.get("q", "").strip()[:100],
        "role": _one_of(ROLES, request.GET.get("role")),
        "sort": _one_of(SORTS, request.GET.get("sort")) or "joined",
    }
    page = queries.members(
        member, request.GET.get("cursor"), ROWS, asked["q"], sort=asked["sort"], role=asked["role"]
    )
    return {
        **asked,
        "members": page,
        "count": queries.member_count(member),
        "roles": ROLES,
        "sorts": SORTS,
        "heads": [_head(member, asked, name) for name in HEADS],
        "next_url": page.next and _url(member, asked, cursor=page.next),
        "previous_url": page.previous and _url(member, asked, cursor=page.previous),
        **_words(member, [one.user_id for one in page.items]),
    }


def _words(member: Member, user_ids: list[UUID]) -> dict[str, Any]:
    """What people may use and have used: for those who limit it of everybody shown, else one's own."""
    me = member.user_id or UUID(int=0)
    words = billing.member_words([me, *user_ids] if member.may(May.SETTINGS) else [me])
    return {"words": words, "everybodys_limit": words[me].everybody}


def _head(member: Member, asked: Mapping[str, str], name: str) -> dict[str, Any]:
    """A column's title, which sorts by it, and the other way round when it is sorted by it already."""
    now = {name: "ascending", f"-{name}": "descending"}.get(asked["sort"], "")
    sort = f"-{name}" if now == "ascending" else name
    return {"label": HEADS[name], "now": now, "url": _url(member, asked, sort=sort)}


def _invitations(request: HttpRequest, member: Member) -> dict[str, Any]:
    state = _one_of(STATES, request.GET.get("state")) or sent.OPEN
    find = request.GET.get("find", "").strip()[:100]
    page = sent.invitations(member, request.GET.get("sent"), ROWS, state=state, q=find)
    asked = {"state": state, "find": find}
    return {
        **asked,
        "states": STATES,
        "sent": [{"row": one, "link": link(one)} for one in page.items],
        "sent_next": page.next and _url(member, asked, sent=page.next),
        "sent_previous": page.previous and _url(member, asked, sent=page.previous),
        "fresh": _fresh(request, member),
        "delivers": mail.can_deliver(),
        "invite_form": forms.Invite(),
    }


def _fresh(request: HttpRequest, member: Member) -> dict[str, Any] | None:
    """What was sent a moment ago, with its link."""
    try:
        one = sent.pending(member, UUID(request.GET.get("invited", "")))
    except ValueError:
        return None
    if one is None:
        return None
    token = invitations.token_of(one)
    return {"row": one, "link": invitations.link(token) if token else ""}


def link(one: sent.Sent) -> str:
    token = invitations.token_of(one) if one.is_pending and not one.is_expired else None
    return invitations.link(token) if token else ""


def _url(member: Member, asked: Mapping[str, str], **more: str) -> str:
    said = {name: value for name, value in {"tab": "members", **asked, **more}.items() if value}
    return member.url(f"organization?{urlencode(said)}")


def _one_of(known: Mapping[Any, Any], given: str | None) -> str:
    return given if given is not None and given in known else ""
