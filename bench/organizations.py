"""Processor time of our processes and the database for what organizations are asked for, at 32 connections.

Two towns stand in one database server, one ten times as large as the other, each with two web processes and a
worker. The questions take turns in short rounds, so that whatever else the machine does weighs on all alike; the
median of the rounds counts. The worker sleeps while people are invited, and sends their mails when it is woken.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

from bench import house
from bench.crowd import Request, crowd
from bench.figures import Figure, median, note, shown
from bench.postbox import Postbox, postbox
from bench.processes import seconds
from bench.town import Town, key, token, user_id
from operate import pages
from operate.binaries import program

CONNECTIONS = 32
CALLS, ROUNDS = 320, 7
TIMES = 10
GROWTH = 1.3  # of the cost where there is ten times as much; two measurements of the same differ by less
BARE, INVITE, MAIL = "bare endpoint", "invite", "invite: its mail, sent by the worker afterwards"


@dataclass(frozen=True)
class Kind:
    name: str
    ask: Callable[[int], Request]  # with a running number, so that no write is the same as another
    limit: float | None = None  # milliseconds


def kinds(town: Town, cookie: str) -> list[Kind]:
    def api(method: str, path: str, person: int = 1, body: object = None) -> Request:
        return Request(method, f"/api/v1/{path}", body, {"Authorization": f"Bearer {key(person)}"})

    def create(number: int) -> Request:
        return api("POST", "organizations", town.anybody(number), {"name": f"New house {number}"})

    def invite(number: int) -> Request:
        organization = town.any_organization(number)
        body = {"email": f"guest-{number}@example.org", "role": "member"}
        return api("POST", f"o/org-{organization}/invitations", organization, body)

    def accept(number: int) -> Request:
        return api("POST", f"invitations/{token(number)}/accept", town.anybody(number))

    def change_role(number: int) -> Request:
        """The first half of a round makes admins, the second makes them members again."""
        rounds, within = divmod(number, CALLS)
        later, nth = divmod(within, CALLS // 2)
        organization = town.any_organization(rounds * CALLS // 2 + nth)
        path = f"o/org-{organization}/members/{user_id(town.colleague(organization))}"
        return api("PATCH", path, organization, {"role": "member" if later else "admin"})

    page = Request("GET", "/o/org-1/organization?tab=members", headers={"Cookie": cookie})
    return [
        Kind(BARE, lambda _: Request("GET", "/healthz")),
        Kind("contexts of a person with 50 organizations", lambda _: api("GET", "contexts"), 2),
        Kind("100 members of the large organization", lambda _: api("GET", "o/org-1/members?limit=100"), 4),
        Kind("members page of the large organization", lambda _: page, 4),
        Kind("read of one organization with the role check", lambda _: api("GET", "o/org-1"), 2),
        Kind("create", create, 6),
        Kind(INVITE, invite, 6),
        Kind("accept", accept, 6),
        Kind("role change", change_role, 6),
    ]


@dataclass
class Side:
    """One town, what serves it, and what each kind cost a call, round by round, in milliseconds."""

    town: Town
    environment: house.Environment
    cookie: str
    processes: list[int]  # all whose time counts; the worker is the last
    port: int
    postbox: Postbox
    asked: dict[str, int] = field(default_factory=dict)
    spent: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kinds = kinds(self.town, self.cookie)

    async def round(self, kind: Kind) -> None:
        first = self.asked.get(kind.name, 0)
        self.asked[kind.name] = first + CALLS
        requests = [kind.ask(number) for number in range(first, first + CALLS)]
        async with crowd(CONNECTIONS, self.port) as clients:
            with self._worker_asleep() if kind.name == INVITE else nullcontext(), self._counted(kind.name):
                await clients.ask(requests)
        if kind.name == INVITE:
            with self._counted(MAIL):
                await self._mails_sent()

    @contextmanager
    def _counted(self, name: str) -> Iterator[None]:
        before = seconds(*self.processes)
        yield
        self.spent.setdefault(name, []).append((seconds(*self.processes) - before) / CALLS * 1000)

    @contextmanager
    def _worker_asleep(self) -> Iterator[None]:
        os.kill(self.processes[-1], signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.processes[-1], signal.SIGCONT)

    async def _mails_sent(self) -> None:
        while self.postbox.taken < self.asked[INVITE]:
            await asyncio.sleep(0.05)

    def cost(self, name: str) -> float:
        return median(self.spent[name][1:])  # the first round warms up


def main() -> list[Figure]:
    return shown(asyncio.run(_measured()))


async def _measured() -> list[Figure]:
    async with AsyncExitStack() as standing:
        store = standing.enter_context(house.databases("town", "city"))
        sides = [
            await _side(standing, store, environment, town)
            for environment, town in zip(store.environments, [Town(), Town(TIMES)], strict=True)
        ]
        for number in range(ROUNDS + 1):
            note(f"round {number} of {ROUNDS}, load average {os.getloadavg()[0]:.1f}")
            for pair in zip(*[side.kinds for side in sides], strict=True):
                for side, kind in zip(sides, pair, strict=True):
                    await side.round(kind)
        counts = [
            _in_django(side.environment, statements, side.town, side.cookie, side.asked) for side in sides
        ]
    return _figures(*sides, *counts)


async def _side(
    standing: AsyncExitStack, store: house.Store, environment: house.Environment, town: Town
) -> Side:
    note(f"building a town of {town.people:,} people")
    subprocess.run(
        [program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", environment["STAFFROOM_DB_OWNER"]],
        input=town.sql, text=True, check=True,
    )  # fmt: skip
    pages.prepare(os.environ | environment)
    box = await standing.enter_async_context(postbox())
    environment["EMAIL_URL"] = box.url
    pids, port = standing.enter_context(house.web(environment, processes=2))
    worker = standing.enter_context(house.worker(environment))
    cookie = _in_django(environment, signed_in, 1)
    return Side(town, environment, cookie, [store.pid, *pids, worker], port, box)


def _figures(town: Side, city: Side, counts: dict[str, int], counts_of_city: dict[str, int]) -> list[Figure]:
    figures = []
    limits = {kind.name: kind.limit for kind in town.kinds}
    for name in town.spent:
        limit = limits.get(name)
        small, large = town.cost(name), city.cost(name)
        figures += [
            Figure(name, small, "ms", limit),
            Figure(f"{name}, {TIMES} times the data", large, "ms", limit),
        ]
        if limit:
            figures.append(Figure(f"{name}: the one as a part of the other", large / small, "", GROWTH))
        if name in counts:
            figures.append(Figure(f"{name}: statements", counts[name]))
            figures.append(Figure(f"{name}: statements, {TIMES} times the data", counts_of_city[name]))
    return figures


# --- in a process of its own, because Django knows one database for life ----------------------------------------------


def _in_django(environment: house.Environment, ask: Callable[..., object], *arguments: object) -> Any:
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(_with_django, environment, ask, *arguments).result()


def _with_django(environment: house.Environment, ask: Callable[..., object], *arguments: object) -> object:
    os.environ.update(environment)
    import django
    from django.db import connections

    django.setup()
    try:
        return ask(*arguments)
    finally:
        connections["default"].close_pool()


def signed_in(person: int) -> str:
    """The cookie of a browser in which the person has signed in."""
    from django.conf import settings
    from django.test import Client

    from staffroom.accounts.models import User

    browser = Client()
    browser.force_login(User.objects.get(id=user_id(person)))
    name = settings.SESSION_COOKIE_NAME
    return f"{name}={browser.cookies[name].value}"


def statements(town: Town, cookie: str, asked: dict[str, int]) -> dict[str, int]:
    """What the next request of each kind sends to the database."""
    return {
        kind.name: _statements(kind.ask, asked[kind.name])
        for kind in kinds(town, cookie)
        if kind.name in asked
    }


def _statements(ask: Callable[[int], Request], number: int) -> int:
    """The first of two fills caches, and notes that the key was used."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    for turn in range(2):
        one = ask(number + turn)
        with CaptureQueriesContext(connection) as queries:
            answer = Client().generic(
                one.method, one.path, one.content, "application/json", headers=one.headers
            )
            assert answer.status_code < 300, answer.content
    return len(queries)


if __name__ == "__main__":
    main()
