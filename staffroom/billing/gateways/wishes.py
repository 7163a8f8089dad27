"""What goes to a gateway, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.utils.translation import gettext as _

from staffroom.core.errors import StaffroomError


class GatewayDown(StaffroomError):
    """Nothing was paid; the same purchase may be opened again."""

    code, status, title = "gateway_down", 502, "The payment provider does not answer"

    def default_sentence(self) -> str:
        return _("The payment provider does not answer. Nothing was paid; try again in a moment.")


@dataclass(frozen=True, slots=True)
class Wish:
    """`amount` is in the currency's hundredths, `back` the address to which the browser returns."""

    payment: UUID
    amount: int
    currency: str
    what: str
    email: str
    back: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """What the gateway calls it, and where one pays."""

    external: str
    url: str
