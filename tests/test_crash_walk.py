"""200 turns while web, worker and database are killed, frozen and thawed at random moments.

Every customer's message is kept once, every turn ends, every reply that was told is the one that is stored, and the
words that were charged are those that the replies show.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench import stub
from bench.processes import tree
from tests.product import Product, running

TURNS, ASKERS = 200, 20
TOKENS = 40
PATIENCE = 60.0
"""Seconds in which one message must have its answer, whatever dies meanwhile."""
SEED = int(os.environ.get("STAFFROOM_CRASH_SEED", "0")) or random.SystemRandom().randrange(10**6)

pytestmark = pytest.mark.crash


@dataclass(frozen=True)
class Reply:
    external_id: str
    chat: str
    text: str
    words: int
    cut: str


class Asker:
    """One customer in a chat of its own. Sends a message again, under its name, until it has an answer."""

    def __init__(self, product: Product, key: str, chat: str, name: str) -> None:
        self.url = f"{product.url}/api/v1/me/chats/{chat}/messages"
        self.headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
        self.chat, self.name = chat, name
        self.failures: list[str] = []

    def walk(self, turns: int) -> list[Reply]:
        return [reply for turn in range(turns) if (reply := self.ask(f"{self.name}-{turn}"))]

    def ask(self, external_id: str) -> Reply | None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                ended, reply = self.try_to_ask(external_id)
                if ended:
                    return reply
            time.sleep(0.1)
        raise AssertionError(f"seed {SEED}: {external_id} got no answer")

    def try_to_ask(self, external_id: str) -> tuple[bool, Reply | None]:
        body = {"text": f"Question {external_id}", "external_id": external_id}
        with httpx.stream("POST", self.url, json=body, headers=self.headers, timeout=10) as answer:
            if answer.status_code in (500, 502, 503):
                return False, None
            assert answer.status_code == 200, (answer.status_code, answer.read())
            return self.listen(external_id, answer)

    def listen(self, external_id: str, answer: httpx.Response) -> tuple[bool, Reply | None]:
        text = name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                data = json.loads(line[6:])
                if name == "delta":
                    text += data["text"]
                elif name == "restart":
                    text = ""
                elif name == "done":
                    assert text == data["text"], f"seed {SEED}: {external_id} was told something else"
                    return True, Reply(external_id, self.chat, text, data["words"], data["cut"])
                elif name == "error":
                    self.failures.append(data["code"])
                    return True, None
        return False, None


class Chaos(threading.Thread):
    """Hurts one part after the other, until told to stop; everything is thawed in the end."""

    def __init__(self, product: Product) -> None:
        super().__init__(daemon=True)
        self.product, self.random, self.calm = product, random.Random(SEED), threading.Event()
        self.done: list[str] = []

    def run(self) -> None:
        deeds = [self.kill_worker, self.kill_web, self.kill_database, self.freeze_worker, self.freeze_web]
        deeds += [self.kill_worker, self.freeze_database]
        while not self.calm.wait(self.random.uniform(1.0, 3.5)):
            deed = self.random.choice(deeds)
            with suppress(ProcessLookupError, IndexError):
                deed()
                self.done.append(deed.__name__)

    def kill_worker(self) -> None:
        os.kill(self.find("config.worker")[0], signal.SIGKILL)

    def kill_web(self) -> None:
        os.kill(self.random.choice(self.find("operate.web")), signal.SIGKILL)

    def kill_database(self) -> None:
        os.kill(self.find("postgresql.conf")[0], signal.SIGKILL)

    def freeze_worker(self) -> None:
        self.freeze(self.find("config.worker"), self.random.choice([0.5, 3, 10]))

    def freeze_web(self) -> None:
        self.freeze([self.random.choice(self.find("operate.web"))], self.random.uniform(0.5, 3))

    def freeze_database(self) -> None:
        self.freeze([one.pid for one in tree(self.product.process.pid) if one.is_database], 1.5)

    def freeze(self, pids: list[int], seconds: float) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        self.calm.wait(seconds)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def find(self, said: str) -> list[int]:
        return [one.pid for one in tree(self.product.process.pid) if said in _command(one.pid)]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


# The rows themselves, read beside the product as an operator's command would.
_ROWS = """
import json
from operate import house
with house.opened():
    from django.db import connections
    def rows(sql):
        with connections["platform"].cursor() as cursor:
            cursor.execute(sql)
            return [list(map(str, row)) for row in cursor.fetchall()]
    print(json.dumps({
        "messages": rows("SELECT external_id FROM chats_message WHERE author = 'customer'"),
        "replies": rows("SELECT id, turn_id, charged, text, cut FROM chats_message WHERE author = 'employee'"),
        "turns": rows("SELECT id, state FROM chats_turn"),
        "charges": rows("SELECT reference, -(plan + bonus + purchased) FROM billing_entry WHERE kind = 'charge'"),
        "holds": rows("SELECT turn FROM billing_hold"),
        "gaps": rows("SELECT chat_id FROM chats_message GROUP BY chat_id HAVING max(number) <> count(*)"),
    }))
