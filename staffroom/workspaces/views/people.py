"""Roles, removal, leaving, the owner's chair. Each page says what follows before it happens."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from staffroom.accounts import confirmations
from staffroom.chats import queries as chats
from staffroom.core.errors import Invalid, NotHere

from .. import forms, memberships, ownership, queries
from ..doors import door
from ..members import Member
from ..memberships import OwnerCannotBeRemoved, OwnerCannotLeave
from ..models import ORGANIZATION
from ..permissions import ROLES, SENTENCES, May, Role
from ..queries import Colleague

MEMBERS = "organization?tab=members"


@require_http_methods(["GET", "POST"])
@door(May.MANAGE_MEMBERS, only=ORGANIZATION)
def role(request: HttpRequest, member: Member, user_id: UUID) -> HttpResponse:
    one = _other_than_owner(member, user_id)
    if request.method == "GET":
        return _role(request, member, one, forms.Seat({"role": one.role}))
    form = forms.Seat(request.POST)
    try:
        with transaction.atomic():
            memberships.change_role(user_id, form.text("role"), by=member)
    except Invalid as refused:
        form.refuse(refused)
        return _role(request, member, one, form, 422)
    messages.success(request, _("The role of %(name)s is saved.") % {"name": one.name})
    return redirect(member.url(MEMBERS))


def _role(
    request: HttpRequest, member: Member, one: Colleague, form: forms.Seat, status: int = 200
) -> HttpResponse:
    shown = _ending(member, one) | {
        "form": form,
        "mine": one.user_id == member.user_id,
        "loses": [SENTENCES[deed] for deed in May if deed in ROLES[Role.ADMIN] - ROLES[Role.MEMBER]],
    }
    return render(request, "workspaces/role.html", shown, status=status)


@require_http_methods(["GET", "POST"])
@door(May.MANAGE_MEMBERS, only=ORGANIZATION)
def removal(request: HttpRequest, member: Member, user_id: UUID) -> HttpResponse:
    one = _other_than_owner(member, user_id)
    if user_id == member.user_id:
        return redirect(member.url("organization/departure"))
    if request.method == "GET":
        return render(request, "workspaces/removal.html", _ending(member, one))
    memberships.remove(user_id, by=member)
    messages.success(request, _("%(name)s is no longer a member.") % {"name": one.name})
    return redirect(member.url(MEMBERS))


@require_http_methods(["GET", "POST"])
@door(May.SEE_MEMBERS, only=ORGANIZATION)
def departure(request: HttpRequest, member: Member) -> HttpResponse:
    """The owner sees what has to happen first."""
    if request.method == "GET":
        return render(
            request, "workspaces/departure.html", _ending(member, _colleague(member, member.user_id))
        )
    try:
        with transaction.atomic():
            memberships.leave(by=member)
    except OwnerCannotLeave as refused:
        shown = _ending(member, _colleague(member, member.user_id)) | {"refused": refused}
        return render(request, "workspaces/departure.html", shown, status=refused.status)
    messages.success(request, _("You have left %(organization)s.") % {"organization": member.name})
    return redirect("/me/")


@require_http_methods(["GET", "POST"])
@door(May.OWN, only=ORGANIZATION)
def ownership_(request: Any, member: Member) -> HttpResponse:
    """`to` names the colleague; without one it is chosen in the list."""
    to = request.POST.get("to") if request.method == "POST" else request.GET.get("to")
    if not to:
        messages.info(request, _("Choose the new owner in the list: “Make owner” stands in each menu."))
        return redirect(member.url(MEMBERS))
    one = _colleague(member, _id(to))
    if one.is_owner:
        raise ownership.OwnerAlready
    if request.method == "GET":
        return _ownership(request, member, one, forms.Transfer())
    form = forms.Transfer(request.POST)
    try:
        confirmations.confirm(request.user, form.text("password"))
    except Invalid as refused:
        form.refuse(refused)
        return _ownership(request, member, one, form, 422)
    ownership.transfer(one.user_id, by=member, leave=form.leaves)
    return _handed_over(request, member, one, left=form.leaves)


def _ownership(
    request: HttpRequest, member: Member, one: Colleague, form: forms.Transfer, status: int = 200
) -> HttpResponse:
    """What hangs on the former owner is told, too, for the case that they leave in the same step."""
    shown = _ending(member, _colleague(member, member.user_id)) | {"one": one, "form": form}
    return render(request, "workspaces/ownership.html", shown, status=status)


def _handed_over(request: HttpRequest, member: Member, one: Colleague, *, left: bool) -> HttpResponse:
    said = {"name": one.name, "organization": member.name}
    if left:
        messages.success(request, _("%(name)s owns %(organization)s now, and you have left it.") % said)
        return redirect("/me/")
    messages.success(request, _("%(name)s owns %(organization)s now. You are an admin of it.") % said)
    return redirect(member.url(MEMBERS))


def _ending(member: Member, one: Colleague) -> dict[str, Any]:
    begun, held = chats.chats_of_person(member, one.user_id)
    return {
        "one": one,
        "hanging": queries.hanging(member, one.user_id),
        "begun": begun,
        "held": held,
        "deletion": one.is_owner and _deletion(member),
    }


def _deletion(member: Member) -> str:
    """The owner's other way out, where the program has that page."""
    try:
        match = resolve(url := member.url("organization/deletion"))
    except Resolver404:
        return ""
    return url if match.url_name == "organization_deletion" else ""


def _colleague(member: Member, user_id: UUID | None) -> Colleague:
    one = queries.colleague(member, user_id) if user_id else None
    if one is None:
        raise NotHere
    return one


def _other_than_owner(member: Member, user_id: UUID) -> Colleague:
    one = _colleague(member, user_id)
    if one.is_owner:
        raise OwnerCannotBeRemoved
    return one


def _id(given: str) -> UUID:
    try:
        return UUID(given)
    except ValueError:
        raise NotHere from None
