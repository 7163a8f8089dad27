"""What Stripe tells, as the one thing that it means for us. Past this module nobody reads Stripe's JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import stripe
from django.conf import settings

from ...models import Dispute

TOLERANCE = 300
"""Seconds: a signature that is older was recorded and sent again."""


class Forged(Exception):
    """The signature is not Stripe's, or too old."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event."""

    id: str
    kind: str
    payload: dict[str, Any]

    @property
    def object(self) -> dict[str, Any]:
        found: dict[str, Any] = self.payload["data"]["object"]
        return found


@dataclass(frozen=True, slots=True)
class Paid:
    payment: UUID
    amount: int
    currency: str
    intent: str


@dataclass(frozen=True, slots=True)
class Ended:
    payment: UUID
    cancelled: bool


@dataclass(frozen=True, slots=True)
class Refunded:
    payment: UUID | None
    intent: str
    cents: int


@dataclass(frozen=True, slots=True)
class Disputed:
    """A dispute knows only the intent; which payment that was, we know once it was paid."""

    payment: UUID | None
    intent: str
    external: str
    cents: int
    state: int


News = Paid | Ended | Refunded | Disputed


def heard(body: bytes, signature: str) -> Told:
    """The event behind a signed request; raises `Forged`."""
    try:
        event = stripe.Webhook.construct_event(body, signature, settings.STRIPE_WEBHOOK_SECRET, TOLERANCE)
    except (ValueError, stripe.SignatureVerificationError) as error:
        raise Forged(str(error)) from error
    payload = event.to_dict()
    return Told(payload["id"], payload["type"], payload)


def meaning(told: Told) -> News | None:
    """None for what does not concern a purchase."""
    read = _READERS.get(told.kind)
    return read(told.object) if read else None


def _session_done(session: dict[str, Any]) -> News | None:
    """A session may be complete while its money is still on the way: then another event brings it."""
    payment = _id(session.get("client_reference_id"))
    if payment is None or session.get("payment_status") != "paid":
        return None
    return Paid(payment, session["amount_total"], session["currency"], session.get("payment_intent") or "")


def _session_failed(session: dict[str, Any]) -> News | None:
    payment = _id(session.get("client_reference_id"))
    return Ended(payment, cancelled=False) if payment else None


def _session_expired(session: dict[str, Any]) -> News | None:
    payment = _id(session.get("client_reference_id"))
    return Ended(payment, cancelled=True) if payment else None


def _intent_paid(intent: dict[str, Any]) -> News | None:
    payment = _named(intent)
    if payment is None:
        return None
    return Paid(payment, intent["amount_received"], intent["currency"], intent["id"])


def _charge_refunded(charge: dict[str, Any]) -> News | None:
    return Refunded(_named(charge), charge.get("payment_intent") or "", charge["amount_refunded"])


def _disputed(dispute: dict[str, Any]) -> News | None:
    state = {"won": Dispute.WON, "lost": Dispute.LOST}.get(dispute["status"], Dispute.OPEN)
    intent = dispute.get("payment_intent") or ""
    return Disputed(_named(dispute), intent, dispute["id"], dispute["amount"], state)


_READERS = {
    "checkout.session.completed": _session_done,
    "checkout.session.async_payment_succeeded": _session_done,
    "checkout.session.async_payment_failed": _session_failed,
    "checkout.session.expired": _session_expired,
    "payment_intent.succeeded": _intent_paid,
    "charge.refunded": _charge_refunded,
    "charge.dispute.created": _disputed,
    "charge.dispute.updated": _disputed,
    "charge.dispute.closed": _disputed,
}


def _named(thing: dict[str, Any]) -> UUID | None:
    return _id((thing.get("metadata") or {}).get("payment"))


def _id(text: Any) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
