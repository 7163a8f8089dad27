"""What a word costs with a model: the operator's catalogue, `MODEL_RATES` in the settings."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from django.conf import settings


def rate(model: str) -> Decimal:
    """Of `openai:gpt-5`: its own, else the one of `openai:*`, else 1."""
    rates = settings.MODEL_RATES
    return Decimal(str(rates.get(model, rates.get(f"{model.partition(':')[0]}:*", 1))))


def price(words: int, model: str) -> int:
    """Words of the balance for so many words sent and written; a part of a word is a word."""
    return int((words * rate(model)).to_integral_value(ROUND_CEILING))
