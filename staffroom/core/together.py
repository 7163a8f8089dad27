"""Joining calls on the event loop: whatever comes while the last statement is on its way goes into the next one.

    together = Together(store)                  # async def store(key, items) -> one answer for each item
    answer = await together.do(key, item)       # an answer that is an exception is raised

Under load a few statements do what many would: fewer round trips, fewer commits, and nobody stands in line for a row
that all of them lock. Alone, a call waits for nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from .pools import is_away

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Together(Generic[Key, Item, Answer]):
    def __init__(
        self, store: Callable[[Key, list[Item]], Awaitable[Sequence[Answer | Exception]]], at_once: int
    ) -> None:
        self._store, self._at_once = store, at_once
        self._waiting: dict[Key, list[tuple[Item, asyncio.Future[Answer]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def do(self, key: Key, item: Item) -> Answer:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if key in self._waiting:
            self._waiting[key].append((item, future))
        else:
            self._waiting[key] = [(item, future)]
            task = asyncio.create_task(self._work_off(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def drain(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _work_off(self, key: Key) -> None:
        await asyncio.sleep(0)  # whatever else comes in this moment is taken along
        while batch := self._waiting[key][: self._at_once]:
            del self._waiting[key][: len(batch)]
            for (_, future), answer in zip(
                batch, await self._answers(key, [item for item, _ in batch]), strict=True
            ):
                if not future.done():
                    future.set_exception(answer) if isinstance(answer, Exception) else future.set_result(
                        answer
                    )
        del self._waiting[key]

    async def _answers(self, key: Key, items: list[Item]) -> Sequence[Answer | Exception]:
        try:
            return await self._store(key, items)
        except Exception as error:
            if len(items) == 1 or is_away(error):
                return [error] * len(items)
            # One that cannot be stored must not take the others with it.
            return [answer for item in items for answer in await self._answers(key, [item])]
