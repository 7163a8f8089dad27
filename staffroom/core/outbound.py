"""The only way out: HTTP requests of this house to addresses in the world.

Whoever calls says whether the address is trusted. The operator's own (from the environment) are, loopback and
private ones too. What users type is not: every name is resolved here, only public addresses are connected to,
the connection goes to the very address that was checked (a name that changes its mind in between gains
nothing), and every redirect is checked again.

HTTP/1.1 by hand on an asyncio protocol, since streams of models are what this house spends its processor time
on: a reader may ask that pieces which follow each other quickly come as one. Proxies of the environment are not used.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from time import monotonic
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from staffroom.core.http1 import Body, Head, Malformed, read_head

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

REDIRECTS: Final = (301, 302, 303, 307, 308)
IDLE_CONNECTIONS: Final = 64
IDLE_SECONDS: Final = 15.0


class OutboundError(Exception):
    """The request did not come to its end; the text says why, for a person."""


class Refused(OutboundError):
    """The address is not one that may be asked for."""


class Unreachable(OutboundError):
    """No connection came about."""


class TooSlow(OutboundError):
    """A time limit ran out."""


class TooLarge(OutboundError):
    """The answer is larger than allowed."""


class BrokenOff(OutboundError):
    """The connection ended before the answer did, or what came is not HTTP."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and bytes; `first` runs from the request to the head of the answer, `idle` between two reads."""

    connect: float = 10
    first: float = 30
    idle: float = 30
    total: float = 120
    size: int = 25_000_000


@dataclass(frozen=True, slots=True)
class Target:
    scheme: str
    host: str
    port: int
    path: str
    trusted: bool

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Page:
    """An answer read to its end; `url` is where the redirects led."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


# Asking


async def fetch(url: str, *, trusted: bool = False, limits: Limits = Limits(), hops: int = 5) -> Page:
    """Reads a page, following redirects; every hop is checked like the first address."""
    for _ in range(hops + 1):
        async with request("GET", url, trusted=trusted, limits=limits) as answer:
            if answer.status not in REDIRECTS or "location" not in answer.headers:
                return Page(url, answer.status, answer.headers, await answer.read())
            url = urljoin(url, answer.headers["location"])
    raise Refused("The address leads from one redirect to the next without end.")


@asynccontextmanager
async def request(
    method: str,
    url: str,
    *,
    trusted: bool,
    headers: Mapping[str, str] = {},
    body: bytes = b"",
    limits: Limits = Limits(),
) -> AsyncIterator["Answer"]:
    """Opens the answer to one request. Leaving before its end closes the connection."""
    target = parse(url, trusted=trusted)
    pool = _pool()
    message = _message(method, target, headers, body)
    connection, head = await _exchange(pool, target, message, limits)
    answer = Answer(connection, head, limits)
    try:
        yield answer
    finally:
        pool.give_back(target, connection) if answer.reusable else connection.close()


class Answer:
    """The head of an answer, and its body as it arrives.

    Pieces that follow within `merge` seconds of the last one come as one; set it when there is no more hurry.
    """

    def __init__(self, connection: "_Connection", head: Head, limits: Limits) -> None:
        self.status, self.headers = head.status, head.headers
        self._connection, self._idle = connection, limits.idle
        self._size_left = limits.size
        self._body = Body(head)
        self.merge = 0.0

    @property
    def reusable(self) -> bool:
        return self._body.complete and self._body.keep_alive and not self._connection.ended

    async def pieces(self) -> AsyncIterator[bytes]:
        connection, body = self._connection, self._body
        while True:
            if piece := self._take():
                yield piece
            if body.complete:
                return
            if connection.ended:
                self._end()
                return
            await connection.more(self._idle, self.merge)

    async def read(self, size: int | None = None) -> bytes:
        """The whole body, or its beginning of at least that size."""
        parts = bytearray()
        async for piece in self.pieces():
            parts += piece
            if size is not None and len(parts) >= size:
                break
        return bytes(parts)

    def hurry(self, seconds: float) -> None:
        """What is left is not worth waiting longer for."""
        self._idle = min(self._idle, seconds)

    def _take(self) -> bytes:
        try:
            piece = self._body.take(self._connection.buffer)
        except Malformed as error:
            raise BrokenOff("The server's answer is not HTTP.") from error
        self._size_left -= len(piece)
        if self._size_left < 0:
            raise TooLarge("The answer is larger than allowed.")
        return piece

    def _end(self) -> None:
        if not self._body.ends_with_connection or self._connection.lost:
            raise BrokenOff("The connection ended in the middle of the answer.")


# Addresses


def parse(url: str, *, trusted: bool) -> Target:
    """Takes an address apart; raises Refused for what is no plain http or https address."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = _ascii_host(parts.hostname or "")
    except ValueError as error:
        raise Refused("This is not a web address.") from error
    if parts.scheme not in ("http", "https") or not host:
        raise Refused("Only http:// and https:// addresses can be opened.")
    if parts.username is not None or parts.password is not None:
        raise Refused("An address must not carry a name or a password.")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/?%:@!$&'()*+,;=~-._[]")
    return Target(parts.scheme, host, port, f"{path}?{query}" if query else path, trusted)


