"""Many clients at once on connections that are kept.

async with crowd(32, port) as clients:
    await clients.ask([Request("GET", "/healthz")] * 1000)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        return b"" if self.body is None else json.dumps(self.body).encode()

    def encoded(self) -> bytes:
        headers = {"Host": "127.0.0.1", "Content-Length": str(len(self.content))} | self.headers
        if self.body is not None:
            headers["Content-Type"] = "application/json"
        lines = [
            f"{self.method} {self.path} HTTP/1.1",
            *[f"{name}: {value}" for name, value in headers.items()],
        ]
        return "\r\n".join([*lines, "", ""]).encode() + self.content


@asynccontextmanager
async def crowd(number: int, port: int) -> AsyncIterator[Crowd]:
    clients = Crowd([await asyncio.open_connection("127.0.0.1", port) for _ in range(number)])
    try:
        yield clients
    finally:
        for _reader, writer in clients.connections:
            writer.close()


@dataclass(frozen=True, slots=True)
class Crowd:
    connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]

    async def ask(self, requests: list[Request]) -> None:
        """Each connection sends one and waits for its answer; raises RuntimeError for anything but success."""
        waiting = iter(requests)

        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for asked in waiting:
                writer.write(asked.encoded())
                await _answered(reader, asked)

        await asyncio.gather(*[one(*connection) for connection in self.connections])


async def _answered(reader: asyncio.StreamReader, asked: Request) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    body = await reader.readexactly(int(headers.get(b"content-length", 0)))
    if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
        raise RuntimeError(f"{asked.method} {asked.path}: {head[9:12].decode()} {body[:300]!r}")
