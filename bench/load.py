"""A client that opens many streams at once and writes down when each piece came.

asker = Asker(url, key)
streams = await asker.all_at_once("/o/acme", chats, "When do you open?")
first = median([stream.first for stream in streams if stream.complete])
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from staffroom.core import outbound

LIMITS = outbound.Limits(connect=60, first=120, idle=120, total=600)


@dataclass(slots=True)
class Stream:
    """One reply as its reader saw it; times are seconds since it was asked for."""

    asked: float = field(default_factory=monotonic)
    arrivals: list[float] = field(default_factory=list)
    text: str = ""
    message: dict[str, Any] | None = None
    reply: dict[str, Any] | None = None
    error: str = ""

    def arrived(self, text: str) -> None:
        self.arrivals.append(monotonic() - self.asked)
        self.text += text

    @property
    def complete(self) -> bool:
        return not self.error and bool(self.reply)

    @property
    def first(self) -> float:
        return self.arrivals[0] if self.arrivals else float("nan")

    @property
    def gaps(self) -> list[float]:
        return [later - earlier for earlier, later in zip(self.arrivals, self.arrivals[1:], strict=False)]


class Asker:
    """A person's or program's key at a Staffroom server."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url, key

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """One request to the API; raises AssertionError with the problem for anything but success."""
        content = b"" if body is None else json.dumps(body).encode()
        async with self._request(method, path, content, "application/json") as answer:
            said = await answer.read()
        assert answer.status < 300, f"{method} {path}: {answer.status} {said[:500]!r}"
        return json.loads(said) if said else None

    async def ask(self, context: str, chat: str, text: str) -> Stream:
        """Says something in a chat and follows the reply to its end."""
        stream = Stream()
        path, content = f"{context}/chats/{chat}/messages", json.dumps({"text": text}).encode()
        try:
            async with self._request("POST", path, content, "text/event-stream") as answer:
                if answer.status != 200:
                    stream.error = f"{answer.status} {(await answer.read(2000))[:300]!r}"
                    return stream
                async for event, data in events(answer):
                    self._take(stream, event, json.loads(data))
        except outbound.OutboundError as error:
            stream.error = str(error)
        if not stream.reply:
            stream.error = stream.error or "the stream ended without the reply"
        return stream

    async def all_at_once(
        self, context: str, chats: Iterable[str], text: str, spread: float = 0
    ) -> list[Stream]:
        """Asks in all chats together, or evenly spread over so many seconds."""
        chats = list(chats)
        pauses = [spread * number / len(chats) for number in range(len(chats))]
        asked = [
            after(pause, self.ask(context, chat, text)) for pause, chat in zip(pauses, chats, strict=True)
        ]
        return await asyncio.gather(*asked)

    def _take(self, stream: Stream, event: str, data: dict[str, Any]) -> None:
        match event:
            case "message":
                stream.message = data
            case "delta":
                stream.arrived(data["text"])
            case "done":
                stream.reply = data
            case "error":
                stream.error = f"{data.get('code')}: {data.get('detail')}"

    def _request(self, method: str, path: str, content: bytes, accept: str) -> Any:
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Content-Type": "application/json",
            "Accept": accept,
        }
        address = f"{self.url}/api/v1{path}"
        return outbound.request(method, address, trusted=True, headers=headers, body=content, limits=LIMITS)


async def ask_model(url: str, model: str) -> Stream:
    """The same reply from the model server itself, without a house around it."""
    stream = Stream()
    request = {"model": model, "stream": True, "messages": [{"role": "user", "content": "When do you open?"}]}
    content = json.dumps(request).encode()
    async with outbound.request(
        "POST", f"{url}/chat/completions", trusted=True, body=content, limits=LIMITS
    ) as answer:
        async for _, data in events(answer):
            if data != "[DONE]" and (text := json.loads(data)["choices"][0]["delta"].get("content")):
                stream.arrived(text)
    stream.reply = {}
    return stream


async def events(answer: outbound.Answer) -> AsyncGenerator[tuple[str, str], None]:
    """The server-sent events of an answer: their names and data."""
    rest, name, data = b"", "message", []
    async for piece in answer.pieces():
        *lines, rest = (rest + piece).split(b"\n")
        for line in map(bytes.decode, lines):
            key, _, value = line.rstrip("\r").partition(":")
            if key == "event":
                name = value.strip()
            elif key == "data":
                data.append(value.removeprefix(" "))
            elif not key and not value and data:
                yield name, "\n".join(data)
                name, data = "message", []


async def after(seconds: float, what: Awaitable[Stream]) -> Stream:
    await asyncio.sleep(seconds)
    return await what
