"""One web process: granian inside this process, on a listening socket that the supervisor holds.

    python -m operate.web DESCRIPTOR

Granian's own launcher would keep a process of its own above the workers and bind with SO_REUSEPORT,
so that two installations on one port would share it without a word. A socket that is handed down is
bound once, says at once when the port is taken, and keeps queueing while a dead process is replaced.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

import uvloop
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

BACKLOG = 1024
STREAMS = 2000  # open connections of one process before new ones wait in the backlog
DRAIN = 5.0  # seconds for open answers; a page that listens for events would never end by itself


class InheritedSocketServer(Server):
    """Granian's embedded server, on a socket that somebody else opened."""

    def __init__(self, descriptor: int, target: Any) -> None:
        self._descriptor = descriptor
        super().__init__(
            target,
            interface=Interfaces.ASGI,
            http=HTTPModes.auto,
            http1_settings=HTTP1Settings(header_read_timeout=15_000),
            backlog=BACKLOG,
            backpressure=STREAMS,
            websockets=False,
            log_enabled=False,
        )

    def _init_shared_socket(self) -> None:
        self._ssp = None
        self._shd: Any = SocketHolder(self._descriptor, False, BACKLOG)  # type: ignore[call-arg]  # its stub is old


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the loop has its own
    from config.asgi import application

    uvloop.run(_serve(InheritedSocketServer(int(sys.argv[1]), application)))


async def _serve(server: Server) -> None:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    serving = asyncio.ensure_future(server.serve())
    waiting = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
        sys.exit(1)  # nobody asked it to end: the supervisor starts another
    server.stop()  # type: ignore[no-untyped-call]
    await asyncio.wait({serving}, timeout=DRAIN)
    sys.stderr.flush()
    os._exit(0)  # whatever still streams is cut here; its turn goes on in the worker


if __name__ == "__main__":
    main()
