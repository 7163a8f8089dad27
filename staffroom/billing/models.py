"""The ledger: what a workspace's words are, where they came from, where they went. See `docs/ledger.md`.

Only the functions of the database write these tables (migration `0003_verbs`); the application's role may not.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Least
from django.db.models.lookups import GreaterThanOrEqual

from staffroom.core.tables import ScopedManager
from staffroom.workspaces.models import Tenant, Workspace

PLAN, BONUS, PURCHASED = "plan", "bonus", "purchased"
SOURCES = [PLAN, BONUS, PURCHASED]  # in the order of spending

CHARGE, GRANT, EXPIRY, REFUND = "charge", "grant", "expiry", "refund"
REVERSAL, REINSTATEMENT = "reversal", "reinstatement"


def _words(**options: Any) -> models.BigIntegerField[int, int]:
    return models.BigIntegerField(db_default=0, **options)


class Wallet(models.Model):
    """The one row that every verb locks first. Words there are `plan + bonus + purchased`; `held` of them
    are promised to replies that are being written, `debt` is what a reversed payment left unpaid."""

    workspace = models.OneToOneField(Workspace, primary_key=True, on_delete=models.PROTECT, related_name="+")
    plan = _words()
    bonus = _words()
    purchased = _words()
    held = _words()
    debt = _words()
    sequence = _words()  # of the last entry
    moved_at = models.DateTimeField()  # of the last entry: time never runs backwards along the sequence
    due_at = models.DateTimeField(null=True)  # until then nothing expires and nothing renews

    objects = ScopedManager()

    class Meta:
        constraints = [
            # One comparison: PostgreSQL reads a CHECK anew at every statement, and this row changes twice a reply.
            models.CheckConstraint(
                condition=GreaterThanOrEqual(
                    Least(
                        *map(F, [*SOURCES, "held", "debt"]),
                        F("plan") + F("bonus") + F("purchased") - F("held"),
                    ),
                    0,
                ),
                name="nothing_below_zero",
            )
        ]


class Lot(Tenant):
    """Words granted at once. `remaining` is worked out when the set of lots changes, not at each charge:
    `billing_lot_now` says what is left of each at this moment."""

    source = models.TextField()
    reference = models.TextField()  # what the source calls it: a payment's id, a plan's period
    words = models.BigIntegerField()
    remaining = models.BigIntegerField()
    expired = _words()
    reversed = _words()  # taken back so far by refunds and disputes
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "source", "reference"], name="granted_once"),
            models.UniqueConstraint(fields=["workspace", "id"], name="lot_of_workspace"),
            models.CheckConstraint(condition=Q(source__in=SOURCES), name="lot_source"),
            models.CheckConstraint(condition=Q(words__gt=0, words__lte=10**15), name="lot_words"),
            models.CheckConstraint(
                condition=Q(remaining__gte=0, expired__gte=0, expired__lte=F("words")), name="lot_remains"
            ),
            models.CheckConstraint(
                condition=Q(reversed__gte=0, reversed__lte=F("words")), name="refunds_within_the_charge"
            ),
        ]


class Hold(models.Model):
    """Words promised to one turn, until its lease runs out. The row is gone once the turn has ended."""

    pk = models.CompositePrimaryKey("workspace_id", "turn")
    # No key to the wallet: the verb has locked the wallet's row, and a check at each reply would cost more.
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    turn = models.UUIDField()
    words = models.BigIntegerField()
    delivered = _words()
    lease_until = models.DateTimeField()
    employee_id = models.UUIDField(null=True)
    chat_id = models.UUIDField(null=True)
    user_id = models.UUIDField(null=True)

    objects = ScopedManager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(words__gt=0), name="hold_words"),
        ]


class Entry(models.Model):
    """Append-only: what happened, as signed deltas, and the balances after it."""

    pk = models.CompositePrimaryKey("workspace_id", "sequence")
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    sequence = models.BigIntegerField()
    at = models.DateTimeField()
    kind = models.TextField()
    reference = models.UUIDField()  # of a charge: the turn; of everything else: the lot
    plan = _words()
    bonus = _words()
    purchased = _words()
    debt = _words()
    plan_after = models.BigIntegerField()
    bonus_after = models.BigIntegerField()
    purchased_after = models.BigIntegerField()
    debt_after = models.BigIntegerField()
    written_off = _words()  # delivered, but beyond what was held for it: nobody pays these words
    employee_id = models.UUIDField(null=True)
    chat_id = models.UUIDField(null=True)
    user_id = models.UUIDField(null=True)
    details = models.JSONField()  # of a charge: the price's breakdown; of a grant: who gave it
    reason = models.TextField(db_default="")

    objects = ScopedManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "reference"], condition=Q(kind=CHARGE), name="charged_once"
            ),
            # and the signs of each kind: `ledger_signs` in the migration
        ]


class Subscription(models.Model):
    """The plan that is running, and what each of its months brings by itself."""

    workspace = models.OneToOneField(Workspace, primary_key=True, on_delete=models.PROTECT, related_name="+")
    plan = models.TextField()
    words = models.BigIntegerField()  # a month
    started_at = models.DateTimeField()  # months are counted from here, so a 31st stays a 31st
    ends_at = models.DateTimeField()  # of the current month

    objects = ScopedManager()
