"""Buying: the purchase is written down, then opened at its gateway, with no transaction open meanwhile."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings

from staffroom.core.scope import workspace_scope

from . import gateways, payments, queries
from .models import Payment
from .payments import NotPayable


def check_out(workspace_id: UUID, payment_id: UUID, *, email: str, prefix: str) -> Payment:
    """Where it is paid. Asked again, it is the same place; a purchase that is over is refused."""
    with workspace_scope(workspace_id):
        payment = queries.payment(payment_id)
    if payment.state != Payment.PENDING:
        raise NotPayable
    if payment.checkout_url:
        return payment
    wish = gateways.wish(
        payment, email=email, back=f"{settings.PUBLIC_URL}{prefix}/billing/purchases/{payment.id}"
    )
    checkout = gateways.GATEWAYS[payment.gateway].open(wish)
    with workspace_scope(workspace_id):
        return payments.opened(payment_id, external=checkout.external, url=checkout.url)


def found(workspace_id: UUID, payment_id: UUID) -> Payment:
    with workspace_scope(workspace_id):
        return queries.payment(payment_id)
