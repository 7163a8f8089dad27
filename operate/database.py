"""The database of an installation: the embedded one in the data folder, or the operator's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Protocol

from operate import external, home, postgres, sql
from operate.folder import COMMAND, RUN
from operate.numbers import number
from operate.postgres import Cluster
from operate.processes import wait_until
from operate.refusals import DATABASE, TAKEN, Refusal
from operate.roles import APP, Urls

NAME = "staffroom"
ANSWER = 60.0  # seconds that a command waits for a `run` that is just starting


def patience() -> float:
    """The operator's own limit in seconds for a database that does not answer; 0 for the usual one."""
    return number("STAFFROOM_DATABASE_PATIENCE", 0, at_least=0)


class Database(Protocol):
    def claim(self) -> None: ...
    def start(self) -> Urls: ...
    def alive(self) -> bool: ...
    def revive(self) -> None: ...
    def stop(self) -> None: ...


class Embedded:
    def __init__(self, folder: Path, purpose: str = RUN) -> None:
        self.cluster = Cluster(
            folder / "postgres",
            secret=home.secret_key(folder),
            patience=patience() or postgres.PATIENCE,
            purpose=purpose,
        )

    def claim(self) -> None:
        self.cluster.claim()

    def start(self) -> Urls:
        self.cluster.start()
        return self.cluster.database(NAME)

    def alive(self) -> bool:
        return self.cluster.alive

    def revive(self) -> None:
        self.cluster.launch()

    def stop(self) -> None:
        self.cluster.stop()


class Elsewhere:
    """Somebody else starts and ends it."""

    def claim(self) -> None:
        pass

    def alive(self) -> bool:
        return True

    def revive(self) -> None:
        pass

    def stop(self) -> None:
        pass


class External(Elsewhere):
    """Named by DATABASE_URL; we only prepare what is ours in it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def start(self) -> Urls:
        secret = home.secret_key(self.folder)
        return external.prepare(self.url, secret, self.folder, patience() or external.PATIENCE)


class Given(Elsewhere):
    """All addresses stand in the environment: an operator who makes the roles by hand, or a test."""

    def start(self) -> Urls:
        app, platform = os.environ["STAFFROOM_DB_APP"], os.environ["STAFFROOM_DB_PLATFORM"]
        return Urls(app, platform, os.environ.get("STAFFROOM_DB_OWNER", ""))


class Known(Elsewhere):
    """Already reached."""

    def __init__(self, urls: Urls) -> None:
        self.urls = urls

    def start(self) -> Urls:
        return self.urls


def of(folder: Path, purpose: str = RUN) -> Database:
    if os.environ.get("STAFFROOM_DB_APP") and os.environ.get("STAFFROOM_DB_PLATFORM"):
        return Given()
    if url := os.environ.get("DATABASE_URL"):
        return External(url, folder)
    return Embedded(folder, purpose)


class Whose(Enum):
    OURS = "started by this command"
    RUNS = "of the run beside it"
    OPERATORS = "somebody else's"


@contextmanager
def reached(folder: Path) -> Iterator[tuple[Urls, Whose]]:
    """For a command: the database of the `run` beside it, or one started for as long as the command takes."""
    database = of(folder, COMMAND)
    if isinstance(database, Embedded) and not _claimed(database):
        yield _beside(database.cluster), Whose.RUNS
        return
    try:
        yield database.start(), Whose.OURS if isinstance(database, Embedded) else Whose.OPERATORS
    finally:
        database.stop()


def _claimed(database: Embedded) -> bool:
    """Not when a `run` has it. Another command is waited for; when it takes too long, that is a Refusal."""
    try:
        database.claim()
    except Refusal as refusal:
        if refusal.code == TAKEN and database.cluster.folder.holder == RUN:
            return False
        raise
    return True


def _beside(cluster: Cluster) -> Urls:
    if not wait_until(lambda: _answers(cluster), ANSWER, pause=0.1):
        raise Refusal(
            f"The database in {cluster.folder.path} did not answer within {ANSWER:g} seconds.", DATABASE
        )
    return cluster.urls(NAME)


def _answers(cluster: Cluster) -> bool:
    try:
        sql.run(cluster.url(APP, NAME), "SELECT 1", seconds=5)
    except (sql.Failed, Refusal, FileNotFoundError):
        return False
    return True
