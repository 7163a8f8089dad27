"""The figures of a period against the period before: what was spent, what was said, who answered, how fast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext_lazy as _

from staffroom.billing import plans, reports
from staffroom.chats import tally

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A period that can be chosen. The last 24 hours are told by hours, everything longer by days (UTC)."""

    key: str
    label: Any
    days: int

    @property
    def hourly(self) -> bool:
        return self.days == 1

    def bounds(self, now: datetime) -> tuple[datetime, datetime]:
        """From (included) and to (excluded)."""
        if self.hourly:
            after = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        else:
            after = now.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
        return after - self.days * DAY, after


SPANS: Final = {
    one.key: one
    for one in (
        Span("24h", _("24 hours"), 1),
        Span("7d", _("7 days"), 7),
        Span("30d", _("30 days"), 30),
        Span("3m", _("3 months"), 91),
        Span("6m", _("6 months"), 182),
    )
}


@dataclass(frozen=True, slots=True)
class Sums:
    """Of one period, or of one hour or day of it. `cost` is in dollars, `seconds` the mean time to an answer."""

    words: int
    messages: int
    chats: int
    alone: int
    helped: int
    seconds: float | None

    @property
    def cost(self) -> float:
        return float(plans.worth(self.words))


@dataclass(frozen=True, slots=True)
class Card:
    """One figure; `change` in per cent against the period before, None where there was nothing."""

    key: str
    label: Any
    value: float | None
    change: int | None
    unit: str = ""


CARDS: Final[dict[str, tuple[Any, str, Callable[[Sums], float | None]]]] = {
    "words": (_("Words"), "", lambda sums: sums.words),
    "cost": (_("Cost"), "$", lambda sums: sums.cost),
    "messages": (_("Messages"), "", lambda sums: sums.messages),
    "chats": (_("Chats"), "", lambda sums: sums.chats),
    "alone": (_("Answered by AI alone"), "", lambda sums: sums.alone),
    "helped": (_("With a person"), "", lambda sums: sums.helped),
    "seconds": (_("Time to an answer"), "s", lambda sums: sums.seconds),
}


MONEY: Final = ("words", "cost")
"""Figures for those who may see what is spent."""


def cards(span: Span, now: datetime, *, money: bool) -> list[Card]:
    first, after = span.bounds(now)
    present = _sums(first, after, span)
    former = _sums(first - span.days * DAY, first, span)
    return [
        Card(key, label, of(present), change(of(present), of(former)), unit)
        for key, (label, unit, of) in CARDS.items()
        if money or key not in MONEY
    ]


def chart(key: str, span: Span, now: datetime) -> dict[str, Any]:
    """The chosen figure by hour or day, with the places where nothing was."""
    first, after = span.bounds(now)
    label, _unit, of = CARDS[key]
    step, many = (timedelta(hours=1), 24) if span.hourly else (DAY, span.days)
    places = [first + number * step for number in range(many)]
    said = {_place(one.key): one for one in (tally.by_hour if span.hourly else tally.by_day)(first, after)}
    spent = _spent_by_hour(first, after) if span.hourly else _spent_by_day(first, after)
    values = [of(_joined(spent.get(place, 0), said.get(place))) for place in places]
    labels = [f"{place:%H:00}" if span.hourly else place.date().isoformat() for place in places]
    return {"labels": labels, "series": [{"name": str(label), "values": [value or 0 for value in values]}]}


@dataclass(frozen=True, slots=True)
class Worker:
    """One employee's part. `id` is None for those who are gone."""

    id: UUID | None
    sums: Sums


def by_employee(span: Span, now: datetime) -> list[Worker]:
    """The dearest first."""
    first, after = span.bounds(now)
    said = {one.key: one for one in tally.by_employee(first, after)}
    if span.hourly:
        spent = reports.employees_between(first, after)
    else:
        spent = {one.key: one.words for one in reports.by_employee(_days(first, after))}
    ids = sorted({*said, *spent}, key=lambda id_: (-spent.get(id_, 0), str(id_)))
    return [
        Worker(None if id_ == tally.NOBODY else id_, _joined(spent.get(id_, 0), said.get(id_))) for id_ in ids
    ]


def change(now: float | None, before: float | None) -> int | None:
    return round((now - before) * 100 / before) if now is not None and before else None


def _sums(first: datetime, after: datetime, span: Span) -> Sums:
    if span.hourly:
        words = sum(_spent_by_hour(first, after).values())
    else:
        words = reports.altogether(_days(first, after)).words
    return _joined(words, tally.altogether(first, after))


def _joined(words: int, said: tally.Count | None) -> Sums:
    if said is None:
        return Sums(words, 0, 0, 0, 0, None)
    return Sums(words, said.messages, said.chats, said.alone, said.helped, said.seconds)


def _spent_by_hour(first: datetime, after: datetime) -> dict[datetime, int]:
    return reports.hours_between(first, after)


def _spent_by_day(first: datetime, after: datetime) -> dict[datetime, int]:
    return {_place(one.key): one.words for one in reports.by_day(_days(first, after))}


def _days(first: datetime, after: datetime) -> reports.Period:
    return reports.Period(first.date(), (after - DAY).date())


def _place(key: date | datetime) -> datetime:
    """The beginning of a day or an hour."""
    return key if isinstance(key, datetime) else datetime(key.year, key.month, key.day, tzinfo=UTC)
