"""For what nobody has taken, whose taker died, and what has lain here long enough."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

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
        to_read = _found(Import.objects.filter(left, workspace__closed_at=None))
        to_expire = _found(Export.objects.filter(state=READY, expires_at__lte=timezone.now()))
        to_tidy = _found(Import.objects.exclude(state__in=OPEN).exclude(file=""))
    waiting = _waiting()
    for place in to_make:
        if str(place[1]) not in waiting:
            exports.ring(*place)
    for place in to_read:
        if str(place[1]) not in waiting:
            imports.ring(*place)
    for workspace_id, export_id in to_expire:
        exports.expire.defer(workspace_id=str(workspace_id), export_id=str(export_id))
    for place in to_tidy:
        if str(place[1]) not in waiting:
            imports.ring(*place)


def _waiting() -> set[str]:
    """What the queue will come to by itself: behind a long archive, many may stand in line."""
    jobs = ProcrastinateJob.objects.filter(
        task_name__in=[exports.make.name, imports.read.name], status="todo"
    )
    return {
        str(args.get("export_id") or args.get("import_id")) for args in jobs.values_list("args", flat=True)
    }


def _found(rows: object) -> Found:
    return list(rows.values_list("workspace_id", "id")[:1000])  # type: ignore[attr-defined]
