"""The load client against a server that speaks as API.md says, and as it does not."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bench.load import Asker, Stream

MESSAGE = 'event: message\ndata: {"id": "m1"}\n\n'
DONE = 'event: done\ndata: {"id": "m2", "words": 12}\n\n'


def delta(text: str) -> str:
    return f"event: delta\ndata: {json.dumps({'text': text})}\n\n"


@asynccontextmanager
async def server(*parts: str, status: int = 200) -> AsyncIterator[str]:
    """Sends the parts 50 ms apart to whoever asks."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 %d X\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" % status
        )
        for part in parts:
            writer.write(part.encode())
            await asyncio.sleep(0.05)
        writer.close()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


def ask(*parts: str, status: int = 200, chats: int = 1) -> list[Stream]:
    async def run() -> list[Stream]:
        async with server(*parts, status=status) as url:
            return await Asker(url, "key").all_at_once("/me", [str(number) for number in range(chats)], "Hi")

    return asyncio.run(run())


def test_a_reply_is_followed_to_its_end():
    [stream] = ask(MESSAGE, delta("one "), ": still there\n\n", delta("two\n"), DONE)
    assert stream.complete
    assert stream.text == "one two\n"
    assert stream.message == {"id": "m1"}
    assert stream.reply == {"id": "m2", "words": 12}
    assert 0.03 < stream.first < 0.5
    assert [0.08 < gap < 0.5 for gap in stream.gaps] == [True]


def test_many_streams_run_beside_each_other():
    streams = ask(MESSAGE, delta("one"), DONE, chats=20)
    assert all(stream.complete for stream in streams)
    assert max(stream.first for stream in streams) < 1


@pytest.mark.parametrize(
    ("parts", "status", "error"),
    [
        ([MESSAGE, delta("one")], 200, "without the reply"),
        (['event: error\ndata: {"code": "out_of_words", "detail": "No words."}\n\n'], 200, "out_of_words"),
        (['{"code": "rate_limited"}'], 429, "429"),
    ],
)
def test_what_goes_wrong_is_written_down(parts, status, error):
    [stream] = ask(*parts, status=status)
    assert not stream.complete
    assert error in stream.error
