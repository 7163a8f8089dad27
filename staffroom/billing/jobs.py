"""What happens by itself. The verbs do not wait for these jobs: words past their time cannot be spent anyway."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import DatabaseError, connections
from django.utils import timezone
from procrastinate.contrib.django import app

from staffroom.core.scope import across_workspaces, workspace_scope

from . import alerts, checks, ledger, reports
from .gateways.stripe import hearing
from .gateways.stripe.events import Told
from .models import Event

log = logging.getLogger(__name__)

OLD: Final = timedelta(days=30)
"""Events that nothing has explained by then stay for the operator to read, and are tried no more."""
WAITING = """
    SELECT workspace_id FROM billing_wallet WHERE due_at <= ledger_now()
    UNION SELECT workspace_id FROM billing_hold WHERE lease_until <= ledger_now()
"""


@app.task(name="billing.sweep", queueing_lock="billing.sweep")
def sweep(timestamp: int = 0) -> None:
    """Every few minutes: do what is due, where something is. One workspace in trouble does not stop the others."""
    for workspace_id in waiting():
        try:
            tidy(workspace_id)
        except DatabaseError:
            log.exception("ledger: cannot tidy up in %s", workspace_id)


def waiting() -> list[UUID]:
    return _found(WAITING, "time runs out in every workspace")


# Where an organization was closed, nothing runs.
OPEN = """
    SELECT o.workspace_id FROM ({}) o
    JOIN workspaces_workspace open ON open.id = o.workspace_id AND open.closed_at IS NULL
"""


def _found(sql: str, reason: str) -> list[UUID]:
    with across_workspaces(reason), connections["platform"].cursor() as cursor:
        cursor.execute(OPEN.format(sql))
        return [workspace_id for (workspace_id,) in cursor.fetchall()]


def tidy(workspace_id: UUID) -> None:
    """Reap what died, let expire what is over, begin the plan's next month; twice or late makes no difference."""
    with workspace_scope(workspace_id):
        ledger.reap()
        ledger.expire()


@app.task(name="billing.hear_again", queueing_lock="billing.hear_again")
def hear_again(timestamp: int = 0) -> None:
    """What a gateway told and nobody has done: the process died, or the event came before its time."""
    for told in left_over():
        try:
            hearing.act(told)
        except DatabaseError:
            log.exception("stripe: event %s", told.id)


def left_over(patience: timedelta = timedelta(minutes=1)) -> list[Told]:
    now = timezone.now()
    with across_workspaces("a gateway's word comes before its workspace is known"):
        found = Event.objects.using("platform").filter(
            state=Event.RECEIVED, received_at__gt=now - OLD, received_at__lt=now - patience
        )
        rows = list(found.order_by("received_at").values_list("id", "kind", "payload")[:500])
    return [Told(id_, kind, payload) for id_, kind, payload in rows]


UNFOLDED = """
    SELECT w.workspace_id FROM billing_wallet w
    LEFT JOIN billing_folded f ON f.workspace_id = w.workspace_id
    WHERE w.sequence > coalesce(f.sequence, 0)
"""


@app.task(name="billing.fold", queueing_lock="billing.fold")
def fold(timestamp: int = 0) -> None:
    """Every few minutes: the days of whoever has spent something since."""
    for workspace_id in _found(UNFOLDED, "every workspace has days"):
        folded = reports.AT_ONCE
        while folded == reports.AT_ONCE:
            with workspace_scope(workspace_id):
                folded = reports.fold()


UNWATCHED = """
    SELECT w.workspace_id FROM billing_wallet w
    LEFT JOIN billing_alert a ON a.workspace_id = w.workspace_id
    WHERE w.sequence > coalesce(a.sequence, 0)
"""


@app.task(name="billing.watch", queueing_lock="billing.watch")
def watch(timestamp: int = 0) -> None:
    """Every minute: whose words run low."""
    for workspace_id in _found(UNWATCHED, "words run low in every workspace"):
        alerts.look(workspace_id)


@app.task(name="billing.check", queueing_lock="billing.check")
def check(timestamp: int = 0) -> None:
    """Every night: a difference is for the operator to see."""
    for difference in checks.problems():
        log.error("ledger: %s", difference)
