"""Chats and their messages, for pages and programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import connection

from staffroom.core.errors import NotHere
from staffroom.core.paging import Page, page, position
from staffroom.workspaces.members import Member

from .models import Chat
from .watching import Position


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the inbox. `paused_until` is None when the employee answers."""

    id: UUID
    employee_id: UUID | None
    employee_name: str
    channel: str
    customer_name: str
    external_id: str
    state: str
    last_number: int
    last_author: str
    last_line: str
    last_message_at: datetime
    created_at: datetime
    created_by_id: UUID | None
    paused_until: datetime | None
    paused_by: str | None


_ROWS: Final = """
    SELECT c.id, c.employee_id, c.employee_name, c.channel, c.customer_name, c.external_id, c.state, c.last_number,
           c.last_author, c.last_line, c.last_message_at, c.created_at, c.created_by_id, p.until, p.by_name
    FROM chats_chat c
    LEFT JOIN chats_pause p ON p.workspace_id = c.workspace_id AND p.chat_id = c.id AND p.until > now()
    WHERE c.workspace_id = %(workspace)s AND {which}
    ORDER BY c.last_message_at DESC, c.id DESC LIMIT %(limit)s
"""


def chats(
    member: Member, limit: int = 50, cursor: str | None = None, *, employee_id: UUID | None = None
) -> Page[Row]:
    """Latest message first."""
    after = position("chats", cursor, tuple[datetime, UUID])
    which = ["true"]
    if after:
        which.append("(c.last_message_at, c.id) < (%(at)s, %(after)s)")
    if employee_id:
        which.append("c.employee_id = %(employee)s")
    values = {
        "workspace": member.workspace_id,
        "employee": employee_id,
        "at": after and after[0],
        "after": after and after[1],
        "limit": limit + 1,
    }
    rows = [Row(*found) for found in _read(_ROWS.format(which=" AND ".join(which)), values)]
    return page(rows, limit, "chats", lambda row: (row.last_message_at, row.id))


def row(member: Member, chat_id: UUID) -> Row:
    found = _read(
        _ROWS.format(which="c.id = %(id)s"), {"workspace": member.workspace_id, "id": chat_id, "limit": 1}
    )
    if not found:
        raise NotHere
    return Row(*found[0])


def chat(member: Member, chat_id: UUID) -> Chat:
    found = Chat.objects.filter(workspace_id=member.workspace_id, id=chat_id).first()
    if found is None:
        raise NotHere
    return found


def test_chat(member: Member, employee_id: UUID) -> UUID | None:
    """The member's last test chat with an employee."""
    found = Chat.objects.filter(
        workspace_id=member.workspace_id,
        employee_id=employee_id,
        channel=Chat.TEST,
        created_by_id=member.user_id,
    )
    return found.order_by("-last_message_at").values_list("id", flat=True).first()


_LAST_MESSAGES: Final = """
    SELECT e.id, (SELECT c.last_message_at FROM chats_chat c
                  WHERE c.workspace_id = %(workspace)s AND c.employee_id = e.id
                  ORDER BY c.last_message_at DESC LIMIT 1)
    FROM unnest(%(employees)s::uuid[]) e(id)
"""


def last_messages(member: Member, employee_ids: list[UUID]) -> dict[UUID, datetime | None]:
    """When each employee's latest message came, in either direction; None for one without chats."""
    return dict(_read(_LAST_MESSAGES, {"workspace": member.workspace_id, "employees": employee_ids}))


@dataclass(frozen=True, slots=True)
class Said:
    """One message. `words` is what a reply has cost, `price` why, `cut` why it ended before its end."""

    id: UUID
    number: int
    author: str
    name: str
    text: str
    created_at: datetime
    words: int | None
    price: dict[str, Any] | None
    citations: list[dict[str, Any]] | None
    model: str
    cut: str
    avatar: str  # of a person who works here


_SAID: Final = """
    SELECT id, number, author, name, text, created_at, charged, price::text, citations::text, model, cut,
           coalesce((SELECT u.avatar FROM accounts_user u WHERE u.id = chats_message.user_id), '')
    FROM chats_message WHERE workspace_id = %(workspace)s AND chat_id = %(chat)s AND {which}
    ORDER BY number {order} LIMIT %(limit)s
"""


def messages(member: Member, chat_id: UUID, limit: int = 50, cursor: str | None = None) -> Page[Said]:
    """Oldest first."""
    name = f"messages of {chat_id}"
    after = position(name, cursor, tuple[int])
    found = _said(member, chat_id, "number > %(at)s", "ASC", at=after[0] if after else 0, limit=limit + 1)
    return page(found, limit, name, lambda one: (one.number,))


def latest(member: Member, chat_id: UUID, limit: int = 50, before: int | None = None) -> list[Said]:
    """The last messages, or the last before one, oldest first."""
    which = "number < %(at)s" if before else "true"
    return _said(member, chat_id, which, "DESC", at=before, limit=limit)[::-1]


def message(member: Member, chat_id: UUID, number: int) -> Said:
    found = _said(member, chat_id, "number = %(at)s", "ASC", at=number, limit=1)
    if not found:
        raise NotHere
    return found[0]


def _said(member: Member, chat_id: UUID, which: str, order: str, **values: Any) -> list[Said]:
    given = {"workspace": member.workspace_id, "chat": chat_id, **values}
    return [
        Said(*(*found[:7], _decoded(found[7]), _decoded(found[8]), *found[9:]))
        for found in _read(_SAID.format(which=which, order=order), given)
    ]


def _decoded(stored: str | None) -> Any:
    """Django's cursor gives JSON as it is stored."""
    return None if stored is None else msgspec.json.decode(stored)


@dataclass(frozen=True, slots=True)
class LastTurn:
    """The newest turn of a chat; `failure` says why it ended without a reply."""

    id: UUID
    state: str
    failure: str
    detail: str
    upto: int


_LAST_TURNS: Final = """
    SELECT id, state, failure, detail, upto FROM chats_turn
    WHERE workspace_id = %(workspace)s AND chat_id = %(chat)s ORDER BY created_at DESC LIMIT 3
"""


def last_turns(member: Member, chat_id: UUID) -> list[LastTurn]:
    """Newest first: at most one that waits, at most one that runs, and what ended last."""
    return [
        LastTurn(*found) for found in _read(_LAST_TURNS, {"workspace": member.workspace_id, "chat": chat_id})
    ]


def seen(shown: list[Said], turns: list[LastTurn]) -> str:
    """Where the stream of a page begins that shows these messages and how these turns ended."""
    ended = [turn.id.hex for turn in turns if turn.state not in ("queued", "running")]
    return str(Position(shown[-1].number if shown else 0, max(ended, default="")))


def _read(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def chats_of_person(member: Member, user_id: UUID, at_most: int = 1000) -> tuple[int, int]:
    """How many chats the person began (counting ends at `at_most`), and how many they have taken over at present."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM (SELECT FROM chats_chat WHERE workspace_id = %(workspace)s"
            " AND created_by_id = %(user)s LIMIT %(most)s) begun),"
            " (SELECT count(*) FROM chats_pause WHERE workspace_id = %(workspace)s"
            " AND by_id = %(user)s AND until > now())",
            {"workspace": member.workspace_id, "user": user_id, "most": at_most},
        )
        begun, held = cursor.fetchone()
    return int(begun), int(held)
