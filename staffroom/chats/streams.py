"""Streams of a chat in the web process. While one waits it holds no thread and no database connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from time import monotonic
from typing import Any, Final
from uuid import UUID

import msgspec

from staffroom.core.bus import Bus, Subscription
from staffroom.core.bus import bus as the_bus
from staffroom.core.durable import Disk
from staffroom.core.errors import NotHere
from staffroom.core.pools import GONE, Pool
from staffroom.workspaces.members import Member

from . import notes
from .desk import Desk
from .guards import Guard
from .watching import Event, Fields, Position, Stored, Watch

HEARTBEAT: Final = 15.0
"""Seconds of silence after which a comment says that the stream is alive."""
LOOK_AGAIN: Final = 3.0
"""Seconds without a note after which the rows of a reply in the making are looked at."""
_HOLE: Final = 0.4
"""Seconds after which the rows are looked at again for a part that no note brought."""
_MESSAGES: Final = 200
_WATCHED: Final = "SELECT * FROM chat_watched(%s, %s, %s, %s, %s::uuid)"

_encode: Final = msgspec.json.Encoder().encode


class Streams:
    """One in each web process."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._pool = Pool(4)
        self._guard = Guard(self._pool)
        self.disk = Disk()
        self.desk = Desk(self._pool, bus, self.disk)

    async def open(self) -> None:
        await self._pool.open()
        await self._bus.open(notes.CHATS)
        self._guard.open()
        self.disk.open()

    async def close(self) -> None:
        await self._guard.close()
        await self.disk.close()
        await self._bus.close()
        await self._pool.close()

    def subscribe(self, chat_id: UUID) -> Subscription:
        """To be called before the rows are read or the turn is committed."""
        return self._bus.subscribe(notes.CHATS, chat_id.hex)

    async def chat(
        self, member: Member, chat_id: UUID, position: Position | None, subscription: Subscription
    ) -> AsyncIterator[bytes]:
        """Everything that happens in a chat, from the position on, or from now on."""
        if position is None:
            position = await self._now(member, chat_id)
        async for part in self._told(member, chat_id, Watch(position), subscription):
            yield part

    async def turn(
        self,
        member: Member,
        chat_id: UUID,
        watch: Watch,
        subscription: Subscription,
        first: Event,
        promise: int | None = None,
    ) -> AsyncIterator[bytes]:
        """One reply, as server-sent events, after the customer's message, which is on the disk by then."""
        await self.disk.kept(promise)
        yield _framed([first])
        async for part in self._told(member, chat_id, watch, subscription):
            yield part

    async def reply(self, member: Member, chat_id: UUID, watch: Watch, subscription: Subscription) -> Event:
        """The end of one reply: `done` or `error`."""
        async for events in self._events(member, chat_id, watch, subscription):
            for event in events or ():
                if event.name in ("done", "error"):
                    return event
        raise NotHere

    async def _told(
        self, member: Member, chat_id: UUID, watch: Watch, subscription: Subscription
    ) -> AsyncIterator[bytes]:
        async for events in self._events(member, chat_id, watch, subscription):
            yield _framed(events) if events is not None else b": \n\n"

    async def _events(
        self, member: Member, chat_id: UUID, watch: Watch, subscription: Subscription
    ) -> AsyncIterator[list[Event] | None]:
        """None is a sign of life. Ends with the turn that is watched, or with the access to the chat."""
        told_at = read_at = monotonic()
        with self._guard.watching(member, subscription) as access:
            while not (watch.over or access.lost):
                events: list[Event] = []
                if watch.must_read or (watch.has_hole and monotonic() - read_at > _HOLE):
                    if not await self._read(member, chat_id, watch, events):
                        yield list(watch.vanished())
                        return
                    read_at = monotonic()
                if not events:
                    await self._hear(watch, subscription, events)
                if events:
                    told_at = monotonic()
                    yield events
                elif monotonic() - told_at >= HEARTBEAT:
                    told_at = monotonic()
                    yield None

    async def _hear(self, watch: Watch, subscription: Subscription, events: list[Event]) -> None:
        patience = _HOLE if watch.has_hole else LOOK_AGAIN if watch.in_progress else HEARTBEAT
        heard, hole = await subscription.next(patience)
        for note in heard:
            events += watch.note(notes.read(note))
        if hole or (not heard and watch.in_progress):
            watch.must_read = True

    async def _read(self, member: Member, chat_id: UUID, watch: Watch, events: list[Event]) -> bool:
        """False when the chat is gone."""
        try:
            found = await self._stored(member, chat_id, watch.number, watch.only or None)
        except GONE:
            await asyncio.sleep(0.5)
            return True
        if found is None:
            return False
        events += watch.read(found)
        watch.must_read = watch.must_read or len(found.messages) == _MESSAGES  # and there may be more
        return True

    async def _stored(self, member: Member, chat_id: UUID, after: int, turn: str | None) -> Stored | None:
        values = [member.workspace_id, chat_id, after, _MESSAGES, turn]
        rows = await self._pool.rows(_WATCHED, values, patience=20)
        if not rows:
            return None
        _, messages, turns, _, _ = rows[0]
        return Stored([_message(one) for one in messages or ()], [_turn(one) for one in turns or ()])

    async def _now(self, member: Member, chat_id: UUID) -> Position:
        """After what is there already; a reply in the making is told from its beginning."""
        rows = await self._pool.rows(_WATCHED, [member.workspace_id, chat_id, 0, 0, None], patience=20)
        if not rows:
            return Position()
        turns = [_turn(one) for one in rows[0][2] or ()]
        ended = [turn["id"] for turn in turns if turn["state"] not in ("queued", "running")]
        return Position(rows[0][0], max(ended, default=""))


streams = Streams(the_bus)


def _message(row: Fields) -> Fields:
    # PostgreSQL writes the time in another way than everybody else.
    at = msgspec.convert(row["created_at"], datetime)
    return {**row, "created_at": at, "turn": (row["turn"] or "").replace("-", "")}


def _turn(row: Fields) -> Fields:
    return {**row, "id": row["id"].replace("-", "")}


def _framed(events: Sequence[Event]) -> bytes:
    return b"".join(
        b"id: %b\nevent: %b\ndata: %b\n\n"
        % (event.position.encode(), event.name.encode(), _encode(shown(event.name, event.data)))
        for event in events
    )


def shown(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """An event's data as the API shows it: a message without what is only ours."""
    if name in ("message", "done"):
        return {key: value for key, value in data.items() if key != "turn"}
    return data
