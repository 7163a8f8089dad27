"""The bus: short notes between processes, for whoever happens to listen.

    bus.post("chats", topic, b'{"any": "JSON"}')            # from any thread; joined with others on the way
    subscription = bus.subscribe("chats", topic)            # from any thread, before reading what is stored
    notes, hole = await subscription.next(15)

A note may be lost, come late or come twice: the rows are the truth. `hole` says that something may be missing
(the connection was away, the reader was too slow), so that the reader looks at the rows again. A new subscription
begins with the notes of the last seconds, so that it also meets what the rows do not hold yet.

This implementation is PostgreSQL's LISTEN and NOTIFY on a connection of its own, with asynchronous commit: a NOTIFY
serialises commits while it waits for the disk. Many notes travel in one notification.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from time import monotonic
from typing import Any, Final

import msgspec
import psycopg
from django.conf import settings
from django.db import connection, transaction

from .pools import GONE, KEEPALIVE

log = logging.getLogger(__name__)

PAYLOAD: Final = 7_900
"""Bytes; PostgreSQL allows less than 8,000."""
REMEMBERED: Final = 3.0
"""Seconds for which notes are kept for those who subscribe a little later."""
BACKLOG: Final = 2_000
"""Notes that wait for a slow reader before it has to look at the rows instead."""

_BEAT: Final = 0.5
_NOTIFY: Final = "SELECT pg_notify(c, p) FROM unnest(%s::text[], %s::text[]) AS n (c, p)"
_HOLE: Final = b"null"
_decode: Final = msgspec.json.Decoder(list[tuple[str, msgspec.Raw]]).decode

Key = tuple[str, str]


class Subscription:
    """What one reader has not taken yet. Forgetting it ends it."""

    __slots__ = ("__weakref__", "_deadline", "_hole", "_notes", "_waiter")

    def __init__(self) -> None:
        self._notes: list[bytes] = []
        self._hole = False
        self._waiter: asyncio.Future[None] | None = None
        self._deadline = 0.0

    async def next(self, seconds: float) -> tuple[list[bytes], bool]:
        """The notes since the last call, and whether there is a hole; nothing when so much time has passed."""
        if not self._notes and not self._hole:
            self._deadline = monotonic() + seconds
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        taken = self._notes, self._hole
        self._notes, self._hole = [], False
        return taken

    def add(self, note: bytes) -> None:
        if note == _HOLE or len(self._notes) >= BACKLOG:
            self.break_off()
        else:
            self._notes.append(note)
            self.wake()

    def break_off(self) -> None:
        self._notes, self._hole = [], True
        self.wake()

    def wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def wake_if_late(self, now: float) -> None:
        if now >= self._deadline:
            self.wake()


class Bus:
    """One in each process. Without `open` (commands, tests) notes are sent by Django's own connection."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._outgoing: deque[tuple[str, str, bytes]] = deque()
        self._posted = asyncio.Event()
        # Tuples, replaced as a whole: views subscribe in their threads while the loop hands notes out.
        self._readers: dict[Key, tuple[weakref.ref[Subscription], ...]] = {}
        self._joining = threading.Lock()
        self._recent: dict[Key, list[tuple[float, bytes]]] = {}
        self._greet: Callable[[psycopg.AsyncConnection[Any]], Awaitable[None]] | None = None
        self.connected = asyncio.Event()

    @property
    def is_open(self) -> bool:
        return self._loop is not None

    async def open(
        self,
        *channels: str,
        greet: Callable[[psycopg.AsyncConnection[Any]], Awaitable[None]] | None = None,
    ) -> None:
        """Begin to listen; `greet` is called with each new listening connection, which lives as long as we do."""
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._posted, self.connected = asyncio.Event(), asyncio.Event()
        self._greet = greet
        self._tasks = [
            asyncio.create_task(self._again_and_again(lambda: self._listen(channels)), name="bus: listen"),
            asyncio.create_task(self._again_and_again(self._send), name="bus: send"),
            asyncio.create_task(self._beat(), name="bus: beat"),
        ]

    async def close(self) -> None:
        self._loop = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def post(self, channel: str, topic: str, note: bytes) -> None:
        if self._loop is None:
            transaction.on_commit(lambda: _send_now(channel, topic, note))
            return
        self._outgoing.append((channel, topic, note))
        if threading.get_ident() == self._thread:
            self._posted.set()
        else:
            self._loop.call_soon_threadsafe(self._posted.set)

    def post_after_commit(self, channel: str, topic: str, note: bytes) -> None:
        transaction.on_commit(lambda: self.post(channel, topic, note))

    def subscribe(self, channel: str, topic: str) -> Subscription:
        subscription = Subscription()
        # First among the readers, then the recent notes: one may come twice, none may be missed.
        key = (channel, topic)
        with self._joining:
            self._readers[key] = (*self._readers.get(key, ()), weakref.ref(subscription))
        for _, note in tuple(self._recent.get(key, ())):
            subscription.add(note)
        return subscription

    # the other side

    async def _again_and_again(self, work: Callable[[], Awaitable[None]]) -> None:
        pause = 0.05
        while True:
            began = monotonic()
            try:
                await work()
            except GONE as error:
                if monotonic() - began > 5:
                    pause = 0.05
                log.warning("bus: %s", str(error).partition("\n")[0])
            await asyncio.sleep(pause)
            pause = min(1.0, pause * 2)

    async def _listen(self, channels: Iterable[str]) -> None:
        async with await _connect("on") as line:
            for channel in channels:
                await line.execute(f'LISTEN "staffroom_{channel}"')
            if self._greet:
                await self._greet(line)
            self._break_off_all()
            self.connected.set()
            try:
                async for notification in line.notifies():
                    self._receive(notification.channel.removeprefix("staffroom_"), notification.payload)
            finally:
                self.connected.clear()

    def _receive(self, channel: str, payload: str) -> None:
        now = monotonic()
        for topic, raw in _decode(payload):
            note, key = bytes(raw), (channel, topic)
            self._recent.setdefault(key, []).append((now, note))
            for subscription in self._of(key):
                subscription.add(note)

    def _of(self, key: Key) -> list[Subscription]:
        return [reader for known in self._readers.get(key, ()) if (reader := known())]

    def _break_off_all(self) -> None:
        for key in tuple(self._readers):
            for subscription in self._of(key):
                subscription.break_off()

    async def _send(self) -> None:
        async with await _connect("off") as line:
            while True:
                await self._posted.wait()
                self._posted.clear()
                channels, payloads = _packed(self._outgoing)
                if payloads:
                    await line.execute(_NOTIFY, (channels, payloads))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT)
            now = monotonic()
            for key, notes in tuple(self._recent.items()):
                if notes[-1][0] < now - REMEMBERED:
                    del self._recent[key]
                elif notes[0][0] < now - 2 * REMEMBERED:
                    self._recent[key] = [note for note in notes if note[0] >= now - REMEMBERED]
            for key in tuple(self._readers):
                for subscription in self._of(key):
                    subscription.wake_if_late(now)
                self._forget_those_who_left(key)

    def _forget_those_who_left(self, key: Key) -> None:
        with self._joining:
            if staying := tuple(known for known in self._readers[key] if known()):
                self._readers[key] = staying
            else:
                del self._readers[key]


