"""What happens by itself. The verbs do not wait for these jobs: words past their time cannot be spent anyway."""

from __future__ import annotations

import logging
from uuid import UUID

from django.db import DatabaseError, connections
from procrastinate.contrib.django import app

from staffroom.core.scope import across_workspaces, workspace_scope

from . import checks, ledger

log = logging.getLogger(__name__)

# Where an organization was closed, nothing runs.
WAITING = """
    SELECT o.workspace_id FROM (
        SELECT workspace_id FROM billing_wallet WHERE due_at <= ledger_now()
        UNION SELECT workspace_id FROM billing_hold WHERE lease_until <= ledger_now()) o
    JOIN workspaces_workspace w ON w.id = o.workspace_id AND w.closed_at IS NULL
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
    with (
        across_workspaces("time runs out in every workspace"),
        connections["platform"].cursor() as cursor,
    ):
        cursor.execute(WAITING)
        return [workspace_id for (workspace_id,) in cursor.fetchall()]


def tidy(workspace_id: UUID) -> None:
    """Reap what died, let expire what is over, begin the plan's next month; twice or late makes no difference."""
    with workspace_scope(workspace_id):
        ledger.reap()
        ledger.expire()


@app.task(name="billing.check", queueing_lock="billing.check")
def check(timestamp: int = 0) -> None:
    """Every night: a difference is for the operator to see."""
    for difference in checks.problems():
        log.error("ledger: %s", difference)
