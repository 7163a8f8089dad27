"""A look behind the wall, for tests of the wall: statements as the owner of all tables."""

from __future__ import annotations

import os
from typing import Any

import psycopg


def as_owner(sql: str, *values: Any, **named: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(os.environ["STAFFROOM_DB_OWNER"]) as owner:
        cursor = owner.execute(sql, named or values or None)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []
