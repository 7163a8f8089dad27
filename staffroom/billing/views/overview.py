"""The balance, what it is made of, and what can be bought."""

from __future__ import annotations

from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from staffroom.workspaces import queries as workspaces
from staffroom.workspaces.doors import door
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

from .. import alerts, forms, gateways, plans, queries, reports


@require_GET
@door(May.SEE_BALANCE)
def left(request: HttpRequest, member: Member) -> HttpResponse:
    """What the sidebar and the bar on top ask for now and then."""
    return render(request, "billing/left.html", {"left": alerts.left()})


@require_GET
@door(May.SEE_BALANCE)
def overview(request: HttpRequest, member: Member) -> HttpResponse:
    balance = queries.balance()
    shown = {"tab": "overview", "balance": balance}
    if not member.may(May.BILLING):
        return render(request, "billing/member.html", shown | {"payers": workspaces.managers(member)})
    reports.fold()
    shown |= {
        "running": queries.plan(),
        "runs_out": reports.runs_out(balance.words_left),
        "plans": plans.offered(),
        "packages": plans.packages(),
        "recent": queries.payments(limit=5).items,
        "form": forms.Purchase(initial={"form_id": uuid4()}),
        "payable": gateways.available(),
    }
    return render(request, "billing/overview.html", shown)
