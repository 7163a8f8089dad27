"""What was spent, by day, employee and member. Reports read days (`Day`), which are folded from the entries, and never
a year of charges; a day's own replies are found by halving the sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from staffroom.core.paging import Page, page, position
from staffroom.core.scope import current_workspace_id
from staffroom.core.sentences import part

AT_ONCE: Final = 5000
"""Entries that a page folds by itself; the rest waits for the job, which goes on until nothing is left."""
NOBODY: Final = UUID(int=0)


@part
def fold(at_most: int = AT_ONCE) -> int:
    """Tell the days what happened since; how many entries it were."""
    current_workspace_id()
    [(folded,)] = _rows("SELECT billing_fold(%(limit)s)", {"limit": at_most})
    return int(folded)


@dataclass(frozen=True, slots=True)
class Period:
    """Days, both included (UTC)."""

    first: date
    last: date

    @classmethod
    def of_days(cls, days: int, today: date | None = None) -> Period:
        last = today or datetime.now(UTC).date()
        return cls(last - timedelta(days=days - 1), last)

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> Period:
        """As many days, just before these."""
        return Period(self.first - timedelta(days=self.days), self.first - timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Spent:
    """Of one day, employee or member, or altogether. `plan`, `bonus` and `purchased` words make `words`."""

    key: Any
    plan: int
    bonus: int
    purchased: int
    replies: int
    chats: int

    @property
    def words(self) -> int:
        return self.plan + self.bonus + self.purchased

    def counted(self, *, bonus: bool) -> int:
        return self.words if bonus else self.words - self.bonus


_SUMS = """
    SELECT {key}, coalesce(sum(plan), 0)::bigint, coalesce(sum(bonus), 0)::bigint,
           coalesce(sum(purchased), 0)::bigint, coalesce(sum(replies), 0)::bigint, coalesce(sum(chats), 0)::bigint
    FROM billing_day
    WHERE workspace_id = %(workspace)s AND day BETWEEN %(first)s AND %(last)s
      AND (%(employee)s::uuid IS NULL OR employee_id = %(employee)s)
"""
_DAYS = _SUMS.format(key="day") + " GROUP BY day ORDER BY day"
_EMPLOYEES = (
    _SUMS.format(key="employee_id")
    + " GROUP BY 1 ORDER BY sum(plan + bonus + purchased) DESC, 1 LIMIT %(limit)s"
)
_MEMBERS = (
    _SUMS.format(key="user_id") + " GROUP BY 1 ORDER BY sum(plan + bonus + purchased) DESC, 1 LIMIT %(limit)s"
)
_MONTHS = _SUMS.format(key="date_trunc('month', day)::date") + " GROUP BY 1 ORDER BY 1"


def altogether(period: Period, employee: UUID | None = None) -> Spent:
    return _spent(_SUMS.format(key="NULL"), period, employee)[0]


def by_day(period: Period, employee: UUID | None = None) -> list[Spent]:
    """Days on which nothing was spent are missing."""
    return _spent(_DAYS, period, employee)


def by_month(period: Period, employee: UUID | None = None) -> list[Spent]:
    """Months by their first day."""
    return _spent(_MONTHS, period, employee)


def by_employee(period: Period, limit: int = 200) -> list[Spent]:
    """The dearest first."""
    return _spent(_EMPLOYEES, period, None, limit)


def by_member(period: Period, limit: int = 200) -> list[Spent]:
    """The dearest first; what customers asked for belongs to `NOBODY`."""
    return _spent(_MEMBERS, period, None, limit)


def _spent(sql: str, period: Period, employee: UUID | None, limit: int = 1) -> list[Spent]:
    values = {
        "workspace": current_workspace_id(), "first": period.first, "last": period.last,
        "employee": employee, "limit": limit,
    }  # fmt: skip
    return [Spent(*row) for row in _rows(sql, values)]


PACE: Final = 14
"""Days whose mean is the pace at which words are spent."""
FAR: Final = 730
"""Days; what lasts longer is not foretold."""


def runs_out(words_left: int, today: date | None = None) -> date | None:
    """The day on which the words are gone at the pace of the last days; None when nothing is spent, or not for long."""
    period = Period.of_days(PACE, today)
    first = _rows(
        "SELECT min(day) FROM billing_day WHERE workspace_id = %(workspace)s AND day >= %(first)s",
        {"workspace": current_workspace_id(), "first": period.first},
    )[0][0]
    if first is None or words_left <= 0:
        return None
    since = Period(first, period.last)
    spent = altogether(since).words
    days = words_left * since.days / spent if spent else FAR + 1.0
    return since.last + timedelta(days=int(days)) if days <= FAR else None


@dataclass(frozen=True, slots=True)
class Charge:
    """One reply; `parts` is its price's breakdown, `sources` which words paid for it."""

    sequence: int
    at: datetime
    words: int
    bonus: int
    written_off: int
    employee_id: UUID | None
    chat_id: UUID | None
    user_id: UUID | None
    parts: dict[str, Any]


