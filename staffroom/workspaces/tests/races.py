"""Real connections that act at the same moment."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import Any
from uuid import uuid4

import psycopg
from django.db import connection

from staffroom.accounts import people
from staffroom.accounts.models import User

TRIALS = 20


def at_once(*deeds: Callable[[], Any], pauses: Callable[[], float] = lambda: 0) -> list[Any]:
    """What each deed gave or raised, in its order."""
    gate = threading.Barrier(len(deeds))

    def run(deed: Callable[[], Any], pause: float) -> Any:
        try:
            connection.ensure_connection()
            gate.wait(10)
            time.sleep(pause)
            return deed()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds, [pauses() for _ in deeds]))


def jostled(random: Random) -> Callable[[], float]:
    """Starts that lie up to a few milliseconds apart, about as long as one request takes."""
    return lambda: random.choice([0, random.random() / 250, random.random() / 80])


def one_behind_the_other(deeds: list[Callable[[], Any]], holding: str, *values: Any) -> list[Any]:
    """All of them have come as far as the lock that the statement takes before the first may go on.

    They get it in the order in which they came: what each has looked at before is as old as it can be.
    """
    with ThreadPoolExecutor(len(deeds)) as pool, held(holding, *values) as waiting:
        asked: list[Future[Any]] = []
        for deed in deeds:
            asked.append(pool.submit(_own, deed))
            until = time.monotonic() + 20
            while waiting() + sum(one.done() for one in asked) < len(asked):
                assert time.monotonic() < until, "it neither waits nor ends"
                time.sleep(0.001)
        waiting.release()
        return [one.result(20) for one in asked]


def _own(deed: Callable[[], Any]) -> Any:
    try:
        return deed()
    except Exception as error:
        return error
    finally:
        connection.close()


class Waiting:
    def __init__(self, holder: psycopg.Connection[Any], looker: psycopg.Connection[Any]) -> None:
        self.holder, self.looker = holder, looker

    def __call__(self) -> int:
        """How many connections of this database wait for a lock."""
        row = self.looker.execute(
            "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE a.datname = current_database() AND NOT l.granted"
        ).fetchone()
        assert row
        return int(row[0])

    def release(self) -> None:
        self.holder.rollback()


@contextmanager
def held(statement: str, *values: Any) -> Iterator[Waiting]:
    """What the statement locks is held by a connection of the tables' owner, and nothing of it stays."""
    url = os.environ["STAFFROOM_DB_OWNER"]
    with psycopg.connect(url) as holder, psycopg.connect(url, autocommit=True) as looker:
        holder.execute(statement, values)  # type: ignore[arg-type]
        try:
            yield Waiting(holder, looker)
        finally:
            holder.rollback()


def passer_by(name: str = "dora") -> User:
    """Somebody new with a verified address and no password, whose hashing would cost most of a race."""
    address = f"{name}-{uuid4().hex[-8:]}@example.com"
    return people.add(address, name=name.title(), password=None, verified=True)  # type: ignore[arg-type]
