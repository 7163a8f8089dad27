"""Founding an organization, its settings, its people.

A rule that refuses may have counted or written something before; each is tried within a savepoint, because the
page that says what was wrong is rendered in the same transaction.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from staffroom.core.errors import Invalid, NotHere, StaffroomError, TooMany

from .. import forms, invitations, organizations, queries, sent, slugs
from ..doors import door, person
from ..members import Member
from ..models import ORGANIZATION
from ..permissions import May
from . import directory

GENERAL, MEMBERS = "general", "members"


@require_http_methods(["GET", "POST"])
@person
def new(request: Any) -> HttpResponse:
    if request.method == "GET":
        return _new(request, forms.Founding(initial={"form_id": uuid4()}))
    form = forms.Founding(request.POST)
    try:
        made = organizations.found(
            form.text("name"), slug=form.text("slug"), by=request.user, founding_key=form.founding_key()
        )
    except Invalid as refused:
        form.refuse(refused)
        return _new(request, form, status=422)
    return redirect(f"/o/{made.slug}/")


def _new(request: HttpRequest, form: forms.Founding, status: int = 200) -> HttpResponse:
    only_slug = form.is_bound and "name" not in form.errors
    shown = {"form": form, "address": f"{_host()}/o/", "ask_name": not only_slug, "ask_slug": only_slug}
    return render(request, "workspaces/new.html", shown, status=status)


@require_GET
@person
def slug_check(request: HttpRequest) -> HttpResponse:
    """While typing: whether the slug may be had, or which one the name would get."""
    typed, name = request.GET.get("slug", "").strip(), request.GET.get("name", "").strip()
    try:
        slug = slugs.available(typed) if typed else slugs.suggested(name) if name else ""
    except Invalid as refused:
        return _checked(request, errors=refused.errors["slug"])
    return _checked(request, slug=slug, made=not typed)


@require_GET
@door(May.SETTINGS, only=ORGANIZATION)
def slug_check_here(request: HttpRequest, member: Member) -> HttpResponse:
    """In the settings: one's own slug, present or former, is no other's."""
    typed = request.GET.get("slug", "")
    try:
        slug = slugs.checked(typed)
        if slug not in queries.own_slugs():
            slugs.available(slug)
    except Invalid as refused:
        return _checked(request, errors=refused.errors["slug"])
    return _checked(request, slug="" if slug == member.slug else slug)


def _checked(request: HttpRequest, **said: Any) -> HttpResponse:
    return render(request, "workspaces/slug_check.html", {"address": f"{_host()}/o/", **said})


def _host() -> str:
    return settings.PUBLIC_URL.partition("://")[2]


@require_GET
@door(May.SEE_MEMBERS, only=ORGANIZATION)
def organization(request: HttpRequest, member: Member) -> HttpResponse:
    return show(request, member, MEMBERS if request.GET.get("tab") == MEMBERS else GENERAL)


def show(request: HttpRequest, member: Member, tab: str, status: int = 200, **forms_: Any) -> HttpResponse:
    """The page with one of its tabs; a form that was refused comes along with what was typed."""
    shown = {
        "tab": tab,
        "manages": member.may(May.MANAGE_MEMBERS),
        "owns": member.may(May.OWN),
        "settles": member.may(May.SETTINGS),
        "address": f"{_host()}/o/",
        **(directory.shown(request, member) if tab == MEMBERS else _general(member)),
        **forms_,
    }
    return render(request, "workspaces/organization.html", shown, status=status)


def _general(member: Member) -> dict[str, Any]:
    return {
        "organization": queries.organization(member),
        "name_form": forms.Name({"name": member.name}),
        "slug_form": forms.Slug({"slug": member.slug}),
    }


@require_POST
@door(May.SETTINGS, only=ORGANIZATION)
def rename(request: HttpRequest, member: Member) -> HttpResponse:
    form = forms.Name(request.POST)
    try:
        with transaction.atomic():
            organizations.change(by=member, name=form.text("name"))
    except Invalid as refused:
        form.refuse(refused)
        return show(request, member, GENERAL, 422, name_form=form)
    messages.success(request, _("The name is saved."))
    return redirect(member.url("organization?tab=general"))


@require_POST
@door(May.SETTINGS, only=ORGANIZATION)
def move(request: HttpRequest, member: Member) -> HttpResponse:
    form = forms.Slug(request.POST)
    try:
        with transaction.atomic():
            moved = organizations.change(by=member, slug=form.text("slug"))
    except Invalid as refused:
        form.refuse(refused)
        return show(request, member, GENERAL, 422, slug_form=form)
    messages.success(request, _("The address is changed. The former one leads here for 90 days."))
    return redirect(f"/o/{moved.slug}/organization?tab=general")


@require_POST
@door(May.MANAGE_MEMBERS, only=ORGANIZATION)
def invite(request: HttpRequest, member: Member) -> HttpResponse:
    form = forms.Invite(request.POST)
    try:
        with transaction.atomic():
            invitation, _token = invitations.invite(
                email=form.text("email"), role=form.text("role"), by=member
            )
    except StaffroomError as refused:
        return _refused(request, member, form, refused)
    return redirect(member.url(f"organization?tab=members&invited={invitation.id}#invited"))


def _refused(
    request: HttpRequest, member: Member, form: forms.Invite, refused: StaffroomError
) -> HttpResponse:
    """Whatever stood in the way is said beside the form, which keeps what was typed."""
    form.refuse(refused if isinstance(refused, Invalid) else Invalid({"email": [str(refused)]}))
    return show(request, member, MEMBERS, refused.status, invite_form=form)


@require_POST
@door(May.MANAGE_MEMBERS, only=ORGANIZATION)
def resend(request: HttpRequest, member: Member, invitation_id: UUID) -> HttpResponse:
    try:
        with transaction.atomic():
            invitations.resend(invitation_id, by=member)
    except TooMany as refused:
        messages.error(request, str(refused))
    except NotHere:
        _answered(request, invitation_id)
    else:
        return redirect(member.url(f"organization?tab=members&invited={invitation_id}#invited"))
    return redirect(member.url("organization?tab=members"))


@require_POST
@door(May.MANAGE_MEMBERS, only=ORGANIZATION)
def revoke(request: HttpRequest, member: Member, invitation_id: UUID) -> HttpResponse:
    try:
        with transaction.atomic():
            invitations.revoke(invitation_id, by=member)
    except NotHere:
        _answered(request, invitation_id)
    else:
        messages.success(request, _("The invitation is revoked. Its link is dead."))
    return redirect(member.url("organization?tab=members"))


def _answered(request: HttpRequest, invitation_id: UUID) -> None:
    """The list was older than the invitation's answer; one that never was here stays unknown."""
    if not sent.was_sent(invitation_id):
        raise NotHere
    messages.error(request, _("That invitation was answered or revoked already."))
