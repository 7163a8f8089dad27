"""Chats with their messages: times and names are kept, nothing is charged, nothing is sent, nobody answers.

What a reply has cost is told as it was told there; this workspace's ledger knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import connection

from staffroom.chats.models import Chat, Message
from staffroom.core import words
from staffroom.employees.models import Employee

from .. import format
from ..problems import Problem
from .staff import Ordered
from .target import Target, plant, present

LINE: Final = format.Chat | format.Message

_LAST: Final = """
    UPDATE chats_chat c SET last_number = greatest(c.last_number, m.number), answered = greatest(c.answered, m.number),
        last_author = m.author, last_line = left(m.text, 120)
    FROM (SELECT DISTINCT ON (chat_id) chat_id, number, author, text FROM chats_message
          WHERE workspace_id = %(workspace)s AND chat_id = ANY(%(chats)s) ORDER BY chat_id, number DESC) m
    WHERE c.workspace_id = %(workspace)s AND c.id = m.chat_id
"""
_PASSAGES: Final = """
    SELECT p.source_id, p.number, p.id
    FROM (SELECT DISTINCT * FROM unnest(%(sources)s::uuid[], %(numbers)s::int[])) said(source, number)
    JOIN knowledge_passage p ON p.workspace_id = %(workspace)s AND p.source_id = said.source AND p.number = said.number
"""

Places = dict[tuple[UUID, int], UUID]


class Talks(Ordered):
    """A chat, then its messages by their numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def __call__(self, said: format.Chat | format.Message) -> None:
        if isinstance(said, format.Chat):
            self.after(said.id)
            self.number = 0
            return
        if said.chat != self.last or said.number <= self.number:
            raise Problem("order")
        self.number = said.number
        _shown(said.price)


def restore(target: Target, rows: Sequence[format.Chat | format.Message]) -> dict[str, int]:
    chats = [said for said in rows if isinstance(said, format.Chat)]
    messages = [said for said in rows if isinstance(said, format.Message)]
    _begin(target, chats)
    here = present(Chat, (target.id("chat", said.chat) for said in messages))
    places = _places(target, messages)
    plant([_message(target, said, places) for said in messages if target.id("chat", said.chat) in here])
    with connection.cursor() as cursor:
        cursor.execute(_LAST, {"workspace": target.workspace_id, "chats": list(here)})
    return {"chats": len(chats), "messages": len(messages)}


def _begin(target: Target, chats: Sequence[format.Chat]) -> None:
    ids = {said.employee: target.id("employee", said.employee) for said in chats if said.employee}
    here = present(Employee, ids.values())
    plant([_chat(target, said, here) for said in chats])


def _chat(target: Target, said: format.Chat, here: set[UUID]) -> Chat:
    employee = target.id("employee", said.employee) if said.employee else None
    known = {channel for channel, _name in Chat._meta.get_field("channel").choices or ()}
    return Chat(
        id=target.id("chat", said.id),
        workspace_id=target.workspace_id,
        created_at=said.created_at,
        employee_id=employee if employee in here else None,
        employee_name=said.employee_name,
        channel=said.channel if said.channel in known else Chat.API,
        customer_name=said.customer_name,
        external_id=said.external_id,
        state=said.state,
        last_number=said.last_number,  # whoever writes meanwhile gets a number after those that are to come
        answered=said.last_number,
        last_message_at=said.last_message_at,
    )


def _message(target: Target, said: format.Message, places: Places) -> Message:
    return Message(
        id=target.id("message", said.id),
        workspace_id=target.workspace_id,
        created_at=said.at,
        chat_id=target.id("chat", said.chat),
        number=said.number,
        author=said.author,
        name=said.name,
        text=said.text,
        words=words.count(said.text),
        external_id=said.external_id,
        model=said.model,
        charged=said.charged,
        price=said.price,
        citations=_citations(target, said.citations, places),
        cut=said.cut,
    )


def _places(target: Target, messages: Iterable[format.Message]) -> Places:
    """The passages that are cited, as they were cut here: the same text is cut at the same places."""
    cited = [
        (target.id("source", one.source), one.number) for said in messages for one in said.citations or ()
    ]
    if not cited:
        return {}
    sources, numbers = zip(*cited, strict=True)
    with connection.cursor() as cursor:
        values: dict[str, Any] = {
            "workspace": target.workspace_id,
            "sources": list(sources),
            "numbers": list(numbers),
        }
        cursor.execute(_PASSAGES, values)
        return {(source, number): id_ for source, number, id_ in cursor.fetchall()}


def _citations(
    target: Target, cited: list[format.Citation] | None, places: Places
) -> list[dict[str, Any]] | None:
    """A passage that is not here any more keeps its title; it leads nowhere, as it did there."""
    if cited is None:
        return None
    return [
        {
            "passage": str(places.get((source, one.number)) or target.id("passage", one.source, one.number)),
            "source": str(source),
            "title": one.title,
            "heading": one.heading,
            "number": one.number,
        }
        for one in cited
        for source in [target.id("source", one.source)]
    ]


def _shown(price: dict[str, Any] | None) -> None:
    """What pages take out of a price must be of its kind."""
    try:
        if price is not None:
            msgspec.convert(price, format.Price)
    except msgspec.ValidationError as wrong:
        raise Problem("line", why=f"price: {wrong}") from None
