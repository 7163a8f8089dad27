"""The scoped manager, the seatbelt above row-level security; and two statements of the hot paths, made once.

Django puts a statement together anew each time, which costs several times what sending and reading it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from django.db import connection, models

from .scope import current_workspace_id, is_across

Row = TypeVar("Row", bound=models.Model)


class ScopedManager(models.Manager[Row]):
    """Filters by the open workspace and raises `ScopeMissing` when none is open."""

    def get_queryset(self) -> models.QuerySet[Row]:
        if is_across():
            return super().get_queryset().using("platform")
        return super().get_queryset().filter(workspace_id=current_workspace_id())

    def create(self, **values: Any) -> Row:
        values.setdefault("workspace_id", current_workspace_id())
        return super().create(**values)


def one(table: type[Row], condition: str, values: Mapping[str, Any] | None = None) -> Row | None:
    """The row of the open workspace for which the condition holds, if any."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_select(table)} AND {condition} LIMIT 1",
            {"workspace": current_workspace_id(), **(values or {})},
        )
        row = cursor.fetchone()
    return table.from_db("default", _names(table), row) if row else None


def save(row: models.Model) -> None:
    """As `row.save()`, for a row that waits for no value of the database's."""
    if not row._state.adding:
        row.save()
        return
    fields = row._meta.concrete_fields
    values = [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(_insert(type(row)), values)
    row._state.adding, row._state.db = False, "default"


@cache
def _names(table: type[models.Model]) -> list[str]:
    return [field.attname for field in table._meta.concrete_fields]


@cache
def _select(table: type[models.Model]) -> str:
    columns = ", ".join(_names(table))
    return f"SELECT {columns} FROM {table._meta.db_table} WHERE workspace_id = %(workspace)s"  # noqa: S608


@cache
def _insert(table: type[models.Model]) -> str:
    columns, places = ", ".join(_names(table)), ", ".join(["%s"] * len(_names(table)))
    return f"INSERT INTO {table._meta.db_table} ({columns}) VALUES ({places})"  # noqa: S608
