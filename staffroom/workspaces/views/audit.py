"""The audit log: who did what to whom, when and from where; the check of its chain; a table for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from staffroom.core.scope import workspace_scope

from .. import chain, history, standing
from ..doors import door
from ..history import ACTIONS, Entry
from ..members import Member
from ..models import ORGANIZATION, Membership
from ..permissions import May

ROWS, ROWS_OF_FILE = 50, 500
COLUMNS = ("number", "at", "who", "action", "whom", "change", "ip", "hash")
_RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r")


@require_GET
@door(May.SETTINGS, only=ORGANIZATION)
def log(request: HttpRequest, member: Member) -> HttpResponse:
    return _log(request, member)


@require_POST
@door(May.SETTINGS, only=ORGANIZATION)
def verification(request: HttpRequest, member: Member) -> HttpResponse:
    return _log(request, member, verdict=chain.verify(member))


def _log(request: HttpRequest, member: Member, **more: Any) -> HttpResponse:
    action, cursor = request.GET.get("action", ""), request.GET.get("cursor", "")
    shown = {
        "tab": "audit",
        "settles": True,
        "page": history.entries(member, cursor, ROWS, action),
        "action": action,
        "actions": ACTIONS,
        "cursor": cursor,
        **more,
    }
    return render(request, "workspaces/organization.html", shown)


@require_GET
@door(May.SETTINGS, only=ORGANIZATION)
def table(request: HttpRequest, member: Member) -> StreamingHttpResponse:
    """Page after page, so that a long log takes no more memory than a short one."""
    response = StreamingHttpResponse(
        _lines(member, request.GET.get("action", "")), content_type="text/csv; charset=utf-8"
    )
    response.headers["Content-Disposition"] = f'attachment; filename="audit-{member.slug}.csv"'
    response.headers["Cache-Control"] = "no-store"
    return response


async def _lines(member: Member, action: str) -> AsyncIterator[str]:
    yield _line(COLUMNS)
    cursor: str | None = None
    while True:
        text, cursor = await sync_to_async(_part, thread_sensitive=False)(member, cursor, action)
        yield text
        if cursor is None:
            return


def _part(member: Member, cursor: str | None, action: str) -> tuple[str, str | None]:
    """In a scope of its own: the door's is closed by the time that the answer flows, and the role may be gone."""
    try:
        with workspace_scope(member.workspace_id):
            seat = standing.seat(member.user_id) if member.user_id else None
            if seat is None or seat.role != Membership.ADMIN:  # the owner's is an admin's, too
                return "", None
            page = history.entries(member, cursor, ROWS_OF_FILE, action)
        return "".join(_line(_cells(entry)) for entry in page.items), page.next
    finally:
        connection.close()


def _cells(entry: Entry) -> tuple[Any, ...]:
    at = entry.at.isoformat()
    return (entry.number, at, entry.who, entry.action, entry.whom, entry.change, entry.ip or "", entry.hash)


def _line(cells: tuple[Any, ...]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow([neutral(str(cell)) for cell in cells])
    return written.getvalue()


def neutral(cell: str) -> str:
    """A cell that a spreadsheet would run as a formula is text behind an apostrophe."""
    return f"'{cell}" if cell.startswith(_RUN_BY_SPREADSHEETS) else cell
