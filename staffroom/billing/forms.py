"""The forms of buying. They hold what was typed; what is right is for the rules to say."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from uuid import UUID, uuid4

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from staffroom.core.errors import Invalid

from .limits import LIKE_ALL, NO_LIMIT, Rule
from .queries import MemberWords


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


class Limit(forms.Form):
    """`kind` says whose rule counts: `default` (everybody's), `none`, or `own` with so many words."""

    kind = forms.CharField(required=False)
    words_limit = forms.CharField(
        label=gettext_lazy("Words a month"),
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    @classmethod
    def of(cls, words: MemberWords) -> Limit:
        kind = "default" if not words.own else "none" if words.limit is None else "own"
        return cls({"kind": kind, "words_limit": words.limit if kind == "own" else ""})

    @classmethod
    def of_everybody(cls, words: int | None) -> Limit:
        return cls(
            {"kind": "none" if words is None else "own", "words_limit": "" if words is None else words}
        )

    def rule(self) -> Rule:
        match self.data.get("kind"):
            case "default":
                return LIKE_ALL
            case "none":
                return NO_LIMIT
            case "own":
                return Rule(True, self._words())
        raise Invalid({"kind": [_("Choose one of these.")]})

    def refuse(self, refused: Invalid) -> None:
        self.full_clean()
        for name, sentences in refused.errors.items():
            self.add_error(name, sentences)

    def _words(self) -> int:
        """As people write large numbers: 20,000 and 20 000 alike."""
        typed = re.sub(r"[\s,.'’]", "", str(self.data.get("words_limit", "")))
        if not typed.isascii() or not typed.isdecimal() or len(typed) > 15:
            raise Invalid({"words_limit": [_("Write a number of words, like 20,000.")]})
        return int(typed)
