"""Any endpoint that speaks the OpenAI protocol, read with as little work as possible.

pydantic-ai spends several times the processor time on the same stream (figures in bench/README.md), and this
stream is what a busy installation does all day. Everything else stays with pydantic-ai.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

import msgspec

from staffroom.core import outbound
from staffroom.employees.minds.brief import Brief
from staffroom.employees.minds.credentials import Credentials
from staffroom.employees.minds.failures import ModelFailed, of_status, seconds_to_wait

MERGE: Final = 0.04
"""Seconds within which pieces of a stream are read as one: each read costs as much as several tokens.
The first text comes at once. Shorter than the tick in which replies are published, so that each tick has news."""
SIZE: Final = 20_000_000
LINE_SIZE: Final = 4_000_000
AFTER_THE_END: Final = 1.0
"""Seconds to wait for the end mark once the model has said why it ended."""


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Message | None = None
    message: _Message | None = None
    finish_reason: str | None = None


class _Event(msgspec.Struct):
    choices: list[_Choice] = []
    error: Any = None


_decode: Final = msgspec.json.Decoder(_Event).decode


async def stream(kind: str, name: str, brief: Brief, keys: Credentials) -> AsyncGenerator[str, None]:
    try:
        async with outbound.request(
            "POST",
            f"{keys.base_url}/chat/completions",
            trusted=keys.base_url_trusted,
            headers=_headers(keys),
            body=_body(name, brief),
            limits=outbound.Limits(first=keys.silence, idle=keys.silence, total=keys.total, size=SIZE),
        ) as answer:
            async for text in _reply(answer):
                yield text
    except outbound.OutboundError as error:
        raise _failure(error) from error


def _headers(keys: Credentials) -> Mapping[str, str]:
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    return {**headers, "Authorization": f"Bearer {keys.openai_key}"} if keys.openai_key else headers


def _body(name: str, brief: Brief) -> bytes:
    """No limit of tokens is sent: servers disagree about its name and refuse numbers that they find too large.
    Reading stops at the limit of words, which closes the connection, which ends the work."""
    system = brief.instructions()
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": line.role, "content": line.text} for line in brief.lines]
    request: dict[str, Any] = {"model": name, "messages": messages, "stream": True}
    if brief.temperature is not None:
        request["temperature"] = brief.temperature
    return msgspec.json.encode(request)


async def _reply(answer: outbound.Answer) -> AsyncGenerator[str, None]:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if answer.status != 200:
        raise await _refusal(answer)
    if kind == "application/json":
        yield _whole(await answer.read())
    elif kind == "text/event-stream":
        async for text in _streamed(answer):
            yield text
    else:
        raise ModelFailed("model_nonsense", detail=f"The answer is {kind or 'of no type'}.")


async def _streamed(answer: outbound.Answer) -> AsyncGenerator[str, None]:
    events = _Events()
    try:
        async for piece in answer.pieces():
            if text := events.feed(piece):
                yield text
                answer.merge = MERGE
            if events.failure:
                raise events.failure
            if events.marked:
                return
            if events.finished:
                answer.hurry(AFTER_THE_END)
    except outbound.OutboundError:
        if not events.finished:
            raise
    if not events.finished:
        raise ModelFailed("model_cut", detail="The stream ended without its end mark.")


def _whole(body: bytes) -> str:
    """The reply of a server that does not know streams."""
    try:
        event = _decode(body)
    except msgspec.DecodeError as error:
        raise ModelFailed("model_nonsense", detail=str(error)) from error
    text = "".join(choice.message.content or "" for choice in event.choices if choice.message)
    if event.error or not text:
        raise ModelFailed("model_nonsense", detail=_said(body))
    return text


class _Events:
    """Takes a stream of server-sent events apart.

    `finished` once the model gave its reason for ending or the end mark came, `marked` only after the latter:
    some servers leave it out. A `failure` is kept until the text before it was handed on.
    """

    def __init__(self) -> None:
        self.finished = self.marked = False
        self.failure: ModelFailed | None = None
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> str:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        texts: list[str] = []
        try:
            self._measure()
            for line in lines:
                self._line(line, texts)
        except ModelFailed as failure:
            self.failure = failure
        return "".join(texts)

    def _measure(self) -> None:
        if len(self._rest) > LINE_SIZE:
            raise ModelFailed("model_nonsense", detail="An event is too large.")

    def _line(self, line: bytes, texts: list[str]) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[5:].strip())
        elif self._data and line in (b"", b"\r"):
            data = b"\n".join(self._data)
            self._data.clear()
            self._event(data, texts)

    def _event(self, data: bytes, texts: list[str]) -> None:
        if data == b"[DONE]":
            self.finished = self.marked = True
            return
        try:
            event = _decode(data)
        except msgspec.DecodeError as error:
            raise ModelFailed("model_nonsense", detail=f"An event cannot be read: {error}") from error
        if event.error:
            raise _inner_failure(event.error)
        for choice in event.choices:
            if choice.delta and choice.delta.content:
                texts.append(choice.delta.content)
            if choice.finish_reason == "content_filter":
                raise ModelFailed("model_withheld")
            self.finished = self.finished or bool(choice.finish_reason)


# Failures


async def _refusal(answer: outbound.Answer) -> ModelFailed:
    wait = seconds_to_wait(answer.headers.get("retry-after"))
    return of_status(answer.status, detail=_said(await answer.read(65_536)), retry_after=wait)


def _said(body: bytes) -> str:
    """What the server gave as its reason, in one of the usual shapes, or the beginning of what it wrote."""
    text = body.decode(errors="replace").strip()
    try:
        said = json.loads(text)
        reason = said.get("error") or said.get("detail") or said.get("message")
        return str(reason.get("message") if isinstance(reason, dict) else reason)
    except (ValueError, AttributeError):
        return text


def _inner_failure(error: Any) -> ModelFailed:
    fields = error if isinstance(error, dict) else {"message": error}
    code, detail = fields.get("code"), str(fields.get("message"))
    return (
        of_status(code, detail=detail) if isinstance(code, int) else ModelFailed("model_down", detail=detail)
    )


def _failure(error: outbound.OutboundError) -> ModelFailed:
    code = next(code for kind, code in _CODES.items() if isinstance(error, kind))
    return ModelFailed(code, detail=str(error))


_CODES: Final = {
    outbound.Refused: "model_rejected",
    outbound.Unreachable: "model_unreachable",
    outbound.TooSlow: "model_slow",
    outbound.TooLarge: "model_nonsense",
    outbound.BrokenOff: "model_cut",
    outbound.OutboundError: "model_down",
}
