"""Who works there: name, address, role, since when. People are not imported: they are invited."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from ..format import MEMBERS
from ..rows import all_of
from ..writer import Writer

_ROWS: Final = """
    SELECT u.name, u.email, CASE WHEN w.owner_id = m.user_id THEN 'owner' ELSE m.role END, m.joined_at, m.id
    FROM workspaces_membership m
    JOIN workspaces_workspace w ON w.id = m.workspace_id
    JOIN accounts_user u ON u.id = m.user_id
    WHERE m.workspace_id = %(workspace)s AND m.status = 'active' AND (m.joined_at, m.id) > (%(at)s, %(id)s)
    ORDER BY m.joined_at, m.id LIMIT %(limit)s
"""
EARLIEST: Final = {"at": datetime(1, 1, 1, tzinfo=UTC), "id": UUID(int=0)}


def write(archive: Writer, workspace_id: UUID) -> dict[str, int]:
    return {"members": archive.array(MEMBERS, _members(workspace_id))}


def _members(workspace_id: UUID) -> Iterator[dict[str, Any]]:
    for name, email, role, since, _id in all_of(
        workspace_id, _ROWS, 500, EARLIEST, lambda row: {"at": row[3], "id": row[4]}
    ):
        yield {"name": name, "email": email, "role": role, "since": since}
