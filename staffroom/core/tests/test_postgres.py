"""Our backend: a dead connection is noticed without a statement, a transaction begins inside its workspace."""

from __future__ import annotations

import os
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from staffroom.core.ids import new_id
from staffroom.core.scope import workspace_scope


def _setting() -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('app.workspace_id', true)")
        found: str | None = cursor.fetchone()[0]
        return found


def _backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_a_connection_that_the_server_ended_is_replaced_before_it_is_used() -> None:
    former = _backend()
    connection.close()
    with psycopg.connect(os.environ["STAFFROOM_DB_APP"], autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [former])
    assert _backend() != former


def test_a_scope_costs_its_begin_and_its_commit() -> None:
    _backend()
    with CaptureQueriesContext(connection) as statements, workspace_scope(new_id()):
        pass
    assert len(statements) == 2


def test_begin_carries_the_workspace_and_the_end_forgets_it() -> None:
    workspace = new_id()
    with workspace_scope(workspace):
        assert _setting() == str(workspace)
    assert not _setting()
    with transaction.atomic():
        assert not _setting()


def test_an_error_inside_rolls_back_and_forgets_the_workspace() -> None:
    with pytest.raises(DatabaseError), workspace_scope(new_id()), connection.cursor() as cursor:
        cursor.execute("SELECT 1/0")
    assert not _setting()


def test_a_scope_that_could_not_begin_leaves_nothing_for_the_next_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        raise DatabaseError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(
            connection._connections[connection._alias], "_start_transaction_under_autocommit", refuse
        )
        with pytest.raises(DatabaseError), workspace_scope(uuid4()):
            pass
    with transaction.atomic():
        assert not _setting()


def test_a_scope_inside_a_transaction_ends_without_leaving_it_open() -> None:
    workspace = UUID(int=7)
    with transaction.atomic():
        with workspace_scope(workspace):
            assert _setting() == str(workspace)
        assert _setting() == ""
