"""Django behind an ASGI server: one hop to a thread for the view, none for what streams.

Django's own handler hops between loop and threads several times a request. Here a request's middleware and
view run in one thread from start to end; only the body of a streaming answer (an asynchronous iterator) runs
on the loop. By then the thread has given its database connection back, so a thousand open streams hold none.
"""

from __future__ import annotations

import asyncio
import io
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.base import BaseHandler
from django.db import close_old_connections
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix
from django.utils.module_loading import import_string

from .answers import TooLarge, answer
from .files import scratch

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

THREADS = int(os.environ.get("STAFFROOM_THREADS", "4"))
_IN_MEMORY = 1024 * 1024


class BodyTooLarge(Exception):
    pass


class ClientGone(Exception):
    pass


class Later(HttpResponse):
    """An answer that a view promises: the loop waits for it, while no thread and no connection is held.

    `make` gives the answer itself; headers that were set on the promise go with it.
    """

    def __init__(self, make: Callable[[], Awaitable[HttpResponseBase]]) -> None:
        super().__init__()
        del self.headers["Content-Type"]
        self.make = make

    async def kept(self) -> HttpResponseBase:
        response = await self.make()
        while isinstance(response, Later):
            response = await response.make()
        for name, value in self.items():
            response.headers.setdefault(name, value)
        response.cookies.update(self.cookies)
        return response


class Server(BaseHandler):
    """The ASGI application. `opening` runs once on the loop before the first request (the bus, for one)."""

    def __init__(self, opening: Callable[[], Awaitable[None]] | None = None) -> None:
        self.load_middleware(is_async=False)
        scratch()
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="view")
        self.opening = opening
        self.opened: asyncio.Future[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._open()
            await self._http(scope, receive, send)

    async def _open(self) -> None:
        if self.opening and self.opened is None:
            self.opened = asyncio.ensure_future(self.opening())
        if self.opened is not None and not self.opened.done():
            await asyncio.shield(self.opened)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._open()
                await send({"type": "lifespan.startup.complete"})
            else:
                self.threads.shutdown(wait=True)
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        try:
            body = await _read_body(receive, lambda: loop.run_in_executor(self.threads, self._largest, scope))
        except ClientGone:
            return
        except BodyTooLarge:
            request = ASGIRequest(scope, io.BytesIO())
            await _send_whole(send, answer(request, TooLarge()))
            return
        try:
            response = await loop.run_in_executor(self.threads, self._respond, scope, body)
        finally:
            body.close()
        if isinstance(response, StreamingHttpResponse):
            await _send_stream(send, receive, response)
        elif isinstance(response, Later):
            await _unless_gone(receive, _send_later(send, response))
        else:
            await _send_whole(send, response)

    def _largest(self, scope: Scope) -> int:
        """In a thread: a body is larger than most, and who sends it decides whether it is read on."""
        try:
            largest: int = import_string(settings.LARGE_BODIES)(ASGIRequest(scope, io.BytesIO()))
            return largest
        finally:
            close_old_connections()

    def _respond(self, scope: Scope, body: IO[bytes]) -> HttpResponseBase:
        """In a thread: the whole of Django, then the connection goes back to the pool."""
        set_script_prefix("/")
        try:
            request = ASGIRequest(scope, body)
            response = self.get_response(request)
            if not response.streaming:
                response.close()  # sends request_finished, which returns the connection
                return response
        except BaseException:
            close_old_connections()
            raise
        close_old_connections()  # what streams goes on without one
        return response


async def _read_body(receive: Receive, larger: Callable[[], Awaitable[int]]) -> IO[bytes]:
    """On disk, where it is long; `larger` is asked once, when it goes beyond what everybody may send."""
    body = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - closed by the caller
        max_size=_IN_MEMORY, dir=str(scratch())
    )
    size, more, limit = 0, True, settings.BODY_LIMIT
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            body.close()
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit == settings.BODY_LIMIT:
            limit = await larger()
        if size > limit:
            body.close()
            raise BodyTooLarge
        body.write(part)
        more = message.get("more_body", False)
    body.seek(0)
    return body


async def _start(send: Send, response: HttpResponseBase) -> None:
    headers = [(name.lower().encode("ascii"), value.encode("latin1")) for name, value in response.items()]
    headers.extend(
        (b"set-cookie", cookie.OutputString().encode("ascii")) for cookie in response.cookies.values()
    )
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})


async def _send_whole(send: Send, response: HttpResponseBase) -> None:
    await _start(send, response)
    await send({"type": "http.response.body", "body": response.content})  # type: ignore[attr-defined]


async def _send_later(send: Send, promise: Later) -> None:
    response = await promise.kept()
    if not isinstance(response, StreamingHttpResponse):
        await _send_whole(send, response)
        return
    await _start(send, response)
    try:
        await _send_parts(send, response)
    finally:
        response.close()


async def _send_stream(send: Send, receive: Receive, response: StreamingHttpResponse) -> None:
    """Pass the parts on as they come."""
    await _start(send, response)
    try:
        await _unless_gone(receive, _send_parts(send, response))
    finally:
        response.close()


async def _unless_gone(receive: Receive, sending: Coroutine[Any, Any, None]) -> None:
    """A client that leaves cancels the rest."""
    task = asyncio.ensure_future(sending)
    leaving = asyncio.ensure_future(_wait_for_leaving(receive))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        for one in (task, leaving):
            one.cancel()
        await asyncio.gather(task, leaving, return_exceptions=True)


async def _send_parts(send: Send, response: StreamingHttpResponse) -> None:
    parts = response.streaming_content
    if isinstance(parts, AsyncIterator):
        async for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    else:
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _wait_for_leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
