"""The database for code on the event loop: a small pool as the application's role, one statement at a time.

No transaction stays open here: each statement is one, and opens the workspace's scope inside itself. What the
statement does may be repeated, so it is when the database went away in the middle.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any, Final

import msgspec
import psycopg
from django.conf import settings
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout

GONE: Final = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout)
KEEPALIVE: Final[dict[str, Any]] = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
_OPTIONS: Final = "-c statement_timeout=30000 -c lock_timeout=10000 -c application_name=staffroom"


def is_away(error: Exception) -> bool:
    """Whether the database went away; a lock or a statement that took too long is none of that."""
    state = getattr(error, "sqlstate", None) or "57P"
    return isinstance(error, GONE) and state.startswith(("08", "57P"))


class Pool:
    def __init__(self, size: int) -> None:
        self._pool = AsyncConnectionPool(
            settings.DB_APP,
            min_size=1,
            max_size=size,
            open=False,
            timeout=10,
            reconnect_timeout=0,
            kwargs={"autocommit": True, "options": _OPTIONS, "prepare_threshold": 2, **KEEPALIVE},
            configure=_fast_json,
        )

    async def open(self) -> None:
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close()

    async def rows(self, statement: str, values: Sequence[Any], patience: float = 0) -> list[tuple[Any, ...]]:
        """What the statement gives. For `patience` seconds a database that is away is waited for."""
        until, pause = monotonic() + patience, 0.05
        while True:
            try:
                return await self._rows(statement, values)
            except GONE as error:
                # A statement that waited too long for a lock is no sign that the database is away.
                if monotonic() > until or (getattr(error, "sqlstate", None) or "57P").startswith("55"):
                    raise
                await asyncio.sleep(pause)
                pause = min(1.0, pause * 2)

    async def _rows(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall() if cursor.description else []


async def _fast_json(connection: psycopg.AsyncConnection[Any]) -> None:
    set_json_loads(msgspec.json.decode, connection)
    set_json_dumps(msgspec.json.encode, connection)
