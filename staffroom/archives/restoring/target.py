"""Where an archive is read into, and how rows keep their times and get their new ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from staffroom.workspaces.models import Tenant

from .. import ids
from ..reader import Reader


@dataclass(frozen=True, slots=True)
class Target:
    workspace_id: UUID
    import_id: UUID
    user_id: UUID | None  # who asked for it: employees and sources are theirs
    reader: Reader

    def id(self, kind: str, said: UUID, number: int = 0) -> UUID:
        return ids.new(self.import_id, kind, said, number)


def plant(rows: Sequence[Tenant]) -> None:
    """Rows that are there already stay as they are; the times are the rows' own (the ORM would put today's)."""
    if not rows:
        return
    kind, times = type(rows[0]), [row.created_at for row in rows]
    kind._default_manager.bulk_create(rows, ignore_conflicts=True)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {kind._meta.db_table} t SET created_at = v.at"  # noqa: S608 - our own table
            " FROM unnest(%s::uuid[], %s::timestamptz[]) v(id, at) WHERE t.workspace_id = %s AND t.id = v.id",
            [[row.id for row in rows], times, rows[0].workspace_id],
        )


def present(kind: type[Tenant], wanted: Iterable[UUID]) -> set[UUID]:
    """Which of these rows are there, in the open workspace; they stay until the transaction ends."""
    found: Any = kind.objects.filter(id__in=set(wanted)).select_for_update(no_key=True).order_by("id")
    return set(found.values_list("id", flat=True))
