"""A PostgreSQL of the operator's own, named by DATABASE_URL with the rights of its owner."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

from operate import roles, sql
from operate.refusals import DATABASE, Refusal
from operate.roles import Urls

OLDEST = 16
PATIENCE = 10.0  # seconds for each answer


def prepare(url: str, secret: str, patience: float = PATIENCE) -> Urls:
    """Finds or makes the two roles beside the owner. Raises Refusal with the SQL that somebody must run."""
    owner, may_bypass = _look(url, patience)
    urls = Urls(
        app=_as(url, roles.APP, roles.password(secret, roles.APP)),
        platform=_as(url, roles.PLATFORM, roles.password(secret, roles.PLATFORM)),
        owner=url,
    )
    if not may_bypass:
        raise Refusal(
            f"The owner {owner} of DATABASE_URL must bypass row-level security; as a superuser run: "
            f"ALTER ROLE {owner} BYPASSRLS; CREATE EXTENSION IF NOT EXISTS vector;",
            DATABASE,
        )
    if not _works(urls, patience):
        _make_roles(url, owner, secret)
    return urls


def _look(url: str, patience: float) -> tuple[str, bool]:
    question = (
        "SELECT current_user, rolbypassrls OR rolsuper, current_setting('server_version_num')::int / 10000 "
        "FROM pg_roles WHERE rolname = current_user"
    )
    try:
        owner, bypass, major = sql.run(url, question, seconds=patience)[0]
    except sql.Failed as error:
        raise Refusal(f"The database of DATABASE_URL cannot be used: {error}.", DATABASE) from error
    if int(major) < OLDEST:
        raise Refusal(
            f"The database of DATABASE_URL is PostgreSQL {major}; {OLDEST} or newer is needed.", DATABASE
        )
    return owner, bypass == "t"


def _works(urls: Urls, patience: float) -> bool:
    """Whether both roles are there, with today's password and the right to pass row-level security or not."""
    question = "SELECT rolbypassrls, rolsuper FROM pg_roles WHERE rolname = current_user"
    try:
        app, platform = (sql.run(url, question, seconds=patience)[0] for url in (urls.app, urls.platform))
    except sql.Failed:
        return False
    return app == ["f", "f"] and platform == ["t", "f"]


def _make_roles(url: str, owner: str, secret: str) -> None:
    name = urlsplit(url).path.lstrip("/")
    statements = [
        "CREATE EXTENSION IF NOT EXISTS vector",
        *roles.role_statements(secret, (roles.APP, roles.PLATFORM)),
        *roles.database_statements(name, owner),
    ]
    try:
        sql.run(url, statements)
    except sql.Failed as error:
        script = "; ".join(statements)
        raise Refusal(
            f"{owner} may not prepare the database ({error}); as a superuser, in database {name}, run: {script};",
            DATABASE,
        ) from error


def _as(url: str, role: str, word: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(word, safe='')}@{host}"))
