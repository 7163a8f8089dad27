"""One transaction for one sentence; the decorator says which end one holds.

`@sentence` opens the transaction itself (rules that start outside every workspace: sign-up, founding an
organization, accepting an invitation). `@part` refuses to run without one that a door or a sentence opened.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import connection, transaction

P = ParamSpec("P")
R = TypeVar("R")


def sentence(verb: Callable[P, R]) -> Callable[P, R]:
    @wraps(verb)
    def opened(*args: P.args, **kwargs: P.kwargs) -> R:
        with transaction.atomic():
            return verb(*args, **kwargs)

    return opened


def part(verb: Callable[P, R]) -> Callable[P, R]:
    @wraps(verb)
    def joined(*args: P.args, **kwargs: P.kwargs) -> R:
        if not connection.in_atomic_block:
            raise RuntimeError(f"{verb.__qualname__} is part of a sentence: open the transaction first.")
        return verb(*args, **kwargs)

    return joined
