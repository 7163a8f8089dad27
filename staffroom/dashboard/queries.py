"""What the start page of a context says."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from staffroom.core.scope import current_workspace_id

_STEPS = """
    SELECT EXISTS (SELECT FROM employees_employee WHERE workspace_id = %(workspace)s),
           EXISTS (SELECT FROM knowledge_source WHERE workspace_id = %(workspace)s),
           EXISTS (SELECT FROM billing_entry WHERE workspace_id = %(workspace)s AND kind = 'charge'),
           EXISTS (SELECT FROM workspaces_membership
                   WHERE workspace_id = %(workspace)s AND status = 'active' OFFSET 1)
"""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What has been done here already."""

    hired: bool
    taught: bool
    asked: bool
    joined: bool

    @property
    def is_over(self) -> bool:
        return self.hired and self.taught and self.asked


def beginning() -> Beginning:
    """Of the open workspace, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(_STEPS, {"workspace": current_workspace_id()})
        return Beginning(*cursor.fetchone())
