"""200 turns while web, worker and database are killed, frozen and thawed at random moments.

Afterwards every customer's message is there once, every turn ended one way or the other, the ledger adds up, and
there is exactly one charge for each reply. `CRASH_SEED` walks a walk again.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from bench import stub
from bench.processes import tree
from operate.postgres import Cluster
from tests.product import Product, running

pytestmark = pytest.mark.crash

CHATS, MESSAGES = 20, 10
PATIENCE = 240.0  # seconds for the whole walk
PARTS = {"web": "operate.web", "worker": "config.worker", "database": "postgres"}


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with (
        stub.running() as model,
        running(
            OPENAI_BASE_URL=model, OPENAI_API_KEY="k", STAFFROOM_MODEL="openai:paced-30-20"
        ) as it,
    ):
        yield it


class Crasher:
    """Ends and freezes parts of a running product."""

    def __init__(self, product: Product, dice: random.Random) -> None:
        self.product, self.dice = product, dice
        self.done: Counter[str] = Counter()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self.dice.uniform(0.2, 1.5))
            part = self.dice.choices(list(PARTS), weights=[3, 5, 2])[0]
            pids = self.pids(part)
            if pids:
                await self.hurt(part, self.dice.choice(pids))

    async def hurt(self, part: str, pid: int) -> None:
        deed = self.dice.choice(["kill", "freeze"])
        self.done[f"{deed} {part}"] += 1
        with suppress(ProcessLookupError):
            if deed == "kill":
                os.kill(pid, signal.SIGKILL)
                return
            os.kill(pid, signal.SIGSTOP)
            try:
                # Sometimes longer than a turn's lease, so that somebody else takes it over meanwhile.
                await asyncio.sleep(self.dice.choice([0.3, 1.0, 2.0, 9.0 if part == "worker" else 0.5]))
            finally:
                os.kill(pid, signal.SIGCONT)

    def pids(self, part: str) -> list[int]:
        found = [
            process for process in tree(self.product.process.pid) if PARTS[part] in _command(process.pid)
        ]
        inside = {process.pid for process in found}
        # Of the database the one that all its others descend from.
        return [p.pid for p in found if part != "database" or p.parent not in inside]


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


class Customer:
    """Says something until it is accepted, waits for the reply, goes on; the same message keeps its name."""

    def __init__(self, http: httpx.AsyncClient, chat: str) -> None:
        self.http, self.path, self.chat = http, f"/me/chats/{chat}/messages", chat
        self.ends: Counter[int] = Counter()

    async def talk(self) -> None:
        for number in range(MESSAGES):
            self.ends[await self.say(f"{self.chat}/{number}")] += 1

    async def say(self, name: str) -> int:
        while True:
            with suppress(httpx.HTTPError):
                answer = await self.http.post(self.path, json={"text": name, "external_id": name})
                if answer.status_code in (200, 502):
                    return answer.status_code
                assert answer.status_code in (500, 503, 504), f"{answer.status_code} {answer.text}"
            await asyncio.sleep(0.2)


async def walk(product: Product, key: str, dice: random.Random) -> tuple[list[Customer], Counter[str]]:
    async with httpx.AsyncClient(
        base_url=f"{product.url}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=20
    ) as http:
        employee = (await http.post("/me/employees", json={"name": "Mira"})).json()["id"]
        chats = [
            (await http.post("/me/chats", json={"employee": employee})).json()["id"] for _ in range(CHATS)
        ]
        customers = [Customer(http, chat) for chat in chats]
        crasher = Crasher(product, dice)
        crashing = asyncio.create_task(crasher.run())
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*[customer.talk() for customer in customers])
        finally:
            crashing.cancel()
            await asyncio.gather(crashing, return_exceptions=True)
        return customers, crasher.done


def rows(product: Product, statement: str) -> Any:
    cluster = Cluster(product.home / "postgres", secret=(product.home / "secret.key").read_text().strip())
    with psycopg.connect(cluster.urls("staffroom").owner) as connection:
        return connection.execute(statement).fetchall()


def test_crashes_lose_nothing_and_charge_once(product: Product) -> None:
    seed = int(os.environ.get("CRASH_SEED") or random.randrange(10**6))
    print(f"CRASH_SEED={seed}")
    key = product.person("alice@example.com", "Alice")
    product.command("words", "grant", "--user", "alice@example.com", "10000000", "--reason", "a long walk")
    customers, hurt = asyncio.run(walk(product, key, random.Random(seed)))
    print(hurt, sum((customer.ends for customer in customers), Counter()))

    said = {
        name for (name,) in rows(product, "SELECT external_id FROM chats_message WHERE author = 'customer'")
    }
    assert said == {f"{customer.chat}/{number}" for customer in customers for number in range(MESSAGES)}
    states = dict(rows(product, "SELECT state, count(*) FROM chats_turn GROUP BY state"))
    assert set(states) <= {"done", "failed"}, states
    [(replies, named)] = rows(
        product,
        "SELECT count(*), count(DISTINCT turn_id) FROM chats_message WHERE author = 'employee'",
    )
    assert replies == named == states["done"]
    [(charges, once)] = rows(
        product, "SELECT count(*), count(DISTINCT reference) FROM billing_entry WHERE kind = 'charge'"
    )
    assert charges == once == replies
    [(shown, paid)] = rows(
        product,
        "SELECT (SELECT sum(charged) FROM chats_message), (SELECT -sum(plan + bonus + purchased) FROM billing_entry"
        " WHERE kind = 'charge')",
    )
    assert shown == paid
    assert rows(product, "SELECT count(*) FROM billing_hold") == [(0,)]
    assert product.command("ledger", "check", "--all")
