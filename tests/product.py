"""The whole product, started as an operator starts it: `staffroom run` in a fresh data folder."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

STAFFROOM = Path(sys.executable).with_name("staffroom")
_OURS = re.compile(r"^(STAFFROOM_|DATABASE_URL|REDIS_URL|EMAIL_URL|OPENAI_|DJANGO_SETTINGS_MODULE)")


@dataclass(frozen=True)
class Product:
    url: str
    home: Path
    process: subprocess.Popen[str]
    environment: dict[str, str]

    def command(self, *arguments: str, check: bool = True) -> str:
        """`staffroom …` beside the running product; what it printed."""
        done = subprocess.run(
            [STAFFROOM, *arguments], env=self.environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0 or not check, f"staffroom {arguments}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def person(self, email: str, name: str, password: str = "correct horse battery staple") -> str:
        """A verified account; its API key."""
        self.command("user", "add", email, "--name", name, "--password", password, "--verified")
        return self.command("key", "add", email).split()[-1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(**settings: str) -> Iterator[Product]:
    """Start, wait for the line with the address, stop with SIGTERM; the log is shown when it does not start."""
    with tempfile.TemporaryDirectory(prefix="staffroom-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        home, log = Path(folder) / "home", Path(folder) / "log"
        port = free_port()
        environment = {key: value for key, value in os.environ.items() if not _OURS.match(key)}
        environment |= {"STAFFROOM_HOME": str(home), "PORT": str(port)} | settings
        with log.open("w") as out:
            process = subprocess.Popen(
                [STAFFROOM, "run"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=out,
                text=True,
                start_new_session=True,
            )
        try:
            line = _first_line(process, log)
            assert str(port) in line, line
            yield Product(f"http://127.0.0.1:{port}", home, process, environment)
        finally:
            _stop(process)


def _first_line(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the product did not start:\n{log.read_text()}"
    return line


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)
        raise AssertionError("the product did not stop within 20 seconds of SIGTERM") from None


def wait_until(condition: object, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
