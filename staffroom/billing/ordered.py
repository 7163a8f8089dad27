"""Purchases of every workspace, for the operator."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connections

from staffroom.core.scope import across_workspaces

from .models import Payment

_LATEST = """
    SELECT p.number, p.created_at, p.state, p.gateway, p.amount, p.currency, p.words, coalesce(w.slug, u.email)
    FROM billing_payment p
    JOIN workspaces_workspace w ON w.id = p.workspace_id JOIN accounts_user u ON u.id = w.owner_id
    WHERE %s OR p.state = 'pending' ORDER BY p.created_at DESC LIMIT 200
"""


@dataclass(frozen=True, slots=True)
class Ordered:
    """`amount` in cents; `place` is the organization's slug or the person's address."""

    number: int | None
    at: datetime
    state: str
    gateway: str
    amount: int
    currency: str
    words: int
    place: str


def latest(*, every: bool = False) -> list[Ordered]:
    with across_workspaces("the operator sees what was ordered"), connections["platform"].cursor() as cursor:
        cursor.execute(_LATEST, [every])
        return [Ordered(*row) for row in cursor.fetchall()][::-1]


def numbered(number: int) -> Payment | None:
    """By the number of its invoice or receipt, which is the installation's."""
    with across_workspaces("the operator knows an invoice by its number"):
        return Payment.objects.filter(number=number).first()
