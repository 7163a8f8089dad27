"""Which user PostgreSQL runs as: it refuses to be root, and rightly."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from operate.refusals import DATABASE, Refusal

# The usual account first; the last ones exist on every system.
CANDIDATES = ("staffroom", "postgres", "nobody", "daemon")


def for_folder(folder: Path) -> tuple[int, int] | None:
    """User and group for a data folder; None when we are an ordinary user and simply stay so.

    A folder that exists keeps its owner, so that Staffroom may be started by that user and by root in
    turns. A new one goes to the owner of the folder above, when that is a person and not root.
    """
    if os.geteuid() != 0:
        return None
    for known in (folder, folder.parent):
        if known.exists() and (owner := _account(known.stat().st_uid)):
            return owner
    for candidate in CANDIDATES:
        try:
            entry = pwd.getpwnam(candidate)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise Refusal(
        "The database refuses to run as root and this system has no other account: "
        "make one (useradd staffroom) or start Staffroom as an ordinary user.",
        DATABASE,
    )


def _account(uid: int) -> tuple[int, int] | None:
    if uid == 0:
        return None
    try:
        return uid, pwd.getpwuid(uid).pw_gid
    except KeyError:
        return None


def give(path: Path, user: tuple[int, int] | None) -> None:
    if user:
        os.chown(path, *user, follow_symlinks=False)
