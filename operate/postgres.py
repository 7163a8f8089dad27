"""The embedded PostgreSQL: one cluster in one folder, a child of ours that dies with us.

folder/lock            held while somebody runs it
folder/format          the layout of this folder, to refuse one made by a newer Staffroom
folder/data            PostgreSQL's own
folder/socket          the only way in: a socket and a password
folder/superuser.key   the password of the role that makes the others
folder/server.log      what PostgreSQL says
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from operate import configuration, processes, remains, roles, sql, users
from operate.binaries import MAJOR, program
from operate.leash import UNREACHABLE
from operate.refusals import DATABASE, TAKEN, Refusal, plain_words
from operate.roles import Urls

__all__ = ["Cluster", "Urls"]

FORMAT = 1
PATIENCE = 60.0  # seconds; the recovery after a crash replays at most a gigabyte of log
SOCKET_LIMIT = 90  # bytes of the folder's path; the kernel takes 107 with the socket's own name
LOG_LIMIT = 5_000_000


class Cluster:
    """Start, stop, and the databases inside. `durable=False` is for tests: quick, and lost with the power.

    `secret` is what the passwords of the roles are made from; without one the folder keeps its own.
    """

    def __init__(self, folder: Path, durable: bool = True, secret: str | None = None) -> None:
        self.folder = Path(folder).resolve()
        self.durable = durable
        self.process: subprocess.Popen[bytes] | None = None
        self._secret = secret
        self._lock: int | None = None
        self._user: tuple[int, int] | None = None

    def __enter__(self) -> Cluster:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop()

    # --- life --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Returns when the server answers. Raises Refusal, TAKEN when somebody else runs this folder."""
        try:
            with plain_words(self.folder):
                self._user = users.for_folder(self.folder)
                self._make_folder(self.folder)
                self._take_lock()
                self._check_format()
                self._initialize()
                self.launch()
                self._provide_roles()
        except BaseException:
            self.stop(patience=0)
            raise

    def launch(self) -> None:
        """Starts the server in a folder that we hold: the first time, and again after it was killed."""
        remains.clear(self.data)
        self._prepare_socket()
        self._write("postgresql.conf", configuration.settings(self.data, self.socket, self.durable))
        self._write("pg_hba.conf", configuration.ACCESS)
        with self._open_log() as log:
            self.process = processes.spawn(
                [
                    program("postgres"),
                    "-D",
                    str(self.data),
                    "-c",
                    f"config_file={self.folder / 'postgresql.conf'}",
                ],
                dies_by=signal.SIGINT,  # a fast shutdown: nothing lost, nothing to recover
                user=self._user,
                output=log,
                env=configuration.ENVIRONMENT,
            )
        self._await_answer(self.process)

    def stop(self, patience: float = 3.0) -> None:
        """Waits `patience` seconds for clients to leave, then disconnects them."""
        if self.process and self.process.poll() is None:
            self._end(self.process, patience if self.durable else 0)
        self.process = None
        self._remove_socket()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    # --- databases ---------------------------------------------------------------------------------

    def database(self, name: str, template: str | None = None) -> Urls:
        """The addresses of a database, which is made when it is missing: empty, or as a copy."""
        if not self._has(name):
            self._create(name, template)
        return self.urls(name)

    def drop(self, name: str) -> None:
        sql.run(self.url(roles.SUPERUSER), f"DROP DATABASE IF EXISTS {sql.name(name)} WITH (FORCE)")

    def urls(self, name: str) -> Urls:
        return Urls(
            *(self.url(role, name) for role in (roles.APP, roles.PLATFORM, roles.OWNER, roles.SUPERUSER))
        )

    def url(self, role: str, database: str = "postgres") -> str:
        word = self.superuser_key if role == roles.SUPERUSER else roles.password(self.secret, role)
        return roles.url(role, word, str(self.socket), database)

    def _has(self, name: str) -> bool:
        found = f"SELECT 1 FROM pg_database WHERE datname = {sql.literal(name)}"  # noqa: S608
        return bool(sql.run(self.url(roles.SUPERUSER), found))

    def _create(self, name: str, template: str | None) -> None:
        source = sql.name(template) if template else "template0"
        create = f"CREATE DATABASE {sql.name(name)} OWNER {roles.OWNER} TEMPLATE {source}"
        rights = roles.database_statements(name)
        if template:  # a copy keeps the rights inside, not those on the database itself
            sql.run(self.url(roles.SUPERUSER), [create, *rights[:2]])
            return
        sql.run(self.url(roles.SUPERUSER), create)
        sql.run(self.url(roles.SUPERUSER, name), ["CREATE EXTENSION IF NOT EXISTS vector", *rights])

    # --- what lies in the folder -------------------------------------------------------------------

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def socket(self) -> Path:
        """Beside the data, or where its note says when the path is too long for a socket."""
        inside = self.folder / "socket"
        if inside.is_symlink():
            return Path(os.readlink(inside))
        return inside

    @property
    def superuser_key(self) -> str:
        return (self.folder / "superuser.key").read_text()

    @property
    def secret(self) -> str:
        return self._secret or self.superuser_key

    def _make_folder(self, path: Path) -> None:
        if not path.exists():
            path.mkdir(parents=True, mode=0o700)
            users.give(path, self._user)

    def _write(self, name: str, text: str) -> None:
        """For the database's user alone. Never through a link that this user could have laid for root."""
        path = self.folder / name
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        users.give(path, self._user)

    def _take_lock(self) -> None:
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise Refusal(
                f"Another Staffroom is already running on the data folder {self.folder.parent}.", TAKEN
            ) from None
        self._lock = lock
        users.give(self.folder / "lock", self._user)

    def _check_format(self) -> None:
        note = self.folder / "format"
        if note.exists() and int(note.read_text()) > FORMAT:
            raise Refusal(
                f"The data folder {self.folder.parent} was made by a newer Staffroom; "
                "start that version, or point STAFFROOM_HOME to another folder.",
                DATABASE,
            )
        version = self.data / "PG_VERSION"
        made_by = int(version.read_text()) if version.exists() else MAJOR
        if made_by != MAJOR:
            kind = "a newer" if made_by > MAJOR else "an older"
            raise Refusal(
                f"The data folder {self.folder.parent} was made by {kind} PostgreSQL ({made_by}; this is {MAJOR}): "
                "start the Staffroom that made it, or move the data with pg_dump as docs/operating.md says.",
                DATABASE,
            )

    def _initialize(self) -> None:
        """Made beside and then renamed: a start that was killed half-way leaves no half cluster."""
        if self.data.exists():
            return
        unborn = self.folder / "data.new"
        shutil.rmtree(unborn, ignore_errors=True)
        self._write("superuser.key", secrets.token_hex(24))
        self._run_initdb(unborn)
        unborn.rename(self.data)
        self._write("format", str(FORMAT))

    def _run_initdb(self, data: Path) -> None:
        command = [program("initdb"), "-D", str(data), f"--pwfile={self.folder / 'superuser.key'}"]
        options = [*configuration.INITDB, *([] if self.durable else ["--no-sync"])]
        with self._open_log() as log:
            start = log.tell()
            child = processes.spawn(
                [*command, *options], user=self._user, output=log, env=configuration.ENVIRONMENT
            )
            if child.wait() != 0:
                raise self._failure(child.returncode, start)

    def _prepare_socket(self) -> None:
        self._remove_socket()
        inside = self.folder / "socket"
        if len(os.fsencode(inside)) <= SOCKET_LIMIT:
            self._make_folder(inside)
            return
        outside = Path(tempfile.mkdtemp(prefix="staffroom-", dir=configuration.short_temporary_folder()))
        users.give(outside, self._user)
        inside.symlink_to(outside)

    def _remove_socket(self) -> None:
        inside = self.folder / "socket"
        if inside.is_symlink() and self._lock is not None:
            shutil.rmtree(os.readlink(inside), ignore_errors=True)
            inside.unlink()

    def _open_log(self) -> configuration.Log:
        return configuration.open_log(self.folder / "server.log", LOG_LIMIT, self._user)

    # --- the server --------------------------------------------------------------------------------

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        """Ready is who answers a question; a process that exists or a port that is open is not."""
        start = configuration.size(self.folder / "server.log")
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if process.poll() is not None:
                raise self._failure(process.returncode, start)
            if time.monotonic() > deadline:
                raise Refusal(
                    f"The database in {self.folder} did not answer within {PATIENCE:.0f} seconds; "
                    f"{self.folder / 'server.log'} says what it does.",
                    DATABASE,
                )
            time.sleep(0.02)

    def _answers(self) -> bool:
        if not self._says_ready():
            return False
        try:
            sql.run(self.url(roles.SUPERUSER), "SELECT 1", seconds=5)
        except (sql.Failed, Refusal):
            return False
        return True

    def _says_ready(self) -> bool:
        """Asked first because it costs nothing: the last line of PostgreSQL's own note."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _failure(self, code: int, start: int) -> Refusal:
        if code == UNREACHABLE:
            return Refusal(configuration.unreachable(self.folder), DATABASE)
        return Refusal(configuration.last_words(self.folder / "server.log", start), DATABASE)

    def _end(self, process: subprocess.Popen[bytes], patience: float) -> None:
        """Smart, then fast, then immediate. What is not durable need not be written at the end."""
        endings = [(signal.SIGTERM, patience)] if patience else []
        endings += [(signal.SIGINT, 30.0)] if self.durable else []
        for what, seconds in [*endings, (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)]:
            process.send_signal(what)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
            return

    def _provide_roles(self) -> None:
        """Once for a secret, not at every start. The stamp is a file: asking the server costs a connection."""
        stamp = roles.stamp(self.secret)
        note = self.folder / "roles"
        if note.exists() and note.read_text() == stamp:
            return
        sql.run(self.url(roles.SUPERUSER), roles.role_statements(self.secret))
        self._write("roles", stamp)
