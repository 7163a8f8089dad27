"""`staffroom run` as an operator meets it: started, disturbed and ended, with real processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from operate import processes
from operate.refusals import DATABASE, TAKEN, USAGE
from operate.tests.ordinary import AS_NOBODY, NOBODY, nobodys, only_root, reachable
from tests.product import STAFFROOM, Product, free_port, running, wait_until

pytestmark = pytest.mark.crash


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with running(STAFFROOM_WEB_WORKERS="1") as started:
        yield started


def family(pid: int) -> list[int]:
    """All descendants of a process."""
    found = []
    for child in children(pid):
        found += [child, *family(child)]
    return found


def children(pid: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def child(product: Product, mark: str) -> int:
    for pid in children(product.process.pid):
        if mark in Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "):
            return pid
    raise LookupError(mark)


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def start(environment: dict[str, str], *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [STAFFROOM, "run", *arguments],
        env=environment | settings,
        capture_output=True,
        text=True,
        timeout=120,
    )


def is_ready(product: Product) -> bool:
    return status(f"{product.url}/readyz") == 200


class TestBeside:
    """What is said to whoever starts another one; the first goes on."""

    def test_a_second_start_on_one_folder(self, product: Product) -> None:
        done = start(product.environment, "--port", str(free_port()))
        assert done.returncode == TAKEN
        assert done.stdout == ""
        assert done.stderr == f"staffroom: Staffroom is already running on the data folder {product.home}.\n"

    def test_a_taken_port(self, product: Product, tmp_path: Path) -> None:
        done = start(product.environment, STAFFROOM_HOME=str(tmp_path / "other"))
        assert done.returncode == TAKEN
        assert done.stderr.startswith(
            f"staffroom: Port {product.environment['PORT']} is taken by another program"
        )
        assert done.stderr.count("\n") == 1

    @pytest.mark.parametrize(
        ("setting", "value", "code", "says"),
        [
            ("PORT", "high", USAGE, "PORT is 'high'"),
            ("STAFFROOM_HOST", "198.51.100.1", USAGE, "cannot listen at 198.51.100.1"),
            (
                "DATABASE_URL",
                "postgresql://a:b@127.0.0.1:1/c",
                DATABASE,
                "database of DATABASE_URL cannot be used",
            ),
        ],
    )
    def test_a_setting_that_cannot_work(
        self, product: Product, tmp_path: Path, setting: str, value: str, code: int, says: str
    ) -> None:
        settings = {"STAFFROOM_HOME": str(tmp_path / "other"), "PORT": str(free_port())} | {setting: value}
        done = start(product.environment, **settings)
        assert done.returncode == code
        assert says in done.stderr
        assert done.stderr.count("\n") == 1

    def test_a_home_that_is_a_file(self, product: Product, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        done = start(product.environment, STAFFROOM_HOME=str(tmp_path / "file"))
        assert done.returncode == DATABASE
        assert done.stderr.count("\n") == 1

    def test_a_database_that_keeps_silent(self, product: Product, tmp_path: Path) -> None:
        with socket.socket() as mute:
            mute.bind(("127.0.0.1", 0))
            mute.listen()
            url = f"postgresql://a:b@127.0.0.1:{mute.getsockname()[1]}/c"
            done = start(
                product.environment,
                STAFFROOM_HOME=str(tmp_path / "other"),
                PORT=str(free_port()),
                DATABASE_URL=url,
                STAFFROOM_DATABASE_PATIENCE="2",
            )
        assert done.returncode == DATABASE
        assert "did not answer within" in done.stderr

    def test_a_command_reaches_the_same_database(self, product: Product) -> None:
        key = product.person("ann@example.com", "Ann")
        assert re.fullmatch(r"sr_[\w-]{43}", key)


class TestKilled:
    def test_a_web_process(self, product: Product) -> None:
        os.kill(child(product, "operate.web"), signal.SIGKILL)
        wait_until(lambda: is_ready(product), 60)

    def test_the_database(self, product: Product) -> None:
        killed = child(product, "bin/postgres")
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: not processes.exists(killed), 60)
        wait_until(lambda: is_ready(product), 60)


class TestTheEnd:
    def test_sigterm_leaves_nobody(self, product: Product) -> None:
        everybody = family(product.process.pid)
        assert len(everybody) >= 3
        product.process.terminate()
        assert product.process.wait(20) == 0
        assert not [pid for pid in everybody if processes.exists(pid)]

    def test_the_next_start_is_quick_and_a_killed_supervisor_takes_all_with_it(
        self, product: Product
    ) -> None:
        product.process.terminate()
        product.process.wait(20)
        with started(product.environment) as first:
            # Processor seconds: other tests share the machine, and a clock would measure them too.
            assert cpu_seconds(first.pid) < 5
            everybody = family(first.pid)
            first.kill()
            first.wait()
            wait_until(lambda: not [pid for pid in everybody if processes.exists(pid)])
        with started(product.environment) as second:
            assert is_ready(product)
            second.send_signal(signal.SIGINT)
            assert second.wait(20) == 0


@only_root
def test_an_ordinary_user_runs_all_of_it(product: Product, tmp_path: Path) -> None:
    home = nobodys(reachable(tmp_path) / "home")
    environment = product.environment | {"STAFFROOM_HOME": str(home), "PORT": str(free_port())}
    with started(environment, AS_NOBODY) as process:
        assert status(f"http://127.0.0.1:{environment['PORT']}/readyz") == 200
        owners = {Path(f"/proc/{pid}").stat().st_uid for pid in [process.pid, *family(process.pid)]}
    assert owners == {NOBODY}


def cpu_seconds(pid: int) -> float:
    """Of a process and all its descendants, dead ones too."""
    ticks = 0
    for one in [pid, *family(pid)]:
        ticks += sum(map(int, Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def started(environment: dict[str, str], who: Sequence[str] = ()) -> Iterator[subprocess.Popen[str]]:
    """In the folder and on the port that the environment names, as `who`."""
    process = subprocess.Popen(
        [*who, STAFFROOM, "run"], env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout
        assert environment["PORT"] in process.stdout.readline()
        yield process
    finally:
        process.terminate()
        process.wait(20)
