"""The first page of a context."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from staffroom.billing import queries as billing
from staffroom.workspaces.doors import door
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

from . import queries


@require_GET
@door(May.WORK)
def home(request: HttpRequest, member: Member) -> HttpResponse:
    balance = billing.balance()
    shown = {
        "beginning": queries.beginning(),
        "balance": balance,
        "manages": member.may(May.MANAGE_MEMBERS),
    }
    return render(request, "dashboard/home.html", shown)
