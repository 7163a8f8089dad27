"""What was said, hour by hour: counted now and then, so that a page of numbers reads hours and not messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, connections
from procrastinate.contrib.django import app

from staffroom.core.scope import across_workspaces, current_workspace_id, workspace_scope
from staffroom.core.sentences import part

from .models import Tally

FRESH: Final = timedelta(minutes=1)
"""A count that is younger is good enough for a page."""
FEW: Final = 2000
"""Chats of the days to be counted that a page counts by itself; beyond it waits for the job."""
NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Count:
    """Of an hour, an employee, or altogether. `seconds` from the question to the end of the reply, in the mean."""

    key: Any
    messages: int
    chats: int
    alone: int
    helped: int
    replies: int
    seconds: float | None


_SUMS: Final = """
    SELECT {key}, coalesce(sum(messages), 0)::int, coalesce(sum(chats), 0)::int, coalesce(sum(alone), 0)::int,
           coalesce(sum(helped), 0)::int, coalesce(sum(replies), 0)::int, sum(seconds) / nullif(sum(replies), 0)
    FROM chats_hour WHERE workspace_id = %(workspace)s AND hour >= %(first)s AND hour < %(after)s
      AND (%(employee)s::uuid IS NULL OR employee_id = %(employee)s)
"""


def altogether(first: datetime, after: datetime, employee: UUID | None = None) -> Count:
    return _counts(_SUMS.format(key="NULL"), first, after, employee)[0]


def by_hour(first: datetime, after: datetime, employee: UUID | None = None) -> list[Count]:
    return _counts(_SUMS.format(key="hour") + " GROUP BY 1 ORDER BY 1", first, after, employee)


def by_day(first: datetime, after: datetime, employee: UUID | None = None) -> list[Count]:
    key = "(hour AT TIME ZONE 'UTC')::date"
    return _counts(_SUMS.format(key=key) + " GROUP BY 1 ORDER BY 1", first, after, employee)


def by_employee(first: datetime, after: datetime) -> list[Count]:
    return _counts(_SUMS.format(key="employee_id") + " GROUP BY 1", first, after, None)


def _counts(sql: str, first: datetime, after: datetime, employee: UUID | None) -> list[Count]:
    values = {"workspace": current_workspace_id(), "first": first, "after": after, "employee": employee}
    return [Count(*row) for row in _rows(sql, values)]


@part
def refresh(now: datetime | None = None) -> None:
    """For a page: count what is new, if that is little; else the job has counted it a few minutes ago."""
    now = now or datetime.now(UTC)
    until = Tally.objects.values_list("until", flat=True).first()
    if until and now - until < FRESH:
        return
    values = {"workspace": current_workspace_id(), "since": _since(until), "limit": FEW + 1}
    [(many,)] = _rows(
        "SELECT count(*) FROM (SELECT FROM chats_chat WHERE workspace_id = %(workspace)s"
        " AND last_message_at >= %(since)s LIMIT %(limit)s) c",
        values,
    )
    if many <= FEW:
        count(now)


@part
def count(now: datetime) -> None:
    """From the day of the last count on; of two at once the second counts again."""
    [(until,)] = _rows(
        "INSERT INTO chats_tally (workspace_id, until) VALUES (%(workspace)s, '-infinity')"
        " ON CONFLICT (workspace_id) DO UPDATE SET until = chats_tally.until RETURNING nullif(until, '-infinity')",
        {"workspace": current_workspace_id()},
    )
    _rows("SELECT chats_count_hours(%(since)s)", {"since": _since(until)})
    Tally.objects.update(until=now)


def _since(until: datetime | None) -> datetime:
    """The beginning of the day before: what ended just then may have come late."""
    if until is None:
        return datetime(2000, 1, 1, tzinfo=UTC)
    return (until - timedelta(hours=1)).replace(hour=0, minute=0, second=0, microsecond=0)


_NEW: Final = """
    SELECT w.id FROM workspaces_workspace w
    LEFT JOIN chats_tally t ON t.workspace_id = w.id
    WHERE w.closed_at IS NULL AND (
        SELECT c.last_message_at FROM chats_chat c WHERE c.workspace_id = w.id
        ORDER BY c.last_message_at DESC LIMIT 1) > coalesce(t.until, '-infinity')
"""


@app.task(name="chats.tally", queueing_lock="chats.tally")
def tally(timestamp: int = 0) -> None:
    """Every few minutes, where something was said."""
    with (
        across_workspaces("something is said in every workspace"),
        connections["platform"].cursor() as cursor,
    ):
        cursor.execute(_NEW)
        found = [workspace_id for (workspace_id,) in cursor.fetchall()]
    for workspace_id in found:
        with workspace_scope(workspace_id):
            count(datetime.now(UTC))


def _rows(sql: str, values: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
