"""What an event does: kept first, then understood, then done once; whatever is not ours is a line for the operator."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from django.db import connection
from psycopg.types.json import Jsonb

from staffroom.core.errors import StaffroomError
from staffroom.core.scope import workspace_scope
from staffroom.core.sentences import sentence
from staffroom.workspaces.members import SYSTEM

from ... import payments
from ...models import Event
from . import events
from .events import Disputed, Ended, News, Paid, Refunded, Told

log = logging.getLogger(__name__)
NAME = "stripe"


def hear(told: Told) -> None:
    """A repeated event is done already; one that could not be done yet is tried again by the sweeper."""
    if keep(told) == Event.RECEIVED:
        act(told)


@sentence
def keep(told: Told) -> str:
    """Stored before anything is done about it; the state in which it is."""
    return str(_call("keep_event", NAME, told.id, told.kind, Jsonb(told.payload)))


def act(told: Told) -> None:
    news = events.meaning(told)
    if news is None:
        _end(told, Event.IGNORED, "does not concern a purchase")
        return
    place = _place(news)
    if place is None:
        log.error("stripe: %s (%s) is about a payment that is not known here", told.id, told.kind)
        if isinstance(news, Paid | Ended):  # our own id comes back with these: no later event can explain it
            _end(told, Event.IGNORED, "about an unknown payment")
        return
    workspace_id, payment_id = place
    try:
        with workspace_scope(workspace_id):
            _do(news, payment_id)
            _call("end_event", NAME, told.id, Event.DONE, "")
    except StaffroomError as refused:
        log.error("stripe: %s (%s) of payment %s: %s", told.id, told.kind, payment_id, refused)  # noqa: TRY400 - the sentence says it
        _end(told, Event.IGNORED, str(refused))


def _do(news: News, payment_id: UUID) -> None:
    match news:
        case Paid():
            payments.paid(
                payment_id, amount=news.amount, currency=news.currency, intent=news.intent, by=SYSTEM
            )
        case Ended():
            (payments.cancelled if news.cancelled else payments.failed)(payment_id)
        case Refunded():
            payments.refunded(payment_id, news.cents, by=SYSTEM)
        case Disputed():
            payments.disputed(payment_id, news.external, cents=news.cents, state=news.state, by=SYSTEM)


@sentence
def _place(news: News) -> tuple[UUID, UUID] | None:
    """Workspace and payment, from our own row: by the id that we sent along, or by the intent that we were told."""
    with connection.cursor() as cursor:
        intent = "" if isinstance(news, Paid | Ended) else news.intent
        cursor.execute("SELECT * FROM payment_place(%s, %s, %s)", [news.payment, intent, NAME])
        row: tuple[UUID, UUID] | None = cursor.fetchone()
        return row


@sentence
def _end(told: Told, state: str, note: str) -> None:
    _call("end_event", NAME, told.id, state, note)


def _call(function: str, *values: Any) -> Any:
    with connection.cursor() as cursor:
        places = ", ".join(["%s"] * len(values))
        cursor.execute(f"SELECT {function}({places})", values)
        return cursor.fetchone()[0]
