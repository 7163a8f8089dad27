"""What an organization asks of those who come in, and the page for those who do not have it yet."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from staffroom.accounts.security import has_second_factor

from .. import factors
from ..doors import Address, door, person
from ..factors import SecondFactorRequired
from ..members import Member
from ..models import ORGANIZATION
from ..permissions import May

PAGE = "organization/security"


@require_GET
@door(May.SETTINGS, only=ORGANIZATION)
def security(request: Any, member: Member) -> HttpResponse:
    shown = {
        "tab": "security",
        "settles": True,
        "ready": factors.readiness(member),
        "has_factor": has_second_factor(request.user),
        "set_up": set_up(member.url(PAGE)),
    }
    return render(request, "workspaces/organization.html", shown)


@require_POST
@door(May.SETTINGS, only=ORGANIZATION)
def requirement(request: Any, member: Member) -> HttpResponse:
    """Whoever has no second factor is led to set one up, and decides again afterwards."""
    try:
        factors.demand(by=member, user=request.user)
    except SecondFactorRequired as first:
        messages.error(request, str(first))
        return redirect(set_up(member.url(PAGE)))
    messages.success(request, _("From now on nobody enters without a second factor."))
    return redirect(member.url(PAGE))


@require_POST
@door(May.SETTINGS, only=ORGANIZATION)
def waiver(request: HttpRequest, member: Member) -> HttpResponse:
    factors.waive(by=member)
    messages.success(request, _("A second factor is no longer required."))
    return redirect(member.url(PAGE))


@require_GET
@person
def turned_away(request: Any) -> HttpResponse:
    """Why one stands outside, and the way in, which leads back to `at`. Whoever may enter is led there at once."""
    at = _inside(request.GET.get("at", ""))
    barring = {one.slug: one for one in factors.barring(request.user)}
    one = barring.get(Address.of(at).slug or "")
    if one is None:
        return redirect(at)
    shown = {"organization": one, "set_up": set_up(at)}
    return render(request, "workspaces/turned_away.html", shown)


def set_up(then: str) -> str:
    return f"{reverse('account_second_factor')}?{urlencode({'next': then})}"


def _inside(at: str) -> str:
    """An address within an organization; home instead of any other."""
    is_ours = (
        at.startswith("/o/") and at.isprintable() and url_has_allowed_host_and_scheme(at, allowed_hosts=None)
    )
    return at if is_ours else "/"
