"""A purchase, from the wish to the words, and back. Nothing here talks to a gateway: see `gateways`.

Every verb may come twice, late, or before the one that should precede it. The payment's row is locked first, its
own id is what the ledger knows the words by, and what went back is a target: order and repetition do not matter.
"""

from __future__ import annotations

from uuid import UUID, uuid5

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from staffroom.core.errors import Conflict, NotHere
from staffroom.core.ids import new_id
from staffroom.core.scope import current_workspace_id
from staffroom.core.sentences import part
from staffroom.workspaces import audit
from staffroom.workspaces.members import By, Member

from . import ledger
from .models import PLAN, PURCHASED, Dispute, Payment
from .plans import Order


class AmountDiffers(Conflict):
    """What was paid is not what was asked for: nothing is granted, and the operator has to look."""

    code, title = "amount_differs", "Another amount was paid"


class NotPayable(Conflict):
    code, title = "not_payable", "This purchase cannot be paid any more"

    def default_sentence(self) -> str:
        return _("This purchase is paid already, or was cancelled. Begin a new one.")


@part
def begin(
    order: Order,
    gateway: str,
    *,
    by: By,
    key: UUID | None = None,
    numbered: bool = False,
    automatic: bool = False,
) -> Payment:
    """A purchase that waits for its money. A repeated `key` gives the one that was begun with it before;
    `numbered` from the first moment are invoices."""
    payment_id = uuid5(current_workspace_id(), str(key)) if key else new_id()
    with connection.cursor() as cursor:  # the second of two clicks waits for the first
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"purchase {payment_id}"])
    if former := Payment.objects.filter(id=payment_id).first():
        return former
    payment = Payment(
        id=payment_id,
        workspace_id=current_workspace_id(),
        what=order.what,
        plan=order.plan,
        words=order.words,
        amount=order.amount,
        currency=order.currency,
        gateway=gateway,
        user_id=by.user_id if isinstance(by, Member) else None,
        user_name=by.user_name if isinstance(by, Member) else "",
        automatic=automatic,
    )
    if numbered:
        _number(payment)
    payment.save(force_insert=True)
    return payment


@part
def opened(payment_id: UUID, *, external: str, url: str) -> Payment:
    """Where it is paid, and what the gateway calls it."""
    payment = _locked(payment_id)
    payment.external, payment.checkout_url = external, url
    payment.save(update_fields=["external", "checkout_url"])
    return payment


@part
def paid(payment_id: UUID, *, amount: int, currency: str, by: By, intent: str = "") -> Payment:
    """The money is there: grant what was bought, once. Also after it had failed or was cancelled before."""
    payment = _locked(payment_id)
    if (amount, currency.upper()) != (payment.amount, payment.currency):
        raise AmountDiffers(
            f"{amount} {currency.upper()} was paid where {payment.amount} {payment.currency} was asked for."
        )
    if payment.state == Payment.PAID:
        return payment
    payment.state, payment.paid_at = Payment.PAID, timezone.now()
    payment.intent = payment.intent or intent
    _number(payment)
    payment.save(update_fields=["state", "paid_at", "intent", "number"])
    _write("purchase.paid", payment, by)
    _bring(payment, by)
    _take_back(payment, by)  # what went back before we heard that it had come
    return payment


@part
def failed(payment_id: UUID) -> Payment:
    return _ended(payment_id, Payment.FAILED)


@part
def cancelled(payment_id: UUID) -> Payment:
    return _ended(payment_id, Payment.CANCELLED)


@part
def refunded(payment_id: UUID, cents: int, *, by: By) -> Payment:
    """So much went back altogether; it only ever grows."""
    payment = _locked(payment_id)
    cents = min(cents, payment.amount)
    if cents > payment.refunded:
        payment.refunded = cents
        payment.save(update_fields=["refunded"])
        _write("purchase.refunded", payment, by)
        _take_back(payment, by)
    return payment


@part
def disputed(payment_id: UUID, external: str, *, cents: int, state: int, by: By) -> Dispute:
    """What the bank says of it; a state that was passed already is no news."""
    payment = _locked(payment_id)
    dispute = Dispute.objects.filter(payment_id=payment.id, external=external).first()
    if dispute is None:
        dispute = Dispute.objects.create(payment_id=payment.id, external=external, amount=cents, state=state)
    elif state > dispute.state and dispute.state == Dispute.OPEN:
        dispute.state = state
        dispute.save(update_fields=["state"])
    else:
        return dispute
    _write("purchase.disputed", payment, by)
    _take_back(payment, by)
    return dispute


def source_of(payment: Payment) -> str:
    """Of the words that it brought."""
    return PLAN if payment.what == Payment.PLAN else PURCHASED


def _locked(payment_id: UUID) -> Payment:
    payment = Payment.objects.select_for_update(no_key=True).filter(id=payment_id).first()
    if payment is None:
        raise NotHere
    return payment


def _ended(payment_id: UUID, state: str) -> Payment:
    """Only while it waits: money that came is not talked away."""
    payment = _locked(payment_id)
    if payment.state == Payment.PENDING:
        payment.state = state
        payment.save(update_fields=["state"])
    return payment


def _number(payment: Payment) -> None:
    if payment.number is None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT next_payment_number()")
            payment.number = cursor.fetchone()[0]


def _bring(payment: Payment, by: By) -> None:
    reference = str(payment.id)
    if payment.what == Payment.PLAN:
        ledger.subscribe(payment.plan, payment.words, reference, by=by)
    else:
        ledger.grant(PURCHASED, reference, payment.words, by=by)


def _take_back(payment: Payment, by: By) -> None:
    """As many of its words as of its money are gone, rounded in the customer's favour."""
    if payment.state != Payment.PAID:
        return
    asked_back = payment.disputes.exclude(state=Dispute.WON).values_list("amount", flat=True)
    cents = min(payment.amount, payment.refunded + sum(asked_back))
    words = payment.words * cents // payment.amount
    ledger.reverse(source_of(payment), str(payment.id), words, by=by)
    if payment.what == Payment.PLAN:
        ledger.replan()


def _write(action: str, payment: Payment, by: By) -> None:
    after = {"words": payment.words, "amount": payment.amount, "currency": payment.currency}
    if action != "purchase.paid":
        after["refunded"] = payment.refunded
    audit.write(
        action, by=by, target={"payment": str(payment.id), "name": payment.plan or "words"}, after=after
    )
