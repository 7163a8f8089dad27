"""Statements to a database through `psql`.

The supervisor speaks SQL a few times at a start and then never again; importing a driver for that
would cost it 20 MB for as long as it lives.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit, urlunsplit

from operate.binaries import program
from operate.refusals import DATABASE, Refusal

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class Failed(Exception):
    """What the server, or the way to it, answered."""


def run(url: str, statements: str | Iterable[str], *, seconds: float = 30) -> list[list[str]]:
    """The rows of the statements, each value as text. Every statement commits by itself."""
    script = statements if isinstance(statements, str) else ";\n".join(statements)
    address, password = _without_password(url)
    command = [
        program("psql"),
        "-X",
        "-q",
        "-A",
        "-t",
        "-w",
        "-F",
        "\x1f",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        address,
    ]
    env = _env(password, seconds)
    try:
        done = subprocess.run(
            command, input=script + ";\n", capture_output=True, text=True, timeout=seconds, env=env
        )
    except subprocess.TimeoutExpired:
        raise Refusal(f"The database did not answer within {seconds:g} seconds.", DATABASE) from None
    if done.returncode != 0:
        raise Failed(_last_words(done.stderr))
    return [line.split("\x1f") for line in done.stdout.splitlines()]


def _without_password(url: str) -> tuple[str, str | None]:
    """Everybody on the machine may read a command line, so the password goes by the environment."""
    parts = urlsplit(url)
    if parts.password is None:
        return url, None
    user, _, rest = parts.netloc.rpartition("@")
    netloc = f"{user.split(':')[0]}@{rest}"
    return urlunsplit(parts._replace(netloc=netloc)), unquote(parts.password)


def _env(password: str | None, seconds: float) -> dict[str, str]:
    ours = {"PGCONNECT_TIMEOUT": str(max(2, int(seconds))), "PGCLIENTENCODING": "UTF8", "LC_ALL": "C"}
    kept = (
        os.environ
        if password is None
        else {key: value for key, value in os.environ.items() if key != "PGPASSWORD"}
    )
    return {**kept, **ours, **({"PGPASSWORD": password} if password is not None else {})}


def _last_words(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR:" in line or "FATAL:" in line]
    chosen = (errors or lines or ["no reason given"])[0]
    return re.split(r"(?:ERROR|FATAL|^psql: error):\s*", chosen)[-1].strip().rstrip(".")


def literal(value: str) -> str:
    if "\0" in value:
        raise ValueError("PostgreSQL keeps no zero bytes")
    return "E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def quoted(value: str) -> str:
    """Any name that somebody else has chosen."""
    return '"' + value.replace('"', '""') + '"'


def name(value: str) -> str:
    """A name of ours; whatever would need quotes is refused instead."""
    if not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is no plain database name")
    return f'"{value}"'
