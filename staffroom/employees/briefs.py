"""What an employee is told for one reply. Plain values in, plain values out; the bounds are in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from staffroom.core import words
from staffroom.knowledge.search import Found

from .minds import Brief, Line, Passage
from .settings import PHRASE, Settings

HISTORY: Final = 1_500  # words of former messages, at most
KNOWLEDGE: Final = 1_500  # words of passages, at most
MESSAGE: Final = 8_000  # words of a customer's message that an employee reads


@dataclass(frozen=True, slots=True)
class Said:
    """One message of the chat."""

    author: Literal["customer", "employee", "manager"]
    text: str


@dataclass(frozen=True, slots=True)
class Employee:
    """What of an employee goes into a brief; `model` is the one that thinks, `knows` whether it has sources."""

    name: str
    persona: str
    model: str
    settings: Settings
    knows: bool


def build(employee: Employee, said: Sequence[Said], found: Iterable[Found], *, today: date) -> Brief:
    """`said` in the order of the chat; the last is the customer's message to answer."""
    return Brief(
        model=employee.model,
        system=system(employee, today),
        lines=_lines(said),
        passages=_passages(found),
        max_words=employee.settings.reply_limit,
        temperature=employee.settings.temperature,
    )


def system(employee: Employee, today: date) -> str:
    """The persona, then the rules of the house."""
    rules = [
        f"Your name is {employee.name}. Today is {today:%A}, {today.isoformat()}.",
        "Answer in the language of the last message.",
        f"Use at most {employee.settings.reply_limit} words.",
    ]
    if employee.knows and employee.settings.no_answer == PHRASE:
        rules.append(
            "When the knowledge base does not answer the question, reply with exactly this: "
            f"{employee.settings.no_answer_phrase}"
        )
    elif employee.knows:
        rules.append("When the knowledge base does not answer the question, say so before you answer.")
    return "\n\n".join(part for part in (employee.persona.strip(), " ".join(rules)) if part)


def _lines(said: Sequence[Said]) -> tuple[Line, ...]:
    """The last message whole, before it as many as fit; one line for each change of sides, as providers ask."""
    *former, last = said
    window = [Said(last.author, words.cut(last.text, MESSAGE))]
    room = HISTORY
    for message in reversed(former):
        room -= words.count(message.text)
        if room < 0:
            break
        window.insert(0, message)
    lines: list[Line] = []
    for message in window:
        role: Literal["user", "assistant"] = "user" if message.author == "customer" else "assistant"
        if lines and lines[-1].role == role:
            lines[-1] = Line(role, f"{lines[-1].text}\n\n{message.text}")
        else:
            lines.append(Line(role, message.text))
    return tuple(lines)


def _passages(found: Iterable[Found]) -> tuple[Passage, ...]:
    """The best first, until the room is full."""
    passages: list[Passage] = []
    room = KNOWLEDGE
    for one in found:
        text = one.text if not one.heading else f"# {one.heading}\n{one.text}"
        room -= words.count(one.title) + words.count(text)
        if room < 0:
            break
        passages.append(Passage(str(one.id), one.title, text))
    return tuple(passages)
