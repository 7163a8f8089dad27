"""Words a month for members: the pages on which owner and admins set them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from staffroom.core.errors import Invalid, NotHere
from staffroom.workspaces import queries as workspaces
from staffroom.workspaces.doors import door
from staffroom.workspaces.members import Member
from staffroom.workspaces.models import ORGANIZATION
from staffroom.workspaces.permissions import May

from .. import forms, limits, queries

MEMBERS = "organization?tab=members"


@require_http_methods(["GET", "POST"])
@door(May.SETTINGS, only=ORGANIZATION)
def of_member(request: HttpRequest, member: Member, user_id: UUID) -> HttpResponse:
    one = workspaces.colleague(member, user_id)
    if one is None:
        raise NotHere
    words = queries.member_words([user_id])[user_id]
    shown: dict[str, Any] = {"one": one, "words": words}
    if request.method == "GET":
        return _page(request, forms.Limit.of(words), **shown)
    form = forms.Limit(request.POST)
    try:
        with transaction.atomic():
            limits.limit(user_id, form.rule(), by=member)
    except Invalid as refused:
        return _page(request, form, refused, **shown)
    messages.success(request, _("The word limit of %(name)s is saved.") % {"name": one.name})
    return redirect(member.url(MEMBERS))


@require_http_methods(["GET", "POST"])
@door(May.SETTINGS, only=ORGANIZATION)
def of_everybody(request: HttpRequest, member: Member) -> HttpResponse:
    if request.method == "GET":
        return _page(request, forms.Limit.of_everybody(queries.everybodys_limit()))
    form = forms.Limit(request.POST)
    try:
        with transaction.atomic():
            limits.limit_everybody(form.rule().words, by=member)
    except Invalid as refused:
        return _page(request, form, refused)
    messages.success(request, _("The word limit for everybody is saved."))
    return redirect(member.url(MEMBERS))


def _page(
    request: HttpRequest, form: forms.Limit, refused: Invalid | None = None, **shown: Any
) -> HttpResponse:
    if refused:
        form.refuse(refused)
    return render(request, "billing/limit.html", {"form": form, **shown}, status=422 if refused else 200)
