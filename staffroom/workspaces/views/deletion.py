"""Deleting an organization: asked for inside it, taken back outside, because its address is gone meanwhile."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from staffroom.accounts import confirmations
from staffroom.core.errors import Invalid
from staffroom.core.scope import workspace_scope

from .. import deletion, forms, queries
from ..doors import door, person
from ..members import Member
from ..models import ORGANIZATION
from ..permissions import May


@require_http_methods(["GET", "POST"])
@door(May.OWN, only=ORGANIZATION)
def closing(request: Any, member: Member) -> HttpResponse:
    if request.method == "GET":
        return _closing(request, member, forms.Closing())
    form = forms.Closing(request.POST)
    if not confirmed(request, form):
        return _closing(request, member, form, 422)
    try:
        with transaction.atomic():
            asked = deletion.close(by=member, confirm=form.text("confirm"), now=form.at_once)
    except Invalid as refused:
        form.refuse(refused)
        return _closing(request, member, form, 422)
    if asked.is_over:
        messages.success(request, _("%(name)s is deleted.") % {"name": member.name})
        return redirect("/me/")
    return redirect("deletion", workspace_id=member.workspace_id)


def _closing(request: Any, member: Member, form: forms.Closing, status: int = 200) -> HttpResponse:
    shown = {
        "form": form,
        "count": queries.member_count(member),
        "exports": exports(member),
        "grace": deletion.grace_hours(),
    }
    return render(request, "workspaces/deletion.html", shown, status=status)


@require_GET
@never_cache
@person
def grace(request: Any, workspace_id: UUID) -> HttpResponse:
    """What the owner still may do with an organization that is closed."""
    return _grace(request, deletion.closed(request.user, workspace_id=workspace_id), forms.Confirmed())


def _grace(
    request: HttpRequest, one: deletion.Closed, form: forms.Confirmed, status: int = 200
) -> HttpResponse:
    shown = {"closed": one, "form": form, "exports": exports(one.member)}
    return render(request, "workspaces/closed.html", shown, status=status)


@require_POST
@person
def cancellation(request: Any, workspace_id: UUID) -> HttpResponse:
    member = deletion.closed_for_owner(request.user, workspace_id)
    with workspace_scope(workspace_id):
        deletion.cancel(by=member)
    messages.success(request, _("%(name)s is open again, as it was.") % {"name": member.name})
    return redirect(member.url())


@require_POST
@person
def erasure(request: Any, workspace_id: UUID) -> HttpResponse:
    """Now, instead of after the grace time."""
    one = deletion.closed(request.user, workspace_id=workspace_id)
    form = forms.Confirmed(request.POST)
    if not confirmed(request, form):
        return _grace(request, one, form, 422)
    with workspace_scope(workspace_id):
        deletion.hasten(by=one.member)
    messages.success(request, _("%(name)s is deleted.") % {"name": one.member.name})
    return redirect("/me/")


def confirmed(request: Any, form: forms.Confirmed) -> bool:
    """By the password, or for who has none by a second factor shown in the last minutes. A refusal is counted and
    stands in the form."""
    fresh = not request.user.has_usable_password() and did_recently_reauthenticate(request)
    with transaction.atomic():
        try:
            confirmations.confirm(request.user, form.text("password"), fresh=fresh)
        except Invalid as refused:
            form.refuse(refused)
            return False
    return True


def exports(member: Member) -> str:
    """Where everything can be taken along before it goes; empty where this installation has no such page."""
    try:
        return reverse("o:exports", kwargs={"slug": member.slug})
    except NoReverseMatch:
        return ""
