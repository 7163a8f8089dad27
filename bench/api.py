"""CPU of a web process for a call of the API, beside a bare endpoint of the same server in the same run.

    python -m bench.api [--calls 2000] [--rounds 5]

One client, one connection: no waiting is measured, only the time that the web process spends on a CPU
(user and system, from /proc), and how many statements it sends.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
ORGANIZATIONS = 50
ROWS = 20


@dataclass(frozen=True)
class Scene:
    key: str
    slug: str


@dataclass(frozen=True)
class Figure:
    name: str
    path: str
    cpu: float  # milliseconds a call, median of the rounds
    statements: int


@contextlib.contextmanager
def database() -> Iterator[dict[str, str]]:
    """The embedded database, as safe as it is in earnest, migrated; the environment of a web process."""
    from operate.postgres import Cluster

    with tempfile.TemporaryDirectory(prefix="staffroom-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        with Cluster(Path(folder) / "db") as cluster:
            urls = cluster.database("staffroom")
            environment = {
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "STAFFROOM_HOME": folder,
                "STAFFROOM_DB_APP": urls.app,
                "STAFFROOM_DB_PLATFORM": urls.platform,
                "STAFFROOM_DB_OWNER": urls.owner,
                "PYTHONPATH": os.getcwd(),
            }
            os.environ.update(environment)
            subprocess.run(
                [sys.executable, "-m", "django", "migrate", "--database", "owner", "--verbosity", "0"],
                check=True,
            )
            yield environment


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


@contextlib.contextmanager
def web(environment: dict[str, str]) -> Iterator[tuple[int, int]]:
    """One web process as `staffroom run` starts it; its pid and its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
        os.set_inheritable(listener.fileno(), True)
        process = subprocess.Popen(
            [sys.executable, "-m", "operate.web", str(listener.fileno())],
            env=os.environ | environment,
            pass_fds=[listener.fileno()],
        )
        try:
            _await_answer(port, process)
            yield process.pid, port
        finally:
            process.terminate()
            process.wait(10)


def _await_answer(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            Caller(port, "").get("/healthz")
            return
        time.sleep(0.1)
    raise RuntimeError("the web process did not start")


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


def cpu_of(pid: int) -> float:
    """Seconds of CPU, user and system, of one process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def measure(pid: int, caller: Caller, path: str, calls: int, rounds: int) -> float:
    for _ in range(calls // 10):
        caller.get(path)
    found = []
    for _ in range(rounds):
        before = cpu_of(pid)
        for _ in range(calls):
            caller.get(path)
        found.append((cpu_of(pid) - before) / calls * 1000)
    return statistics.median(found)


def statements(key: str, path: str) -> int:
    """What the same call sends to the database, counted inside this process."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(headers={"Authorization": f"Bearer {key}"} if key else {})
    client.get(path)
    with CaptureQueriesContext(connection) as queries:
        client.get(path)
    return len(queries)


def figures(calls: int, rounds: int) -> list[Figure]:
    with database() as environment:
        import django

        django.setup()
        scene_ = scene()
        paths = {
            "bare endpoint": "/healthz",
            "contexts, 50 organizations": "/api/v1/contexts",
            "employees, 20 rows": f"/api/v1/o/{scene_.slug}/employees",
        }
        with web(environment) as (pid, port):
            found = [
                Figure(name, path, measure(pid, Caller(port, scene_.key), path, calls, rounds), 0)
                for name, path in paths.items()
            ]
        counted = [Figure(one.name, one.path, one.cpu, statements(scene_.key, one.path)) for one in found]
        from django.db import connections

        for connection in connections.all(initialized_only=True):
            connection.close()
            getattr(connection, "close_pool", lambda: None)()
        return counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("| call | CPU ms | statements |\n|---|---|---|")
    for one in figures(options.calls, options.rounds):
        print(f"| {one.name} | {one.cpu:.2f} | {one.statements} |")


if __name__ == "__main__":
    main()
