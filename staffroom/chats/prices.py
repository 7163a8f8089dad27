"""What a reply costs: the words that were sent and written, times the model's rate, rounded up."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from django.conf import settings

from staffroom.employees.minds import Sent


def rate(model: str) -> Fraction:
    """The operator's factor for a model; the longest name that fits wins, and without any it is 1."""
    fitting = [name for name in settings.MODEL_RATES if model == name or model.startswith(f"{name}:")]
    return Fraction(settings.MODEL_RATES[max(fitting, key=len)]) if fitting else Fraction(1)


def cost(words: int, rate: Fraction) -> int:
    return -(-words * rate.numerator // rate.denominator)


def affordable(held: int, rate: Fraction) -> int:
    """How many words a hold pays for."""
    return held * rate.denominator // rate.numerator


@dataclass(frozen=True, slots=True)
class Price:
    """`cut`: the model broke off, so that only what it wrote is paid."""

    model: str
    sent: Sent
    written: int
    cut: bool = False

    @property
    def words(self) -> int:
        return cost(self.written + (0 if self.cut else self.sent.total), rate(self.model))

    def details(self) -> dict[str, Any]:
        sent = self.sent
        return {
            "model": self.model,
            "rate": float(rate(self.model)),
            "sent": sent.total,
            "written": self.written,
            "parts": {
                "message": sent.message,
                "persona": sent.persona,
                "history": sent.history,
                "knowledge": sent.knowledge,
                "reply": self.written,
            },
            "cut": self.cut,
        }
