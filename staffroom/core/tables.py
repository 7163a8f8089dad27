"""The scoped manager: the seatbelt above row-level security."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db import models

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
