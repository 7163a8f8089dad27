"""What travels on the bus about chats. Everything in it can be read in the rows, too."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec

from staffroom.core.bus import bus

CHATS: Final = "chats"
"""Channel of those who watch; the topic is the chat."""
TURNS: Final = "turns"
"""Channel of the workers."""
RING: Final = "ring"


class Said(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """A piece of a reply, where it begins (in characters), and of which attempt it is."""

    turn: str
    attempt: int
    at: int
    text: str


class Ended(msgspec.Struct, frozen=True, array_like=True, tag="e"):
    """A turn has ended; `reply` is the stored message without its text, which is `length` characters long."""

    turn: str
    attempt: int
    state: str
    failure: str = ""
    length: int = 0
    reply: dict[str, Any] | None = None


class News(msgspec.Struct, frozen=True, array_like=True, tag="n"):
    """Something else has changed in the chat: a message, a pause."""


Note = Said | Ended | News
read: Final = msgspec.json.Decoder(Note).decode
write: Final = msgspec.json.Encoder().encode
NEWS: Final = write(News())


def post(chat: str, note: Note) -> None:
    bus.post(CHATS, chat, write(note))


def ring_after_commit() -> None:
    """There is a turn to take."""
    bus.post_after_commit(TURNS, RING, b"1")


def after_commit(chat_id: UUID, note: Note) -> None:
    bus.post_after_commit(CHATS, chat_id.hex, write(note))


def news_after_commit(chat_id: UUID) -> None:
    bus.post_after_commit(CHATS, chat_id.hex, NEWS)
