"""Children that cannot outlive us, and what the system knows about processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

LEASH = str(Path(__file__).with_name("leash.py"))
PROC = Path("/proc")


def spawn(
    command: Sequence[str],
    *,
    dies_by: signal.Signals = signal.SIGTERM,
    user: tuple[int, int] | None = None,
    env: Mapping[str, str] | None = None,
    output: IO[Any] | int | None = None,
    keep: Sequence[int] = (),
    cwd: Path | None = None,
    own_group: bool = True,
) -> subprocess.Popen[bytes]:
    """Starts `command` so that the kernel sends it `dies_by` when this process is gone, however it went.

    `own_group` keeps the terminal's Ctrl-C from it: who started it decides the order of the end. The
    kernel watches the calling thread, so call this from one that lives as long as the child should.
    `keep` are file descriptors that the child inherits under the same numbers.
    """
    leash = [sys.executable, "-I", "-S", LEASH, str(os.getpid()), str(int(dies_by))]
    who = f"{user[0]}:{user[1]}" if user else "-"
    inherited: tuple[int, ...] = tuple(keep)
    return subprocess.Popen(
        [*leash, who, *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env=env,
        pass_fds=inherited,
        cwd=cwd,
        process_group=0 if own_group else None,
    )


def working_in(folder: Path) -> list[int]:
    """The processes whose working folder is `folder`. All of PostgreSQL's processes stand in their
    data folder, so this finds them when every note about them is stale; process ids alone do not,
    since another process may have got the number."""
    if not PROC.is_dir():
        return []
    real = os.path.realpath(folder)
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit() and _stands_in(entry, real)]


def _stands_in(process: Path, folder: str) -> bool:
    try:
        return os.readlink(process / "cwd") == folder and not is_zombie(int(process.name))
    except OSError:
        return False


def is_zombie(pid: int) -> bool:
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return True


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def tell(pids: Sequence[int], what: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, what)
        except (ProcessLookupError, PermissionError):
            continue


def wait_until(true: Callable[[], bool], seconds: float, pause: float = 0.02) -> bool:
    """Whether `true` became so in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
