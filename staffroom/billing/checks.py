"""Recompute the balances from the entries: what must always hold, for every workspace."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import connections

from staffroom.core.scope import across_workspaces

FEW = 20

# Where erasing has begun, entries go before their wallet, and nothing adds up any more.
# Names the workspace as an operator knows it: an organization by its slug, a personal account by its address.
DIFFERENCES = """
    SELECT d.workspace_id, coalesce(w.slug, u.email, 'unknown'), d.what
    FROM (SELECT * FROM ledger_differences UNION ALL SELECT * FROM payment_differences) d
    LEFT JOIN workspaces_workspace w ON w.id = d.workspace_id
    LEFT JOIN accounts_user u ON u.id = w.owner_id
    WHERE NOT EXISTS (SELECT FROM workspaces_deletion x
                      WHERE x.workspace_id = d.workspace_id AND x.begun_at IS NOT NULL)
    ORDER BY 2, 1, 3 LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Difference:
    workspace_id: UUID
    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.name} ({self.workspace_id}): {self.what}"


def problems(every: bool = False) -> list[Difference]:
    """The first few differences, or every one; none in a sound ledger. One statement, so one moment."""
    with (
        across_workspaces("the ledger is checked as a whole"),
        connections["platform"].cursor() as cursor,
    ):
        cursor.execute(DIFFERENCES, [None if every else FEW])
        return [Difference(*row) for row in cursor.fetchall()]
