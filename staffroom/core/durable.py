"""Waiting for the disk together, on the event loop.

A commit that waits for the disk keeps its locks meanwhile, and a view's thread with it: on a busy wallet all others
stand in line behind every write of the disk. So a view may commit without waiting, and whoever acknowledges the
write waits here: one small synchronous commit, which brings everything before it to the disk, serves all who came
while the last one was on its way.

    promise = disk.promise()        # in the view, before its commit; None: commit synchronously
    await disk.kept(promise)        # on the loop, before the answer; raises Lost when the database was restarted
"""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
from django.conf import settings

from .pools import GONE, KEEPALIVE

_FLUSH = "SELECT pg_logical_emit_message(true, 'flush', '')"


class Lost(Exception):
    """The database went away before the write was on the disk; nobody knows whether it is there."""


class Disk:
    def __init__(self) -> None:
        self._line: psycopg.AsyncConnection[Any] | None = None
        self._number = 0  # of the connection: a promise of another one is lost
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._work: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()

    def promise(self) -> int | None:
        return self._number if self._line else None

    async def kept(self, promise: int | None) -> None:
        if promise is None:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((promise, future))
        self._asked.set()
        await future

    def open(self) -> None:
        self._asked = asyncio.Event()
        self._work = asyncio.create_task(self._keep(), name="disk")

    async def close(self) -> None:
        if self._work:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        if self._line:
            await self._line.close()
            self._line = None

    async def _keep(self) -> None:
        while True:
            try:
                self._line = await _connect()
                self._number += 1
                await self._flush_for_all(self._line)
            except GONE:
                self._line = None
                self._answer(self._take(), Lost())
            await asyncio.sleep(0.2)

    async def _flush_for_all(self, line: psycopg.AsyncConnection[Any]) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            waiting = self._take()
            try:
                await line.execute(_FLUSH)
            except GONE:
                self._answer(waiting, Lost())
                raise
            self._answer([one for one in waiting if one[0] != self._number], Lost())
            self._answer([one for one in waiting if one[0] == self._number], None)

    def _take(self) -> list[tuple[int, asyncio.Future[None]]]:
        waiting, self._waiting = self._waiting, []
        return waiting

    @staticmethod
    def _answer(waiting: list[tuple[int, asyncio.Future[None]]], error: Exception | None) -> None:
        for _, future in waiting:
            if not future.done():
                future.set_exception(error) if error else future.set_result(None)


async def _connect() -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(
        settings.DB_APP, autocommit=True, prepare_threshold=1, connect_timeout=5, **KEEPALIVE
    )
