"""Ends of turns: whatever ends in a workspace while its last commit is on the way goes into the next one.

One wallet serialises the charges of a workspace, so many small commits would wait for one another at the disk.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final
from uuid import UUID

import msgspec

from staffroom.core.pools import Pool

from . import turns
from .turns import Outcome, Turn

log = logging.getLogger(__name__)

AT_ONCE: Final = 50
PATIENCE: Final = 120.0
"""Seconds for which a database that is away is waited for: the reply is written and only wants to be stored."""

Finish = dict[str, Any]
_Waiting = tuple[Finish, asyncio.Future[Outcome]]


class Finisher:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: dict[UUID, list[_Waiting]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def finish(self, turn: Turn, finish: Finish) -> Outcome:
        """Stores and settles the reply, or releases its hold; returns when that is committed."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        entry = ({"turn": turn.id, "attempt": turn.attempt, **finish}, future)
        if turn.workspace_id in self._waiting:
            self._waiting[turn.workspace_id].append(entry)
        else:
            self._waiting[turn.workspace_id] = [entry]
            task = asyncio.create_task(self._work_off(turn.workspace_id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def drain(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _work_off(self, workspace_id: UUID) -> None:
        await asyncio.sleep(0)  # whatever else ends in this moment comes along
        while batch := self._waiting[workspace_id][:AT_ONCE]:
            del self._waiting[workspace_id][: len(batch)]
            await self._store(workspace_id, batch)
        del self._waiting[workspace_id]

    async def _store(self, workspace_id: UUID, batch: list[_Waiting]) -> None:
        finishes = msgspec.json.encode([finish for finish, _ in batch])
        try:
            outcomes = await turns.finish(self._pool, workspace_id, finishes, PATIENCE)
        except Exception as error:
            if len(batch) > 1:  # one that cannot be stored must not take the others with it
                for entry in batch:
                    await self._store(workspace_id, [entry])
                return
            log.exception("turn %s cannot be finished", batch[0][0]["turn"])
            batch[0][1].set_exception(error)
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)
