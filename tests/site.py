"""The web process alone, on the database of this test process: for pages looked at with a real browser."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

from tests.product import free_port

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@contextlib.contextmanager
def site(port: int = 0) -> Iterator[str]:
    """The address of a server that dies with the block; files and manifest as in the product."""
    environment = os.environ | {"STAFFROOM_ENV": "development"}
    command = [sys.executable, "-m", "django", "collectstatic", "--noinput", "--verbosity", "0"]
    subprocess.run(command, env=environment, check=True)
    port = port or free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--no-ws", "config.asgi:application"]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}/accounts/login/", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


@contextlib.contextmanager
def worker() -> Iterator[None]:
    """The process that replies and does the jobs, on the same database."""
    environment = os.environ | {"STAFFROOM_ENV": "development"}
    process = subprocess.Popen([sys.executable, "-m", "config.worker"], env=environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait(15)


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert server.poll() is None, "the server did not start"
        with contextlib.suppress(urllib.error.URLError):
            urllib.request.urlopen(url)
            return
        time.sleep(0.1)
    raise AssertionError("the server did not answer")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    executable = CHROMIUM if os.path.exists(CHROMIUM) else None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()
