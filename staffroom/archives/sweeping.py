"""For what nobody has taken, whose taker died, and what has lain here long enough."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from procrastinate.contrib.django import app

from staffroom.core.scope import across_workspaces

from . import exports, imports
from .models import OPEN, PENDING, READY, RUNNING, Export, Import

_LATE = timedelta(seconds=30)

Found = list[tuple[UUID, UUID]]


@app.task(name="archives.sweep", queueing_lock="archives.sweep")
def sweep(timestamp: int = 0) -> None:
    with across_workspaces("archives of any workspace may have lost their worker or come to their end"):
        left = Q(state=PENDING, created_at__lt=timezone.now() - _LATE) | Q(
            state=RUNNING, lease_until__lt=timezone.now()
        )
        to_make = _found(Export.objects.filter(left))
        to_read = _found(Import.objects.filter(left))
        to_expire = _found(Export.objects.filter(state=READY, expires_at__lte=timezone.now()))
        to_tidy = _found(Import.objects.exclude(state__in=OPEN).exclude(file=""))
    for place in to_make:
        exports.ring(*place)
    for place in to_read:
        imports.ring(*place)
    for workspace_id, export_id in to_expire:
        exports.expire.defer(workspace_id=str(workspace_id), export_id=str(export_id))
    for place in to_tidy:
        imports.ring(*place)


def _found(rows: object) -> Found:
    return list(rows.values_list("workspace_id", "id")[:1000])  # type: ignore[attr-defined]
