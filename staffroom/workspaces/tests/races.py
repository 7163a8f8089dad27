"""Real connections that act at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from django.db import connection

from staffroom.accounts import people
from staffroom.accounts.models import User

TRIALS = 20


def at_once(*deeds: Callable[[], Any]) -> list[Any]:
    """What each deed gave or raised, in its order."""
    gate = threading.Barrier(len(deeds))

    def run(deed: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            gate.wait(10)
            return deed()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds))


def passer_by(name: str = "dora") -> User:
    """Somebody new with a verified address and no password, whose hashing would cost most of a race."""
    address = f"{name}-{uuid4().hex[-8:]}@example.com"
    return people.add(address, name=name.title(), password=None, verified=True)  # type: ignore[arg-type]
