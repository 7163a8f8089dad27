"""Processor time of a web process for a call of the API, beside a bare endpoint of the same server in the same run.

One client on one connection: no waiting is measured, only the time that the web process spends on a processor
(user and system), and how many statements it sends. The calls take turns in short rounds, so that whatever else
the machine does weighs on all alike; the median of the rounds counts.
"""

from __future__ import annotations

import http.client
import os
from dataclasses import dataclass

from bench.figures import Figure, median, shown
from bench.house import databases, web
from bench.processes import seconds

ORGANIZATIONS = 50
ROWS = 20
LIMIT = 1.5  # milliseconds a call
CALLS, ROUNDS = 300, 15


@dataclass(frozen=True)
class Scene:
    key: str
    slug: str


def main() -> list[Figure]:
    with databases("staffroom") as store:
        [environment] = store.environments
        os.environ.update(environment)
        import django

        django.setup()
        it = scene()
        paths = {
            "bare endpoint": "/healthz",
            f"contexts of a person with {ORGANIZATIONS} organizations": "/api/v1/contexts",
            f"list of {ROWS} employees": f"/api/v1/o/{it.slug}/employees",
        }
        with web(environment) as ([pid], port):
            spent = measured(pid, Caller(port, it.key), list(paths.values()))
        figures = []
        for name, path in paths.items():
            limit = None if path == "/healthz" else LIMIT
            figures.append(Figure(f"{name}: processor time", spent[path] * 1000, "ms", limit))
            figures.append(Figure(f"{name}: statements", statements(it.key, path)))
        _leave()
    return shown(figures)


def scene() -> Scene:
    """Somebody with fifty organizations, one of which has twenty employees."""
    from staffroom.employees import roster
    from staffroom.workspaces.members import SYSTEM
    from tests.cast import Cast

    cast = Cast()
    for number in range(ORGANIZATIONS - 1):
        cast.organization(f"Org{number:02}", cast.alice)
    with cast.inside(cast.acme):
        for number in range(ROWS):
            roster.hire(f"Employee {number:02}", by=SYSTEM)
    return Scene(cast.key(cast.alice), str(cast.acme.slug))


class Caller:
    def __init__(self, port: int, key: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    def get(self, path: str) -> bytes:
        self.connection.request("GET", path, headers=self.headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
        return body


def measured(pid: int, caller: Caller, paths: list[str]) -> dict[str, float]:
    """Seconds of processor time for one call of each path."""
    rounds: dict[str, list[float]] = {path: [] for path in paths}
    for number in range(ROUNDS + 1):
        for path in paths:
            before = seconds(pid)
            for _ in range(CALLS):
                caller.get(path)
            if number:  # the first round warms up
                rounds[path].append((seconds(pid) - before) / CALLS)
    return {path: median(found) for path, found in rounds.items()}


def statements(key: str, path: str) -> int:
    """What the same call sends to the database, counted inside this process."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(headers={"Authorization": f"Bearer {key}"})
    client.get(path)
    with CaptureQueriesContext(connection) as queries:
        client.get(path)
    return len(queries)


def _leave() -> None:
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        connection.close()
        getattr(connection, "close_pool", lambda: None)()


if __name__ == "__main__":
    main()
