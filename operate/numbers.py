"""Whole numbers from the environment."""

from __future__ import annotations

import os

from operate.refusals import USAGE, Refusal


def number(name: str, usual: int, *, at_least: int = 1, at_most: int = 65535) -> int:
    """Raises Refusal for anything else than a number within the limits; empty counts as not set."""
    text = os.environ.get(name) or str(usual)
    if not (text.isdecimal() and at_least <= int(text) <= at_most):
        raise Refusal(f"{name} is {text!r}; it must be a whole number from {at_least} to {at_most}.", USAGE)
    return int(text)
