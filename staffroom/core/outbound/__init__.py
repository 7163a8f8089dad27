"""The only way out: HTTP requests of this house to addresses in the world.

Whoever calls says whether the address is trusted. The operator's own (from the environment) are, loopback and
private ones too. What users type is not: every name is resolved here, only public addresses are connected to,
the connection goes to the very address that was checked (a name that changes its mind in between gains
nothing), and every redirect is checked again.

HTTP/1.1 by hand on an asyncio protocol, since streams of models are what this house spends its processor time
on: a reader may ask that pieces which follow each other quickly come as one. Proxies of the environment are not used.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from staffroom.core.outbound.addresses import Target, is_public, parse
from staffroom.core.outbound.connections import Connection, Limits, Pool, connect, pool
from staffroom.core.outbound.errors import BrokenOff, OutboundError, Refused, TooLarge, TooSlow, Unreachable
from staffroom.core.outbound.http1 import Body, Head, Malformed

__all__ = [
    "Answer",
    "BrokenOff",
    "Limits",
    "OutboundError",
    "Page",
    "Refused",
    "TooLarge",
    "TooSlow",
    "Unreachable",
    "fetch",
    "is_public",
    "parse",
    "request",
]

USUAL: Final = Limits()
REDIRECTS: Final = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Page:
    """An answer read to its end; `url` is where the redirects led."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


# Asking


async def fetch(url: str, *, trusted: bool = False, limits: Limits = USUAL, hops: int = 5) -> Page:
    """Reads a page, following redirects; every hop is checked, and trust does not lead to another host."""
    for _ in range(hops + 1):
        async with request("GET", url, trusted=trusted, limits=limits) as answer:
            if answer.status not in REDIRECTS or "location" not in answer.headers:
                return Page(url, answer.status, answer.headers, await answer.read())
            there = urljoin(url, answer.headers["location"])
        trusted = trusted and urlsplit(there).netloc == urlsplit(url).netloc
        url = there
    raise Refused("The address leads from one redirect to the next without end.")


@asynccontextmanager
async def request(
    method: str,
    url: str,
    *,
    trusted: bool,
    headers: Mapping[str, str] = {},
    body: bytes = b"",
    limits: Limits = USUAL,
) -> AsyncIterator["Answer"]:
    """Opens the answer to one request. Leaving before its end closes the connection."""
    target = parse(url, trusted=trusted)
    kept = pool()
    message = _message(method, target, headers, body)
    connection, head = await _exchange(kept, target, message, limits)
    answer = Answer(connection, head, limits)
    try:
        yield answer
    finally:
        kept.give_back(target, connection) if answer.reusable else connection.close()


async def _exchange(pool: Pool, target: Target, message: bytes, limits: Limits) -> tuple[Connection, Head]:
    """Sends the message and reads the head of the answer.

    A kept connection that the server has closed meanwhile is replaced once: nothing came back on it.
    """
    while True:
        kept = pool.take(target)
        connection = kept or await connect(target, limits.connect)
        try:
            return connection, await connection.ask(message, limits)
        except BaseException as error:
            connection.close()
            if not (kept and isinstance(error, BrokenOff) and not connection.received):
                raise


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


class Answer:
    """The head of an answer, and its body as it arrives.

    Pieces that follow within `merge` seconds of the last one come as one; set it when there is no more hurry.
    """

    def __init__(self, connection: Connection, head: Head, limits: Limits) -> None:
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
