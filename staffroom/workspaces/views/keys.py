"""API keys of an organization, and of a person. A key is in the answer that made it, and nowhere else."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from staffroom.core.errors import Invalid
from staffroom.core.scope import workspace_scope

from .. import forms, keys, personal, queries
from ..doors import door, person
from ..keys import KeyMadeAlready
from ..members import Member
from ..models import ORGANIZATION
from ..permissions import May

ROWS = 50


@require_http_methods(["GET", "POST"])
@never_cache
@door(May.SETTINGS, only=ORGANIZATION)
def organization(request: HttpRequest, member: Member) -> HttpResponse:
    if request.method == "GET":
        return _organization(request, forms.NewKey(initial={"form_id": uuid4()}))
    form = forms.NewKey(request.POST)
    try:
        with transaction.atomic():
            made, token = keys.make(
                name=form.text("name"), role=form.text("role"), by=member, form=form.made_by_form()
            )
    except (Invalid, KeyMadeAlready) as refused:
        form.say(refused)
        return _organization(request, form, refused.status)
    fresh = forms.NewKey(initial={"form_id": uuid4()})
    return _organization(request, fresh, made=made, token=token)


def _organization(request: HttpRequest, form: forms.NewKey, status: int = 200, **more: Any) -> HttpResponse:
    cursor = request.GET.get("cursor", "")
    shown = {"tab": "keys", "settles": True, "form": form, "cursor": cursor, **more}
    shown["page"] = keys.listed(cursor, ROWS)
    return render(request, "workspaces/organization.html", shown, status=status)


@require_POST
@door(May.SETTINGS, only=ORGANIZATION)
def revocation(request: HttpRequest, member: Member, key_id: UUID) -> HttpResponse:
    keys.revoke(key_id, by=member)
    messages.success(request, _("The key is revoked. It opens nothing any more."))
    return redirect(member.url("organization/keys"))


@require_GET
@never_cache
@person
def mine(request: Any) -> HttpResponse:
    cursor = request.GET.get("cursor", "")
    with workspace_scope(personal.home(request.user).workspace_id):
        page = keys.listed(cursor, ROWS)
    contexts = {context.id: context for context in queries.contexts(request.user.id)}
    rows = [{"key": key, "places": _places(key, contexts)} for key in page.items]
    return render(request, "account/keys.html", {"rows": rows, "next": page.next, "cursor": cursor})


def _places(key: keys.Key, contexts: dict[UUID, queries.Context]) -> list[queries.Context] | None:
    """Where a limited key works: what its person has left since is not among them."""
    return None if key.only_in is None else [contexts[id_] for id_ in key.only_in if id_ in contexts]


@require_http_methods(["GET", "POST"])
@never_cache
@person
@reauthentication_required(app="allauth.account")
def new(request: Any) -> HttpResponse:
    if request.method == "GET":
        return _new(request, forms.NewOwnKey(initial={"form_id": uuid4()}))
    form = forms.NewOwnKey(request.POST)
    home = personal.home(request.user)
    try:
        with workspace_scope(home.workspace_id):
            made, token = keys.make_own(
                name=form.text("name"), by=home, only=form.only(), form=form.made_by_form()
            )
    except (Invalid, KeyMadeAlready) as refused:
        form.say(refused)
        return _new(request, form, refused.status)
    return render(request, "account/key_made.html", {"made": made, "token": token})


def _new(request: Any, form: forms.NewOwnKey, status: int = 200) -> HttpResponse:
    shown = {"form": form, "contexts": queries.contexts(request.user.id)}
    return render(request, "account/key_new.html", shown, status=status)


@require_POST
@person
def own_revocation(request: Any, key_id: UUID) -> HttpResponse:
    home = personal.home(request.user)
    with workspace_scope(home.workspace_id):
        keys.revoke(key_id, by=home)
    messages.success(request, _("The key is revoked. It opens nothing any more."))
    return redirect("account_keys")
