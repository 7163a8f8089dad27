"""Erasing what was closed and whose grace time is over: every row and file, in small steps. See `docs/deletion.md`.

Each step is one transaction (or one handful of files) and may be the last before a crash: whoever comes next looks
at what is there and goes on. Two at once share the work. The rows are erased by functions of the database, which ask
at every step whether erasing has begun: nothing else can be reached through them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from graphlib import TopologicalSorter
from time import monotonic
from typing import Any, Final
from uuid import UUID

from django.db import connection, connections, transaction
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued
from psycopg.types.json import Jsonb

from staffroom.accounts.models import User
from staffroom.core import files, mail
from staffroom.core.names import called
from staffroom.core.scope import across_workspaces, workspace_scope
from staffroom.core.sentences import part

from .models import Workspace

BATCH: Final = 1000
"""Rows, or files, of one step."""
SHIFT: Final = 5.0
"""Seconds after which a job makes room for others and rings for the next one."""
LATE: Final = 10
"""Seconds for which whoever had passed the door before it was closed may still be at work inside."""
QUIET: Final = 120
"""Seconds without a sign of life of whoever erases, after which another one is rung for."""


@part
def ring(workspace_id: UUID, *, late: int = 0) -> None:
    """Somebody is to erase it, once this transaction is committed and so many seconds are over."""
    _ring(str(workspace_id), late)


@app.task(name="workspaces.erase", queue="erasing")
def erase(workspace_id: str) -> None:
    began = monotonic()
    for _step in steps(UUID(workspace_id)):
        if monotonic() - began > SHIFT:
            _ring(workspace_id)
            return


@app.task(name="workspaces.ring_again", queueing_lock="workspaces.ring_again")
def ring_again(timestamp: int = 0) -> None:
    """Every minute: where the grace time is over, or where whoever erased has died."""
    for workspace_id in due():
        _ring(str(workspace_id))


def _ring(workspace_id: str, late: int = 0) -> None:
    """One waits at a time: each rings for the next, so that several would never become one again."""
    with suppress(AlreadyEnqueued), transaction.atomic():
        erase.configure(
            queueing_lock=f"erase {workspace_id}", schedule_in={"seconds": late} if late else None
        ).defer(workspace_id=workspace_id)


_DUE: Final = """
    SELECT d.workspace_id FROM workspaces_deletion d
    LEFT JOIN workspaces_certificate c ON c.workspace = d.workspace_id
    WHERE d.delete_after <= now() AND d.created_at < now() - make_interval(secs => %s)
        AND (c.id IS NULL OR c.at_work_at < now() - make_interval(secs => %s))
    ORDER BY d.delete_after
"""


def due() -> list[UUID]:
    with across_workspaces("grace times end in every workspace"), connections["platform"].cursor() as cursor:
        cursor.execute(_DUE, [LATE, QUIET])
        return [workspace_id for (workspace_id,) in cursor.fetchall()]


def steps(workspace_id: UUID, at_most: int = BATCH) -> Iterator[str]:
    """Everything of a workspace, step by step; each is done when it is told. Nothing where nothing is due."""
    if not _begin(workspace_id):
        return
    tables = in_order()
    for table in tables:
        if _ask("SELECT erase_count(%s, %s)", workspace_id, table):
            yield f"{table} counted"
    while True:
        for table in tables:
            while gone := _ask("SELECT erase_batch(%s, %s, %s)", workspace_id, table, at_most):
                yield f"{gone} of {table}"
        while gone := files.erase(workspace_id, at_most):
            yield f"{gone} files"
        _forget_jobs(workspace_id)
        if _end(workspace_id):
            break
        yield "something was written meanwhile"
    files.sweep(workspace_id)


def in_order() -> list[str]:
    """The tables of tenants; what refers to others comes first, so that no batch takes more along than itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT erasable_tables()")
        tables = {name for (name,) in cursor.fetchall()}
        cursor.execute("""
            SELECT DISTINCT c.relname::text, t.relname::text FROM pg_constraint f
            JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class t ON t.oid = f.confrelid
            WHERE f.contype = 'f' AND f.conrelid <> f.confrelid AND c.relnamespace = 'public'::regnamespace
        """)
        between = [(one, other) for one, other in cursor.fetchall() if {one, other} <= tables]
    graph: dict[str, set[str]] = {name: set() for name in sorted(tables)}
    for referring, referred in between:
        graph[referred].add(referring)
    return list(TopologicalSorter(graph).static_order())


def _begin(workspace_id: UUID) -> bool:
    """What accounting keeps is taken down first; a second time changes nothing of it."""
    with workspace_scope(workspace_id):
        kept = [record for records in called("ACCOUNTING_KEEPS") for record in records()]
    return bool(_ask("SELECT erase_begin(%s, %s, %s)", workspace_id, files.count(workspace_id), Jsonb(kept)))


def _end(workspace_id: UUID) -> bool:
    """The last rows and the certificate, and a mail to the owner: all of it or nothing."""
    with transaction.atomic():
        owner_id = _owner(workspace_id)
        said = _ask("SELECT erase_end(%s, %s)", workspace_id, files.count(workspace_id))
        if said is None:
            return False
        if owner_id:
            _tell(owner_id, json.loads(said))
    return True


def _owner(workspace_id: UUID) -> UUID | None:
    """None when somebody else was faster. Holds the row, so that one alone sends the mail."""
    with workspace_scope(workspace_id):
        rows = Workspace.objects.select_for_update().filter(id=workspace_id)
        return rows.values_list("owner_id", flat=True).first()


def _tell(owner_id: UUID, certificate: dict[str, Any]) -> None:
    owner = User.objects.filter(id=owner_id, is_active=True).first()
    if owner is None or not certificate["slug"]:
        return
    said = {
        "slug": certificate["slug"],
        "rows_before": sum(certificate["rows_before"].values()),
        "rows_after": sum(certificate["rows_after"].values()),
        "files_before": certificate["files_before"],
        "files_after": certificate["files_after"],
        "purchases": len(certificate["purchases"]),
        "number": certificate["id"],
    }
    mail.send("workspaces/mail/erased", owner.email, said, language=owner.language)


def _forget_jobs(workspace_id: UUID) -> None:
    """What waits or has failed; a job that is at work finds nothing and ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM procrastinate_jobs WHERE args ->> 'workspace_id' = %s AND status <> 'doing'",
            [str(workspace_id)],
        )


def _ask(statement: str, *values: Any) -> Any:
    """A batch of large rows may take longer than a page would be given."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(statement, values)
        return cursor.fetchone()[0]
