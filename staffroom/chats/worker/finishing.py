"""Ends of turns: whatever ends in a workspace while its last commit is on the way goes into the next one.

One wallet serialises the charges of a workspace, so many small commits would wait for one another at the disk.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec

from staffroom.core.pools import Pool
from staffroom.core.together import Together

from . import turns
from .turns import Outcome, Turn

AT_ONCE: Final = 50
PATIENCE: Final = 120.0
"""Seconds for which a database that is away is waited for: the reply is written and only wants to be stored."""

Finish = dict[str, Any]


class Finisher:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._together = Together(self._store, AT_ONCE)
        self.drain = self._together.drain

    async def finish(self, turn: Turn, finish: Finish) -> Outcome:
        """Stores and settles the reply, or releases its hold; returns when that is committed."""
        return await self._together.do(
            turn.workspace_id, {"turn": turn.id, "attempt": turn.attempt, **finish}
        )

    async def _store(self, workspace_id: UUID, batch: list[Finish]) -> list[Outcome]:
        return await turns.finish(self._pool, workspace_id, msgspec.json.encode(batch), PATIENCE)
