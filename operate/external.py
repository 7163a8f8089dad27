"""A PostgreSQL of the operator's own, named by DATABASE_URL with the rights of its owner."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from operate import roles, sql
from operate.refusals import DATABASE, Refusal
from operate.roles import Urls

OLDEST = 16
PATIENCE = 10.0  # seconds for each answer
VECTOR = "CREATE EXTENSION IF NOT EXISTS vector"


def prepare(url: str, secret: str, folder: Path, patience: float = PATIENCE) -> Urls:
    """Finds or makes what a superuser of ours has made in the embedded database: the extension and two
    roles beside the owner. Where the owner may not, `folder` gets a file with what is left to do; it
    holds passwords, so it is no text for a terminal."""
    urls = Urls(
        app=_as(url, roles.APP, roles.password(secret, roles.APP)),
        platform=_as(url, roles.PLATFORM, roles.password(secret, roles.PLATFORM)),
        owner=url,
    )
    owner, bypasses, has_vector = _look(url, patience)
    missing = [] if bypasses else [f"ALTER ROLE {sql.quoted(owner)} BYPASSRLS"]
    missing += [] if has_vector else _tried(url, [VECTOR])
    if not _roles_work(urls, patience):
        database = unquote(urlsplit(url).path.lstrip("/"))
        wanted = roles.role_statements(secret, (roles.APP, roles.PLATFORM))
        missing += _tried(url, [*wanted, *roles.database_statements(database, owner)])
    if missing:
        raise _refusal(owner, missing, folder)
    return urls


def _look(url: str, patience: float) -> tuple[str, bool, bool]:
    question = (
        "SELECT current_user, rolbypassrls OR rolsuper, current_setting('server_version_num')::int / 10000, "
        "EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') FROM pg_roles WHERE rolname = current_user"
    )
    try:
        owner, bypass, major, vector = sql.run(url, question, seconds=patience)[0]
    except sql.Failed as error:
        raise Refusal(f"The database of DATABASE_URL cannot be used: {error}.", DATABASE) from error
    if int(major) < OLDEST:
        raise Refusal(
            f"The database of DATABASE_URL is PostgreSQL {major}; Staffroom needs {OLDEST} or newer.",
            DATABASE,
        )
    return owner, bypass == "t", vector == "t"


def _roles_work(urls: Urls, patience: float) -> bool:
    """Whether both are there, with today's password, and with the right past row-level security or not."""
    question = "SELECT rolbypassrls, rolsuper FROM pg_roles WHERE rolname = current_user"
    try:
        app, platform = (sql.run(url, question, seconds=patience)[0] for url in (urls.app, urls.platform))
    except sql.Failed:
        return False
    return app == ["f", "f"] and platform == ["t", "f"]


def _tried(url: str, statements: list[str]) -> list[str]:
    """What is left to somebody with more rights: nothing, or all of it."""
    try:
        sql.run(url, statements)
    except sql.Failed:
        return statements
    return []


def _refusal(owner: str, missing: list[str], folder: Path) -> Refusal:
    file = folder / "prepare.sql"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as script:
        script.write("".join(f"{statement};\n" for statement in missing))
    return Refusal(
        f"The owner {owner} of DATABASE_URL may not do everything that Staffroom needs once: "
        f"run {file} in that database as a superuser, then start again.",
        DATABASE,
    )


def _as(url: str, role: str, word: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(word, safe='')}@{host}"))
