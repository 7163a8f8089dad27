"""Waiting for what happens elsewhere."""

import time
from collections.abc import Callable


def eventually(happened: Callable[[], object], seconds: float = 5) -> None:
    """Returns as soon as it happened; fails when it does not within the time."""
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
