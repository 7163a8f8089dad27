"""The worker process: replies and jobs on one event loop.

python -m config.worker
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress

import django
import uvloop

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from config import jobs  # noqa: E402
from staffroom.chats.worker.runner import Runner  # noqa: E402 - Django first
from staffroom.core.bus import bus  # noqa: E402
from staffroom.employees import minds  # noqa: E402

log = logging.getLogger(__name__)


async def work() -> None:
    runner = Runner(bus)
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await runner.open()
    minds.warm_up(minds.of_installation())
    replying = asyncio.create_task(runner.run())
    doing = asyncio.create_task(jobs.run(stopping))
    await asyncio.wait(
        [replying, doing, asyncio.create_task(stopping.wait())], return_when=asyncio.FIRST_COMPLETED
    )
    stopping.set()
    runner.stop()
    try:
        await replying
    finally:
        with suppress(TimeoutError, asyncio.CancelledError):
            await asyncio.wait_for(doing, 3)  # raises what ended it, so that the supervisor starts us again
        await runner.close()


if __name__ == "__main__":
    uvloop.run(work())
