"""How much a reply can cost at most, known before it begins, and a brief that fits what is held for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from staffroom.core import words
from staffroom.employees.briefs import HISTORY, KNOWLEDGE, MESSAGE, Employee, Said, build, system
from staffroom.employees.minds import Brief

__all__ = ["FEWEST", "PASSAGES", "WINDOW", "Employee", "Estimate", "Said", "build", "estimate", "shorter"]

WINDOW: Final = 40
"""Messages that are looked back at."""
PASSAGES: Final = 6
FEWEST: Final = 20
"""Words of a reply for which it is worth to begin."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """In words of text, before the rate: what a reply takes at most, and what it takes to begin."""

    most: int
    least: int


def estimate(employee: Employee, *, today: date, message: int, history: int, is_replying: bool) -> Estimate:
    """`message` and `history` in words; while another reply is being written, that will be history, too."""
    limit = employee.settings.reply_limit
    begin = words.count(system(employee, today)) + min(message, MESSAGE)
    before = min(HISTORY, history + (limit if is_replying else 0))
    most = begin + before + (KNOWLEDGE if employee.knows else 0) + limit
    return Estimate(most, begin + min(FEWEST, limit))


def shorter(brief: Brief, room: int) -> Brief | None:
    """The brief without its oldest history, then without its last passages, until it takes no more words."""
    while brief.sent().total > room:
        if len(brief.lines) > 1:
            brief = replace(brief, lines=brief.lines[1:])
        elif brief.passages:
            brief = replace(brief, passages=brief.passages[:-1])
        else:
            return None
    return brief
