"""A stand-in for a model server: the OpenAI protocol over real HTTP, paced, and broken on request.

    python -m bench.stub --port 9000 --tokens 200 --interval 10 --first 0

What it does is chosen by the name of the model (numbers may be left out, times are in milliseconds):

    paced-TOKENS-INTERVAL-FIRST   so many tokens, so far apart, the first one so late; any other name: as started
    echo            answers with the JSON of the request that came in
    flaky-N         503 for the first N requests of this name, then as started
    down busy-S denied missing reject broken   503, 429 (Retry-After: S), 401, 404, 400, 500
    elsewhere       redirects
    nonsense        200 with a page instead of a stream
    mute slow-MS    accepts and says nothing at all; answers but writes the first token so late
    stall-N         N tokens, then silence
    cut-N short-N   N tokens, then the connection breaks; the body ends cleanly but without [DONE]
    malformed-N     N tokens, then an event that is no JSON
    failing-N       N tokens, then an error inside the stream
    withheld-N      N tokens, then finish_reason content_filter
    endless         tokens as fast as they are taken; endlessword: the same without a blank
    flood           one line that never ends
    huge-KB         one token of so many kilobytes
    shredded-N      N tokens, the bytes sent one by one
    comments-N      N tokens with comments, blank lines and carriage returns between them

Every token is one word: `text(tokens)` is what a whole reply says. GET /stub tells what happened so far.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

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

    def asked(self, numbers: list[float]) -> "Pace":
        tokens, interval, first = [*numbers, *[self.tokens, self.interval, self.first][len(numbers) :]]
        return Pace(int(tokens), interval, first)


@dataclass(slots=True)
class State:
    """What happened since the start, for tests to look at."""

    pace: Pace
    seen: Counter[str] = field(default_factory=Counter)
    requests: deque[dict] = field(default_factory=lambda: deque(maxlen=50))
    connections: int = 0
    open: int = 0
    finished: int = 0
    abandoned: int = 0

    def as_json(self) -> bytes:
        return json.dumps(
            {
                "cpu": time.process_time(),
                "connections": self.connections,
                "open": self.open,
                "finished": self.finished,
                "abandoned": self.abandoned,
                "requests": list(self.requests),
            }
        ).encode()


class Connection(asyncio.Protocol):
    def __init__(self, state: State) -> None:
        self.state = state
        self.loop = asyncio.get_running_loop()
        self.buffer = b""
        self.timer: asyncio.TimerHandle | None = None
        self.streaming = self.writable = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.writable = True
        self.state.connections += 1

    def connection_lost(self, error: Exception | None) -> None:
        if self.timer:
            self.timer.cancel()
        if self.streaming:
            self.streaming = False
            self.state.open -= 1
            self.state.abandoned += 1

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.streaming:
            self.take_request()

    def take_request(self) -> None:
        head, blank, rest = self.buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        self.handle(*first.split(" ")[:2], headers, rest[:length])

    def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        if path == "/stub":
            self.answer(200, self.state.as_json())
        elif path.endswith("/models"):
            self.answer(200, b'{"object":"list","data":[{"id":"paced","object":"model","owned_by":"stub"}]}')
        elif path.endswith("/chat/completions") and method == "POST":
            self.complete(path, headers, body)
        else:
            self.answer(404, b'{"error":{"message":"no such path","type":"invalid_request_error"}}')

    def complete(self, path: str, headers: dict[str, str], body: bytes) -> None:
        request = json.loads(body)
        self.state.requests.append({"path": path, "headers": headers, "body": request})
        name, *numbers = request["model"].split("-")
        self.state.seen[request["model"]] += 1
        Reply(self, request, name, [float(number) for number in numbers if number.isdigit()]).begin()

    def answer(self, status: int, body: bytes, *extra: str, kind: str = "application/json") -> None:
        lines = [f"HTTP/1.1 {status} Stub", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *extra]
        self.transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        self.take_request()

    def begin_stream(self) -> None:
        self.streaming = True
        self.state.open += 1
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )

    def send(self, data: bytes) -> None:
        self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def end_stream(self, *events: bytes) -> None:
        for event in events:
            self.send(event)
        self.transport.write(b"0\r\n\r\n")
        self.ended()

    def ended(self) -> None:
        self.streaming = False
        self.state.open -= 1
        self.state.finished += 1
        self.take_request()

    def later(self, milliseconds: float, call: Callable[[], None]) -> None:
        self.timer = self.loop.call_later(milliseconds / 1000, call)

    def at(self, moment: float, call: Callable[[], None]) -> None:
        self.timer = self.loop.call_at(moment, call)


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


async def serve(port: int, pace: Pace, announce: Callable[[str], None]) -> None:
    state = State(pace)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(state), "127.0.0.1", port, backlog=1024)
    announce(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    await server.serve_forever()


@contextlib.contextmanager
def running(tokens: int = 200, interval: float = 10, first: float = 0) -> Iterator[str]:
    """A stub in a process of its own; gives the base URL. It told the port itself, so it is nobody else's."""
    options = [f"--tokens={tokens}", f"--interval={interval}", f"--first={first}", "--until-stdin-ends"]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.stub", *options],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def told(url: str) -> dict:
    """What happened at the stub so far: cpu, connections, open, finished and abandoned streams, requests."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stub") as answer:
        return json.load(answer)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=Pace.tokens)
    parser.add_argument("--interval", type=float, default=Pace.interval, help="milliseconds between tokens")
    parser.add_argument("--first", type=float, default=Pace.first, help="milliseconds before the first token")
    parser.add_argument(
        "--until-stdin-ends", action="store_true", help="end with the process that started it"
    )
    asked = parser.parse_args()

    async def run() -> None:
        served = asyncio.ensure_future(
            serve(
                asked.port,
                Pace(asked.tokens, asked.interval, asked.first),
                lambda url: print(url, flush=True),
            )
        )
        if asked.until_stdin_ends:
            asyncio.get_running_loop().add_reader(sys.stdin, served.cancel)
        await served

    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(run())


if __name__ == "__main__":
    main()
