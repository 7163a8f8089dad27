"""The audit log: who did what to whom, when and from where; the check of its chain; a table for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from staffroom.core import cells
from staffroom.core.paging import cursor, position
from staffroom.core.scope import workspace_scope

from .. import chain, history, queries, standing
from ..doors import door
from ..history import ACTIONS, Asked, Entry
from ..members import Member
from ..models import ORGANIZATION, Membership
from ..permissions import May

ROWS, ROWS_OF_FILE = 50, 500
COLUMNS = ("number", "at", "who", "action", "whom", "change", "ip", "hash")


@require_GET
@door(May.SETTINGS, only=ORGANIZATION)
def log(request: HttpRequest, member: Member) -> HttpResponse:
    return _log(request, member)


def _log(request: HttpRequest, member: Member, **more: Any) -> HttpResponse:
    asked, said = _asked(request), _said(request)
    page = history.entries(member, request.GET.get("cursor", ""), ROWS, asked=asked)
    shown = {
        "tab": "audit",
        "settles": True,
        "page": page,
        "asked": asked,
        "person": _known(asked.person, page),
        "query": urlencode(said),
        "next": page.next and urlencode(said | {"cursor": page.next}),
        "actions": ACTIONS,
        "cursor": request.GET.get("cursor", ""),
        "colleagues": queries.members(member, None, ROWS, sort="name").items,
        **more,
    }
    return render(request, "workspaces/organization.html", shown)


def _said(request: HttpRequest) -> dict[str, str]:
    names = ("action", "person", "from", "to", "q")
    return {name: value for name in names if (value := request.GET.get(name, "").strip()[:254])}


def _asked(request: HttpRequest) -> Asked:
    said = _said(request)
    return Asked(
        said.get("action", ""), said.get("person", ""), _day(said.get("from")), _day(said.get("to")), said.get("q", "")
    )  # fmt: skip


def _day(given: str | None) -> date | None:
    """What is no day narrows nothing; the form shows its field empty again."""
    try:
        return date.fromisoformat(given or "")
    except ValueError:
        return None


def _known(person: str, page: history.LogPage) -> str:
    """The address of somebody who was asked for by identifier, where an entry tells it."""
    return next((entry.people[person] for entry in page.items if person in entry.people), person)


@require_POST
@door(May.SETTINGS, only=ORGANIZATION)
def verification(request: HttpRequest, member: Member) -> HttpResponse:
    """One step; the answer goes on by itself where a script runs, and by its button elsewhere."""
    name = f"verification of {member.workspace_id}"
    former = position(name, request.POST.get("state"), tuple[int, str])
    verdict = chain.verify(
        member, former and chain.Verdict(former[0], last=bytes.fromhex(former[1])), chain.STEP
    )
    shown: dict[str, Any] = {"verdict": verdict}
    if verdict.more:
        shown["state"] = cursor(name, (verdict.checked, verdict.last.hex()))
        shown["percent"] = 100 * verdict.checked // max(chain.length(member), 1)
    if "HX-Request" in request.headers:
        return render(request, "workspaces/audit.html#verification", shown)
    return _log(request, member, **shown)


@require_GET
@door(May.SETTINGS, only=ORGANIZATION)
def table(request: HttpRequest, member: Member) -> StreamingHttpResponse:
    """Page after page, so that a long log takes no more memory than a short one."""
    response = StreamingHttpResponse(_lines(member, _asked(request)), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="audit-{member.slug}.csv"'
    response.headers["Cache-Control"] = "no-store"
    return response


async def _lines(member: Member, asked: Asked) -> AsyncIterator[str]:
    yield _line(COLUMNS)
    cursor: str | None = None
    while True:
        text, cursor = await sync_to_async(_part, thread_sensitive=False)(member, cursor, asked)
        yield text
        if cursor is None:
            return


def _part(member: Member, cursor: str | None, asked: Asked) -> tuple[str, str | None]:
    """In a scope of its own: the door's is closed by the time that the answer flows, and the role may be gone."""
    try:
        with workspace_scope(member.workspace_id):
            seat = standing.seat(member.user_id) if member.user_id else None
            if seat is None or seat.role != Membership.ADMIN:  # the owner's is an admin's, too
                return "", None
            page = history.entries(member, cursor, ROWS_OF_FILE, asked=asked)
        return "".join(_line(_cells(entry)) for entry in page.items), page.next
    finally:
        connection.close()


def _cells(entry: Entry) -> tuple[Any, ...]:
    at = entry.at.isoformat()
    return (entry.number, at, entry.who, entry.action, entry.whom, entry.change, entry.ip or "", entry.hash)


def _line(row: tuple[Any, ...]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow([cells.neutral(str(cell)) for cell in row])
    return written.getvalue()
