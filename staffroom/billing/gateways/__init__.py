"""Ways to pay. A gateway is a folder here and a line in `GATEWAYS`; the house knows nothing else of it.

`open` may talk to the network, so no transaction is open while it runs, and no name of a customer goes further than
the gateway needs. That money has come, is told by the gateway's own word (its webhook, the operator's confirmation),
never by the page to which the browser returns.
"""

from __future__ import annotations

from typing import Protocol

from django.utils.translation import gettext as _

from staffroom.core.errors import Invalid

from ..models import Payment
from .invoice import gateway as invoice
from .stripe import gateway as stripe
from .test import gateway as test
from .wishes import Checkout, GatewayDown, Wish

__all__ = ["GATEWAYS", "Checkout", "GatewayDown", "Wish", "available", "chosen", "wish"]


class Gateway(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def label(self) -> object: ...

    @property
    def numbered(self) -> bool:
        """Whether a purchase has a number before it is paid, as an invoice has."""

    def is_available(self) -> bool: ...

    def open(self, wish: Wish) -> Checkout: ...


_ALL: list[Gateway] = [stripe.Stripe(), invoice.Invoice(), test.Test()]
GATEWAYS = {one.name: one for one in _ALL}


def available() -> list[Gateway]:
    """In this installation, the first one being the usual one."""
    return [gateway for gateway in GATEWAYS.values() if gateway.is_available()]


def chosen(name: str) -> Gateway:
    """One of those that are available; without a name the usual one."""
    found = next((one for one in available() if name in ("", one.name)), None)
    if found is None:
        raise Invalid({"gateway": [_("Choose one of the ways to pay that are offered.")]})
    return found


def wish(payment: Payment, *, email: str, back: str) -> Wish:
    """What the gateway is told; `back` is the address to which the browser returns."""
    what = (
        payment.plan.capitalize() if payment.plan else _("%(words)s words") % {"words": f"{payment.words:,}"}
    )
    return Wish(payment.id, payment.amount, payment.currency, what, email, back)
