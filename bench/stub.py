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

from bench.replies import Pace, Reply, text

__all__ = ["Pace", "running", "serve", "text", "told"]


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
