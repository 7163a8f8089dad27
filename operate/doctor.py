"""What works, what does not, and what to do about it; each finding is a line."""

from __future__ import annotations

import os
import platform
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

OK, NOTE, BAD = "ok", "note", "bad"
LITTLE_SPACE = 1_000_000_000  # bytes


@dataclass(frozen=True)
class Finding:
    verdict: str
    subject: str
    says: str

    def __str__(self) -> str:
        return f"{self.verdict:<4}  {self.subject:<9}  {self.says}"


Findings = Iterator[Finding]


def examine(home: Path) -> Findings:
    """With Django set up. A check that breaks is a finding itself, and the next one goes on."""
    for check in CHECKS:
        try:
            yield from check(home)
        except Exception as error:  # whatever it is, it belongs into the report
            yield Finding(
                BAD, check.__name__.strip("_"), f"{type(error).__name__}: {str(error).splitlines()[0]}"
            )


def _versions(home: Path) -> Findings:
    from django import get_version

    parts = f"Staffroom {metadata.version('staffroom')}, Python {platform.python_version()}, Django {get_version()}"
    yield Finding(OK, "versions", parts)


def _folder(home: Path) -> Findings:
    free = shutil.disk_usage(home).free
    where = f"{home}, {free / 1e9:.1f} GB free"
    if free < LITTLE_SPACE:
        yield Finding(BAD, "folder", f"{where}: make room, the database stops when the disk is full")
    else:
        yield Finding(OK, "folder", where)


def _keys(home: Path) -> Findings:
    file = home / "secret.key"
    if os.environ.get("STAFFROOM_SECRET_KEY"):
        yield Finding(OK, "key", "from STAFFROOM_SECRET_KEY")
    elif stat.S_IMODE(file.stat().st_mode) & 0o077:
        yield Finding(BAD, "key", f"others may read {file}: chmod 600 it")
    else:
        yield Finding(OK, "key", f"{file}; keep a copy of it with every backup")


def _database(home: Path) -> Findings:
    version, vector = _row(
        "SELECT current_setting('server_version'), (SELECT extversion FROM pg_extension WHERE extname = 'vector')"
    )
    whose = "DATABASE_URL" if os.environ.get("DATABASE_URL") else "embedded"
    yield Finding(OK, "database", f"PostgreSQL {version} ({whose})")
    if vector:
        yield Finding(OK, "vectors", f"pgvector {vector}")
    else:
        yield Finding(BAD, "vectors", "pgvector is missing: as a superuser run CREATE EXTENSION vector")


def _roles(home: Path) -> Findings:
    question = "SELECT current_user, rolbypassrls, rolsuper FROM pg_roles WHERE rolname = current_user"
    for alias, bypasses in (("default", False), ("platform", True)):
        role, bypass, superuser = _row(question, alias=alias)
        if superuser or bypass != bypasses:
            wanted = "BYPASSRLS" if bypasses else "NOBYPASSRLS"
            yield Finding(BAD, "roles", f"{role} must be NOSUPERUSER {wanted}: ALTER ROLE it so")
        else:
            yield Finding(OK, "roles", f"{role}, {'across' if bypasses else 'behind'} the tenant wall")


def _wall(home: Path) -> Findings:
    """Tables with a workspace that are not behind row-level security, or that the application owns."""
    open_tables = _rows(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace_id' "
        "WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped "
        "AND (NOT (c.relrowsecurity AND c.relforcerowsecurity) OR pg_has_role(c.relowner, 'USAGE')) ORDER BY 1"
    )
    names = ", ".join(str(row[0]) for row in open_tables)
    if names:
        yield Finding(BAD, "wall", f"not behind row-level security: {names}; run staffroom migrate")
    else:
        yield Finding(OK, "wall", "row-level security is forced on every table of a workspace")


def _mail(home: Path) -> Findings:
    from django.conf import settings
    from django.core.mail import get_connection

    if not settings.EMAIL_URL:
        verdict = BAD if settings.PRODUCTION else NOTE
        yield Finding(verdict, "mail", f"is only written to {settings.MAIL_FOLDER}; set EMAIL_URL to send it")
        return
    connection = get_connection()
    connection.open()
    connection.close()
    yield Finding(OK, "mail", f"{settings.EMAIL_HOST} answers")


def _queue(home: Path) -> Findings:
    waiting, failed, workers = _row(
        "SELECT count(*) FILTER (WHERE status = 'todo'), count(*) FILTER (WHERE status = 'failed'), "
        "(SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '1 minute') "
        "FROM procrastinate_jobs"
    )
    says = f"{waiting} waiting, {failed} failed, {workers} workers"
    if not workers:
        yield Finding(
            NOTE, "queue", f"{says}; nothing is answered until staffroom run or staffroom worker runs"
        )
    else:
        yield Finding(NOTE if failed else OK, "queue", says)


def _storage(home: Path) -> Findings:
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage

    name = default_storage.save("doctor", ContentFile(b"written and removed"))
    default_storage.delete(name)
    yield Finding(OK, "storage", "files can be written and removed")


def _models(home: Path) -> Findings:
    from django.conf import settings

    if settings.DEFAULT_MODEL == "extract":
        says = "no key is set, so employees quote their knowledge; set OPENAI_API_KEY or OPENAI_BASE_URL"
        yield Finding(NOTE, "models", says)
    else:
        yield Finding(OK, "models", f"new employees use {settings.DEFAULT_MODEL}")


def _safety(home: Path) -> Findings:
    from django.conf import settings

    if settings.PRODUCTION:
        yield Finding(OK, "safety", f"production at {settings.PUBLIC_URL}")
        if not settings.TRUSTED_PROXIES:
            says = "everybody seems to come from your proxy's address; set STAFFROOM_TRUSTED_PROXIES"
            yield Finding(NOTE, "proxies", says)
    else:
        yield Finding(NOTE, "safety", "development; set STAFFROOM_ENV=production before others use it")


def _row(question: str, alias: str = "default") -> tuple[Any, ...]:
    return _rows(question, alias)[0]


def _rows(question: str, alias: str = "default") -> list[tuple[Any, ...]]:
    from django.db import connections

    with connections[alias].cursor() as cursor:
        cursor.execute(question)
        return list(cursor.fetchall())


CHECKS: tuple[Callable[[Path], Findings], ...] = (
    _versions,
    _folder,
    _keys,
    _database,
    _roles,
    _wall,
    _mail,
    _queue,
    _storage,
    _models,
    _safety,
)
