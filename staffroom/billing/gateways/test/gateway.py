"""Money that is none, for trying things out. Only in development: production refuses to start with it."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from ..wishes import Checkout, Wish


class Test:
    name = "test"
    label = _("Test payment, no money moves")
    numbered = False

    def is_available(self) -> bool:
        return bool(settings.TEST_PAYMENTS)

    def open(self, wish: Wish) -> Checkout:
        return Checkout(str(wish.payment), f"{wish.back}/test")
