"""What was bought and given, what people did, and the place that is kept for customers' profiles.

None of it is imported: an archive can be edited, and nobody shall write words or deeds into a ledger or a log.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from ..format import AUDIT, GRANTS, PROFILES, PURCHASES, raw
from ..rows import all_of, read
from ..writer import Writer
from .people import EARLIEST

_PURCHASES: Final = """
    SELECT created_at, id, what, plan, words, amount, currency, gateway, state, number, paid_at, refunded, user_name
    FROM billing_payment WHERE workspace_id = %(workspace)s AND (created_at, id) > (%(at)s, %(id)s)
    ORDER BY created_at, id LIMIT %(limit)s
"""
# A grant is an entry of the ledger; the lot says what it is called at its source.
_GRANTS: Final = """
    SELECT e.at, l.source, l.words, l.reference, e.reason, l.expires_at, l.reversed
    FROM billing_entry e JOIN billing_lot l ON l.workspace_id = e.workspace_id AND l.id = e.reference
    WHERE e.workspace_id = %(workspace)s AND e.kind = 'grant' AND e.sequence > %(after)s AND e.sequence <= %(upto)s
    ORDER BY e.sequence
"""
_LAST: Final = "SELECT coalesce(max(sequence), 0) FROM billing_entry WHERE workspace_id = %(workspace)s"
_AT_ONCE: Final = 20_000
"""Entries that are looked through in one statement: few of them are grants, and no index knows which."""
_AUDIT: Final = """
    SELECT number, at, actor::text, action, target::text, before::text, after::text, host(ip), encode(hash, 'hex')
    FROM workspaces_auditentry WHERE workspace_id = %(workspace)s AND number > %(after)s
    ORDER BY number LIMIT %(limit)s
"""


def write(archive: Writer, workspace_id: UUID, *, is_organization: bool) -> dict[str, int]:
    counts = {
        "profiles": archive.lines(PROFILES, ()),
        "purchases": archive.array(PURCHASES, _purchases(workspace_id)),
        "grants": archive.array(GRANTS, _grants(workspace_id)),
    }
    if is_organization:
        counts["audit"] = archive.lines(AUDIT, _deeds(workspace_id))
    return counts


def _purchases(workspace_id: UUID) -> Iterator[dict[str, Any]]:
    """`amount` and `refunded` in cents; what a paid one has brought is the grant with its id as the reference."""
    names = ("at", "id", "what", "plan", "words", "amount", "currency", "gateway", "state", "number", "paid_at",
             "refunded", "by")  # fmt: skip
    for row in all_of(workspace_id, _PURCHASES, 500, EARLIEST, lambda row: {"at": row[0], "id": row[1]}):
        yield dict(zip(names, row, strict=True))


def _grants(workspace_id: UUID) -> Iterator[dict[str, Any]]:
    names = ("at", "source", "words", "reference", "reason", "expires_at", "taken_back")
    last: int = read(workspace_id, _LAST)[0][0]
    for after in range(0, last, _AT_ONCE):
        for row in read(workspace_id, _GRANTS, after=after, upto=after + _AT_ONCE):
            yield dict(zip(names, row, strict=True))


def _deeds(workspace_id: UUID) -> Iterator[dict[str, Any]]:
    for row in all_of(workspace_id, _AUDIT, 500, {"after": 0}, lambda row: {"after": row[0]}):
        number, at, actor, action, target, before, after, ip, hash_ = row
        yield {
            "number": number,
            "at": at,
            "actor": raw(actor),
            "action": action,
            "target": raw(target),
            "before": raw(before),
            "after": raw(after),
            "ip": ip,
            "hash": hash_,
        }
