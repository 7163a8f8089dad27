"""Readers of a model's stream: what each way of reading the same 200-token reply costs.

Each way runs in a process of its own, against a stub in another, 200 tokens 10 ms apart.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import msgspec

from bench import stub
from bench.figures import Figure, note, shown

MODEL = "paced-200-10"
MESSAGES = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "When do you open?"}]

Hear = Callable[[str], None]
Read = Callable[[Hear], Awaitable[None]]


def ours(url: str) -> Read:
    from staffroom.employees import minds

    keys = minds.Credentials(base_url=url, openai_key="stub")
    brief = minds.Brief(f"openai:{MODEL}", "Be kind.", (minds.Line("user", "When do you open?"),), (), 1000)

    async def read(hear: Hear) -> None:
        async for text in minds.stream(brief, keys):
            hear(text)

    return read


def pydantic_ai(url: str) -> Read:
    from staffroom.employees import minds
    from staffroom.employees.minds import providers

    keys = minds.Credentials(base_url=url, openai_key="stub")
    brief = minds.Brief(f"openai:{MODEL}", "Be kind.", (minds.Line("user", "When do you open?"),), (), 1000)

    async def read(hear: Hear) -> None:
        async for text in providers.stream("openai", MODEL, brief, keys):
            hear(text)

    return read


def openai_sdk(url: str) -> Read:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=url, api_key="stub")

    async def read(hear: Hear) -> None:
        stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)  # type: ignore[call-overload]
        async for event in stream:
            hear(event.choices[0].delta.content or "")

    return read


def httpx2_msgspec(url: str) -> Read:
    import httpx2

    client = httpx2.AsyncClient(timeout=60, limits=httpx2.Limits(max_connections=None))
    body = {"model": MODEL, "messages": MESSAGES, "stream": True}

    async def read(hear: Hear) -> None:
        rest = b""
        async with client.stream("POST", f"{url}/chat/completions", json=body) as answer:
            async for piece in answer.aiter_raw():
                *events, rest = (rest + piece).split(b"\n\n")
                for event in events:
                    if event != b"data: [DONE]":
                        hear(msgspec.json.decode(event[5:])["choices"][0]["delta"].get("content", ""))

    return read


WAYS = {"ours": ours, "pydantic_ai": pydantic_ai, "openai_sdk": openai_sdk, "httpx2_msgspec": httpx2_msgspec}


async def cost(read: Read, number: int, rounds: int) -> float:
    """Milliseconds of processor time of this process for one reply."""

    async def one() -> None:
        heard: list[str] = []
        await read(heard.append)
        assert "".join(heard) == stub.text(200)

    await one()
    begun = time.process_time()
    for _ in range(rounds):
        await asyncio.gather(*[one() for _ in range(number)])
    return (time.process_time() - begun) / number / rounds * 1000


def measured(way: str, number: int, rounds: int) -> Figure:
    note(f"{way}, {number} at once")
    command = [sys.executable, "-m", "bench.readers", way, str(number), str(rounds)]
    spent = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return Figure(f"reading a reply, {way}, {number} at once", spent, "ms")


def main() -> list[Figure]:
    return shown(
        [measured(way, number, rounds) for way in WAYS for number, rounds in ((1, 2), (20, 2), (100, 1))]
    )


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        way, number, rounds = sys.argv[1:]
        with stub.running() as url:
            print(asyncio.run(cost(WAYS[way](url), int(number), int(rounds))))
