"""Processes of the product that a bench may count one by one: databases, web processes, a worker."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from operate.postgres import Cluster

Environment = dict[str, str]


@dataclass(frozen=True)
class Store:
    """A database server; for each of its databases the environment of a web process."""

    pid: int
    environments: list[Environment]


@contextlib.contextmanager
def databases(*names: str) -> Iterator[Store]:
    """Of one embedded server, as safe as it is in earnest, and migrated."""
    with tempfile.TemporaryDirectory(prefix="staffroom-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        with Cluster(Path(folder) / "db") as cluster:
            assert cluster.process
            environments = [_migrated(cluster, name, Path(folder) / name) for name in names]
            yield Store(cluster.process.pid, environments)


def _migrated(cluster: Cluster, name: str, home: Path) -> Environment:
    urls = cluster.database(name)
    environment = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "STAFFROOM_ENV": "development",
        "STAFFROOM_HOME": str(home),
        "STAFFROOM_DB_APP": urls.app,
        "STAFFROOM_DB_PLATFORM": urls.platform,
        "STAFFROOM_DB_OWNER": urls.owner,
        "PYTHONPATH": os.getcwd(),
    }
    migrate = ["migrate", "--database", "owner", "--verbosity", "0"]
    subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "django", *migrate], env=os.environ | environment, check=True
    )
    return environment


@contextlib.contextmanager
def web(environment: Environment, processes: int = 1) -> Iterator[tuple[list[int], int]]:
    """Web processes as `staffroom run` starts them; their pids and their port."""
    with contextlib.ExitStack() as started:
        listener = started.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1024))
        os.set_inheritable(listener.fileno(), True)
        command = ["-m", "operate.web", str(listener.fileno())]
        pids = [
            started.enter_context(_process(command, environment, listener.fileno())) for _ in range(processes)
        ]
        port = int(listener.getsockname()[1])
        _await_answer(port)
        yield pids, port


@contextlib.contextmanager
def worker(environment: Environment) -> Iterator[int]:
    with _process(["-m", "config.worker"], environment) as pid:
        yield pid


@contextlib.contextmanager
def _process(arguments: list[str], environment: Environment, *descriptors: int) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env=os.environ | environment | {"MALLOC_ARENA_MAX": "2"},
        pass_fds=descriptors,
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(15)


def _await_answer(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    raise RuntimeError("the web process did not start")
