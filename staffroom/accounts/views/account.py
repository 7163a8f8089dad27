"""Pages of a person's own account; signing in and up is allauth's, in our templates."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from .. import invited
from ..forms import Settings, Theme


@require_http_methods(["GET", "POST"])
@login_required
def settings(request: Any) -> HttpResponse:
    form = Settings(request.POST or None, instance=request.user)
    if not form.is_valid():
        request.user.refresh_from_db(fields=["name", "theme", "language"])
        return render(request, "account/settings.html", {"form": form}, status=422 if form.is_bound else 200)
    form.save()
    with override(request.user.language):
        messages.success(request, _("Your settings are saved."))
    return redirect("account_settings")


@require_POST
@login_required
def theme(request: Any) -> HttpResponse:
    """One click in the user menu. The page has already changed its clothes; this remembers."""
    form = Theme(request.POST, instance=request.user)
    if form.is_valid():
        form.save()
    if "HX-Request" in request.headers:
        return HttpResponse(status=204)
    came_from = request.META.get("HTTP_REFERER", "")
    if url_has_allowed_host_and_scheme(came_from, allowed_hosts={request.get_host()}):
        return HttpResponseRedirect(came_from)
    return redirect("account_settings")


@require_POST
def other_address(request: Any) -> HttpResponse:
    """Sign up, but not with the address that was invited."""
    invited.forget(request.session)
    return redirect("account_signup")


@require_GET
def with_slash(request: HttpRequest, page: str) -> HttpResponse:
    """allauth's addresses end in a slash; people type them without."""
    query = request.META.get("QUERY_STRING", "")
    return HttpResponseRedirect(f"/accounts/{page}/" + (f"?{query}" if query else ""))
