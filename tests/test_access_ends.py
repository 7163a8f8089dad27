"""Access ends with the next request: in sessions, keys, repeated writes, and within five seconds in open streams.

With a real web process, and a worker whose model goes on talking for longer than this test has patience.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from bench import stub
from staffroom.accounts.models import User
from staffroom.chats import conversations
from staffroom.core.scope import workspace_scope
from staffroom.employees import roster
from staffroom.workspaces import deletion, invitations, keys, memberships, ownership
from staffroom.workspaces.members import SYSTEM
from staffroom.workspaces.models import ApiKey
from staffroom.workspaces.tests.races import passer_by
from tests.cast import Cast
from tests.eventually import eventually
from tests.site import site, worker

SECONDS = 5.0  # the promise
SLACK = 3.0  # for a machine with other things to do
TALKATIVE = "openai:paced-2000-100"


class Lean(Cast):
    """Without passwords."""

    def person(self, name: str) -> User:
        return passer_by(name)


class Listener(threading.Thread):
    """Follows a stream until the server ends it."""

    def __init__(self, name: str, http: httpx.Client, method: str, path: str, body: Any = None) -> None:
        super().__init__(name=name, daemon=True)
        self.http, self.request = http, (method, path, body)
        self.open, self.status, self.heard, self.ended = threading.Event(), 0, 0, 0.0
        self.start()

    def run(self) -> None:
        method, path, body = self.request
        headers = {"Accept": "text/event-stream"}
        with (
            contextlib.suppress(httpx.HTTPError),
            self.http.stream(method, path, json=body, headers=headers) as it,
        ):
            self.status = it.status_code
            self.socket = it.extensions["network_stream"].get_extra_info("socket")
            self.open.set()
            for part in it.iter_raw():
                self.heard += len(part)
        self.ended = time.monotonic()
        self.open.set()


class Case:
    """Bob works in Acme with a browser, a key of his own and a key of the organization, and listens with each."""

    def __init__(self, url: str, who: str = "bob", role: str = "admin") -> None:
        self.cast, self.url = Lean(), url
        self.bob = self.cast.alice if who == "alice" else self.cast.joined(passer_by("bob"), role)
        self.ben = self.cast.joined(passer_by("ben"), "member")
        self.at = f"/api/v1/o/{self.cast.acme.slug}"
        session = self.cast.browser(self.bob).cookies["staffroom_session"].value
        self.tokens = {
            "key": self.cast.key(self.bob),
            "organization's key": self.cast.organization_key(self.cast.acme),
        }
        self.callers = {
            name: self.http(Authorization=f"Bearer {token}") for name, token in self.tokens.items()
        }
        self.callers["session"] = self.http(Cookie=f"staffroom_session={session}")
        self.repeated = {name: self.write(name, uuid4().hex) for name in self.tokens}

    def http(self, **headers: str) -> httpx.Client:
        limits = httpx.Limits(max_connections=10)
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, limits=limits)

    def write(self, name: str, once: str) -> str:
        assert self.repeat(name, once) == 201
        assert self.repeat(name, once) == 201
        return once

    def repeat(self, name: str, once: str) -> int:
        body = {"title": "Hours", "text": "We open at ten."}
        return (
            self.callers[name]
            .post(f"{self.at}/knowledge", json=body, headers={"Idempotency-Key": once})
            .status_code
        )

    def listens(self) -> None:
        chats = [self.chat() for _ in range(4)]
        self.streams = [
            Listener(name, self.callers[name], "GET", f"{self.at}/chats/{chats[0]}/events")
            for name in self.callers
        ]
        self.streams += [
            Listener(name, self.callers[name], "POST", f"{self.at}/chats/{chat}/messages", {"text": "Hello"})
            for name, chat in zip(self.tokens, chats[1:], strict=False)
        ]

    def chat(self) -> UUID:
        with self.cast.inside(self.cast.acme):
            return conversations.start(roster.hire("Mira", by=SYSTEM, model=TALKATIVE).id, by=SYSTEM).id

    def are_open(self) -> None:
        for stream in self.streams:
            assert stream.open.wait(20)
            assert (stream.status, stream.ended) == (200, 0), stream.name
        for reply in self.streams[3:]:
            eventually(lambda reply=reply: reply.heard > 1000, 30)  # type: ignore[misc]

    def close(self) -> None:
        """A server that is stopped waits for who still listens."""
        for stream in self.streams:
            with contextlib.suppress(OSError):
                stream.socket.shutdown(socket.SHUT_RDWR)
            stream.join(10)

    def ends(self, deed: Callable[[Case], Any]) -> None:
        deed(self)
        self.ended = time.monotonic()

    def statuses(self) -> dict[str, int]:
        return {name: http.get(f"{self.at}/chats").status_code for name, http in self.callers.items()}

    def inside(self, verb: Callable[..., Any], *args: Any, by: User, **more: Any) -> None:
        with self.cast.inside(self.cast.acme):
            verb(*args, by=self.cast.member(by, self.cast.acme), **more)


def revokes(name: str) -> Callable[[Case], Any]:
    def revoke(case: Case) -> None:
        place = case.cast.member(case.bob).workspace_id if name == "key" else case.cast.acme.id
        with workspace_scope(place):
            revoked = ApiKey.objects.filter(hash=keys.hashed(case.tokens[name]))
            assert revoked.update(revoked_at="2026-01-01T00:00Z") == 1

    return revoke


def deactivates(case: Case) -> None:
    assert User.objects.filter(id=case.bob.id).update(is_active=False) == 1


BOTH = {"session": 404, "key": 404}
# What happens → who gets which answer from then on; whoever is not named goes on as before.
ENDINGS: dict[str, tuple[Callable[[Case], Any], dict[str, int], dict[str, Any]]] = {
    "leaving": (lambda case: case.inside(memberships.leave, by=case.bob), BOTH, {}),
    "removal": (lambda case: case.inside(memberships.remove, case.bob.id, by=case.cast.alice), BOTH, {}),
    "transfer and leave": (
        lambda case: case.inside(ownership.transfer, case.ben.id, by=case.bob, leave=True),
        BOTH,
        {"who": "alice"},
    ),
    "closing": (
        lambda case: case.inside(deletion.close, by=case.cast.alice, confirm=case.cast.acme.slug),
        BOTH | {"organization's key": 401},
        {},
    ),
    "a revoked key": (revokes("key"), {"key": 401}, {}),
    "a revoked key of the organization": (revokes("organization's key"), {"organization's key": 401}, {}),
    "deactivation": (deactivates, {"session": 401, "key": 401}, {}),
    "demotion": (
        lambda case: case.inside(memberships.change_role, case.bob.id, "member", by=case.cast.alice),
        {},
        {},
    ),
}


@pytest.fixture(scope="module")
def cases() -> Iterator[dict[str, Case]]:
    """All of them end at about the same time, so that they are waited for together."""
    with stub.running() as model, pytest.MonkeyPatch.context() as patch:
        for name, value in {"OPENAI_BASE_URL": model, "OPENAI_API_KEY": "k"}.items():
            patch.setenv(name, value)
        with site() as url, worker():
            cases = {name: Case(url, **more) for name, (_, _, more) in ENDINGS.items()}
            for case in cases.values():
                case.listens()
            for case in cases.values():
                case.are_open()
            for name, case in cases.items():
                case.ends(ENDINGS[name][0])
            yield cases
            for case in cases.values():
                case.close()


@pytest.mark.parametrize("name", ENDINGS)
def test_the_next_request_finds_nothing(cases: dict[str, Case], name: str) -> None:
    seen = {"session": 200, "key": 200, "organization's key": 200}
    assert cases[name].statuses() == seen | ENDINGS[name][1]


@pytest.mark.parametrize("name", ENDINGS)
def test_a_repeated_write_is_not_answered_again(cases: dict[str, Case], name: str) -> None:
    case = cases[name]
    expected = {who: ENDINGS[name][1].get(who, 201) for who in case.tokens}
    assert {who: case.repeat(who, case.repeated[who]) for who in case.tokens} == expected


@pytest.mark.parametrize("name", ENDINGS)
def test_open_streams_end_in_time_and_others_go_on(cases: dict[str, Case], name: str) -> None:
    case, lost = cases[name], ENDINGS[name][1]
    for stream in case.streams:
        if stream.name in lost:
            stream.join(SECONDS + SLACK)
            assert stream.ended, f"{stream.name} listens on"
            assert stream.ended - case.ended < SECONDS + SLACK
        else:
            time.sleep(max(0, case.ended + SECONDS - time.monotonic()))
            assert not stream.ended, f"{stream.name} was cut off"


def test_who_is_no_admin_any_more_keeps_a_members_access_only(cases: dict[str, Case]) -> None:
    case = cases["demotion"]
    bob = case.callers["key"]
    assert bob.get(f"{case.at}/members").status_code == 200
    for answer in (
        bob.get(f"{case.at}/invitations"),
        bob.post(f"{case.at}/invitations", json={"email": "x@example.com", "role": "member"}),
        bob.patch(case.at, json={"name": "Mine"}),
        bob.delete(f"{case.at}/members/{case.ben.id}"),
        bob.get(f"{case.at}/audit"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "role_forbids")


def test_what_one_joined_or_founded_is_told_again_only_as_long_as_one_is_inside() -> None:
    cast = Lean()
    bob, once = passer_by("bob"), {"Idempotency-Key": "once"}
    with cast.inside(cast.acme):
        sent, _ = invitations.invite(email=bob.email, role="member", by=cast.member(cast.alice, cast.acme))
    api = cast.api(cast.key(bob))

    def accept() -> Any:
        return api.post(f"/api/v1/invitations/{sent.id}/accept", headers=once)

    def found() -> Any:
        body = {"name": "Bob's", "slug": f"bobs-{cast.mark}"}
        return api.post(
            "/api/v1/organizations",
            body,
            content_type="application/json",
            headers={"Idempotency-Key": "twice"},
        )

    for write, status in ((accept, 200), (found, 201)):
        first, again = write(), write()
        assert (first.status_code, again.status_code, again.content) == (status, status, first.content)
        assert again["Idempotency-Replayed"] == "true"
    with cast.inside(cast.acme):
        memberships.remove(bob.id, by=cast.member(cast.alice, cast.acme))
    closed = api.delete(
        f"/api/v1/o/bobs-{cast.mark}", {"confirm": f"bobs-{cast.mark}"}, content_type="application/json"
    )
    assert closed.status_code == 202
    assert [(it.status_code, it.json()["code"]) for it in (accept(), found())] == [(404, "not_found")] * 2
