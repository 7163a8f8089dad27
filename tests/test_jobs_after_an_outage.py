"""The worker's jobs go on when the database was away."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from procrastinate.contrib.django import app as django_app

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


def test_a_job_of_a_dead_worker_gives_way_to_the_same_one_asked_anew() -> None:
    """Begun again it would break the queueing lock; left as it is it would keep its own for ever."""
    task = django_app.configure_task("billing.sweep", queueing_lock="the same")
    dead = task.defer(timestamp=1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", [dead])
    anew = task.defer(timestamp=2)

    async def walk() -> None:
        connector = django_app.connector.get_worker_connector()
        async with django_app.with_connector(connector).open_async() as app:
            job = next(iter(await app.job_manager.list_jobs_async(id=dead)))
            await jobs._again(app, job)

    asyncio.run(walk())
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, status FROM procrastinate_jobs WHERE queueing_lock = 'the same' ORDER BY id"
        )
        assert cursor.fetchall() == [(anew, "todo")]
        cursor.execute("DELETE FROM procrastinate_jobs WHERE id = %s", [anew])
