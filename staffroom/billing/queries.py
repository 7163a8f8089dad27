"""What is left, what it is made of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from staffroom.core.errors import NotHere
from staffroom.core.paging import Page, page, position
from staffroom.core.scope import current_workspace_id
from staffroom.workspaces.permissions import Role
from staffroom.workspaces.queries import Context

from .models import Payment, Plan, Subscription, Wallet


@dataclass(frozen=True, slots=True)
class Part:
    source: str
    words: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Balance:
    """`words_left` can be spent; together with `reserved` it is the sum of the parts. `debt` waits for a top-up."""

    plan: str | None
    words_left: int
    reserved: int
    debt: int
    parts: list[Part]


def balance() -> Balance:
    """Of the open workspace, parts in the order of spending."""
    current_workspace_id()
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM ledger_balance()")
        plan, words_left, reserved, debt, sources, words, expiries = cursor.fetchone()
    return Balance(plan, words_left, reserved, debt, list(map(Part, sources, words, expiries)))


def contexts(user_id: UUID) -> list[tuple[Context, int]]:
    """The switcher's list with the words left in each, in one statement. Outside every scope."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM contexts_with_words(%s)", [user_id])
        return [
            (Context(id_, kind, slug, name, avatar, Role(role), last_used_at), words_left)
            for id_, kind, slug, name, avatar, role, last_used_at, words_left in cursor.fetchall()
        ]


def words_of_contexts(
    user_id: UUID, only: Collection[UUID] | None = None
) -> list[tuple[str, str | None, str, str, str, int]]:
    """The same as plain rows for the API: kind, slug, name, role, avatar, words left. `only`: of these contexts."""
    sql = "SELECT kind, slug, name, role, avatar, words_left FROM contexts_with_words(%s)"
    with connection.cursor() as cursor:
        if only is None:
            cursor.execute(sql, [user_id])
        else:
            cursor.execute(f"{sql} WHERE id = ANY (%s)", [user_id, list(only)])
        return list(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class Running:
    """The plan that runs, until when, and whether it was bought (and is not prolonged by itself)."""

    code: str
    name: str
    words: int
    ends_at: datetime
    bought: bool


def plan() -> Running | None:
    """Of the open workspace."""
    found = Subscription.objects.first()
    if found is None:
        return None
    name = Plan.objects.filter(code=found.plan).values_list("name", flat=True).first()
    return Running(found.plan, name or found.plan.title(), found.words, found.ends_at, bool(found.reference))


def payment(payment_id: UUID) -> Payment:
    """A purchase of the open workspace."""
    found = Payment.objects.filter(id=payment_id).first()
    if found is None:
        raise NotHere
    return found


def payments(cursor: str | None = None, limit: int = 50) -> Page[Payment]:
    """The open workspace's purchases, the newest first."""
    found = Payment.objects.order_by("-created_at", "-id")
    if after := position("purchases", cursor, tuple[datetime, UUID]):
        at, id_ = after
        found = found.extra(where=["(created_at, id) < (%s, %s)"], params=[at, id_])
    rows = list(found[: limit + 1])
    return page(rows, limit, "purchases", lambda row: (row.created_at, row.id))


@dataclass(frozen=True, slots=True)
class MemberWords:
    """Of this month (UTC). `limit` is the one that counts, None for no limit; `own` says that it is the member's,
    `everybody` is what counts for those without one."""

    limit: int | None
    own: bool
    used: int
    everybody: int | None = None

    @property
    def reached(self) -> bool:
        return self.limit is not None and self.used >= self.limit


_MEMBER_WORDS = """
    SELECT u.id, CASE WHEN m.own THEN m.words_limit ELSE w.member_limit END, coalesce(m.own, false),
           coalesce(s.words, 0), w.member_limit
    FROM unnest(%(users)s::uuid[]) AS u (id)
    LEFT JOIN billing_wallet w ON w.workspace_id = %(workspace)s
    LEFT JOIN billing_memberwords m ON m.workspace_id = %(workspace)s AND m.user_id = u.id
    LEFT JOIN ledger_used(%(workspace)s, ledger_month(ledger_now()), %(users)s::uuid[]) s ON s.user_id = u.id
"""


def member_words(user_ids: list[UUID]) -> dict[UUID, MemberWords]:
    """What these people may use and have used, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(_MEMBER_WORDS, {"workspace": current_workspace_id(), "users": user_ids})
        return {id_: MemberWords(*words) for id_, *words in cursor.fetchall()}


def everybodys_limit() -> int | None:
    """Words a month for each member without a limit of their own."""
    found: int | None = Wallet.objects.values_list("member_limit", flat=True).first()
    return found
