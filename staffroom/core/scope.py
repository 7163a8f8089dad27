"""The open workspace: one transaction, one tenant.

A scope is opened once at each door (page, API route, job, command). It opens the transaction, tells
PostgreSQL which workspace's rows may be seen until it ends, and refuses to nest another workspace.
The setting is local to the transaction: one for the session would leak through the connection pool.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

from django.db import connection, transaction

_open: ContextVar[UUID | None] = ContextVar("open_workspace", default=None)
_across: ContextVar[str | None] = ContextVar("across_workspaces", default=None)


class ScopeMissing(RuntimeError):
    """A tenant table was touched with no workspace open: a defect of the program, never of the caller."""


class ScopeNested(RuntimeError):
    """A second workspace was to be opened inside the first."""


def current_workspace_id() -> UUID:
    if (workspace_id := _open.get()) is None:
        raise ScopeMissing("No workspace scope is open.")
    return workspace_id


def is_open() -> bool:
    return _open.get() is not None


def is_across() -> bool:
    return _across.get() is not None


@contextmanager
def workspace_scope(workspace_id: UUID) -> Iterator[None]:
    """Open the transaction and the workspace; the same workspace again joins the open one."""
    already = _open.get()
    if already == workspace_id:
        yield
        return
    if already is not None:
        raise ScopeNested("Another workspace is open; leave it first.")
    if _across.get() is not None:
        raise ScopeNested("A job across workspaces opens no single one; leave it first.")
    nested = connection.in_atomic_block
    with _transaction(None if nested else workspace_id):
        if nested:
            _set(str(workspace_id))
        token = _open.set(workspace_id)
        try:
            yield
        finally:
            _open.reset(token)
        # The outer transaction goes on and must not stay inside this workspace. Where an error ends the scope, its
        # savepoint is rolled back and the setting with it; a statement before that would fail and hide the error.
        if nested and not connection.needs_rollback:
            _set("")


@contextmanager
def _transaction(workspace_id: UUID | None) -> Iterator[None]:
    """A new transaction is told its workspace in the statement that begins it."""
    connection.workspace = workspace_id and str(workspace_id)  # type: ignore[attr-defined]
    try:
        with transaction.atomic():
            yield
    finally:
        connection.workspace = None  # type: ignore[attr-defined]  # where it could not begin


@contextmanager
def across_workspaces(reason: str) -> Iterator[None]:
    """For the operator's few jobs over all tenants. Tenant managers read and write as the platform role.

    `reason` is for the reader of the code; a test counts the callers.
    """
    if _open.get() is not None:
        raise ScopeNested("A workspace is open; nothing reaches across from inside it.")
    token = _across.set(reason)
    try:
        yield
    finally:
        _across.reset(token)


def _set(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.workspace_id', %s, true)", [value])
