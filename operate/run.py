"""`staffroom run`, and its parts alone: everything in the order in which it can work."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from operate import database, door, home, migrations, pages
from operate.database import Database
from operate.door import Door
from operate.numbers import number
from operate.roles import Urls
from operate.supervisor import Part, Stop, Supervisor, end, stoppable, undisturbed

Environment = dict[str, str]


def everything(port: int | None) -> None:
    """One machine. Returns when somebody asked for the end."""
    folder = home.prepare(home.folder())
    store = database.of(folder)
    parts: list[Part] = []
    try:
        with stoppable():
            store.claim()
            entrance = _bind(port)
            urls = _prepare(folder, store)
            environment = children_environment(folder, urls, entrance.port)
            parts += [*web(entrance), worker()]
            entrance.open()
            Supervisor(parts, environment, store, entrance.answers_ready, lambda: _announce(entrance)).watch()
    except Stop:
        return
    finally:
        with undisturbed():
            end(parts, store)


def web_alone(port: int | None) -> None:
    entrance = _bind(port)
    _alone(lambda: web(entrance), entrance)


def worker_alone() -> None:
    _alone(lambda: [worker()], None)


def _alone(make: Callable[[], list[Part]], entrance: Door | None) -> None:
    """A part on a machine of its own; it neither migrates nor looks after the database."""
    folder = home.prepare(home.folder())
    parts: list[Part] = []
    try:
        with stoppable(), database.reached(folder) as (urls, _):
            environment = children_environment(folder, urls, entrance.port if entrance else 0)
            parts += make()
            ready, announce = _always, _nothing
            if entrance:
                pages.prepare(environment)
                entrance.open()
                ready, announce = entrance.answers_ready, lambda: _announce(entrance)
            known = database.Known(urls)
            try:
                Supervisor(parts, environment, known, ready, announce).watch()
            finally:
                with undisturbed():
                    end(parts, known)
    except Stop:
        return


def _always() -> bool:
    return True


def _nothing() -> None:
    pass


def _prepare(folder: Path, store: Database) -> Urls:
    """The database with today's tables, and the pages' files, which are pressed meanwhile."""
    pressing = pages.begin(children_environment(folder, None, 0))
    urls = store.start()
    migrations.bring_up(urls, children_environment(folder, urls, 0))
    pages.finish(pressing)
    return urls


def web(entrance: Door) -> list[Part]:
    descriptor = entrance.socket.fileno()
    command = [sys.executable, "-m", "operate.web", str(descriptor)]
    count = number("STAFFROOM_WEB_WORKERS", _cores())
    return [Part("web process", command, (descriptor,), later=nth > 0) for nth in range(count)]


def worker() -> Part:
    return Part("worker", [sys.executable, "-m", "config.worker"])


def children_environment(folder: Path, urls: Urls | None, port: int) -> Environment:
    """What a child reads. The owner's address goes to migrations alone (`migrations.bring_up`)."""
    ours = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "STAFFROOM_HOME": str(folder),
        "PORT": str(port or os.environ.get("PORT", "8000")),
        "PYTHONPATH": os.pathsep.join([str(home.CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        # Each thread would otherwise get an arena of its own, and keep it.
        "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2"),
    }
    if urls:
        ours |= {"STAFFROOM_DB_APP": urls.app, "STAFFROOM_DB_PLATFORM": urls.platform}
    return {key: value for key, value in os.environ.items() if key != "STAFFROOM_DB_OWNER"} | ours


def _bind(port: int | None) -> Door:
    return door.bind(os.environ.get("STAFFROOM_HOST") or "127.0.0.1", port or number("PORT", 8000))


def _announce(entrance: Door) -> None:
    print(f"Staffroom is ready at {entrance.address}", flush=True)


def _cores() -> int:
    return max(
        1, min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    )
