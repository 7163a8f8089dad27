"""Chat: replies of 200 tokens through the whole product, everything stored and charged.

`staffroom run` with its own database (fsync on) in a data folder of its own, in front of the stub at its pace.
Processor time is that of all our processes and the database.
"""

import asyncio

from bench import stub
from bench.figures import Figure, median, note, percentile, shown
from bench.load import Asker, Stream, ask_model
from bench.processes import seconds, tree
from tests import product

TOKENS = 200
FAST, CALM = "paced-200-10", "paced-200-30"
QUESTION = "When does the shop open, and when do parcels leave?"


class House:
    """A running product with an organization and two employees, one for each pace."""

    def __init__(self, running: product.Product, stub_url: str) -> None:
        self.product, self.stub_url = running, stub_url
        self.asker = Asker(running.url, running.person("alice@example.com", "Alice"))
        self.employees: dict[str, str] = {}

    async def furnish(self) -> None:
        made = await self.asker.call("POST", "/organizations", {"name": "Bench"})
        self.context = f"/o/{made['slug']}"
        self.product.command(
            "words", "grant", "--organization", made["slug"], "100000000", "--reason", "measuring"
        )
        for model in (FAST, CALM):
            employee = {
                "name": model,
                "persona": "You are a kind shop assistant.",
                "model": f"openai:{model}",
            }
            self.employees[model] = (await self.asker.call("POST", f"{self.context}/employees", employee))[
                "id"
            ]

    async def chats(self, number: int, model: str) -> list[str]:
        path, body = f"{self.context}/chats", {"employee": self.employees[model]}
        return [(await self.asker.call("POST", path, body))["id"] for _ in range(number)]

    async def replies(self, number: int, model: str = FAST) -> list[Stream]:
        """So many replies at once, each in a new chat."""
        chats = await self.chats(number, model)
        await asyncio.sleep(0.5)
        return await self.asker.all_at_once(self.context, chats, QUESTION)

    def seconds(self) -> float:
        return seconds(self.product.process.pid)

    def memory(self) -> float:
        return sum(each.memory() for each in tree(self.product.process.pid) if not each.is_database)


def faults(streams: list[Stream]) -> int:
    """Streams that failed, or whose text is not exactly what the model said."""
    wrong = [stream for stream in streams if not stream.complete or stream.text != stub.text(TOKENS)]
    for stream in wrong[:3]:
        note(f"  fault: {stream.error or stream.text[-200:]!r}")
    return len(wrong)


async def cost(house: House, number: int, rounds: int) -> Figure:
    spent = 0.0
    for _ in range(rounds):
        chats = await house.chats(number, FAST)
        before = house.seconds()
        faults(await house.asker.all_at_once(house.context, chats, QUESTION))
        await asyncio.sleep(1)
        spent += house.seconds() - before
    name = f"processor time of a reply, {number} at once"
    return Figure(name, spent / (number * rounds) * 1000, "ms", 60)


async def lateness(house: House, number: int, rounds: int, limit: float) -> Figure:
    """How much later the first text comes than from the model alone, as the median."""
    alone: list[float] = []
    ours: list[float] = []
    for _ in range(rounds):
        streams = await asyncio.gather(*[ask_model(house.stub_url, FAST) for _ in range(number)])
        alone += [stream.first for stream in streams]
        ours += [stream.first for stream in await house.replies(number) if stream.complete]
    added = (median(ours) - median(alone)) * 1000
    return Figure(f"first text later than the model alone, {number} at once", added, "ms", limit)


async def smoothness(house: House, number: int, model: str) -> list[Figure]:
    streams = await house.replies(number, model)
    gaps = [gap * 1000 for stream in streams for gap in stream.gaps]
    name = f"{number} streams at {model.rpartition('-')[2]} ms a token"
    return [
        Figure(f"{name}: faults", faults(streams), "", 0),
        Figure(f"{name}: 95th percentile of gaps", percentile(gaps, 95), "ms", 120),
    ]


async def measured(house: House) -> list[Figure]:
    await house.furnish()
    note("warming up")
    await house.replies(5)
    figures = []
    for number, rounds, limit in ((1, 10, 30), (20, 3, 60), (100, 2, 150)):
        note(f"first text, {number} at once")
        figures.append(await lateness(house, number, rounds, limit))
    for number, model in ((100, FAST), (200, CALM)):
        note(f"{number} streams of {model}")
        figures += await smoothness(house, number, model)
    for number, rounds in ((20, 3), (100, 1)):
        note(f"processor time, {number} at once")
        figures.append(await cost(house, number, rounds))
    return [*figures, Figure("memory of all our Python processes", house.memory(), "MB", 450)]


def main() -> list[Figure]:
    with stub.running() as url, product.running(OPENAI_BASE_URL=url, OPENAI_API_KEY="stub") as running:
        return shown(asyncio.run(measured(House(running, url))))


if __name__ == "__main__":
    main()
