"""Chats, in files of some thousand messages: for programs as JSON Lines, for people as pages.

A chat is a line of its own, its messages follow in their order; a long chat goes on in the next file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from tempfile import SpooledTemporaryFile
from typing import Any, Final
from uuid import UUID

from ..format import chats_file, raw
from ..rows import Row, all_of
from ..writer import Sink, Writer
from . import pages
from .staff import NOBODY

MESSAGES: Final = 2_000  # of one file
BYTES: Final = 8_000_000  # of one file, about
_AT_ONCE: Final = 200  # rows
_IN_MEMORY: Final = 1024 * 1024

_CHATS: Final = """
    SELECT id, employee_id, employee_name, channel, customer_name, external_id, state, created_at, last_message_at,
           last_number
    FROM chats_chat WHERE workspace_id = %(workspace)s AND id > %(id)s ORDER BY id LIMIT %(limit)s
"""
# In the order of the chats, so that two readers that go forward are enough, however many chats there are.
_MESSAGES: Final = """
    SELECT chat_id, number, id, author, name, text, created_at, external_id, model, charged, price::text,
           citations::text, cut
    FROM chats_message WHERE workspace_id = %(workspace)s AND (chat_id, number) > (%(id)s, %(number)s)
    ORDER BY chat_id, number LIMIT %(limit)s
"""

Line = dict[str, Any]


def write(archive: Writer, workspace_id: UUID, done: Callable[[int], None]) -> dict[str, int]:
    counts = {"chats": 0, "messages": 0}
    lines = _lines(workspace_id)
    line = next(lines, None)
    number, chat = 0, None
    while line is not None:
        number += 1
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as page:
            readable = pages.Talks(page, number, chat)
            with archive.entry(chats_file(number, "jsonl")) as sink:
                line = _fill(sink, readable, line, lines, counts, done)
            chat = readable.end(goes_on=line is not None)
            page.seek(0)
            with archive.entry(chats_file(number, "html")) as copy:
                while part := page.read(_IN_MEMORY):
                    copy.write(part)
    return counts | {"files_of_chats": number}


def _fill(
    sink: Sink,
    readable: pages.Talks,
    line: Line | None,
    lines: Iterator[Line],
    counts: dict[str, int],
    done: Callable[[int], None],
) -> Line | None:
    """Until the file is full; the first line of the next one, or None at the end."""
    messages = 0
    while line is not None and messages < MESSAGES and sink.size < BYTES:
        sink.line(line)
        readable.add(line)
        is_message = line["type"] == "message"
        messages += is_message
        counts["messages" if is_message else "chats"] += 1
        done(1)
        line = next(lines, None)
    return line


def _lines(workspace_id: UUID) -> Iterator[Line]:
    """Both tables in the order of the chats. Messages of a chat that begins or ends meanwhile are passed over."""
    messages = _messages(workspace_id)
    message = next(messages, None)
    for row in all_of(workspace_id, _CHATS, _AT_ONCE, {"id": NOBODY}, lambda row: {"id": row[0]}):
        chat = row[0]
        yield _chat(row)
        while message is not None and message[0] < chat:
            message = next(messages, None)
        while message is not None and message[0] == chat:
            yield _message(message)
            message = next(messages, None)


def _messages(workspace_id: UUID) -> Iterator[Row]:
    start = {"id": NOBODY, "number": 0}
    return all_of(workspace_id, _MESSAGES, _AT_ONCE, start, lambda row: {"id": row[0], "number": row[1]})


def _chat(row: Row) -> Line:
    names = ("id", "employee", "employee_name", "channel", "customer_name", "external_id", "state", "created_at",
             "last_message_at", "last_number")  # fmt: skip
    return {"type": "chat", **dict(zip(names, row, strict=True))}


def _message(row: Row) -> Line:
    chat, number, id_, author, name, text, at, external_id, model, charged, price, citations, cut = row
    return {
        "type": "message",
        "id": id_,
        "chat": chat,
        "number": number,
        "author": author,
        "name": name,
        "text": text,
        "at": at,
        "external_id": external_id,
        "model": model,
        "charged": charged,
        "price": raw(price),
        "citations": raw(citations),
        "cut": cut,
    }
