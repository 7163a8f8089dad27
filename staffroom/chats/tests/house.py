"""A web process and a worker on one event loop, with a scripted model: for scenes about turns.

def test_…(self):
    async def scene(house):
        ...
    play(scene, Model("Good ", "day."))
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

from django.db import connection

from staffroom.chats import conversations, queries, routes
from staffroom.chats.streams import Streams
from staffroom.chats.worker.runner import Runner
from staffroom.core.bus import Bus, bus
from staffroom.core.scope import workspace_scope
from staffroom.core.server import Server
from staffroom.employees import minds, roster
from staffroom.employees.models import Employee
from staffroom.workspaces.members import Member
from tests.cast import Cast


class Model:
    """Says its pieces; `gate` (when closed) holds it before the piece of that number, `error` comes at the end."""

    def __init__(self, *pieces: str, error: Exception | None = None, hold_before: int | None = None) -> None:
        self.pieces, self.error, self.hold_before = pieces, error, hold_before
        self.gate = asyncio.Event()
        self.briefs: list[minds.Brief] = []
        self.reached = asyncio.Event()

    async def stream(self, brief: minds.Brief, keys: Any = None) -> AsyncIterator[str]:
        self.briefs.append(brief)
        for number, piece in enumerate(self.pieces):
            if number == self.hold_before:
                self.reached.set()
                await self.gate.wait()
            yield piece
            await asyncio.sleep(0)
        if self.hold_before == len(self.pieces):
            self.reached.set()
            await self.gate.wait()
        if self.error:
            raise self.error


class House:
    def __init__(self, cast: Cast, server: Server, web: Streams) -> None:
        self.cast, self.server, self.web = cast, server, web
        self.keys: dict[UUID, str] = {}

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Runner]:
        runner = Runner(bus, streams=20)
        await runner.open()
        running = asyncio.create_task(runner.run())
        try:
            yield runner
        finally:
            runner.stop()
            await running
            await runner.close()

    async def inside(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """A rule or query of the heart, in Acme's scope, in a thread."""

        def scoped() -> Any:
            with workspace_scope(self.cast.acme.id):
                return call(*arguments, **named)

        return await asyncio.to_thread(_and_give_back, scoped)

    async def call(
        self, method: str, path: str, body: Any = None, *, accept: str = "", key: str = "", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        answer = Answer()
        await self._ask(method, path, body, answer, accept=accept, key=key, headers=headers)
        return answer.status, answer.headers, answer.body

    async def say(self, chat: UUID, text: str = "When do you open?", **more: Any) -> tuple[int, Any]:
        headers = {"idempotency-key": more.pop("idempotency_key")} if "idempotency_key" in more else {}
        status, _, body = await self.call(
            "POST", f"/chats/{chat}/messages", {"text": text, **more}, **headers
        )
        return status, json.loads(body)

    async def hear(self, chat: UUID, text: str = "When do you open?", **more: Any) -> list[tuple[str, Any]]:
        """The events of a streamed reply."""
        _, _, body = await self.call(
            "POST", f"/chats/{chat}/messages", {"text": text, **more}, accept="text/event-stream"
        )
        return parsed(body)

    @asynccontextmanager
    async def following(self, chat: UUID, last: str = "", **named: Any) -> AsyncIterator[Answer]:
        """The chat's events, as they come."""
        answer = Answer()
        headers = {"last-event-id": last} if last else {}
        task = asyncio.create_task(
            self._ask("GET", f"/chats/{chat}/events", None, answer, headers=headers, **named)
        )
        try:
            await answer.begun.wait()
            yield answer
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _ask(
        self,
        method: str,
        path: str,
        body: Any,
        answer: Answer,
        *,
        accept: str = "",
        key: str = "",
        headers: Any,
    ) -> None:
        content = json.dumps(body).encode() if body is not None else b""
        path = f"/api/v1/o/{self.cast.acme.slug}{path}"
        given = {
            "host": "testserver",
            "authorization": f"Bearer {key or await self.key()}",
            "content-type": "application/json",
            "accept": accept or "application/json",
            "content-length": str(len(content)),
            **headers,
        }
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
            "scheme": "http", "http_version": "1.1", "server": ("testserver", 80), "client": ("127.0.0.1", 1),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }  # fmt: skip
        body_part = {"type": "http.request", "body": content, "more_body": False}
        parts = io.BytesIO(b"1")

        async def receive() -> dict[str, Any]:
            if parts.read(1):
                return body_part
            await asyncio.Event().wait()
            raise AssertionError

        await self.server(scope, receive, answer.take)

    async def key(self, user: Any = None) -> str:
        user = user or self.cast.alice
        if user.id not in self.keys:
            self.keys[user.id] = await asyncio.to_thread(_and_give_back, self.cast.key, user)
        return self.keys[user.id]


def _and_give_back(call: Callable[..., Any], *arguments: Any) -> Any:
    """A thread ends with its loop; its connection must not end with it."""
    try:
        return call(*arguments)
    finally:
        connection.close()


class Answer:
    def __init__(self) -> None:
        self.status, self.headers, self.body, self.ended = 0, dict[str, str](), b"", False
        self.begun, self._more = asyncio.Event(), asyncio.Event()

    async def take(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            self.begun.set()
        else:
            self.body += message["body"]
            self.ended = not message.get("more_body")
        self._more.set()

    @property
    def events(self) -> list[tuple[str, Any]]:
        return parsed(self.body)

    @property
    def text(self) -> str:
        return "".join(data["text"] for name, data in self.events if name == "delta")

    @property
    def last_id(self) -> str:
        lines = self.body.decode().splitlines()
        return [line[4:] for line in lines if line.startswith("id: ")][-1]

    async def until(self, condition: Callable[[], Any], seconds: float = 10) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self._more.clear()
                await self._more.wait()


def parsed(body: bytes) -> list[tuple[str, Any]]:
    events: list[tuple[str, Any]] = []
    for block in body.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            events.append((fields["event"], json.loads(fields["data"])))
    return events


Scene = Callable[[House], Awaitable[None]]


def play(
    scene: Scene, model: Model | None, cast: Cast, monkeypatch: Any, script: Model | None = None
) -> None:
    """With a model a worker runs from the beginning; with a script only when the scene asks for one."""
    if spoken := model or script:
        monkeypatch.setattr(minds, "stream", spoken.stream)
    asyncio.run(_play(scene, cast, monkeypatch, works=model is not None))


async def _play(scene: Scene, cast: Cast, monkeypatch: Any, *, works: bool) -> None:
    web = Streams(Bus())
    monkeypatch.setattr(routes, "streams", web)
    await web.open()
    house = House(cast, Server(), web)
    try:
        async with AsyncExitStack() as stack:
            if works:
                await stack.enter_async_context(house.worker())
            async with asyncio.timeout(40):
                await scene(house)
    finally:
        await web.close()
        house.server.threads.shutdown()


def hired(cast: Cast, **settings: Any) -> Employee:
    with cast.inside(cast.acme):
        employee = roster.hire("Mira", persona="You answer for a bicycle rental.", by=cast.member(cast.alice))
        if settings:
            Employee.objects.filter(id=employee.id).update(settings={**employee.settings, **settings})
        return employee


def chat_with(cast: Cast, employee: Employee, by: Member | None = None) -> UUID:
    with cast.inside(cast.acme):
        return conversations.start(employee.id, by=by or cast.member(cast.alice, cast.acme)).id


def said(cast: Cast, chat: UUID) -> list[queries.Said]:
    member = cast.member(cast.alice, cast.acme)
    with cast.inside(cast.acme):
        return list(queries.messages(member, chat, 200).items)
