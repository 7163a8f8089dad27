"""A customer's message comes in: kept in any case, and answered where an employee can and words are there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import connection
from django.utils.translation import gettext as _

from staffroom.billing import alerts
from staffroom.core import words
from staffroom.core.errors import Conflict, Invalid, NotHere, StaffroomError
from staffroom.core.ids import new_id
from staffroom.core.lines import is_blank, storable
from staffroom.core.scope import current_workspace_id
from staffroom.core.sentences import part
from staffroom.employees.catalogue import actual
from staffroom.employees.rates import price
from staffroom.employees.settings import Settings
from staffroom.workspaces.members import By, Member

from . import briefs, notes
from .failures import MEMBER_LIMIT, EmployeeOff, EmployeePaused, MemberLimitNow, OutOfWordsNow

LONGEST: Final = 20_000
"""Characters of a message."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """`turn` will answer the message, or `refusal` says why nobody does. `fresh`: nothing of it can have
    happened before; a message that came twice is not."""

    message: UUID | None
    number: int
    at: datetime
    text: str
    name: str
    turn: UUID | None
    refusal: StaffroomError | None
    fresh: bool
    repeated: bool


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message, or (without a text) a wish for an answer to what waits already."""

    chat_id: UUID
    text: str | None
    words: int
    name: str
    external_id: str | None
    user_id: UUID | None
    message: UUID | None
    turn: UUID  # if there will be a new one


class SaidByAnother(Conflict):
    code, title = "external_id_taken", "This external_id names another message"

    def default_sentence(self) -> str:
        return _("In this chat the external_id names a message of somebody else. Use another one.")


@part
def receive(
    chat_id: UUID, text: str, *, by: By, name: str = "", external_id: str | None = None, lazy: bool = False
) -> Arrival:
    """Keep the message and ask for an answer. `external_id`: the same one again is the same message.

    `lazy`: the commit does not wait for the disk; the caller does (`core.durable`), before it acknowledges.
    """
    return _arrive(incoming(chat_id, text, by=by, name=name, external_id=external_id), lazy=lazy)


@part
def ask_again(chat_id: UUID, *, by: By) -> Arrival:
    """An answer to what waits already: after a failure, a top-up, a pause."""
    return _arrive(Incoming(chat_id, None, 0, "", None, _user(by), None, new_id()), lazy=False)


def incoming(chat_id: UUID, text: str, *, by: By, name: str = "", external_id: str | None = None) -> Incoming:
    """What `chats.desk` receives together with others."""
    text = checked(text)
    return Incoming(chat_id, text, words.count(text), name, external_id, _user(by), new_id(), new_id())


def checked(text: str) -> str:
    text = storable(text)
    if is_blank(text):
        raise Invalid({"text": [_("Write a message first.")]})
    if len(text) > LONGEST:
        raise Invalid({"text": [_("Use at most %(longest)s characters.") % {"longest": LONGEST}]})
    return text


def _user(by: By) -> UUID | None:
    return by.user_id if isinstance(by, Member) else None


def _arrive(one: Incoming, *, lazy: bool) -> Arrival:
    here = current_workspace_id()
    facts = _rows(FACTS, [here, [one.chat_id], briefs.WINDOW])
    if not facts:
        raise NotHere
    asked = msgspec.json.encode([asking(one, Facts.of(facts[0]))]).decode()
    arrived = arrival(one, _rows(ARRIVE, [here, asked, lazy])[0])
    if isinstance(arrived, StaffroomError):
        raise arrived
    if arrived.fresh:
        notes.ring_after_commit()
    if not arrived.repeated:
        notes.news_after_commit(one.chat_id)
    if isinstance(arrived.refusal, OutOfWordsNow):
        alerts.ran_out()
    return arrived


# What is read before. Nothing of it needs a lock: the estimate may be a little off, and what must be exact (order,
# pause, balance) is decided by `chats_arrive`.
FACTS: Final = """
    SELECT chat, customer, employee, persona, model, settings::text, active, knows, history, is_replying
    FROM chats_facts(%s::uuid, %s::uuid[], %s)
"""
ARRIVE: Final = """
    SELECT verdict, message, number, at, turn, text, name, member_limit
    FROM chats_arrive_together(%s::uuid, %s::jsonb, %s::boolean)
"""


@dataclass(frozen=True, slots=True)
class Facts:
    customer: str
    employee: briefs.Employee | None  # None when it is gone or switched off
    history: int
    is_replying: bool

    @classmethod
    def of(cls, row: tuple[Any, ...]) -> Facts:
        _, customer, name, persona, model, settings, active, knows, history, is_replying = row
        employee = None
        if active:
            employee = briefs.Employee(name, persona, actual(model), Settings.of(_decoded(settings)), knows)
        return cls(customer, employee, history, is_replying)


def asking(one: Incoming, facts: Facts) -> dict[str, Any]:
    """One of the arrivals that `chats_arrive_together` takes."""
    values: dict[str, Any] = {
        "chat": one.chat_id,
        "message": one.message,
        "text": one.text,
        "words": one.words,
        "external": one.external_id,
        "user": one.user_id,
        "name": one.name or facts.customer,
        "ask": facts.employee is not None,
        "turn": one.turn,
        "most": 0,
        "least": 0,
    }
    if facts.employee:
        today, model = datetime.now(UTC).date(), facts.employee.model
        found = briefs.estimate(
            facts.employee,
            today=today,
            message=one.words,
            history=facts.history,
            is_replying=facts.is_replying,
        )
        values |= {"most": price(found.most, model), "least": price(found.least, model)}
    return values


def arrival(one: Incoming, row: tuple[Any, ...]) -> Arrival | StaffroomError:
    """What `chats_arrive_together` answers."""
    verdict, message, number, at, turn, text, name, member_limit = row
    if verdict == "gone":
        return NotHere()
    if verdict == "taken":
        return SaidByAnother()
    refusal: StaffroomError | None = _REFUSALS[verdict]() if verdict in _REFUSALS else None
    if verdict == MEMBER_LIMIT:
        refusal = MemberLimitNow(member_limit)
    fresh, repeated = verdict == "asked", verdict == "duplicate"
    return Arrival(message, number, at, text or "", name, turn, refusal, fresh, repeated)


_REFUSALS: Final = {"paused": EmployeePaused, "kept": EmployeeOff, "out_of_words": OutOfWordsNow}


def _rows(statement: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _decoded(settings: str) -> dict[str, Any]:
    return msgspec.json.decode(settings, type=dict[str, Any])
