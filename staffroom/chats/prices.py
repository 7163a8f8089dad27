"""What a reply costs: the words that were sent and written, times the model's rate, rounded up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from staffroom.employees.minds import Sent
from staffroom.employees.rates import price, rate


def affordable(held: int, model: str) -> int:
    """How many words a hold pays for."""
    return int(held // rate(model))


@dataclass(frozen=True, slots=True)
class Price:
    """`cut`: the model broke off, so that only what it wrote is paid."""

    model: str
    sent: Sent
    written: int
    cut: bool = False

    @property
    def words(self) -> int:
        return price(self.written + (0 if self.cut else self.sent.total), self.model)

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
