"""A person steps in: the employee keeps quiet, and a reply that is being written is withdrawn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection

from staffroom.billing import ledger
from staffroom.core import words
from staffroom.core.errors import NotHere
from staffroom.core.ids import new_id
from staffroom.core.scope import current_workspace_id
from staffroom.core.sentences import part
from staffroom.workspaces.members import By, Member

from . import notes
from .arrivals import SaidByAnother, checked
from .failures import CHAT_GONE
from .models import Message, Pause

QUIET: Final = timedelta(minutes=15)
"""Without a word of a person, the employee answers again after this time."""


@dataclass(frozen=True, slots=True)
class Written:
    message: UUID
    number: int
    at: datetime
    text: str
    name: str


@part
def write(chat_id: UUID, text: str, *, by: Member, external_id: str | None = None) -> Written:
    """A manager answers the customer. That pauses the employee. `external_id`: the same one again is the same
    message, and pauses nothing anew."""
    text = checked(text)
    _lock(chat_id)
    if external_id and (before := _written(chat_id, external_id)):
        return before
    pause(chat_id, by=by)
    written = _row(
        """
        WITH c AS (
            UPDATE chats_chat SET last_number = last_number + 1, answered = last_number + 1, state = 'open',
                last_message_at = clock_timestamp(), last_author = 'manager', last_line = left(%(text)s, 120)
            WHERE workspace_id = %(workspace)s AND id = %(chat)s RETURNING last_number, last_message_at)
        INSERT INTO chats_message (id, workspace_id, created_at, chat_id, number, author, text, words, user_id,
                                   name, external_id, model, cut)
            SELECT %(id)s, %(workspace)s, c.last_message_at, %(chat)s, c.last_number, %(manager)s, %(text)s,
                   %(words)s, %(user)s, %(name)s, %(external)s, '', '' FROM c
        RETURNING id, number, created_at, text, name
        """,
        {
            "workspace": current_workspace_id(),
            "chat": chat_id,
            "id": new_id(),
            "manager": Message.MANAGER,
            "text": text,
            "words": words.count(text),
            "user": by.user_id,
            "name": by.user_name or by.name,
            "external": external_id,
        },
    )
    assert written
    return Written(*written)


def _written(chat_id: UUID, external_id: str) -> Written | None:
    """What came under this name before; the chat's row is locked, so that nobody stores it meanwhile."""
    row = _row(
        """
        SELECT id, number, created_at, text, name, author FROM chats_message
        WHERE workspace_id = %(workspace)s AND chat_id = %(chat)s AND external_id = %(external)s
        """,
        {"workspace": current_workspace_id(), "chat": chat_id, "external": external_id},
    )
    if row and row[-1] != Message.MANAGER:
        raise SaidByAnother
    return Written(*row[:-1]) if row else None


@part
def pause(chat_id: UUID, *, by: By) -> datetime:
    """Until when; again: from now on."""
    _lock(chat_id)
    until = _row(
        """
        INSERT INTO chats_pause (id, workspace_id, created_at, chat_id, by_id, by_name, until)
            VALUES (%(id)s, %(workspace)s, now(), %(chat)s, %(user)s, %(name)s, clock_timestamp() + %(quiet)s)
        ON CONFLICT (workspace_id, chat_id) DO UPDATE
            SET by_id = excluded.by_id, by_name = excluded.by_name, until = excluded.until
        RETURNING until
        """,
        {
            "id": new_id(),
            "workspace": current_workspace_id(),
            "chat": chat_id,
            "user": by.user_id if isinstance(by, Member) else None,
            "name": (by.user_name or by.name) if isinstance(by, Member) else "",
            "quiet": QUIET,
        },
    )
    withdraw(chat_id)
    notes.news_after_commit(chat_id)
    assert until
    found: datetime = until[0]
    return found


@part
def resume(chat_id: UUID, *, by: By) -> None:
    """What came meanwhile was for the person; the employee answers from the next message on."""
    _lock(chat_id)
    Pause.objects.filter(chat_id=chat_id).delete()
    notes.news_after_commit(chat_id)


@part
def break_off(chat_id: UUID) -> None:
    """For a chat that is deleted in this sentence: what is being written ends, and whoever watches is told why."""
    _lock(chat_id)
    withdraw(chat_id, failure=CHAT_GONE)
    notes.news_after_commit(chat_id)


@part
def withdraw(chat_id: UUID, failure: str = "") -> None:
    """End the chat's turns without a reply and without a charge."""
    values = {"workspace": current_workspace_id(), "chat": chat_id}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE chats_turn SET state = 'cancelled', ended_at = clock_timestamp(), draft = ''
            WHERE workspace_id = %(workspace)s AND chat_id = %(chat)s AND state IN ('queued', 'running')
            RETURNING id, attempt
            """,
            values,
        )
        withdrawn = cursor.fetchall()
    for turn, attempt in withdrawn:
        ledger.release(turn)
        notes.after_commit(chat_id, notes.Ended(turn.hex, attempt, "cancelled", failure))


def _lock(chat_id: UUID) -> None:
    """The chat first, then its turns, then the wallet: everybody in this order."""
    values = {"workspace": current_workspace_id(), "chat": chat_id}
    if (
        _row(
            "SELECT id FROM chats_chat WHERE workspace_id = %(workspace)s AND id = %(chat)s FOR NO KEY UPDATE",
            values,
        )
        is None
    ):
        raise NotHere


def _row(statement: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row
