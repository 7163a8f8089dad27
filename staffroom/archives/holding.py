"""Whoever works on a row holds it by a lease, renews it about once a second, and stops when it was lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from django.db import InterfaceError, OperationalError
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from staffroom.core.scope import workspace_scope

from . import problems
from .models import FAILED, PENDING, RUNNING, Undertaking

log = logging.getLogger(__name__)

LEASE: Final = timedelta(minutes=1)
ATTEMPTS: Final = 5
"""After so many that did not come to an end, it is not tried again."""
_BEAT: Final = 1.0  # seconds

Row = TypeVar("Row", bound=Undertaking)


class Lost(Exception):
    """Somebody else has taken the row, or it is gone: there is nothing more to do here."""


class Holding(Generic[Row]):
    def __init__(self, row: Row) -> None:
        self.row = row
        self._beaten = monotonic()

    def beat(self, progress: float) -> None:
        """About once a second, in a transaction of its own: how far it is, and that somebody is still at it."""
        if monotonic() - self._beaten >= _BEAT:
            with workspace_scope(self.row.workspace_id):
                self.write(progress=min(int(progress), 99))

    def write(self, **values: Any) -> None:
        """Inside an open scope, with whatever belongs to it; raises `Lost`, and then nothing of it may stay."""
        now = timezone.now()
        mine = _workable(type(self.row)).filter(id=self.row.id, attempt=self.row.attempt, state=RUNNING)
        if not mine.update(**{"lease_until": now + LEASE, **values}):
            raise Lost
        self._beaten = monotonic()

    def finish(self, state: str, **values: Any) -> None:
        self.write(state=state, lease_until=None, ended_at=timezone.now(), **values)


def take(kind: type[Row], workspace_id: UUID, row_id: UUID) -> Row | None:
    """Claim by UPDATE: one that waits, or whose taker is dead."""
    with workspace_scope(workspace_id):
        now = timezone.now()
        free = Q(state=PENDING) | Q(state=RUNNING, lease_until__lt=now)
        mine = _workable(kind).filter(free, id=row_id)
        if not mine.update(state=RUNNING, attempt=F("attempt") + 1, lease_until=now + LEASE):
            return None
        row: Row = kind.objects.get(id=row_id)
        return row


def _workable(kind: type[Row]) -> QuerySet[Row]:
    rows: QuerySet[Row] = kind.objects.all()
    return rows if kind.IN_CLOSED else rows.filter(workspace__closed_at=None)


def work(row: Row, do: Callable[[Holding[Row]], None]) -> None:
    """Do it, and write down why it could not be done. A database that is away leaves the row to the sweeper."""
    holding = Holding(row)
    try:
        _try(holding, do)
    except Lost:
        return
    except problems.Problem as problem:
        _fail(holding, problem.stored)
    except OSError:
        log.exception("an archive of workspace %s", row.workspace_id)
        _fail(holding, {"code": "storage"})
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("an archive of workspace %s", row.workspace_id)
        _fail(holding, {"code": "internal"})


def _try(holding: Holding[Row], do: Callable[[Holding[Row]], None]) -> None:
    if holding.row.attempt > ATTEMPTS:
        raise problems.Problem("given_up")
    do(holding)


def _fail(holding: Holding[Any], problem: dict[str, Any]) -> None:
    try:
        with workspace_scope(holding.row.workspace_id):
            holding.finish(FAILED, problem=problem)
    except Lost:
        return
