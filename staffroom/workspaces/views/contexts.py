"""Changing places: bare addresses, and the context switcher."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve
from django.views.decorators.http import require_GET

from .. import deletion, invitations, queries
from ..doors import door, person
from ..members import Member
from ..models import ORGANIZATION, PERSONAL
from ..permissions import May, deeds
from .deletion import exports

_INSIDE = re.compile(r"/(?:me|o/[a-z0-9-]+)/(?P<section>[a-z-]+)(?P<rest>/[^?]*)?(?:\?(?P<query>.*))?")
_KEPT = ("tab",)  # what of the query names a part of the section rather than an object in it


@require_GET
@person
def bare(request: Any, path: str = "") -> HttpResponse:
    """`/chats?…` → `/o/acme/chats?…`, the context last used."""
    context = queries.last_used(request.user.id)
    query = request.META.get("QUERY_STRING", "")
    return redirect(f"{context.prefix}/{path}" + (f"?{query}" if query else ""))


@require_GET
@door(May.WORK, closed=True)
def switcher(request: Any, member: Member) -> HttpResponse:
    """The fragment behind the button; `at` is the page it was opened on."""
    keep = sections(request.GET.get("at", ""))
    contexts = [_entry(context, member, keep) for context in queries.contexts(request.user.id)]
    contexts.sort(key=lambda entry: not entry["current"])
    offers = [
        {
            "organization": offer.organization,
            "avatar": offer.avatar,
            "role": offer.role,
            "accept_url": f"/invitations/{offer.id}/accept",
            "decline_url": f"/invitations/{offer.id}/decline",
        }
        for offer in invitations.offers_to(request.user)
    ]
    shown = {
        "contexts": contexts,
        "invitations": offers,
        "closed": [
            {"member": one.member, "delete_after": one.delete_after, "exports": exports(one.member)}
            for one in deletion.closed_organizations(request.user)
        ],
    }
    return render(request, "workspaces/switcher.html", shown)


def _entry(
    context: queries.Context, member: Member, keep: Callable[[queries.Context], str]
) -> dict[str, Any]:
    return {
        "kind": context.kind,
        "slug": context.slug,
        "name": context.name,
        "avatar": context.avatar,
        "role": context.role,
        "barred": context.barred,
        "url": keep(context),
        "current": context.id == member.workspace_id,
    }


def sections(at: str) -> Callable[[queries.Context], str]:
    """For each context the address of the same section, or of its first page.

    Resolved once for each kind of context, whatever their number. What stands below a section, such as one chat,
    lives in one context; `/o/acme/organization` has no like in the personal account.
    """
    section, query = _section(at)
    asks = {kind: _asks(kind, section) for kind in (PERSONAL, ORGANIZATION)} if section else {}

    def keep(context: queries.Context) -> str:
        if asks.get(context.kind) in deeds(context.kind, context.role):
            return f"{context.prefix}/{section}{query}"
        return f"{context.prefix}/"

    return keep


def _section(at: str) -> tuple[str, str]:
    """Of an address of ours: the first segment behind the context, and the part of the query that goes with it."""
    if not at.isprintable() or not (found := _INSIDE.fullmatch(at)):
        return "", ""
    kept = {key: values[-1] for key, values in parse_qs(found["query"] or "").items() if key in _KEPT}
    return found["section"], f"?{urlencode(kept)}" if kept and not found["rest"] else ""


def _asks(kind: str, section: str) -> May | None:
    """What the section asks for in a context of that kind; None where it does not exist."""
    try:
        match = resolve(f"{'/me' if kind == PERSONAL else '/o/some'}/{section}")
    except Resolver404:
        return None
    if getattr(match.func, "only", None) not in {None, kind}:
        return None
    return getattr(match.func, "deed", None)
