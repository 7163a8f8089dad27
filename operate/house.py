"""Django, set up inside a command: the house that its rules live in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from operate import database, home, migrations, run, stamps
from operate.database import Whose
from operate.processes import wait_until
from operate.refusals import DATABASE, Refusal
from operate.roles import Urls

BESIDE = 60.0  # seconds that a `run` beside us may take for its migrations


@contextmanager
def opened() -> Iterator[None]:
    """The database reached, its tables up to date, Django ready. An error of a rule becomes a Refusal."""
    folder = home.prepare(home.folder())
    with database.reached(folder) as (urls, whose):
        _await_tables(folder, urls, whose)
        _set_up_django(folder, urls)
        try:
            yield
        except Exception as error:
            if refusal := _in_plain_words(error):
                raise refusal from error
            raise
        finally:
            _close_connections()


def _await_tables(folder: Path, urls: Urls, whose: Whose) -> None:
    """Whoever holds the embedded database migrates it. One that several machines share is migrated when
    its operator says so."""
    if not urls.owner or stamps.migrated(urls.owner) == stamps.of_migrations():
        return
    if whose is Whose.OURS:
        migrations.bring_up(urls, run.children_environment(folder, urls, 0))
        return
    patience = BESIDE if whose is Whose.RUNS else 0
    if not wait_until(lambda: stamps.migrated(urls.owner) == stamps.of_migrations(), patience, pause=0.2):
        raise Refusal("The database's tables are not up to date; run `staffroom migrate` first.", DATABASE)


def _set_up_django(folder: Path, urls: Urls) -> None:
    os.environ.update(run.children_environment(folder, urls, 0))
    import django
    from django.core.exceptions import ImproperlyConfigured

    try:
        django.setup()
    except ImproperlyConfigured as error:
        raise Refusal(str(error)) from error


def _in_plain_words(error: Exception) -> Refusal | None:
    """None for a surprise, which keeps its traceback: somebody has to repair it."""
    from django.core.exceptions import ValidationError
    from django.db import OperationalError

    from staffroom.core.errors import StaffroomError

    if isinstance(error, StaffroomError):
        return Refusal(str(error))
    if isinstance(error, ValidationError):
        return Refusal(" ".join(error.messages))
    if isinstance(error, OperationalError):
        return Refusal(f"The database cannot be used: {str(error).splitlines()[0]}.", DATABASE)
    return None


def _close_connections() -> None:
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        connection.close()
        getattr(connection, "close_pool", lambda: None)()
