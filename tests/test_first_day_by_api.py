"""The first day of a team with nothing but HTTP calls, replies from an OpenAI-compatible stub over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bench import stub
from tests.product import Product, running

HANDBOOK = """# Opening hours

The shop is open from Tuesday to Saturday, ten to seven. On public holidays it stays closed.

# Returns

A rented bicycle comes back by seven in the evening. Every further hour costs four euros.
"""


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with (
        stub.running() as model,
        running(OPENAI_BASE_URL=model, OPENAI_API_KEY="k", STAFFROOM_MODEL="openai:paced-40-5") as it,
    ):
        yield it


class Caller:
    """One person's API client."""

    def __init__(self, product: Product, key: str) -> None:
        self.http = httpx.Client(
            base_url=f"{product.url}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=30
        )

    def __call__(self, method: str, path: str, expected: int = 200, **json_body: Any) -> Any:
        answer = self.http.request(method, path, json=json_body or None)
        assert answer.status_code == expected, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def ask(self, path: str, text: str) -> list[tuple[str, Any]]:
        """The events of a streamed reply."""
        events: list[tuple[str, Any]] = []
        headers = {"Accept": "text/event-stream"}
        with self.http.stream("POST", path, json={"text": text}, headers=headers) as answer:
            assert answer.status_code == 200, answer.read()
            name = ""
            for line in answer.iter_lines():
                if line.startswith("event:"):
                    name = line[6:].strip()
                elif line.startswith("data:"):
                    events.append((name, json.loads(line[5:])))
                    if name in {"done", "error"}:
                        break
        return events


def test_a_team_founds_invites_hires_asks_and_pays_from_its_own_balance(product: Product) -> None:
    alice = Caller(product, product.person("alice@example.com", "Alice"))
    bob = Caller(product, product.person("bob@example.com", "Bob"))
    sam = Caller(product, product.person("sam@example.com", "Sam"))
    assert alice("GET", "/user")["email"] == "alice@example.com"
    assert [context["kind"] for context in alice("GET", "/contexts")["items"]] == ["personal"]

    organization = alice("POST", "/organizations", 201, name="Acme")
    assert (organization["slug"], organization["role"]) == ("acme", "owner")

    invitation = alice("POST", "/o/acme/invitations", 201, email="bob@example.com", role="member")
    assert invitation["accept_url"].startswith("http")
    [waiting] = bob("GET", "/invitations")["items"]
    bob("POST", f"/invitations/{waiting['id']}/accept")
    assert {item["user"]["email"]: item["role"] for item in bob("GET", "/o/acme/members")["items"]} == {
        "alice@example.com": "owner",
        "bob@example.com": "member",
    }

    employee = alice(
        "POST", "/o/acme/employees", 201, name="Mira", persona="You answer for a bicycle rental."
    )
    source = alice("POST", "/o/acme/knowledge", 201, title="Handbook", text=HANDBOOK)
    alice("PUT", f"/o/acme/employees/{employee['id']}/knowledge/{source['id']}", 204)

    before = {who: caller("GET", "/me/balance") for who, caller in (("alice", alice), ("bob", bob))}
    words = alice("GET", "/o/acme/balance")["words_left"]
    assert words == 20_000

    chat = bob("POST", "/o/acme/chats", 201, employee=employee["id"])
    events = bob.ask(f"/o/acme/chats/{chat['id']}/messages", "When does the shop open?")
    names = [name for name, _ in events]
    assert names[0] == "message"
    assert names[-1] == "done"
    done = events[-1][1]
    assert "".join(data["text"] for name, data in events if name == "delta") == done["text"]
    assert done["words"] > 0
    assert done["citations"], "the reply says which passages it was given"

    balance = bob("GET", "/o/acme/balance")
    assert (balance["words_left"], balance["reserved"]) == (words - done["words"], 0)
    assert {who: caller("GET", "/me/balance") for who, caller in (("alice", alice), ("bob", bob))} == before

    for path in (
        "", "/members", "/invitations", "/employees", "/knowledge", "/chats", "/balance",
        f"/employees/{employee['id']}", f"/chats/{chat['id']}", f"/chats/{chat['id']}/messages",
    ):  # fmt: skip
        assert sam("GET", f"/o/acme{path}", 404)["code"] == "not_found"
    assert product.command("ledger", "check", "--all")


def test_a_call_without_streaming_answers_when_the_reply_is_complete(product: Product) -> None:
    dora = Caller(product, product.person("dora@example.com", "Dora"))
    employee = dora("POST", "/me/employees", 201, name="Otto")
    chat = dora("POST", "/me/chats", 201, employee=employee["id"])
    answer = dora("POST", f"/me/chats/{chat['id']}/messages", text="Hello")
    assert [message["author"] for message in answer["messages"]] == ["customer", "employee"]
