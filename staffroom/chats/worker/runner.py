"""The worker's loop: take turns, keep their leases, stop those that are not ours any more, end in good order."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from random import randrange
from time import monotonic
from typing import Any, Final

import psycopg

from staffroom.chats import notes
from staffroom.core.bus import Bus
from staffroom.core.pools import GONE, Pool

from . import turns
from .finishing import Finisher
from .replying import Replier
from .turns import Turn
from .voice import Voice

log = logging.getLogger(__name__)

STREAMS: Final = 300
"""Replies at once; what comes after them waits in its row."""
AT_ONCE: Final = 20
"""Turns of one claim: in a burst, the first ones do not wait for the last."""
CONNECTIONS: Final = 4
SWEEP: Final = 1.0
"""Seconds between two looks for turns that nobody rang for, and for workers that died."""
CHECKPOINT: Final = 1.0
LAST_REPLIES: Final = 6.0
"""Seconds that replies have to end by themselves when the worker is to stop."""


class Runner:
    def __init__(self, bus: Bus, streams: int = STREAMS) -> None:
        self.worker = randrange(1, 2**31)  # noqa: S311 - a name, not a secret
        self._bus, self._streams = bus, streams
        self._pool = Pool(CONNECTIONS)
        self._finisher = Finisher(self._pool)
        self._replier = Replier(self._pool, self._finisher, Voice())
        self._running: dict[asyncio.Task[None], Turn] = {}
        self._stopping = False

    async def open(self) -> None:
        await self._pool.open()
        await self._bus.open(notes.TURNS, greet=self._live)
        self._ring = self._bus.subscribe(notes.TURNS, notes.RING)
        with suppress(TimeoutError):  # the first sweep finds what a dead worker left
            await asyncio.wait_for(self._bus.connected.wait(), 2)

    async def _live(self, line: psycopg.AsyncConnection[Any]) -> None:
        """A lock that the database gives back in the moment in which we are gone."""
        await line.execute("SELECT pg_advisory_lock(%s, %s)", [turns.LOCK_CLASS, self.worker])

    async def run(self) -> None:
        """Until `stop`."""
        keeping = asyncio.create_task(self._keep_leases())
        try:
            await self._take_turns()
            await self._end()
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    def stop(self) -> None:
        self._stopping = True
        self._ring.wake()

    async def close(self) -> None:
        await self._bus.close()
        await self._pool.close()

    async def _take_turns(self) -> None:
        swept = 0.0
        while not self._stopping:
            room = min(AT_ONCE, self._streams - len(self._running))
            # Before our own lock is there, others could be taken for dead as well as we for alive.
            sweep = monotonic() - swept >= SWEEP and self._bus.connected.is_set()
            taken = await self._take(room, sweep=sweep) if room else 0
            if sweep:
                swept = monotonic()
            if taken < room or not room:
                await self._ring.next(SWEEP)

    async def _take(self, room: int, *, sweep: bool) -> int:
        try:
            claimed = await turns.claim(self._pool, self.worker, room, sweep=sweep)
        except GONE as error:
            log.warning("turns cannot be claimed: %s", str(error).partition("\n")[0])
            await asyncio.sleep(0.2)
            return 0
        for turn in claimed:
            task = asyncio.create_task(self._reply(turn))
            self._running[task] = turn
            task.add_done_callback(self._ended)
        return len(claimed)

    async def _reply(self, turn: Turn) -> None:
        try:
            outcome = await self._replier.reply(turn)
            if outcome.waiting:
                self._ring.add(b"1")
        except GONE as error:
            # Its lease runs out, and it is taken again.
            log.warning("turn %s: the database is away: %s", turn.id, str(error).partition("\n")[0])
        except Exception:
            log.exception("turn %s", turn.id)

    def _ended(self, task: asyncio.Task[None]) -> None:
        full = len(self._running) >= self._streams
        del self._running[task]
        if full:
            self._ring.wake()

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(CHECKPOINT)
            if self._running:
                with suppress(*GONE):
                    await self._checkpoint()

    async def _checkpoint(self) -> None:
        at_work = dict(self._running)
        lost = await turns.checkpoint(self._pool, self.worker, list(at_work.values()))
        for task, turn in at_work.items():
            if turn.id in lost and not turn.ending:
                task.cancel()

    async def _end(self) -> None:
        """Replies that are nearly written are waited for, the others handed to whoever comes next."""
        if self._running:
            await asyncio.wait(list(self._running), timeout=LAST_REPLIES)
        left = dict(self._running)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._finisher.drain()
        if left:
            with suppress(*GONE):
                await turns.hand_back(self._pool, self.worker, list(left.values()))
                self._bus.post(notes.TURNS, notes.RING, b"1")