def _ascii_host(host: str) -> str:
    """IDNA of a name; `idna` fails with UnicodeError, which is a ValueError, on empty and overlong labels."""
    return host if ":" in host else host.encode("idna").decode("ascii").lower()


def is_public(address: str) -> bool:
    """Whether an address belongs to the open internet, also when IPv6 wraps an IPv4 one in it."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if parsed in _NAT64:
        parsed = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
    return all(
        each.is_global and not (each.is_multicast or each.is_reserved) for each in [parsed, *_wrapped(parsed)]
    )


def _wrapped(address: Address) -> list[Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return []
    return [each for each in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())) if each]


_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


async def _addresses(target: Target) -> list[str]:
    addresses = [target.host] if _is_address(target.host) else await _resolved(target)
    if not target.trusted and not all(map(is_public, addresses)):
        raise Refused("Addresses inside private networks cannot be opened.")
    return addresses


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _resolved(target: Target) -> list[str]:
    """Also of odd spellings such as 127.1 and 0x7f000001, which the resolver understands."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            target.host, target.port, type=socket.SOCK_STREAM
        )
    except OSError as error:
        raise Unreachable(f"The name {target.host} is not known.") from error
    return list(dict.fromkeys(str(info[4][0]) for info in found))


# Connections


async def _exchange(
    pool: "_Pool", target: Target, message: bytes, limits: Limits
) -> tuple["_Connection", Head]:
    """Sends the message and reads the head of the answer.

    A kept connection that the server has closed meanwhile is replaced once: nothing came back on it.
    """
    while True:
        kept = pool.take(target)
        connection = kept or await _connect(target, limits.connect)
        try:
            return connection, await connection.ask(message, limits)
        except BaseException as error:
            connection.close()
            if not (kept and isinstance(error, BrokenOff) and not connection.received):
                raise


async def _connect(target: Target, seconds: float) -> "_Connection":
    problem: Exception | None = None
    try:
        async with asyncio.timeout(seconds):
            for address in await _addresses(target):
                try:
                    return await _connect_to(address, target)
                except OSError as error:
                    problem = error
    except TimeoutError as error:
        raise Unreachable(f"{target.origin} does not answer.") from error
    if isinstance(problem, ssl.SSLError):
        raise Unreachable(f"{target.origin} has no certificate that can be trusted.") from problem
    raise Unreachable(f"{target.origin} refuses the connection.") from problem


async def _connect_to(address: str, target: Target) -> "_Connection":
    secure = target.scheme == "https"
    _, connection = await asyncio.get_running_loop().create_connection(
        _Connection,
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


class _Pool:
    """Connections that wait for the next request to the same place, the youngest on top."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, str, int, bool], list[_Connection]] = {}

    def take(self, target: Target) -> "_Connection | None":
        waiting = self._idle.get(self._key(target), [])
        while waiting:
            connection = waiting.pop()
            if connection.wake():
                return connection
        return None

    def give_back(self, target: Target, connection: "_Connection") -> None:
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


_pools: dict[asyncio.AbstractEventLoop, _Pool] = {}


def _pool() -> _Pool:
    loop = asyncio.get_running_loop()
    if loop not in _pools:
        for closed in [each for each in _pools if each.is_closed()]:
            del _pools[closed]
        _pools[loop] = _Pool()
    return _pools[loop]


class _Connection(asyncio.Protocol):
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
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

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


# The message


def _message(method: str, target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = {
        "Host": target.origin,
        "Accept-Encoding": "identity",
        "User-Agent": "Staffroom",
        **headers,
    }
    if body or method != "GET":
        lines["Content-Length"] = str(len(body))
    if any(set("\r\n\0") & set(name + value) for name, value in lines.items()):
        raise Refused("A header holds a line break.")
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {target.path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body
