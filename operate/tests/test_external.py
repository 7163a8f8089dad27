"""A database of the operator's own: another PostgreSQL, played by a second cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from operate import external, roles, sql
from operate.postgres import Cluster
from operate.refusals import DATABASE, Refusal
from operate.tests.ordinary import reachable

SECRET = "the installation's key"
PASSWORD = "pw"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """As a hosting company would give it: none of our roles, and a superuser that is not us."""
    with Cluster(reachable(tmp_path_factory.mktemp("external")) / "db", durable=False) as cluster:
        yield cluster


@pytest.fixture
def ground(server: Cluster) -> Iterator[Cluster]:
    yield server
    for database in ("theirs",):
        server.drop(database)
    for role in ("theirs", roles.APP, roles.PLATFORM):
        superuser(server, f"DROP ROLE IF EXISTS {role}")


def superuser(server: Cluster, *statements: str, database: str = "postgres") -> None:
    sql.run(server.url(roles.SUPERUSER, database), statements)


def given(server: Cluster, attributes: str, vector: bool = True) -> str:
    """A database with an owner; its address."""
    for role in (roles.APP, roles.PLATFORM):
        superuser(server, f"DROP ROLE IF EXISTS {role}")
    superuser(
        server,
        f"CREATE ROLE theirs LOGIN {attributes} PASSWORD '{PASSWORD}'",
        "CREATE DATABASE theirs OWNER theirs",
    )
    if vector:
        superuser(server, "CREATE EXTENSION vector", database="theirs")
    return roles.url("theirs", PASSWORD, str(server.folder.socket), "theirs")


def test_an_owner_who_may_make_roles_needs_nobody(ground: Cluster, tmp_path: Path) -> None:
    url = given(ground, "BYPASSRLS CREATEROLE")
    urls = external.prepare(url, SECRET, tmp_path)
    sql.run(urls.owner, "CREATE TABLE t (id int)")
    assert sql.run(urls.app, "INSERT INTO t VALUES (1) RETURNING id") == [["1"]]
    with pytest.raises(sql.Failed, match="permission denied"):
        sql.run(urls.platform, "CREATE TABLE mine (id int)")
    assert external.prepare(url, SECRET, tmp_path) == urls


def test_an_owner_who_may_not_gets_a_file_for_the_superuser(ground: Cluster, tmp_path: Path) -> None:
    url = given(ground, "", vector=False)
    with pytest.raises(Refusal, match=r"run .*/prepare.sql in that database as a superuser") as refused:
        external.prepare(url, SECRET, tmp_path)
    assert refused.value.code == DATABASE
    script = tmp_path / "prepare.sql"
    assert script.stat().st_mode & 0o077 == 0
    superuser(ground, script.read_text().rstrip(";\n"), database="theirs")
    urls = external.prepare(url, SECRET, tmp_path)
    assert sql.run(urls.app, "SELECT '[1]'::vector") == [["[1]"]]


def test_another_key_needs_other_passwords(ground: Cluster, tmp_path: Path) -> None:
    url = given(ground, "BYPASSRLS CREATEROLE")
    external.prepare(url, SECRET, tmp_path)
    urls = external.prepare(url, "another key", tmp_path)
    assert sql.run(urls.app, "SELECT 1") == [["1"]]


def test_an_old_server_is_refused(ground: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "OLDEST", 99)
    with pytest.raises(Refusal, match="Staffroom needs 99 or newer"):
        external.prepare(given(ground, "BYPASSRLS"), SECRET, tmp_path)


def test_a_wrong_password_is_said_without_showing_it(ground: Cluster, tmp_path: Path) -> None:
    url = given(ground, "BYPASSRLS").replace(f":{PASSWORD}@", ":a-wrong-one@")
    with pytest.raises(Refusal, match="password authentication failed") as refused:
        external.prepare(url, SECRET, tmp_path)
    assert "a-wrong-one" not in str(refused.value)
