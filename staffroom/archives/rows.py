"""Reading a whole table of a workspace in pages, each in a short transaction of its own.

One long snapshot would hold back the vacuum of busy wallets; so rows that change meanwhile may be read in either
state, and what refers to a row that is gone by then refers to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from django.db import connection

from staffroom.core.scope import workspace_scope

Row = tuple[Any, ...]


def read(workspace_id: UUID, sql: str, **values: Any) -> list[Row]:
    with workspace_scope(workspace_id), connection.cursor() as cursor:
        cursor.execute(sql, {"workspace": workspace_id, **values})
        found: list[Row] = cursor.fetchall()
        return found


def all_of(
    workspace_id: UUID, sql: str, limit: int, start: dict[str, Any], last: Callable[[Row], dict[str, Any]]
) -> Iterator[Row]:
    """Page after page: `start` and `last(row)` give the values of the place after which `sql` goes on."""
    after = start
    while True:
        page = read(workspace_id, sql, limit=limit, **after)
        yield from page
        if len(page) < limit:
            return
        after = last(page[-1])
