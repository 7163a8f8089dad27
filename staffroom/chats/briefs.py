"""What an employee is told before it answers, and how much that can cost at most.

The most is reserved at the arrival, before anything is read; the brief is then made to fit what is held.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from django.conf import settings

from staffroom.core import words
from staffroom.employees.minds import Brief, Line, Passage

WINDOW: Final = 40
"""Messages that are looked back at."""
HISTORY: Final = 1_500
"""Words of them, the last message aside."""
PASSAGES: Final = 6
KNOWLEDGE: Final = 1_400
"""Words of all passages and their titles."""
REPLY: Final = 400
"""Words of a reply where the employee's settings do not say."""
FEWEST: Final = 20
"""Words of a reply for which it is worth to begin."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """In words of text, before the rate: what a reply takes at most, and what it takes to begin."""

    most: int
    least: int


def estimate(
    *, persona: str, history: int, message: int, knows: bool, limit: int, is_replying: bool
) -> Estimate:
    """`history` and `message` in words; while another reply is being written, that will be history, too."""
    before = min(HISTORY, history + (limit if is_replying else 0))
    begin = words.count(persona) + message + FEWEST
    return Estimate(begin - FEWEST + before + (KNOWLEDGE if knows else 0) + limit, begin)


def model_of(employee_model: str) -> str:
    return employee_model or settings.DEFAULT_MODEL


def reply_limit(given: dict[str, Any]) -> int:
    limit = given.get("reply_limit")
    return limit if isinstance(limit, int) and 0 < limit <= 10_000 else REPLY


def temperature(given: dict[str, Any]) -> float | None:
    value = given.get("temperature")
    return float(value) if isinstance(value, int | float) else None


@dataclass(frozen=True, slots=True)
class Said:
    """A message of the chat; `waits` for the answer that is being written."""

    author: str
    waits: bool
    words: int
    text: str


def make(
    *, model: str, persona: str, given: dict[str, Any], said: Sequence[Said], passages: Sequence[Passage]
) -> Brief:
    question = "\n\n".join(line.text for line in said if line.author == "customer" and line.waits)
    history = [line for line in said if not (line.author == "customer" and line.waits)]
    return Brief(
        model=model,
        system=persona.strip(),
        lines=(*_alternating(_newest(history, HISTORY)), Line("user", question)),
        passages=tuple(_fitting(passages, KNOWLEDGE)),
        max_words=reply_limit(given),
        temperature=temperature(given),
    )


def shorter(brief: Brief, room: int) -> Brief | None:
    """The brief without its oldest history, then without its last passages, until it takes no more words."""
    lines, passages = list(brief.lines), list(brief.passages)
    while (sent := replace(brief, lines=tuple(lines), passages=tuple(passages)).sent().total) > room:
        if len(lines) > 1:
            del lines[0]
        elif passages:
            passages.pop()
        else:
            return None
    return replace(brief, lines=tuple(lines), passages=tuple(passages)) if sent <= room else None


def _newest(said: Sequence[Said], room: int) -> list[Said]:
    kept: list[Said] = []
    for line in reversed(said):
        room -= line.words
        if room < 0:
            break
        kept.append(line)
    return kept[::-1]


def _alternating(said: Iterable[Said]) -> list[Line]:
    """One line for each change of speaker; a person of ours speaks with the employee's voice."""
    lines: list[Line] = []
    for one in said:
        role: Literal["user", "assistant"] = "user" if one.author == "customer" else "assistant"
        if lines and lines[-1].role == role:
            lines[-1] = Line(role, f"{lines[-1].text}\n\n{one.text}")
        else:
            lines.append(Line(role, one.text))
    return lines


def _fitting(passages: Sequence[Passage], room: int) -> list[Passage]:
    fitting: list[Passage] = []
    for passage in passages:
        room -= words.count(passage.title) + words.count(passage.text)
        if room < 0:
            break
        fitting.append(passage)
    return fitting
