"""Stripe Checkout: the page on which one pays is Stripe's. Our payment's id goes along and comes back in the events."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import stripe
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from ..wishes import Checkout, GatewayDown, Wish

log = logging.getLogger(__name__)

SECONDS = 20
"""After which Stripe counts as down; the same purchase may be opened again, and is one session there."""


class Stripe:
    name = "stripe"
    label = _("Card")
    numbered = False

    def is_available(self) -> bool:
        return bool(settings.STRIPE_SECRET_KEY)

    def open(self, wish: Wish) -> Checkout:
        try:
            session = client().v1.checkout.sessions.create(
                params=_session(wish), options={"idempotency_key": f"checkout {wish.payment}"}
            )
        except stripe.StripeError as error:
            log.error("stripe: payment %s cannot be opened: %s", wish.payment, error)  # noqa: TRY400 - the sentence says it
            raise GatewayDown from error
        return Checkout(session.id, session.url or "")


def _session(wish: Wish) -> Any:
    told = {"payment": str(wish.payment)}
    price = {
        "currency": wish.currency.lower(),
        "unit_amount": wish.amount,
        "product_data": {"name": wish.what},
    }
    return {
        "mode": "payment",
        "client_reference_id": str(wish.payment),
        "customer_email": wish.email,
        "line_items": [{"quantity": 1, "price_data": price}],
        "metadata": told,
        "payment_intent_data": {"metadata": told},
        "success_url": f"{wish.back}?from=stripe",
        "cancel_url": f"{wish.back}?from=stripe&cancelled=1",
    }


@cache
def client() -> stripe.StripeClient:
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        base_addresses={"api": settings.STRIPE_API_BASE} if settings.STRIPE_API_BASE else {},
        http_client=stripe.RequestsClient(timeout=SECONDS),
        max_network_retries=2,
    )
