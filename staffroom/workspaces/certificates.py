"""What the operator sees of deletions: those that wait or run, and the certificates of those that are done."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connections

from staffroom.core.scope import across_workspaces

WAITING, DUE, RUNNING, DONE = "waiting", "due", "running", "done"

# One statement, so one moment: the certificate begins in the transaction that makes the deletion run.
_ALL: Final = """
    SELECT coalesce(c.workspace, d.workspace_id) AS workspace, coalesce(c.kind, w.kind) AS kind,
           coalesce(c.slug, w.slug, '') AS slug, coalesce(c.asked_by, d.asked_by_id) AS asked_by,
           coalesce(c.asked_at, d.created_at) AS asked_at, d.delete_after, c.begun_at, c.finished_at,
           coalesce(c.rows_before, '{}') AS rows_before, coalesce(c.rows_erased, '{}') AS rows_erased,
           coalesce(c.rows_after, '{}') AS rows_after, c.files_before, c.files_after,
           coalesce(c.purchases, '[]') AS purchases
    FROM workspaces_deletion d
    JOIN workspaces_workspace w ON w.id = d.workspace_id
    FULL JOIN workspaces_certificate c ON c.workspace = d.workspace_id
    ORDER BY 5, 1
"""


@dataclass(frozen=True, slots=True)
class Record:
    """One deletion; `rows_*` are counts by table, `purchases` what accounting keeps."""

    workspace: UUID
    kind: str
    slug: str
    asked_by: UUID
    asked_at: datetime
    delete_after: datetime | None
    begun_at: datetime | None
    finished_at: datetime | None
    rows_before: dict[str, int]
    rows_erased: dict[str, int]
    rows_after: dict[str, int]
    files_before: int | None
    files_after: int | None
    purchases: list[dict[str, Any]]

    def state(self, now: datetime) -> str:
        if self.finished_at:
            return DONE
        if self.begun_at:
            return RUNNING
        return DUE if self.delete_after and self.delete_after <= now else WAITING


def records() -> list[Record]:
    """The oldest first."""
    with (
        across_workspaces("the operator answers for every deletion"),
        connections["platform"].cursor() as cursor,
    ):
        cursor.execute(_ALL)
        return [Record(*(_decoded(value) for value in row)) for row in cursor.fetchall()]


def _decoded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value[:1] in "{[" else value
