"""An invoice: numbered, printed, paid by a bank's transfer, confirmed by the operator."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from ..wishes import Checkout, Wish


class Invoice:
    name = "invoice"
    label = _("Invoice, by bank transfer")
    numbered = True

    def is_available(self) -> bool:
        return bool(settings.INVOICES)

    def open(self, wish: Wish) -> Checkout:
        return Checkout(str(wish.payment), wish.back)
