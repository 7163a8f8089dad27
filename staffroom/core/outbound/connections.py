"""Connections: opened to the very address that was checked, kept for the next request, read by the way."""

import asyncio
import ssl
from dataclasses import dataclass
from functools import cache
from time import monotonic
from typing import Final, cast

from staffroom.core.outbound.addresses import Target, resolve
from staffroom.core.outbound.errors import BrokenOff, TooSlow, Unreachable
from staffroom.core.outbound.http1 import Head, Malformed, read_head

IDLE_CONNECTIONS: Final = 64
IDLE_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and bytes; `first` runs from the request to the head of the answer, `idle` between two reads."""

    connect: float = 10
    first: float = 30
    idle: float = 30
    total: float = 120
    size: int = 25_000_000


async def connect(target: Target, seconds: float) -> "Connection":
    problem: Exception | None = None
    try:
        async with asyncio.timeout(seconds):
            for address in await resolve(target):
                try:
                    return await _connect_to(address, target)
                except OSError as error:
                    problem = error
    except TimeoutError as error:
        raise Unreachable(f"{target.origin} does not answer.") from error
    if isinstance(problem, ssl.SSLError):
        raise Unreachable(f"{target.origin} has no certificate that can be trusted.") from problem
    raise Unreachable(f"{target.origin} refuses the connection.") from problem


async def _connect_to(address: str, target: Target) -> "Connection":
    secure = target.scheme == "https"
    _, connection = await asyncio.get_running_loop().create_connection(
        Connection,
        address,
        target.port,
        ssl=_certificates() if secure else None,
        server_hostname=target.host if secure else None,
    )
    return connection


@cache
def _certificates() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Pool:
    """Connections that wait for the next request to the same place, the youngest on top."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, str, int, bool], list[Connection]] = {}

    def take(self, target: Target) -> "Connection | None":
        waiting = self._idle.get(self._key(target), [])
        while waiting:
            connection = waiting.pop()
            if connection.wake():
                return connection
        return None

    def give_back(self, target: Target, connection: "Connection") -> None:
        waiting = self._idle.setdefault(self._key(target), [])
        waiting[:] = [each for each in waiting if not each.ended]
        if len(waiting) < IDLE_CONNECTIONS:
            waiting.append(connection)
            connection.sleep(IDLE_SECONDS)
        else:
            connection.close()

    @staticmethod
    def _key(target: Target) -> tuple[str, str, int, bool]:
        return target.scheme, target.host, target.port, target.trusted


_pools: dict[asyncio.AbstractEventLoop, Pool] = {}


def pool() -> Pool:
    loop = asyncio.get_running_loop()
    if loop not in _pools:
        for closed in [each for each in _pools if each.is_closed()]:
            del _pools[closed]
        _pools[loop] = Pool()
    return _pools[loop]


class Connection(asyncio.Protocol):
    """One connection; what has arrived and was not taken yet is in `buffer`."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.ended = self.lost = self.received = False
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = self._wait_until = self._end_at = 0.0
        self._read_at = 0.0
        self._reading = True

    # what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by their class

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self.received = True
        self._read_at = monotonic()
        self._transport.pause_reading()
        self._reading = False
        self._wake_up()

    def eof_received(self) -> None:
        self.ended = True
        self._wake_up()

    def connection_lost(self, error: Exception | None) -> None:
        self.ended = True
        self.lost = self.lost or error is not None
        self._wake_up()

    # what requests call

    async def ask(self, message: bytes, limits: Limits) -> Head:
        self._end_at = monotonic() + limits.total
        self.received = False
        self._transport.write(message)
        while True:
            try:
                head = read_head(self.buffer)
            except Malformed as error:
                raise BrokenOff("The server's answer is not HTTP.") from error
            if head:
                return head
            if self.ended:
                raise BrokenOff("The server closed the connection without an answer.")
            await self.more(limits.first)

    async def more(self, seconds: float, merge: float = 0) -> None:
        """Waits for further data, or for the end; not before `merge` seconds after the last."""
        now = monotonic()
        if now >= self._end_at:
            raise TooSlow("The answer took too long.")
        self._wait_until = min(now + seconds, self._end_at)
        self._watch(now)
        if not self._reading:
            self._resume_after(self._read_at + merge - now)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def sleep(self, seconds: float) -> None:
        self._resume()
        self._forget_timer()
        self._timer = self._loop.call_later(seconds, self.close)

    def wake(self) -> bool:
        """Whether the connection can be used again: it lives, and nothing unasked for has come."""
        self._forget_timer()
        usable = not self.ended and not self.buffer and not self._transport.is_closing()
        if not usable:
            self.close()
        return usable

    def close(self) -> None:
        self.ended = True
        self._forget_timer()
        self._transport.abort()

    def _forget_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None

    def _resume_after(self, seconds: float) -> None:
        if seconds > 0:
            self._loop.call_later(seconds, self._resume)
        else:
            self._resume()

    def _resume(self) -> None:
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def _wake_up(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def _watch(self, now: float) -> None:
        """Keeps one timer for all waits: it looks again when the time has moved on meanwhile."""
        if self._timer and now < self._timer_at <= self._wait_until:
            return
        if self._timer:
            self._timer.cancel()
        self._timer_at = self._wait_until
        self._timer = self._loop.call_later(self._wait_until - now, self._look_at_the_time)

    def _look_at_the_time(self) -> None:
        self._timer = None
        now = monotonic()
        if now < self._wait_until:
            self._watch(now)
        elif self._waiter and not self._waiter.done():
            self._waiter.set_exception(TooSlow("The server said nothing for too long."))
