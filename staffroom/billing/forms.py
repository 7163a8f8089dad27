"""The forms of buying. They hold what was typed; what is right is for the rules to say."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from uuid import UUID, uuid4

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from staffroom.core.errors import Invalid


class Purchase(forms.Form):
    """`form_id` makes a repeated submit buy nothing twice."""

    plan = forms.CharField(required=False, widget=forms.HiddenInput)
    words = forms.CharField(required=False, widget=forms.HiddenInput)
    amount = forms.CharField(
        label=gettext_lazy("Amount in US dollars"),
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "placeholder": "25.00"}),
    )
    gateway = forms.CharField(required=False)
    form_id = forms.UUIDField(widget=forms.HiddenInput, required=False)

    def text(self, name: str) -> str:
        return str(self.data.get(name, "")).strip()

    @property
    def wish(self) -> dict[str, str | int | None]:
        """As `plans.order` takes it."""
        return {
            "plan": self.text("plan") or None,
            "words": whole(self.text("words")),
            "amount": cents(self.text("amount") or None),
        }

    @property
    def key(self) -> UUID:
        try:
            return UUID(self.text("form_id"))
        except ValueError:
            return uuid4()


def whole(text: str) -> int | None:
    return (int(text) if text.isdecimal() and len(text) < 16 else 0) if text else None


def cents(amount: str | None) -> int | None:
    """`"25"`, `"25.00"` → 2500; None stays None."""
    if amount is None:
        return None
    try:
        found = Decimal(amount.strip().replace(",", ".").lstrip("$")) * 100
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or found != found.to_integral_value() or abs(found) > 10**12:
        raise Invalid({"amount": [_("An amount looks like 25.00.")]})
    return int(found)
