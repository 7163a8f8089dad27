from __future__ import annotations

from decimal import Decimal

import pytest
from django.test import override_settings

from staffroom.core.errors import Invalid
from staffroom.employees import catalogue
from staffroom.employees.rates import price, rate


def test_without_a_key_there_is_only_extract() -> None:
    assert [offer.name for offer in catalogue.offers()] == ["", "extract"]
    assert catalogue.providers() == []
    with pytest.raises(Invalid, match="no key for OpenAI"):
        catalogue.chosen("openai:gpt-5")


def test_with_a_key_any_model_of_the_provider_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert catalogue.chosen(" openai:gpt-5 ") == "openai:gpt-5"
    for wrong in (
        "openai:",
        "openai:a b",
        "openai:" + "x" * 200,
        "anthropic:claude",
        "gpt-5",
        "compatible:x",
    ):
        with pytest.raises(Invalid):
            catalogue.chosen(wrong)


@override_settings(
    MODEL_RATES={"openai:*": 2, "openai:gpt-5": "2.5", "extract": 0.5}, DEFAULT_MODEL="openai:x"
)
def test_rates_are_the_operators_and_parts_of_a_word_are_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert (rate("openai:gpt-5"), rate("openai:other"), rate("mistral:x")) == (Decimal("2.5"), 2, 1)
    assert (price(3, "openai:gpt-5"), price(3, "extract"), price(0, "openai:x")) == (8, 2, 0)
    assert [offer.name for offer in catalogue.offers()] == ["", "openai:gpt-5", "openai:x", "extract"]
