"""The page on which a person sees what the account is guarded with, and where it is open."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from staffroom.core.errors import NotHere

from .. import browsers
from ..security import factors, has_second_factor
from .passkeys import obstacle

GOAL = "second_factor_goal"


@require_GET
@never_cache
@login_required
def security(request: Any) -> HttpResponse:
    shown = {
        "factors": factors(request.user),
        "browsers": browsers.of(request.user, this=request.session.session_key),
        "obstacle": obstacle(request),
        "goal": request.session.get(GOAL),
    }
    return render(request, "account/security.html", shown)


@require_GET
@login_required
def second_factor(request: Any) -> HttpResponse:
    """Leads somebody through setting one up; `next` is where the way goes on, however many pages lie between."""
    goal = request.GET.get("next", "")
    if goal.startswith("/") and url_has_allowed_host_and_scheme(goal, allowed_hosts=None):
        request.session[GOAL] = goal
    if has_second_factor(request.user):
        return redirect("account_onward")
    return render(request, "account/second_factor.html", {"obstacle": obstacle(request)})


@require_GET
@login_required
def onward(request: Any) -> HttpResponse:
    if GOAL not in request.session or not has_second_factor(request.user):
        return redirect("account_security")
    return redirect(request.session.pop(GOAL))


@require_POST
@login_required
def sign_out(request: Any, handle: str) -> HttpResponse:
    if handle == browsers.handle(request.session.session_key):
        return redirect("account_logout")
    if not browsers.sign_out(request.user, handle):
        raise NotHere
    messages.success(request, _("That browser is signed out."))
    return redirect("account_security")


@require_POST
@login_required
def sign_out_others(request: Any) -> HttpResponse:
    count = browsers.sign_out_all(request.user, but=request.session.session_key)
    said = ngettext("%(count)s browser is signed out.", "%(count)s browsers are signed out.", count)
    messages.success(request, said % {"count": count})
    return redirect("account_security")


@require_GET
@login_required
def moved(request: HttpRequest) -> HttpResponse:
    """Pages of allauth that are parts of ours."""
    return redirect("account_security")
