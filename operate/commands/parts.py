"""`staffroom run`, `web`, `worker`, `migrate`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operate.commands import Commands


def register(commands: Commands) -> None:
    run = commands.add_parser("run", help="everything on one machine; prints the address when ready")
    run.add_argument("--port", type=_port, help="default: PORT, else 8000")
    run.set_defaults(run=_run)
    web = commands.add_parser("web", help="the web processes alone, for several machines")
    web.add_argument("--port", type=_port, help="default: PORT, else 8000")
    web.set_defaults(run=_web)
    commands.add_parser("worker", help="the worker alone").set_defaults(run=_worker)
    commands.add_parser("migrate", help="bring the database's tables up to date").set_defaults(run=_migrate)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError("must be a number from 1 to 65535")
    return int(text)


def _run(given: argparse.Namespace) -> None:
    from operate import run

    run.everything(given.port)


def _web(given: argparse.Namespace) -> None:
    from operate import run

    run.web_alone(given.port)


def _worker(given: argparse.Namespace) -> None:
    from operate import run

    run.worker_alone()


def _migrate(given: argparse.Namespace) -> None:
    from operate import database, home, migrations, run

    folder = home.prepare(home.folder())
    with database.reached(folder) as (urls, _):
        changed = migrations.bring_up(urls, run.children_environment(folder, urls, 0))
    print("The tables are up to date now." if changed else "The tables were up to date.")
