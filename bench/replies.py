"""The replies of the stub: what it says, at which pace, and every way in which it breaks off."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.stub import Connection

PROSE = (
    "the shop opens at nine and every order leaves before noon so that parcels reach customers on the next "
    "working day unless the carrier says otherwise and then we write to them with a new date and an apology"
)
VOCABULARY = PROSE.split()
DONE = b"data: [DONE]\n\n"


def token(number: int) -> str:
    return ("" if number == 0 else " ") + VOCABULARY[number % len(VOCABULARY)]


def text(tokens: int) -> str:
    return "".join(map(token, range(tokens)))


@dataclass(frozen=True, slots=True)
class Pace:
    tokens: int = 200
    interval: float = 10
    first: float = 0

    def asked(self, numbers: list[float]) -> Pace:
        tokens, interval, first = [*numbers, *[self.tokens, self.interval, self.first][len(numbers) :]]
        return Pace(int(tokens), interval, first)


ERRORS = {
    "down": (503, "The server is overloaded or not ready yet."),
    "denied": (401, "Incorrect API key provided."),
    "missing": (404, "The model does not exist."),
    "reject": (400, "This model's maximum context length is 10 tokens."),
    "broken": (500, "The server had an error while processing your request."),
}


class Reply:
    """One completion, told to the connection as its model's name asks."""

    def __init__(self, connection: Connection, request: dict, name: str, numbers: list[float]) -> None:
        self.connection, self.request, self.name, self.numbers = connection, request, name, numbers
        self.number = 0
        self.pace = connection.state.pace
        model = json.dumps(request["model"])
        self.head = (
            f'data: {{"id":"c-1","object":"chat.completion.chunk","created":1,"model":{model},"choices":['
        )

    def begin(self) -> None:
        special = getattr(self, f"as_{self.name}", None)
        if self.name in ERRORS:
            self.refuse(*ERRORS[self.name])
        elif special:
            special(*self.numbers)
        else:
            self.paced(self.pace.asked(self.numbers) if self.name == "paced" else self.pace)

    def refuse(self, status: int, sentence: str, *headers: str) -> None:
        error = {"message": sentence, "type": "stub_error", "code": self.name}
        self.connection.answer(status, json.dumps({"error": error}).encode(), *headers)

    # The ordinary way

    def paced(self, pace: Pace) -> None:
        self.pace = pace
        if not self.request.get("stream"):
            self.connection.later(
                pace.first + pace.interval * pace.tokens, lambda: self.whole(text(pace.tokens))
            )
            return
        self.connection.begin_stream()
        self.begun = self.connection.loop.time() + pace.first / 1000
        self.connection.at(self.begun, self.tick)

    def tick(self) -> None:
        """Sends every token that is due, each in a chunk of its own: a late timer does not slow the pace."""
        if self.connection.transport.is_closing():
            return
        due = int((self.connection.loop.time() - self.begun) * 1000 / (self.pace.interval or 0.001)) + 1
        chunks = []
        while self.number < min(due, self.pace.tokens):
            event = self.delta(token(self.number))
            chunks.append(b"%x\r\n%b\r\n" % (len(event), event))
            self.number += 1
        self.connection.transport.write(b"".join(chunks))
        if self.number == self.pace.tokens:
            self.finish()
        else:
            self.connection.at(self.begun + self.number * self.pace.interval / 1000, self.tick)

    def delta(self, piece: str) -> bytes:
        content = json.dumps(piece)
        return (
            f'{self.head}{{"index":0,"delta":{{"content":{content}}},"finish_reason":null}}]}}\n\n'.encode()
        )

    def finish(self, reason: str = "stop") -> None:
        events = [self.ending(reason)]
        if (self.request.get("stream_options") or {}).get("include_usage"):
            events.append(f'{self.head}],"usage":{json.dumps(self.usage(self.number))}}}\n\n'.encode())
        self.connection.end_stream(*events, DONE)

    def ending(self, reason: str = "stop") -> bytes:
        return f'{self.head}{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}]}}\n\n'.encode()

    def usage(self, tokens: int) -> dict[str, int]:
        prompt = len(json.dumps(self.request["messages"])) // 4
        return {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}

    def whole(self, content: str) -> None:
        choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
        answer = {"id": "c-1", "object": "chat.completion", "created": 1, "model": self.request["model"]}
        answer |= {"choices": [choice], "usage": self.usage(len(content.split()))}
        self.connection.answer(200, json.dumps(answer).encode())

    def tokens(self, number: float) -> None:
        self.connection.begin_stream()
        for self.number in range(int(number)):
            self.connection.send(self.delta(token(self.number)))

    # The other ways

    def as_echo(self) -> None:
        said = json.dumps(self.request, ensure_ascii=False)
        if not self.request.get("stream"):
            self.whole(said)
            return
        self.connection.begin_stream()
        for start in range(0, len(said), 40):
            self.connection.send(self.delta(said[start : start + 40]))
        self.finish()

    def as_flaky(self, failures: float = 1) -> None:
        if self.connection.state.seen[self.request["model"]] <= failures:
            self.refuse(*ERRORS["down"])
        else:
            self.paced(self.pace)

    def as_busy(self, seconds: float = 7) -> None:
        self.refuse(429, "Rate limit reached.", f"Retry-After: {int(seconds)}")

    def as_elsewhere(self) -> None:
        self.connection.answer(302, b"", "Location: /v1/models")

    def as_nonsense(self) -> None:
        self.connection.answer(200, b"<!doctype html><title>Welcome</title>", kind="text/html")

    def as_mute(self) -> None:
        self.connection.streaming = True
        self.connection.state.open += 1

    def as_slow(self, milliseconds: float = 60_000) -> None:
        self.paced(Pace(self.pace.tokens, self.pace.interval, milliseconds))

    def as_stall(self, number: float = 5) -> None:
        self.tokens(number)

    def as_cut(self, number: float = 5) -> None:
        self.tokens(number)
        self.connection.transport.close()

    def as_short(self, number: float = 5) -> None:
        self.tokens(number)
        self.connection.end_stream()

    def as_malformed(self, number: float = 5) -> None:
        self.tokens(number)
        self.connection.end_stream(b'data: {"choices":[{"delta":{"cont\n\n', DONE)

    def as_failing(self, number: float = 5) -> None:
        self.tokens(number)
        error = {"error": {"message": "The model crashed.", "type": "server_error", "code": 500}}
        self.connection.end_stream(b"data: %b\n\n" % json.dumps(error).encode())

    def as_withheld(self, number: float = 5) -> None:
        self.tokens(number)
        self.finish("content_filter")

    def as_endless(self) -> None:
        self.pour(b"".join(self.delta(token(number)) for number in range(1, 50)))

    def as_endlessword(self) -> None:
        self.pour(self.delta("a" * 1000))

    def as_flood(self) -> None:
        self.pour(b"data: " + b"x" * 60_000)

    def pour(self, data: bytes) -> None:
        if not self.connection.streaming:
            self.connection.begin_stream()
        if self.connection.transport.is_closing():
            return
        if self.connection.writable:
            self.connection.send(data)
        self.connection.later(1, lambda: self.pour(data))

    def as_huge(self, kilobytes: float = 2000) -> None:
        self.connection.begin_stream()
        self.connection.send(self.delta("word " * int(kilobytes * 1000 / 5)))
        self.finish()

    def as_shredded(self, number: float = 5) -> None:
        self.connection.begin_stream()
        data = b"".join(self.delta(token(each)) for each in range(int(number))) + self.ending() + DONE
        self.shred(b"".join(b"1\r\n%c\r\n" % byte for byte in data) + b"0\r\n\r\n", 0)

    def shred(self, data: bytes, start: int) -> None:
        self.connection.transport.write(data[start : start + 7])
        if start + 7 < len(data):
            self.connection.later(0, lambda: self.shred(data, start + 7))
        else:
            self.connection.ended()

    def as_comments(self, number: float = 5) -> None:
        self.connection.begin_stream()
        self.connection.send(b": waiting\r\n\r\nevent: chunk\r\nid: 1\r\nretry: 10\r\n")
        for each in range(int(number)):
            self.connection.send(b": still there\r\n" + self.delta(token(each)).replace(b"\n", b"\r\n"))
        self.connection.end_stream(self.ending().replace(b"\n", b"\r\n"), b"data:[DONE]\r\n\r\n")