"""


def rows(product: Product) -> dict[str, list[list[str]]]:
    checkout = str(Path(__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", _ROWS], env=product.environment, cwd=checkout, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[list[str]]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with (
        stub.running(tokens=TOKENS, interval=15) as model,
        running(OPENAI_BASE_URL=model, OPENAI_API_KEY="k", STAFFROOM_MODEL="openai:calm") as it,
    ):
        yield it


def test_nothing_is_lost_doubled_or_left_half_alive(product: Product) -> None:
    key = product.person("alice@example.com", "Alice")
    product.command("words", "grant", "--user", "alice@example.com", "1000000", "--reason", "crash walk")
    askers = [Asker(product, key, chat, f"a{n}") for n, chat in enumerate(_chats(product, key))]
    chaos = Chaos(product)
    chaos.start()
    try:
        with ThreadPoolExecutor(ASKERS) as together:
            told = [
                reply
                for found in together.map(lambda one: one.walk(TURNS // ASKERS), askers)
                for reply in found
            ]
    finally:
        chaos.calm.set()
        chaos.join()
    _see(product, told, askers, chaos)


def _chats(product: Product, key: str) -> list[str]:
    http = httpx.Client(
        base_url=f"{product.url}/api/v1/me", headers={"Authorization": f"Bearer {key}"}, timeout=20
    )
    made: dict[str, Any] = http.post("/employees", json={"name": "Mira"}).json()
    return [http.post("/chats", json={"employee": made["id"]}).json()["id"] for _ in range(ASKERS)]


def _see(product: Product, told: list[Reply], askers: list[Asker], chaos: Chaos) -> None:
    story = f"seed {SEED}: {chaos.done}"
    deadline = time.monotonic() + 30
    while (found := rows(product))["holds"] and time.monotonic() < deadline:
        time.sleep(1)
    states = dict(found["turns"])
    assert set(states.values()) <= {"done", "failed"}, story
    asked = sorted(external_id for [external_id] in found["messages"])
    assert asked == sorted(f"a{n}-{turn}" for n in range(ASKERS) for turn in range(TURNS // ASKERS)), story
    assert not found["gaps"], story
    assert not found["holds"], story

    replies = {turn: int(charged) for _, turn, charged, _, _ in found["replies"]}
    assert len(replies) == len(found["replies"]), f"a turn has two replies; {story}"
    assert set(replies) == {turn for turn, state in states.items() if state == "done"}, story
    assert {turn: int(words) for turn, words in found["charges"]} == replies, story
    whole = stub.text(TOKENS)
    assert {text for _, _, _, text, cut in found["replies"] if not cut} == {whole}, story
    assert all(whole.startswith(text) for _, _, _, text, cut in found["replies"]), story
    assert len(told) + sum(len(one.failures) for one in askers) == TURNS, story
    product.command("ledger", "check", "--all")
    assert len(told) > TURNS * 0.9, f"too few were answered; {story}"
    print(f"{story}; {len(told)} told, failures {[one.failures for one in askers if one.failures]}")
