"""Keeps parts running: starts them, starts those again that die, ends all of them together.

The process that does this imports neither Django nor a database driver and stays small.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType

from operate import processes
from operate.database import Database
from operate.refusals import Refusal

LONGEST_PAUSE = 10.0  # seconds between two attempts at a part that dies again and again
STEADY = 30.0  # seconds after which earlier deaths are forgotten
ATTEMPTS = 3  # of a part that never worked
LAST_WORD = 10.0  # seconds that parts have for their end


class Stop(BaseException):
    """Somebody wants the end: SIGTERM, SIGINT, SIGHUP. Not an Exception, so that nothing swallows it."""


@dataclass
class Part:
    """One child process and what became of it. A `later` part waits until the others answer: what is ready
    with fewer processes is ready sooner."""

    name: str
    command: Sequence[str]
    keep: tuple[int, ...] = ()
    later: bool = False
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    born: float = 0.0
    due: float = 0.0
    ever_ready: bool = False

    def start(self, environment: Mapping[str, str]) -> None:
        # Killed with us rather than asked: a web process that drains would hold the port of our successor.
        self.process = processes.spawn(
            self.command,
            dies_by=signal.SIGKILL,
            env=environment,
            keep=self.keep,
            output=sys.stderr.fileno(),
        )
        self.born = time.monotonic()

    def note_death(self) -> None:
        assert self.process
        now = time.monotonic()
        self.deaths = 1 if now - self.born > STEADY else self.deaths + 1
        self.due = now + _pause_after(self.deaths)
        say(f"{self.name} {_how(self.process.returncode)}; starting it again")
        self.process = None


def _pause_after(failures: int) -> float:
    return min(LONGEST_PAUSE, 0.1 * 2.0 ** min(failures - 1, 10))


def _how(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def say(sentence: str) -> None:
    with suppress(OSError):
        print(f"staffroom: {sentence}.", file=sys.stderr, flush=True)


@dataclass
class Supervisor:
    """`announce` is called once, when `ready` first answers."""

    parts: list[Part]
    environment: Mapping[str, str]
    database: Database
    ready: Callable[[], bool]
    announce: Callable[[], None]
    _announced: bool = field(default=False, init=False)
    _revivals: int = field(default=0, init=False)
    _revival_due: float = field(default=0.0, init=False)

    def watch(self) -> None:
        """Until Stop, or until a part turns out never to work."""
        with _wakeups() as wait:
            while True:
                self._revive_database()
                for part in self.parts:
                    self._tend(part)
                wait(self._pause())

    def _pause(self) -> float:
        if not self._announced:
            if not self.ready():
                return 0.03
            self._announced = True
            for part in self.parts:
                part.ever_ready = True
            self.announce()
        waiting = [part.due - time.monotonic() for part in self.parts if part.process is None]
        return max(0.01, min([1.0, *waiting]))

    def _tend(self, part: Part) -> None:
        if part.later and not self._announced:
            return
        if part.process and part.process.poll() is not None:
            self._give_up_on_hopeless(part)
            part.note_death()
        if part.process is None and time.monotonic() >= part.due:
            part.start(self.environment)

    def _give_up_on_hopeless(self, part: Part) -> None:
        if not part.ever_ready and part.deaths + 1 >= ATTEMPTS:
            raise Refusal(f"The {part.name} does not start; the lines above say why.")

    def _revive_database(self) -> None:
        """Again and again: a full disk is emptied, and until then pages say that the database is away."""
        if self.database.alive() or time.monotonic() < self._revival_due:
            return
        self._revivals += 1
        self._revival_due = time.monotonic() + _pause_after(self._revivals)
        try:
            self.database.revive()
        except Refusal as refusal:
            say(str(refusal).rstrip("."))
            return
        say("the database was killed and runs again")
        self._revivals = 0


def end(parts: Sequence[Part], database: Database) -> None:
    """The parts first, together: a worker still needs the database to give back what it holds."""
    running = [part.process for part in parts if part.process and part.process.poll() is None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + LAST_WORD
    for process in running:
        _await_end(process, deadline)
    database.stop()


def _await_end(process: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def stoppable() -> Iterator[None]:
    """Inside, the signals that mean the end raise Stop."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stop

    with _handling(stop):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """For the end itself: a second Ctrl-C must not leave half of it undone."""
    with _handling(signal.SIG_IGN):
        yield


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in ENDINGS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def _wakeups() -> Iterator[Callable[[float], None]]:
    """A pause that ends early when a child ends."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)

    def wait(seconds: float) -> None:
        select.select([reading], [], [], seconds)
        with suppress(BlockingIOError):
            os.read(reading, 4096)

    try:
        yield wait
    finally:
        signal.set_wakeup_fd(before)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(reading)
        os.close(writing)
