"""Brings the tables up to date, and skips that when there is nothing to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

from operate import sql, stamps
from operate.home import CHECKOUT
from operate.refusals import DATABASE, Refusal
from operate.roles import Urls


def bring_up(urls: Urls, environment: Mapping[str, str]) -> bool:
    """Whether there was something to do. Importing Django only to learn that nothing changed would be
    half of a warm start, so the database carries a stamp of what it was migrated with."""
    stamp = stamps.of_migrations()
    if stamps.migrated(urls.owner) == stamp:
        return False
    _refuse_newer(urls.owner)
    command = [sys.executable, "-m", "django", "migrate", "--database", "owner", "--verbosity", "0"]
    done = subprocess.run(
        command, env={**environment, **urls.environment()}, stdin=subprocess.DEVNULL, stdout=sys.stderr
    )
    if done.returncode != 0:
        raise Refusal("The database could not be migrated; the lines above say why.", DATABASE)
    stamps.note_migrated(urls.owner, stamp)
    return True


def _refuse_newer(owner_url: str) -> None:
    """A migration that ran here and that we have no file of belongs to a later version."""
    if not sql.run(owner_url, "SELECT to_regclass('public.django_migrations')")[0][0]:
        return
    known = {(file.parts[-3], file.stem) for file in CHECKOUT.glob("staffroom/*/migrations/[0-9]*.py")}
    ours = {label for label, _ in known}
    ran = {(row[0], row[1]) for row in sql.run(owner_url, "SELECT app, name FROM public.django_migrations")}
    strange = sorted(f"{label} {name}" for label, name in ran - known if label in ours)
    if strange:
        raise Refusal(
            f"The database was made by a newer Staffroom (it has {strange[-1]}); "
            "start that version, or restore a backup from before it.",
            DATABASE,
        )
