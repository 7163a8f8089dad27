"""A new workspace with no words, a clock of its own, and short names for what the tests do with it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.test import override_settings
from django.utils import timezone

from staffroom.billing import ledger, queries
from staffroom.core.scope import workspace_scope
from tests.cast import Cast

CLOCK = """
CREATE OR REPLACE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    $$SELECT clock_timestamp() + coalesce(nullif(current_setting('app.ledger_shift', true), ''), '0')::interval$$
"""


class Purse:
    def __init__(self, cast: Cast, *, plan: bool = False) -> None:
        born = {} if plan else {"WORKSPACE_BORN": []}
        with override_settings(**born):
            self.workspace_id: UUID = cast.organization("Purse", cast.alice).id
        self.shift = timedelta()

    @property
    def now(self) -> datetime:
        return timezone.now() + self.shift

    def passes(self, **time: float) -> None:
        self.shift += timedelta(**time)

    @contextmanager
    def open(self) -> Iterator[None]:
        """One transaction in this workspace, at its time."""
        with workspace_scope(self.workspace_id):
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('app.ledger_shift', %s, true)", [str(self.shift)])
            yield

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        """`purse.settle(turn, 5)`: the verb of the ledger, in a transaction of its own."""
        rule = getattr(ledger, verb)

        def called(*values: Any, **named: Any) -> Any:
            with self.open():
                return rule(*values, **named)

        return called

    def given(self, words: int, source: str = "purchased", **named: Any) -> str:
        """Words to spend; the reference under which they were granted."""
        reference = named.pop("reference", str(uuid4()))
        self.grant(source, reference, words, by="system", **named)
        return reference

    def held(self, words: int, **named: Any) -> UUID:
        """A turn that holds so many words."""
        turn = uuid4()
        assert self.reserve(turn, words, **named).granted
        return turn

    def paid(self, words: int, **named: Any) -> UUID:
        """A turn that did cost so many words."""
        turn = self.held(words, **named)
        self.settle(turn, words)
        return turn

    def balance(self) -> queries.Balance:
        with self.open():
            return queries.balance()

    def parts(self) -> dict[str, int]:
        """What is there of each source."""
        found: dict[str, int] = {}
        for part in self.balance().parts:
            found[part.source] = found.get(part.source, 0) + part.words
        return found

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.open(), connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall()

    def kinds(self) -> list[str]:
        return [kind for (kind,) in self.rows("SELECT kind FROM billing_entry ORDER BY sequence")]

    def sound(self) -> None:
        assert self.rows("SELECT what FROM ledger_differences") == []


@contextmanager
def till(purse: Purse) -> Iterator[Callable[..., tuple[Any, ...]]]:
    """A connection of its own, as the application's role, with a transaction in the purse's workspace."""
    with psycopg.connect(os.environ["STAFFROOM_DB_APP"]) as own:
        own.execute("SELECT set_config('app.workspace_id', %s, true)", [str(purse.workspace_id)])

        def call(function: str, *values: Any) -> tuple[Any, ...]:
            places = ", ".join(["%s"] * len(values))
            row = own.execute(f"SELECT * FROM {function}({places})", values).fetchone()
            assert row is not None
            return row

        yield call


def together(purse: Purse, calls: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Every call on a connection of its own, all at the same moment; their answers."""
    start = Barrier(len(calls))

    def one(call: tuple[Any, ...]) -> tuple[Any, ...]:
        with till(purse) as ask:
            start.wait(timeout=30)
            return ask(*call)

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(one, calls))


# What another role waits for is not shown in pg_stat_activity itself.
BLOCKED = """
    SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database()
"""


def until_it_waits(other: Thread, patience: float = 10) -> None:
    """Until the other one stands before a lock, or has gone through."""
    deadline = time.monotonic() + patience
    while other.is_alive() and not as_owner(BLOCKED) and time.monotonic() < deadline:
        time.sleep(0.005)


def as_owner(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(sql, values or None)
        return cursor.fetchall() if cursor.description else []


def refused_by(constraint: str, sql: str, *values: Any) -> None:
    """The owner tries, and the table itself refuses; nothing is left behind either way."""
    with transaction.atomic(using="owner"):
        try:
            with pytest.raises(DatabaseError, match=constraint):
                as_owner(sql, *values)
        finally:
            transaction.set_rollback(True, using="owner")
