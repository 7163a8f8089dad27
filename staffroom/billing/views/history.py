"""The personal account's charges, reply by reply and day by day. An organization's spending is shown as sums only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from staffroom.core.errors import NotHere
from staffroom.employees import queries as employees
from staffroom.workspaces.doors import door
from staffroom.workspaces.members import Member
from staffroom.workspaces.models import PERSONAL
from staffroom.workspaces.permissions import May

from .. import plans, queries, reports
from ..reports import Period, Spent
from .spending import as_csv

DAYS = (7, 30, 90, 180, 365)
ROWS, REPLIES = 31, 50


@dataclass(frozen=True, slots=True)
class Asked:
    """The filter, as the address says it."""

    period: Period
    days: int
    bonus: bool
    employee: UUID | None
    before: date | None

    @property
    def query(self) -> str:
        employee = f"&employee={self.employee}" if self.employee else ""
        return f"days={self.days}{employee}{'' if self.bonus else '&only=paid'}"


@dataclass(frozen=True, slots=True)
class Line:
    """A day. The costs are dollars, None where there is nothing to divide by."""

    day: date
    sources: str
    words: int
    replies: int
    chats: int
    cost: Decimal

    @property
    def for_a_chat(self) -> Decimal | None:
        return self.cost / self.chats if self.chats else None

    @property
    def for_a_reply(self) -> Decimal | None:
        return self.cost / self.replies if self.replies else None


@require_GET
@door(May.SEE_BALANCE)
def history(request: HttpRequest, member: Member) -> HttpResponse:
    if not member.is_personal:
        return render(request, "billing/hidden.html", {"may_see": member.may(May.BILLING)})
    reports.fold()
    asked = _asked(request)
    found = reports.by_day(asked.period, asked.employee)
    lines = [_line(one, asked.bonus) for one in reversed(found) if not asked.before or one.key < asked.before]
    balance = queries.balance()
    shown = {
        "tab": "history",
        "asked": asked,
        "choices": DAYS,
        "staff": employees.employees(member, limit=200).items,
        "balance": balance,
        "share": _share(found, balance.words_left, asked),
        "whole": _whole(found, asked.bonus),
        "charts": _charts(asked, found),
        "lines": lines[:ROWS],
        "older": lines[ROWS - 1].day if len(lines) > ROWS else None,
    }
    return render(request, "billing/history.html", shown)


@require_GET
@door(May.SEE_BALANCE, only=PERSONAL)
def day(request: HttpRequest, member: Member) -> HttpResponse:
    """The replies of one day, behind its row; of today where none is named."""
    try:
        one = date.fromisoformat(request.GET.get("of") or datetime.now(UTC).date().isoformat())
    except ValueError:
        raise NotHere from None
    employee = _uuid(request.GET.get("employee", ""))
    page = reports.charges(request.GET.get("cursor"), REPLIES, period=Period(one, one), employee=employee)
    names = employees.names([charge.employee_id for charge in page.items if charge.employee_id])
    rows = [(charge, names.get(charge.employee_id) if charge.employee_id else None, plans.worth(charge.words))
            for charge in page.items]  # fmt: skip
    return render(request, "billing/day.html", {"rows": rows, "page": page, "day": one, "employee": employee})


@require_GET
@door(May.SEE_BALANCE, only=PERSONAL)
def table(request: HttpRequest, member: Member) -> HttpResponse:
    """The days, for spreadsheets."""
    reports.fold()
    asked = _asked(request)
    rows = [
        (one.day, one.sources, one.words, one.replies, f"{one.cost:.4f}", one.chats, _cell(one.for_a_chat),
         _cell(one.for_a_reply))
        for one in (_line(spent, asked.bonus) for spent in reports.by_day(asked.period, asked.employee))
    ]  # fmt: skip
    head = ("date", "type", "words", "messages", "cost", "chats", "cost_for_a_chat", "cost_for_a_message")
    return as_csv(f"words-{asked.period.first}-{asked.period.last}", head, rows)


def _asked(request: HttpRequest) -> Asked:
    days = request.GET.get("days", "")
    chosen = int(days) if days.isdecimal() and int(days) in DAYS else 30
    try:
        before = date.fromisoformat(request.GET.get("before", ""))
    except ValueError:
        before = None
    employee = _uuid(request.GET.get("employee", ""))
    return Asked(Period.of_days(chosen), chosen, request.GET.get("only") != "paid", employee, before)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _line(spent: Spent, bonus: bool) -> Line:
    words = spent.counted(bonus=bonus)
    named = [
        (_("Plan"), spent.plan),
        (_("Bonus"), spent.bonus if bonus else 0),
        (_("Purchased"), spent.purchased),
    ]
    sources = ", ".join(name for name, part in named if part)
    return Line(spent.key, sources, words, spent.replies, spent.chats, plans.worth(words))


def _whole(found: list[Spent], bonus: bool) -> Line:
    words = sum(one.counted(bonus=bonus) for one in found)
    replies, chats = sum(one.replies for one in found), sum(one.chats for one in found)
    return Line(datetime.now(UTC).date(), "", words, replies, chats, plans.worth(words))


def _share(found: list[Spent], left: int, asked: Asked) -> int:
    """How much is left of what was there at the beginning of the period, in per cent."""
    spent = sum(one.words for one in found)
    return left * 100 // (left + spent) if left + spent else 0


def _charts(asked: Asked, found: list[Spent]) -> dict[str, Any]:
    """Words and messages a day, cost a day, chats and messages a day, cost a month."""
    by_day = {one.key: _line(one, asked.bonus) for one in found}
    days = [asked.period.first + timedelta(days=number) for number in range(asked.period.days)]
    lines = [by_day.get(one) for one in days]
    labels = [one.isoformat() for one in days]
    year = Period.of_days(365)
    months = reports.by_month(Period(year.first.replace(day=1), year.last), asked.employee)
    replies = {"name": _("Messages"), "values": [one.replies if one else 0 for one in lines]}
    return {
        "words": {"labels": labels, "series": [
            {"name": _("Words"), "values": [one.words if one else 0 for one in lines]}, replies]},
        "cost": {"labels": labels, "values": [float(one.cost) if one else 0 for one in lines]},
        "chats": {"labels": labels, "series": [
            {"name": _("Chats"), "values": [one.chats if one else 0 for one in lines]}, replies]},
        "months": {"labels": [f"{one.key:%Y-%m}" for one in months],
                   "values": [float(_line(one, asked.bonus).cost) for one in months]},
    }  # fmt: skip


def _cell(cost: Decimal | None) -> str:
    return "" if cost is None else f"{cost:.4f}"
