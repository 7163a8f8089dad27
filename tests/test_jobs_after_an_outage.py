"""The worker's jobs go on when the database was away."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from config import jobs
from tests.cast import Cast


def _asked() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return int(cursor.fetchone()[0])


def _lost() -> None:
    _asked()
    connection.connection.close()


def test_a_connection_that_died_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    Cast()  # the tables are there
    stopping, starts = asyncio.Event(), []

    async def work(stopping: asyncio.Event) -> None:
        starts.append("start")
        if len(starts) == 1:
            await sync_to_async(_lost)()
        await sync_to_async(_asked)()
        stopping.set()

    monkeypatch.setattr(jobs, "_work", work)

    async def walk() -> None:
        await asyncio.wait_for(jobs.run(stopping), 2)

    asyncio.run(walk())
    assert len(starts) == 2
