"""What was spent: sums by day, employee and member, this period against the last."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from staffroom.core.cells import neutral
from staffroom.employees import queries as employees
from staffroom.workspaces import queries as workspaces
from staffroom.workspaces.doors import door
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

from .. import reports
from ..reports import NOBODY, Period, Spent

PERIODS = (7, 30, 90, 365)


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a table; `share` is a percentage, `change` too, None where there was nothing before."""

    name: str
    words: int
    replies: int
    chats: int
    share: int
    change: int | None


@require_GET
@door(May.BILLING)
def spending(request: HttpRequest, member: Member) -> HttpResponse:
    reports.fold()
    period, bonus = _asked(request)
    whole, former = reports.altogether(period), reports.altogether(period.before)
    words = whole.counted(bonus=bonus)
    shown = {
        "tab": "spending",
        "days": period.days,
        "periods": PERIODS,
        "bonus": bonus,
        "words": words,
        "whole": whole,
        "change": change(words, former.counted(bonus=bonus)),
        "chart": _chart(period, bonus),
        "employees": _lines(reports.by_employee, _employees, period, bonus, words),
        "members": []
        if member.is_personal
        else _lines(reports.by_member, _members(member), period, bonus, words),
    }
    return render(request, "billing/spending.html", shown)


@require_GET
@door(May.BILLING)
def table(request: HttpRequest, member: Member) -> HttpResponse:
    """The days of a period, for spreadsheets."""
    reports.fold()
    period, _bonus = _asked(request)
    rows = [(one.key, one.words, one.bonus, one.replies, one.chats) for one in reports.by_day(period)]
    return as_csv(
        f"spending-{period.first}-{period.last}", ("day", "words", "bonus", "replies", "chats"), rows
    )


def as_csv(name: str, head: Iterable[str], rows: Iterable[Iterable[Any]]) -> HttpResponse:
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(head)
    for row in rows:
        writer.writerow([neutral(str(cell)) for cell in row])
    response = HttpResponse(written.getvalue(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response.headers["Cache-Control"] = "no-store"
    return response


def change(now: int, before: int) -> int | None:
    """In per cent; None where there was nothing before."""
    return round((now - before) * 100 / before) if before else None


def _asked(request: HttpRequest) -> tuple[Period, bool]:
    days = request.GET.get("days", "")
    chosen = int(days) if days.isdecimal() and int(days) in PERIODS else 30
    return Period.of_days(chosen), request.GET.get("only") != "paid"


def _chart(period: Period, bonus: bool) -> dict[str, Any]:
    found = {one.key: one.counted(bonus=bonus) for one in reports.by_day(period)}
    days: list[date] = [period.first + timedelta(days=number) for number in range(period.days)]
    return {"labels": [day.isoformat() for day in days], "values": [found.get(day, 0) for day in days]}


def _lines(read: Any, named: Any, period: Period, bonus: bool, whole: int) -> list[Line]:
    rows: list[Spent] = read(period)
    before = {one.key: one.counted(bonus=bonus) for one in read(period.before)}
    names: dict[UUID, str] = named([one.key for one in rows])
    lines = []
    for one in rows:
        words = one.counted(bonus=bonus)
        share = round(words * 100 / whole) if whole else 0
        lines.append(
            Line(names[one.key], words, one.replies, one.chats, share, change(words, before.get(one.key, 0)))
        )
    return lines


def _employees(ids: list[UUID]) -> dict[UUID, str]:
    return {id_: _("Someone who is gone") for id_ in ids} | employees.names(ids)


def _members(member: Member) -> Any:
    def named(ids: list[UUID]) -> dict[UUID, str]:
        gone = {id_: _("Customers") if id_ == NOBODY else _("Former member") for id_ in ids}
        return gone | workspaces.names(member, ids)

    return named