_CHARGES = """
    SELECT e.sequence, e.at, -(e.plan + e.bonus + e.purchased), -e.bonus, e.written_off, e.employee_id,
           e.chat_id, e.user_id, e.details
    FROM billing_entry e
    WHERE e.workspace_id = %(workspace)s AND e.sequence <= %(high)s AND e.sequence > %(low)s AND e.kind = 'charge'
      AND (%(employee)s::uuid IS NULL OR e.employee_id = %(employee)s)
    ORDER BY e.sequence DESC LIMIT %(limit)s
"""


def charges(
    cursor: str | None = None, limit: int = 50, *, period: Period | None = None, employee: UUID | None = None
) -> Page[Charge]:
    """Reply by reply, the newest first."""
    low, high = _places(period)
    if after := position("charges", cursor, tuple[int]):
        high = min(high, after[0] - 1)
    values = {
        "workspace": current_workspace_id(), "low": low, "high": high, "employee": employee, "limit": limit + 1,
    }  # fmt: skip
    rows = [Charge(*row) for row in _rows(_CHARGES, values)]
    return page(rows, limit, "charges", lambda row: (row.sequence,))


_BETWEEN = """
    SELECT {key}, -sum(plan + bonus + purchased)::bigint FROM billing_entry
    WHERE workspace_id = %(workspace)s AND kind = 'charge'
      AND sequence > ledger_sequence_at(%(first)s) AND sequence <= ledger_sequence_at(%(after)s) GROUP BY 1
"""


def hours_between(first: datetime, after: datetime) -> dict[datetime, int]:
    """Words by hour, straight from the entries: for a day or two."""
    return dict(_between("date_trunc('hour', at)", first, after))


def employees_between(first: datetime, after: datetime) -> dict[UUID, int]:
    """The same by employee; `NOBODY` for those without one."""
    return dict(_between(f"coalesce(employee_id, '{NOBODY}')", first, after))


def _between(key: str, first: datetime, after: datetime) -> Sequence[tuple[Any, ...]]:
    values = {"workspace": current_workspace_id(), "first": first, "after": after}
    return _rows(_BETWEEN.format(key=key), values)


@dataclass(frozen=True, slots=True)
class Statement:
    """The balance as it was at that time; None for a time before the first entry."""

    at: datetime
    plan: int
    bonus: int
    purchased: int
    debt: int


def statement(at: datetime) -> Statement | None:
    """Just before `at`, from the entry that was the last one then."""
    rows = _rows(
        "SELECT e.at, e.plan_after, e.bonus_after, e.purchased_after, e.debt_after FROM billing_entry e"
        " WHERE e.workspace_id = %(workspace)s AND e.sequence = ledger_sequence_at(%(at)s)",
        {"workspace": current_workspace_id(), "at": at},
    )
    return Statement(*rows[0]) if rows else None


def _places(period: Period | None) -> tuple[int, int]:
    """The numbers between which the entries of a period lie."""
    if period is None:
        return 0, 2**62
    [row] = _rows(
        "SELECT ledger_sequence_at(%(first)s), ledger_sequence_at(%(after)s)",
        {"first": _midnight(period.first), "after": _midnight(period.last + timedelta(days=1))},
    )
    return row[0], row[1]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _rows(sql: str, values: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())
