"""The ledger: what a workspace's words are, where they came from, where they went. See `docs/ledger.md`.

Only the functions of the database write these tables (migration `0003_verbs`); the application's role may not.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Least
from django.db.models.lookups import GreaterThanOrEqual

from staffroom.accounts.models import User
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
    member_limit = models.BigIntegerField(
        null=True
    )  # words a month for each member without a rule of their own
    counts_since = models.DateTimeField(null=True)  # members' words are counted; null where nobody is limited

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


class MemberWords(models.Model):
    """A member's rule, and what counts for it. Kept while somebody in the workspace has a limit; else all zeros.

    `used` are the words charged in `month`; it begins anew with the first charge of a later one.
    """

    pk = models.CompositePrimaryKey("workspace_id", "user_id")
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    user_id = models.UUIDField()
    own = models.BooleanField(db_default=False)  # has a rule of their own: `words_limit`, null for no limit
    words_limit = models.BigIntegerField(null=True)
    month = models.DateField()  # its first day (UTC)
    used = _words()
    held = _words()

    objects = ScopedManager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=GreaterThanOrEqual(Least("used", "held", Coalesce("words_limit", 0)), 0),
                name="member_words",
            ),
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
    reference = models.TextField(
        db_default=""
    )  # the payment that bought it; "" for a plan that costs nothing

    objects = ScopedManager()


class Plan(models.Model):
    """The operator's catalogue. `free` is what every context has that has bought nothing."""

    FREE = "free"

    code = models.CharField(primary_key=True, max_length=40)
    name = models.CharField(max_length=80)
    words = models.BigIntegerField()  # a month
    price = models.IntegerField()  # cents a month
    offered = models.BooleanField(default=True)  # one that is offered no longer goes on for who has it

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(words__gte=0, words__lte=10**12), name="plan_words"),
            models.CheckConstraint(condition=Q(price__gte=0), name="plan_price"),
        ]

    def __str__(self) -> str:
        return self.name


class Package(models.Model):
    """Words for sale at once, at a price of their own."""

    words = models.BigIntegerField(primary_key=True)
    price = models.IntegerField()  # cents
    offered = models.BooleanField(default=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(words__gt=0, price__gt=0), name="package_price")]

    def __str__(self) -> str:
        return f"{self.words:,}"


class Payment(Tenant):
    """One purchase. What it granted is the lot with its id as the reference; what it brings is decided before one
    pays, so that a later change of the catalogue changes nothing."""

    PLAN, WORDS = "plan", "words"
    PENDING, PAID, FAILED, CANCELLED = "pending", "paid", "failed", "cancelled"

    what = models.CharField(max_length=8)  # a plan's month, or words that do not expire
    plan = models.CharField(max_length=40, blank=True)
    words = models.BigIntegerField()
    amount = models.IntegerField()  # cents
    currency = models.CharField(max_length=3, default="USD")
    gateway = models.CharField(max_length=20)
    state = models.CharField(max_length=10, default=PENDING)
    external = models.CharField(max_length=200, null=True)  # noqa: DJ001 - null: the gateway knows nothing of it yet
    intent = models.CharField(max_length=200, blank=True)  # the gateway's name of the money that moved
    checkout_url = models.TextField(blank=True)
    number = models.BigIntegerField(null=True)  # of the invoice or receipt, without gaps in the installation
    refunded = models.IntegerField(default=0)  # cents, altogether
    paid_at = models.DateTimeField(null=True)
    user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    user_name = models.CharField(max_length=254, blank=True)  # as it was then
    automatic = models.BooleanField(default=False)  # bought by the house when words ran low

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "id"], name="payments_of_workspace"),
            models.UniqueConstraint(fields=["number"], name="one_payment_for_a_number"),
            models.CheckConstraint(
                condition=Q(what__in=["plan", "words"], state__in=["pending", "paid", "failed", "cancelled"]),
                name="payment_state",
            ),
            models.CheckConstraint(
                condition=Q(words__gt=0, amount__gt=0, refunded__gte=0, refunded__lte=F("amount")),
                name="payment_amounts",
            ),
            models.CheckConstraint(
                condition=Q(state="paid", paid_at__isnull=False) | ~Q(state="paid"), name="paid_has_a_time"
            ),
        ]
        indexes = [models.Index(fields=["workspace", "created_at", "id"], name="payments_by_time")]


class Dispute(Tenant):
    """A customer's bank asks for the money back. The state only grows: open, then won or lost."""

    OPEN, WON, LOST = 1, 2, 3

    payment = models.ForeignKey(
        Payment, on_delete=models.CASCADE, related_name="disputes", db_constraint=False, db_index=False
    )
    external = models.CharField(max_length=200)
    amount = models.IntegerField()  # cents
    state = models.SmallIntegerField(default=OPEN)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "payment", "external"], name="one_row_for_a_dispute"
            ),
            models.CheckConstraint(condition=Q(state__in=[1, 2, 3], amount__gte=0), name="dispute_state"),
        ]


class Event(models.Model):
    """What a gateway has told, stored before anything is done about it. Behind functions only: it comes before any
    workspace is known."""

    RECEIVED, DONE, IGNORED = "received", "done", "ignored"

    pk = models.CompositePrimaryKey("gateway", "id")
    gateway = models.CharField(max_length=20)
    id = models.CharField(max_length=200)
    kind = models.CharField(max_length=100)
    payload: models.JSONField[Any, Any] = models.JSONField()
    received_at = models.DateTimeField()
    state = models.CharField(max_length=10, default=RECEIVED)
    note = models.TextField(blank=True)


class Day(models.Model):
    """What one employee did cost on one day (UTC), as far as it was asked for by one person: folded from the entries,
    so that a report reads days and not charges. Nobody is the id of zeros."""

    NOBODY = UUID(int=0)

    pk = models.CompositePrimaryKey("workspace_id", "day", "employee_id", "user_id")
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    day = models.DateField()
    employee_id = models.UUIDField()
    user_id = models.UUIDField()
    replies = models.IntegerField()
    chats = models.IntegerField()  # that had a reply on this day; each counts once a day
    plan = models.BigIntegerField()
    bonus = models.BigIntegerField()
    purchased = models.BigIntegerField()

    objects = ScopedManager()


class DayChat(models.Model):
    """A chat that was counted on a day."""

    pk = models.CompositePrimaryKey("workspace_id", "day", "chat_id")
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    day = models.DateField()
    chat_id = models.UUIDField()

    objects = ScopedManager()


class Folded(models.Model):
    """Up to which entry the days are told."""

    workspace = models.OneToOneField(Workspace, primary_key=True, on_delete=models.PROTECT, related_name="+")
    sequence = models.BigIntegerField()

    objects = ScopedManager()


class Alert(models.Model):
    """How low the words are, and what was told of it. `base` is what was there after the last time that words came."""

    ENOUGH, LOW, VERY_LOW, NONE = 0, 1, 2, 3

    workspace = models.OneToOneField(Workspace, primary_key=True, on_delete=models.PROTECT, related_name="+")
    sequence = models.BigIntegerField()  # of the last entry that was looked at
    base = models.BigIntegerField()
    level = models.SmallIntegerField()  # the lowest that was told since words came

    objects = ScopedManager()
