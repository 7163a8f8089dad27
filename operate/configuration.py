"""How the embedded PostgreSQL is set up, where it logs, and what its last words mean."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import IO

from operate import users

Log = IO[bytes]

ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

# One locale on every machine: sorting and lower-casing do not change with the system's libraries.
INITDB = [
    "--username=postgres",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
]

ACCESS = """\
# Written by Staffroom at every start. The only way in is the socket, with a password.
local all         all      scram-sha-256
local replication postgres scram-sha-256
"""

# For two cores and little memory; the operator's own file comes last and wins.
SETTINGS = """\
# Written by Staffroom at every start; put your own settings into local.conf beside it.
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 100
shared_buffers = 128MB
work_mem = 8MB
maintenance_work_mem = 64MB
effective_cache_size = 1GB
huge_pages = off
random_page_cost = 1.1
jit = off
io_method = sync
max_worker_processes = 4
max_parallel_workers_per_gather = 1
wal_level = replica
max_wal_senders = 2
max_replication_slots = 0
max_logical_replication_workers = 0
min_wal_size = 80MB
max_wal_size = 1GB
checkpoint_timeout = 15min
autovacuum_vacuum_scale_factor = 0.05
autovacuum_analyze_scale_factor = 0.05
log_line_prefix = '%m [%p] '
log_checkpoints = off
log_min_messages = warning
lc_messages = 'C'
timezone = 'UTC'
log_timezone = 'UTC'
"""

# A power cut may take everything; a test does not mind.
FORGETFUL = """\
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum_naptime = 1h
"""


def settings(data: Path, socket: Path, durable: bool) -> str:
    own = data.parent
    places = {
        "data_directory": data,
        "hba_file": own / "pg_hba.conf",
        "unix_socket_directories": socket,
    }
    lines = "".join(f"{name} = {_quoted(str(path))}\n" for name, path in places.items())
    return (
        SETTINGS
        + lines
        + ("" if durable else FORGETFUL)
        + f"include_if_exists {_quoted(str(own / 'local.conf'))}\n"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def short_temporary_folder() -> str:
    """A very long TMPDIR is no place for a socket either."""
    usual = tempfile.gettempdir()
    return usual if len(os.fsencode(usual)) < 70 else "/tmp"  # noqa: S108 - mkdtemp makes it private


def open_log(path: Path, limit: int, user: tuple[int, int] | None) -> Log:
    """Appends; begins anew when the last start left it too long."""
    if size(path) > limit:
        path.replace(path.with_suffix(".log.1"))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    users.give(path, user)
    log = os.fdopen(descriptor, "ab")
    log.seek(0, os.SEEK_END)
    return log


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def unreachable(folder: Path) -> str:
    return (
        f"The database may not run as root, and no other user can reach {folder} or its programs: "
        "put the checkout and STAFFROOM_HOME outside of root's home, or start Staffroom as an ordinary user."
    )


def last_words(log: Path, start: int) -> str:
    """A sentence from what the server wrote since `start`, the meaning first."""
    with log.open("rb") as file:
        file.seek(start)
        said = file.read().decode(errors="replace")
    folder = log.parent
    if "No space left on device" in said or "Disk quota exceeded" in said:
        return f"The disk of the data folder {folder} is full; free some space and start again."
    if "could not create shared memory" in said or "could not map anonymous shared memory" in said:
        return "The system has not enough free memory for the database; free some and start again."
    if "Permission denied" in said:
        return f"The database cannot read or write its folder {folder}: its owner or its modes were changed."
    found = re.findall(r"(?:PANIC|FATAL|ERROR|error):\s*(.+)", said)
    reason = found[-1].strip() if found else "it gave no reason"
    return f"The database in {folder} does not start: {reason} (more in {log})."
