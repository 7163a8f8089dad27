"""What an earlier PostgreSQL left in its data folder when it did not end by itself.

Only the holder of the folder's lock comes here, so any PostgreSQL still standing in the folder has
lost its supervisor.
"""

from __future__ import annotations

import signal
from pathlib import Path

from operate.processes import exists, tell, wait_until, working_in
from operate.refusals import DATABASE, Refusal

# Fast shutdown, then immediate, then none asked. Between them the seconds that each may take.
ENDINGS = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))


def clear(data: Path) -> None:
    """Ends what still runs in `data`, then takes away notes that name somebody else's process."""
    _end_orphans(data)
    for note in (data / "postmaster.pid", data.parent / "socket" / ".s.PGSQL.5432.lock"):
        _forget(note)


def _end_orphans(data: Path) -> None:
    # Backends see by themselves that their postmaster is gone; a moment is usually enough.
    if wait_until(lambda: not working_in(data), 0.3 if working_in(data) else 0):
        return
    for what, seconds in ENDINGS:
        tell(working_in(data), what)
        if wait_until(lambda: not working_in(data), seconds):
            return
    raise Refusal(f"An earlier database still runs in {data} and cannot be ended.", DATABASE)


def _forget(note: Path) -> None:
    """PostgreSQL clears a note about a dead process itself, and checks the shared memory that the note
    names on the way. It gives up where the number lives again as another process: after `kill -9` of
    everything, or in a container that starts anew, that is common."""
    try:
        pid = abs(int(note.read_text().splitlines()[0]))
    except (FileNotFoundError, ValueError, IndexError):
        return
    if exists(pid):
        note.unlink(missing_ok=True)
