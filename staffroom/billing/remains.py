"""What accounting keeps of a workspace that is erased: purchases as records without content."""

from __future__ import annotations

from typing import Any

from django.db.models import Q

from staffroom.core.sentences import part

from .models import PURCHASED, Lot, Payment


@part
def purchases() -> list[dict[str, Any]]:
    """Of the open workspace: what was paid or has a number, then words that the operator granted as purchased."""
    paid = Payment.objects.filter(Q(state=Payment.PAID) | Q(number__isnull=False))
    payments = [_payment(one) for one in paid.order_by("created_at", "id")]
    bought = {one["reference"] for one in payments}
    granted = Lot.objects.filter(source=PURCHASED).exclude(reference__in=bought)
    return [*payments, *(_grant(lot) for lot in granted.order_by("created_at", "id"))]


def _payment(one: Payment) -> dict[str, Any]:
    """Cents of the currency; `refunded` altogether."""
    return {
        "date": (one.paid_at or one.created_at).isoformat(),
        "reference": str(one.id),
        "number": one.number,
        "what": one.what,
        "plan": one.plan,
        "words": one.words,
        "amount": one.amount,
        "currency": one.currency,
        "refunded": one.refunded,
        "disputed": sum(one.disputes.values_list("amount", flat=True)),
        "gateway": one.gateway,
        "intent": one.intent,
        "state": one.state,
    }


def _grant(lot: Lot) -> dict[str, Any]:
    return {
        "date": lot.created_at.isoformat(),
        "reference": lot.reference,
        "words": lot.words,
        "reversed": lot.reversed,
        "amount": None,
    }
