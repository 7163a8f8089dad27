"""The database's folder: who holds it, whether it is one of ours, and what we write into it."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

from operate import configuration, users
from operate.binaries import MAJOR
from operate.refusals import DATABASE, TAKEN, Refusal

FORMAT = 1
RUN, COMMAND = "run", "command"
COMMAND_TAKES = 15.0  # seconds that we wait for a command that holds the folder
SOCKET_LIMIT = 90  # bytes of the folder's path; the kernel takes 107 with the socket's own name
LOG_LIMIT = 5_000_000


class Folder:
    """Everything in it belongs to the user that the database runs as; below root that is not us."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path).resolve()
        self.user: tuple[int, int] | None = None
        self._lock: int | None = None

    # --- holding it --------------------------------------------------------------------------------

    def claim(self, purpose: str) -> None:
        """Raises Refusal, TAKEN, when a `run` holds it; waits for a command. The kernel lets go of the
        lock with our process, so it cannot be left behind."""
        if self._lock is not None:
            return
        self.user = users.for_folder(self.path)
        self.make(self.path)
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        users.give(self.path / "lock", self.user)
        try:
            self._lock_within(lock, COMMAND_TAKES)
        except BaseException:
            os.close(lock)
            raise
        os.truncate(lock, 0)
        os.pwrite(lock, purpose.encode(), 0)
        self._lock = lock

    def _lock_within(self, lock: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not _locked(lock):
            if self.holder == RUN:
                raise Refusal(f"Staffroom is already running on the data folder {self.path.parent}.", TAKEN)
            if time.monotonic() > deadline:
                raise Refusal(f"A staffroom command is busy in the data folder {self.path.parent}.", TAKEN)
            time.sleep(0.05)

    @property
    def holder(self) -> str:
        """What the holder is there for. A moment lies between taking the lock and saying so."""
        return (self.path / "lock").read_text() or COMMAND

    def release(self) -> None:
        if self._lock is None:
            return
        self._remove_outside_socket()
        os.close(self._lock)
        self._lock = None

    # --- is it ours --------------------------------------------------------------------------------

    def check_format(self) -> None:
        if _number(self.path / "format", FORMAT) > FORMAT:
            raise Refusal(
                f"The data folder {self.path.parent} was made by a newer Staffroom: "
                "start that version, or point STAFFROOM_HOME to another folder.",
                DATABASE,
            )
        made_by = _number(self.data / "PG_VERSION", MAJOR)
        if made_by != MAJOR:
            kind = "a newer" if made_by > MAJOR else "an older"
            raise Refusal(
                f"The data folder {self.path.parent} was made by {kind} PostgreSQL ({made_by}; this is {MAJOR}): "
                "start the Staffroom that made it, or move the data with pg_dump as docs/operating.md says.",
                DATABASE,
            )

    def note_format(self) -> None:
        self.write("format", str(FORMAT))

    # --- what lies in it ---------------------------------------------------------------------------

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def log(self) -> Path:
        return self.path / "server.log"

    @property
    def socket(self) -> Path:
        """Beside the data, or where the link leads when that path is too long for a socket."""
        inside = self.path / "socket"
        return Path(os.readlink(inside)) if inside.is_symlink() else inside

    def make(self, path: Path) -> None:
        if not path.exists():
            path.mkdir(parents=True, mode=0o700)
        if path.stat().st_uid == 0:
            users.give(path, self.user)

    def write(self, name: str, text: str) -> None:
        """For the database's user alone. Never through a link that this user could have laid for root."""
        path = self.path / name
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "w") as file:
            file.write(text)
        users.give(path, self.user)

    def prepare_socket(self) -> None:
        self._remove_outside_socket()
        inside = self.path / "socket"
        if len(os.fsencode(inside)) <= SOCKET_LIMIT:
            self.make(inside)
            return
        outside = Path(tempfile.mkdtemp(prefix="staffroom-", dir=configuration.short_temporary_folder()))
        users.give(outside, self.user)
        inside.symlink_to(outside)

    def _remove_outside_socket(self) -> None:
        inside = self.path / "socket"
        if inside.is_symlink():
            shutil.rmtree(os.readlink(inside), ignore_errors=True)
            inside.unlink()

    def open_log(self) -> configuration.Log:
        return configuration.open_log(self.log, LOG_LIMIT, self.user)


def _number(note: Path, usual: int) -> int:
    """An empty note is what a full disk leaves of one."""
    text = note.read_text().strip() if note.exists() else ""
    return int(text) if text.isdecimal() else usual


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
