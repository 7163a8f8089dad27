"""What a start may skip: migrations and pages' files that have not changed since the last one."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

from operate import sql
from operate.home import CHECKOUT


def of_migrations() -> str:
    """Changes with our migrations, the list of applications and the installed packages that have their own."""
    ours = sorted(CHECKOUT.glob("staffroom/*/migrations/*.py"))
    digest = hashlib.sha256()
    for file in [*ours, CHECKOUT / "config" / "settings.py"]:
        digest.update(f"{file.relative_to(CHECKOUT)}\0".encode() + file.read_bytes())
    digest.update("\0".join(_installed()).encode())
    return digest.hexdigest()


def _installed() -> Iterable[str]:
    return sorted({found.name for path in sys.path if path for found in Path(path).glob("*.dist-info")})


def of_static() -> str:
    """Times and sizes, not contents: several megabytes at every start would be felt."""
    digest = hashlib.sha256(
        "\0".join(name for name in _installed() if name.startswith("whitenoise")).encode()
    )
    for file in sorted((CHECKOUT / "ui" / "static").rglob("*")):
        if file.is_file():
            now = file.stat()
            digest.update(f"{file.relative_to(CHECKOUT)}\0{now.st_size}\0{now.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def migrated(owner_url: str) -> str:
    """The stamp that the database carries: a comment on Django's own table, which follows it through
    every dump and restore, as a file beside it would not."""
    question = "SELECT obj_description(to_regclass('public.django_migrations'), 'pg_class')"
    rows = sql.run(owner_url, question)
    return rows[0][0] if rows else ""


def note_migrated(owner_url: str, stamp: str) -> None:
    sql.run(owner_url, f"COMMENT ON TABLE public.django_migrations IS {sql.literal(stamp)}")
