"""The audit log: who did what to whom, when and from where; one row in the transaction of the change.

Each entry carries the hash of the one before it in its workspace, so that a gap or an edit shows.
"""

from __future__ import annotations

import hashlib
import json
from contextvars import ContextVar
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.ipv6 import clean_ipv6_address

from staffroom.core import tables
from staffroom.core.scope import current_workspace_id
from staffroom.core.sentences import part

from .members import By
from .models import AuditEntry

START = bytes(32)
# The client's address, set at the door.
came_from: ContextVar[str | None] = ContextVar("came_from", default=None)


@part
def write(action: str, *, by: By, target: Any = None, before: Any = None, after: Any = None) -> AuditEntry:
    """Append an entry; takes the workspace's row first, so that the chain has one end."""
    number, former = _end()
    entry = AuditEntry(
        workspace_id=current_workspace_id(),
        number=number + 1,
        at=timezone.now(),
        actor={"system": by} if isinstance(by, str) else by.as_actor,
        action=action,
        target=target or {},
        before=before,
        after=after,
        ip=_as_stored(came_from.get()),
    )
    entry.hash = digest(former, entry)
    tables.save(entry)
    return entry


def _end() -> tuple[int, bytes]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT number, hash FROM audit_end()")
        number, hash_ = cursor.fetchone()
    return (number, bytes(hash_)) if number else (0, START)


def _as_stored(ip: str | None) -> str | None:
    """As PostgreSQL will give it back, because the hash is computed over this spelling."""
    if not ip or ":" not in ip:
        return ip
    return clean_ipv6_address(ip.partition("%")[0], unpack_ipv4=True)


def digest(former: bytes, entry: Any) -> bytes:
    """SHA-256 over the former hash and everything the entry says, as JSON with sorted keys."""
    said = {
        "workspace": str(entry.workspace_id),
        "number": entry.number,
        "at": entry.at.isoformat(),
        "actor": entry.actor,
        "action": entry.action,
        "target": entry.target,
        "before": entry.before,
        "after": entry.after,
        "ip": entry.ip,
    }
    return hashlib.sha256(former + json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).digest()
