"""The jobs of the worker process: procrastinate's own worker, started again when the database was away."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from time import monotonic

import procrastinate
from asgiref.sync import sync_to_async
from django.db import connections
from procrastinate.contrib.django import app as django_app
from procrastinate.exceptions import UniqueViolation
from procrastinate.jobs import Job, Status

log = logging.getLogger(__name__)

THREADS = 2
"""Jobs at once: they share the processor with the replies."""
HEARTBEAT = 1.0
LASTED = 10.0
"""Seconds after which a worker that ended is started again at once; before, each start waits longer."""
DEAD = 5.0
"""Seconds without a heartbeat after which a worker's jobs are given to others."""


async def run(stopping: asyncio.Event) -> None:
    pause = 0.1
    while not stopping.is_set():
        began = monotonic()
        try:
            await _work(stopping)
        except Exception as error:
            log.warning("jobs: %s", str(error).partition("\n")[0])
        # procrastinate asks through Django's connection of this thread, which does not notice that it is dead.
        with suppress(Exception):
            await sync_to_async(connections.close_all)()
        if monotonic() - began > LASTED:
            pause = 0.1
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause)
        pause = min(2.0, pause * 2)


async def _work(stopping: asyncio.Event) -> None:
    connector = django_app.connector.get_worker_connector()  # type: ignore[attr-defined]
    async with django_app.with_connector(connector).open_async() as app:
        working = asyncio.create_task(
            app.run_worker_async(
                concurrency=THREADS,
                install_signal_handlers=False,
                update_heartbeat_interval=HEARTBEAT,
                stalled_worker_timeout=DEAD,
                shutdown_graceful_timeout=2.0,
                delete_jobs="successful",
                fetch_job_polling_interval=5.0,
                abort_job_polling_interval=5.0,
            )
        )
        sweeping = asyncio.create_task(_ring_again(app))
        asked = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait([working, asked], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sweeping, asked):
                task.cancel()
            working.cancel()
            await asyncio.gather(working, sweeping, asked, return_exceptions=True)
        if not stopping.is_set():
            working.result()


async def _ring_again(app: procrastinate.App) -> None:
    """procrastinate does not start the jobs of a dead worker again: we do."""
    while True:
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=DEAD):
            log.warning("job %s (%s) of a dead worker begins again", job.id, job.task_name)
            await _again(app, job)
        await asyncio.sleep(DEAD / 2)


async def _again(app: procrastinate.App, job: Job) -> None:
    """Where the same was asked for anew meanwhile (a queueing lock), that one does; this one must let go of its lock."""
    try:
        await app.job_manager.retry_job(job)
    except UniqueViolation:
        await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=True)
