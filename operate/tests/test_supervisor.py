"""What the supervisor does with parts that die, told with small stand-ins for the parts."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from operate import supervisor
from operate.database import Known
from operate.refusals import Refusal
from operate.roles import Urls
from operate.supervisor import Part, Stop, Supervisor, end, stoppable

SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-S",
    "-c",
    "import signal, sys, time; signal.signal(15, signal.SIG_IGN); open(sys.argv[1], 'w'); time.sleep(60)",
]


class FakeDatabase(Known):
    """Dies when told; comes back at the second attempt."""

    def __init__(self) -> None:
        super().__init__(Urls("", "", ""))
        self.running, self.attempts, self.stopped = True, 0, False

    def alive(self) -> bool:
        return self.running

    def revive(self) -> None:
        self.attempts += 1
        if self.attempts < 2:
            raise Refusal("The disk is full.")
        self.running = True

    def stop(self) -> None:
        self.stopped = True


def watch(parts: list[Part], database: FakeDatabase, until: threading.Event | None = None) -> None:
    """Runs the loop in this thread; another one raises the signal that ends it."""
    announced: list[float] = []
    with stoppable():
        if until is not None:
            threading.Thread(target=_signal_after, args=(until,), daemon=True).start()
        Supervisor(
            parts, os.environ, database, lambda: True, lambda: announced.append(time.monotonic())
        ).watch()


def _signal_after(event: threading.Event) -> None:
    event.wait(10)
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_killed_part_is_started_again() -> None:
    part, database, done = Part("part", SLEEPER), FakeDatabase(), threading.Event()

    def murder() -> None:
        while part.process is None:
            time.sleep(0.01)
        first = part.process
        time.sleep(0.3)
        first.kill()
        while part.process is None or part.process is first:
            time.sleep(0.01)
        done.set()

    threading.Thread(target=murder, daemon=True).start()
    with pytest.raises(Stop):
        watch([part], database, done)
    assert part.deaths == 1
    end([part], database)
    assert part.process
    assert part.process.returncode == -signal.SIGTERM
    assert database.stopped


def test_a_part_that_never_works_is_given_up(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    part = Part("web process", [sys.executable, "-S", "-c", "raise SystemExit('no such setting')"])
    lonely = Supervisor([part], os.environ, FakeDatabase(), lambda: False, lambda: None)
    with pytest.raises(Refusal, match="web process does not start"):
        lonely.watch()
    assert capfd.readouterr().err.count("no such setting") == supervisor.ATTEMPTS


def test_a_dead_database_is_tried_again_until_it_lives(capfd: pytest.CaptureFixture[str]) -> None:
    database, done = FakeDatabase(), threading.Event()
    database.running = False

    def see() -> None:
        while not database.running:
            time.sleep(0.01)
        done.set()

    threading.Thread(target=see, daemon=True).start()
    with pytest.raises(Stop):
        watch([], database, done)
    said = capfd.readouterr().err
    assert "The disk is full." in said
    assert "the database was killed and runs again" in said


def test_who_does_not_end_when_asked_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LAST_WORD", 0.3)
    ready = tmp_path / "ready"
    part = Part("stubborn", [*STUBBORN, str(ready)])
    part.start(os.environ)
    while not ready.exists():
        time.sleep(0.01)
    end([part], FakeDatabase())
    assert part.process
    assert part.process.returncode == -signal.SIGKILL


def test_the_pause_between_attempts_grows_and_ends() -> None:
    pauses = [supervisor._pause_after(failures) for failures in range(1, 100)]
    assert pauses[:3] == [0.1, 0.2, 0.4]
    assert pauses == sorted(pauses)
    assert max(pauses) == supervisor.LONGEST_PAUSE
