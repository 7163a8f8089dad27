"""Where the web process takes messages in on its event loop: those of one workspace together.

Each message would lock the wallet until its commit, and all the others of the workspace would wait for it in line,
with a thread and a connection each. Here those that come while a transaction is on its way share the next one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final
from uuid import UUID

import msgspec
from django.db import DatabaseError, connection

from staffroom.billing import alerts
from staffroom.core.bus import Bus
from staffroom.core.durable import Disk
from staffroom.core.errors import NotHere, StaffroomError
from staffroom.core.pools import Pool
from staffroom.core.scope import workspace_scope
from staffroom.core.together import Together

from . import arrivals, briefs, notes
from .arrivals import Arrival, Facts, Incoming
from .failures import OutOfWordsNow

log = logging.getLogger(__name__)

AT_ONCE: Final = 20
PATIENCE: Final = 2.0
"""Seconds for which a database that is away is waited for."""


class Desk:
    def __init__(self, pool: Pool, bus: Bus, disk: Disk) -> None:
        self._pool, self._bus, self._disk = pool, bus, disk
        self._together = Together(self._receive, AT_ONCE)

    async def receive(self, workspace_id: UUID, one: Incoming) -> Arrival:
        """As `arrivals.receive`; whatever it says is on the disk by then. Raises `Lost` when nobody knows."""
        promise = self._disk.promise()
        arrival = await self._together.do((workspace_id, promise is not None), one)
        await self._disk.kept(promise)  # also for who is refused: another one's turn made the commit lazy
        if isinstance(arrival.refusal, OutOfWordsNow):
            await asyncio.to_thread(_tell_who_pays, workspace_id)
        return arrival

    async def _receive(self, key: tuple[UUID, bool], batch: list[Incoming]) -> list[Arrival | Exception]:
        workspace_id, lazy = key
        chats = list({one.chat_id for one in batch})
        rows = await self._pool.rows(arrivals.FACTS, [workspace_id, chats, briefs.WINDOW], PATIENCE)
        facts = {row[0]: Facts.of(row) for row in rows}
        found = [one for one in batch if one.chat_id in facts]
        asked = msgspec.json.encode([arrivals.asking(one, facts[one.chat_id]) for one in found]).decode()
        answers = await self._pool.rows(arrivals.ARRIVE, [workspace_id, asked, lazy], PATIENCE)
        arrived = list(map(arrivals.arrival, found, answers))
        self._tell(found, arrived)
        by_turn = {one.turn: it for one, it in zip(found, arrived, strict=True)}
        return [by_turn.get(one.turn, NotHere()) for one in batch]

    def _tell(self, found: list[Incoming], answers: list[Arrival | StaffroomError]) -> None:
        came = [(one, it) for one, it in zip(found, answers, strict=True) if isinstance(it, Arrival)]
        if any(it.fresh for _, it in came):
            self._bus.post(notes.TURNS, notes.RING, b"1")
        for chat_id in {one.chat_id for one, it in came if not it.repeated}:
            self._bus.post(notes.CHATS, chat_id.hex, notes.NEWS)


def _tell_who_pays(workspace_id: UUID) -> None:
    try:
        with workspace_scope(workspace_id):
            alerts.ran_out()
    except DatabaseError:  # the sweep looks at it, too
        log.exception("words ran out in %s", workspace_id)
    finally:
        connection.close()