bus = Bus()


async def _connect(synchronous_commit: str) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(
        settings.DB_DIRECT,
        autocommit=True,
        prepare_threshold=1,
        connect_timeout=5,
        options=f"-c synchronous_commit={synchronous_commit} -c application_name=staffroom_bus",
        **KEEPALIVE,
    )


def _send_now(channel: str, topic: str, note: bytes) -> None:
    channels, payloads = _packed(deque([(channel, topic, note)]))
    with connection.cursor() as cursor:
        cursor.execute(_NOTIFY, (channels, payloads))


def _packed(notes: deque[tuple[str, str, bytes]]) -> tuple[list[str], list[str]]:
    """All notes, in their order, in as few payloads as they fit into: their channels and texts."""
    waiting: dict[str, list[bytes]] = {}
    packed: list[tuple[str, bytes]] = []
    sizes: dict[str, int] = {}
    with suppress(IndexError):
        while True:
            channel, topic, note = notes.popleft()
            item = b'["%b",%b]' % (topic.encode(), note)
            if len(item) > PAYLOAD - 2:
                item = b'["%b",%b]' % (topic.encode(), _HOLE)
            size = sizes.get(channel, 1) + len(item) + 1
            if size > PAYLOAD:
                packed.append((channel, b",".join(waiting.pop(channel))))
                size = len(item) + 2
            waiting.setdefault(channel, []).append(item)
            sizes[channel] = size
    packed += [(channel, b",".join(items)) for channel, items in waiting.items() if items]
    return [f"staffroom_{channel}" for channel, _ in packed], [f"[{text.decode()}]" for _, text in packed]
