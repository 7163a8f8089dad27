"""The embedded PostgreSQL: one cluster in one folder, a child of ours that dies with us.

folder/lock            held while somebody runs it
folder/format          the layout of this folder, to refuse one made by a newer Staffroom
folder/data            PostgreSQL's own
folder/socket          the only way in: a socket and a password
folder/superuser.key   the password of the role that makes the others
folder/server.log      what PostgreSQL says
"""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from operate import configuration, processes, remains, roles, sql
from operate.binaries import program
from operate.folder import RUN, Folder
from operate.leash import UNREACHABLE
from operate.refusals import DATABASE, Refusal, plain_words
from operate.roles import Urls

__all__ = ["Cluster", "Urls"]

PATIENCE = 60.0  # seconds; at most a gigabyte of log is replayed
FAST_SHUTDOWN = 8.0  # seconds, for what is dirty to reach the disk

Endings = list[tuple[signal.Signals, float]]


class Cluster:
    """Start, stop, and the databases inside. `durable=False` is for tests: quick, and lost with the power.

    `secret` is what the passwords of the roles are made from; without one the folder keeps its own.
    `patience` is in seconds: what the recovery after a crash may take. `purpose` is told to whoever wants
    the folder meanwhile; a `run` waits for the end of a command, and gives up at once on another `run`.
    """

    def __init__(
        self,
        folder: Path,
        durable: bool = True,
        secret: str | None = None,
        *,
        patience: float = PATIENCE,
        purpose: str = RUN,
    ) -> None:
        self.folder = Folder(folder)
        self.durable = durable
        self.patience = patience
        self.purpose = purpose
        self.process: subprocess.Popen[bytes] | None = None
        self._secret = secret
        self._log_start = 0

    def __enter__(self) -> Cluster:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop()

    # --- life --------------------------------------------------------------------------------------

    def claim(self) -> None:
        """Makes the folder ours, or raises Refusal: TAKEN when somebody else runs it."""
        with plain_words(self.folder.path):
            self.folder.claim(self.purpose)

    def start(self) -> None:
        """Returns when the server answers."""
        self.claim()
        try:
            with plain_words(self.folder.path):
                self.folder.check_format()
                self._initialize()
                self.launch()
                self._provide_roles()
        except BaseException:
            self.stop(patience=0)
            raise

    def launch(self) -> None:
        """Starts the server in a folder that we hold: the first time, and again after it was killed."""
        with plain_words(self.folder.path):
            remains.clear(self.folder.data)
            self.folder.prepare_socket()
            settings = configuration.settings(self.folder.data, self.folder.socket, self.durable)
            self.folder.write("postgresql.conf", settings)
            self.folder.write("pg_hba.conf", configuration.ACCESS)
            self._await_answer(
                self._spawn("postgres", "-c", f"config_file={self.folder.path / 'postgresql.conf'}")
            )

    def stop(self, patience: float = 3.0) -> None:
        """Waits `patience` seconds for clients to leave, then disconnects them."""
        if self.process:
            _end(self.process, self._endings(patience))
        self.process = None
        self.folder.release()

    def _endings(self, patience: float) -> Endings:
        """Smart, then fast, then immediate."""
        smart = [(signal.SIGTERM, patience)] if patience and self.durable else []
        return [*smart, (signal.SIGINT, FAST_SHUTDOWN), (signal.SIGQUIT, 5.0)]

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
        self._ask(f"DROP DATABASE IF EXISTS {sql.name(name)} WITH (FORCE)")

    def urls(self, name: str) -> Urls:
        every = (roles.APP, roles.PLATFORM, roles.OWNER, roles.SUPERUSER)
        return Urls(*(self.url(role, name) for role in every))

    def url(self, role: str, database: str = "postgres") -> str:
        word = self._superuser_key if role == roles.SUPERUSER else roles.password(self._role_secret, role)
        return roles.url(role, word, str(self.folder.socket), database)

    def _ask(self, *statements: str, database: str = "postgres") -> list[list[str]]:
        return sql.run(self.url(roles.SUPERUSER, database), statements)

    def _has(self, name: str) -> bool:
        return bool(self._ask(f"SELECT 1 FROM pg_database WHERE datname = {sql.literal(name)}"))  # noqa: S608

    def _create(self, name: str, template: str | None) -> None:
        """Under another name until it is complete, so that one which is there is also whole."""
        unborn = f"unborn_{name}"
        self.drop(unborn)
        source = sql.name(template) if template else "template0"
        self._ask(f"CREATE DATABASE {sql.name(unborn)} OWNER {roles.OWNER} TEMPLATE {source}")
        rights = roles.database_statements(unborn)
        if template:  # a copy brings the rights inside along, not those on the database itself
            self._ask(*rights[:2])
        else:
            self._ask("CREATE EXTENSION IF NOT EXISTS vector", *rights, database=unborn)
        self._ask(f"ALTER DATABASE {sql.name(unborn)} RENAME TO {sql.name(name)}")

    @property
    def _superuser_key(self) -> str:
        return (self.folder.path / "superuser.key").read_text()

    @property
    def _role_secret(self) -> str:
        return self._secret or self._superuser_key

    # --- the server --------------------------------------------------------------------------------

    def _initialize(self) -> None:
        """Made beside and then renamed: a start that was killed half-way leaves no half cluster."""
        if self.folder.data.exists():
            return
        unborn = self.folder.path / "data.new"
        shutil.rmtree(unborn, ignore_errors=True)
        self.folder.write("superuser.key", secrets.token_hex(24))
        key = self.folder.path / "superuser.key"
        options = [*configuration.INITDB, *([] if self.durable else ["--no-sync"])]
        child = self._spawn("initdb", f"--pwfile={key}", *options, data=unborn)
        if child.wait() != 0:
            raise self._failure(child.returncode)
        self.process = None
        unborn.rename(self.folder.data)
        self.folder.note_format()

    def _spawn(self, name: str, *options: str, data: Path | None = None) -> subprocess.Popen[bytes]:
        with self.folder.open_log() as log:
            self._log_start = log.tell()
            self.process = processes.spawn(
                [program(name), "-D", str(data or self.folder.data), *options],
                dies_by=signal.SIGINT,  # to the server a fast shutdown: nothing lost, nothing to recover
                user=self.folder.user,
                output=log,
                env=configuration.ENVIRONMENT,
            )
        return self.process

    def _await_answer(self, process: subprocess.Popen[bytes]) -> None:
        """Ready is who answers a question; a process that exists or a port that is open is not."""
        deadline = time.monotonic() + self.patience
        while not self._answers():
            if process.poll() is not None:
                raise self._failure(process.returncode)
            if time.monotonic() > deadline:
                _end(process, [(signal.SIGQUIT, 5.0)])
                raise Refusal(
                    f"The database in {self.folder.path} did not answer within {self.patience:g} seconds; "
                    f"{self.folder.log} says what it did.",
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
            lines = (self.folder.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _failure(self, code: int) -> Refusal:
        if code == UNREACHABLE:
            return Refusal(configuration.unreachable(self.folder.path), DATABASE)
        return Refusal(configuration.last_words(self.folder.log, self._log_start), DATABASE)

    def _provide_roles(self) -> None:
        """Once for a secret, not at every start. The stamp is a file: asking the server costs a connection."""
        stamp = roles.stamp(self._role_secret)
        note = self.folder.path / "roles"
        if note.exists() and note.read_text() == stamp:
            return
        self._ask(*roles.role_statements(self._role_secret))
        self.folder.write("roles", stamp)


def _end(process: subprocess.Popen[bytes], endings: list[tuple[signal.Signals, float]]) -> None:
    """Each signal with the seconds that it may take; in the end the one that nobody survives."""
    for what, seconds in [*endings, (signal.SIGKILL, 5.0)]:
        if process.poll() is not None:
            return
        process.send_signal(what)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
