"""The first page of a context: first steps, and the figures of a period."""

from __future__ import annotations

from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from staffroom.billing import queries as billing
from staffroom.billing import reports
from staffroom.chats import tally
from staffroom.employees import queries as employees
from staffroom.workspaces.doors import door
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

from . import figures, queries


@require_GET
@door(May.WORK)
def home(request: HttpRequest, member: Member) -> HttpResponse:
    now = datetime.now(UTC)
    span = figures.SPANS.get(request.GET.get("span", ""), figures.SPANS["7d"])
    reports.fold()
    tally.refresh(now)
    pays = member.may(May.BILLING)
    cards = figures.cards(span, now, money=pays)
    chosen = next((one.key for one in cards if one.key == request.GET.get("card")), cards[0].key)
    workers = figures.by_employee(span, now)
    names = employees.names([one.id for one in workers if one.id])
    shown = {
        "beginning": queries.beginning(),
        "balance": billing.balance(),
        "manages": member.may(May.MANAGE_MEMBERS),
        "spans": figures.SPANS.values(),
        "span": span,
        "cards": cards,
        "pays": pays,
        "chosen": chosen,
        "chart": figures.chart(chosen, span, now),
        "workers": [(one, names.get(one.id) if one.id else None) for one in workers],
    }
    template = "dashboard/home.html#figures" if "HX-Request" in request.headers else "dashboard/home.html"
    return render(request, template, shown)
