"""Deleting one's own account: what follows is said first, and what stands in the way with both ways out."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from .. import farewells, forms
from ..doors import person
from .deletion import confirmed


@require_http_methods(["GET", "POST"])
@never_cache
@person
def account(request: Any) -> HttpResponse:
    if request.method == "GET":
        return _account(request, forms.Confirmed())
    form = forms.Confirmed(request.POST)
    if not confirmed(request, form):
        return _account(request, form, 422)
    try:
        farewells.depart(request.user)
    except farewells.OwnsOrganizations as refused:
        return _account(request, form, refused.status)
    logout(request)
    messages.success(request, _("Your account is deleted."))
    return redirect("account_login")


def _account(request: Any, form: forms.Confirmed, status: int = 200) -> HttpResponse:
    shown = {"form": form, "hanging": farewells.hanging(request.user)}
    return render(request, "account/deletion.html", shown, status=status)
