"""Imports lie inside: pytest may read this file before the settings are known."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="session")
def _clock() -> None:
    """The ledger's clock obeys the tests; without a shift it tells the true time."""
    from .purse import CLOCK, as_owner

    as_owner(CLOCK)


@pytest.fixture(scope="session")
def cast() -> Any:
    from tests.cast import Cast

    return Cast()


@pytest.fixture
def purse(cast: Any, _clock: None) -> Any:
    from .purse import Purse

    return Purse(cast)
