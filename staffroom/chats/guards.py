"""Whoever loses access to a workspace, by a key or a browser, loses open streams, too: one statement every few seconds asks for all of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from staffroom.core.bus import Subscription
from staffroom.core.pools import GONE, Pool
from staffroom.workspaces.members import Member

log = logging.getLogger(__name__)

EVERY: Final = 3.0
_LOST: Final = "SELECT * FROM access_lost(%s::uuid[], %s::uuid[], %s::uuid[], %s::varchar[])"


@dataclass(eq=False, slots=True)
class Access:
    member: Member
    subscription: Subscription
    lost: bool = False


class Guard:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._open: set[Access] = set()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        self._task = asyncio.create_task(self._walk(), name="guard")

    async def close(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @contextmanager
    def watching(self, member: Member, subscription: Subscription) -> Iterator[Access]:
        access = Access(member, subscription)
        self._open.add(access)
        try:
            yield access
        finally:
            self._open.discard(access)

    async def _walk(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                await self.look()
            except GONE as error:
                log.warning("access cannot be checked: %s", str(error).partition("\n")[0])

    async def look(self) -> None:
        watched = list(self._open)
        if not watched:
            return
        members = [access.member for access in watched]
        rows = await self._pool.rows(
            _LOST,
            [
                [member.workspace_id for member in members],
                [member.user_id for member in members],
                [member.key_id for member in members],
                [member.session for member in members],
            ],
        )
        for (place,) in rows:
            watched[place - 1].lost = True
            watched[place - 1].subscription.wake()
