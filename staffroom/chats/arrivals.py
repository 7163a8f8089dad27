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
from staffroom.core.errors import Invalid, NotHere, StaffroomError
from staffroom.core.ids import new_id
from staffroom.core.lines import is_blank, storable
from staffroom.core.scope import current_workspace_id
from staffroom.core.sentences import part
from staffroom.employees.catalogue import actual
from staffroom.employees.rates import price
from staffroom.employees.settings import Settings
from staffroom.workspaces.members import By, Member

from . import briefs, notes
from .failures import EmployeeOff, EmployeePaused, OutOfWordsNow
from .models import Message

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


@part
def receive(
    chat_id: UUID, text: str, *, by: By, name: str = "", external_id: str | None = None, lazy: bool = False
) -> Arrival:
    """Keep the message and ask for an answer. `external_id`: the same one again is the same message.

    `lazy`: the commit does not wait for the disk; the caller does (`core.durable`), before it acknowledges.
    """
    text = checked(text)
    return _arrive(_facts(chat_id), chat_id, text, by=by, name=name, external_id=external_id, lazy=lazy)


@part
def ask_again(chat_id: UUID, *, by: By) -> Arrival:
    """An answer to what waits already: after a failure, a top-up, a pause."""
    return _arrive(_facts(chat_id), chat_id, None, by=by, name="", external_id=None, lazy=False)


def checked(text: str) -> str:
    text = storable(text)
    if is_blank(text):
        raise Invalid({"text": [_("Write a message first.")]})
    if len(text) > LONGEST:
        raise Invalid({"text": [_("Use at most %(longest)s characters.") % {"longest": LONGEST}]})
    return text


# What is read before. Nothing of it needs a lock: the estimate may be a little off, and what must be exact (order,
# pause, balance) is decided by `chats_arrive`.
_FACTS: Final = """
    SELECT c.customer_name, e.name, e.persona, e.model, e.settings::text, e.active,
        EXISTS (SELECT FROM employees_employeesource l
                WHERE l.workspace_id = c.workspace_id AND l.employee_id = e.id),
        (SELECT coalesce(sum(m.words), 0) FROM (
            SELECT words FROM chats_message
            WHERE workspace_id = c.workspace_id AND chat_id = c.id ORDER BY number DESC LIMIT %(window)s) m),
        EXISTS (SELECT FROM chats_turn t
                WHERE t.workspace_id = c.workspace_id AND t.chat_id = c.id AND t.state = 'running')
    FROM chats_chat c
    LEFT JOIN employees_employee e ON e.workspace_id = c.workspace_id AND e.id = c.employee_id
    WHERE c.workspace_id = %(workspace)s AND c.id = %(chat)s
        AND EXISTS (SELECT FROM workspaces_workspace w WHERE w.id = c.workspace_id AND w.closed_at IS NULL)
"""


@dataclass(frozen=True, slots=True)
class _Facts:
    customer: str
    employee: briefs.Employee | None  # None when it is gone or switched off
    history: int
    is_replying: bool


def _facts(chat_id: UUID) -> _Facts:
    values = {"workspace": current_workspace_id(), "chat": chat_id, "window": briefs.WINDOW}
    row = _row(_FACTS, values)
    if row is None:
        raise NotHere
    customer, name, persona, model, settings, active, knows, history, is_replying = row
    employee = None
    if active:
        employee = briefs.Employee(name, persona, actual(model), Settings.of(_decoded(settings)), knows)
    return _Facts(customer, employee, history, is_replying)


_ARRIVE: Final = """
    SELECT verdict, message, number, at, turn FROM chats_arrive(
        %(chat)s::uuid, %(message)s::uuid, %(text)s::text, %(words)s::int, %(external)s::varchar, %(user)s::uuid,
        %(name)s::varchar, %(ask)s::boolean, %(turn)s::uuid, %(most)s::bigint, %(least)s::bigint,
        %(lazy)s::boolean)
"""


def _arrive(
    facts: _Facts, chat_id: UUID, text: str | None, *, by: By, name: str, external_id: str | None, lazy: bool
) -> Arrival:
    said = words.count(text) if text else 0
    name = name or facts.customer
    values: dict[str, Any] = {
        "chat": chat_id,
        "message": new_id() if text else None,
        "text": text,
        "words": said,
        "external": external_id,
        "user": by.user_id if isinstance(by, Member) else None,
        "name": name,
        "ask": facts.employee is not None,
        "turn": new_id(),
        "most": 0,
        "least": 0,
        "lazy": lazy,
    }
    if facts.employee:
        today, model = datetime.now(UTC).date(), facts.employee.model
        found = briefs.estimate(
            facts.employee, today=today, message=said, history=facts.history, is_replying=facts.is_replying
        )
        values |= {"most": price(found.most, model), "least": price(found.least, model)}
    verdict, message, number, at, turn = _row(_ARRIVE, values) or ("gone", None, 0, None, None)
    if verdict == "gone":
        raise NotHere
    if text and message != values["message"]:  # it came before: what stands there, not what was sent now
        text, name = Message.objects.values_list("text", "name").get(id=message)
    if verdict == "asked":
        notes.ring_after_commit()
    if verdict != "duplicate":
        notes.news_after_commit(chat_id)
    if verdict == "out_of_words":
        alerts.ran_out()
    refusal = _REFUSALS[verdict]() if verdict in _REFUSALS else None
    return Arrival(message, number, at, text or "", name, turn, refusal, fresh=verdict == "asked")


_REFUSALS: Final = {"paused": EmployeePaused, "kept": EmployeeOff, "out_of_words": OutOfWordsNow}


def _row(statement: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def _decoded(settings: str) -> dict[str, Any]:
    return msgspec.json.decode(settings, type=dict[str, Any])
