"""One embedded database for the whole run; every test process has a copy of the migrated template.

Tests commit for real, as the application's role, behind row-level security. Nothing is cleaned up between
them: each scene founds workspaces of its own (`tests.cast`), and nobody can see anybody else's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

TEMPLATE = "staffroom_template"
_cluster: Any = None
_home: tempfile.TemporaryDirectory[str] | None = None


def pytest_configure(config: pytest.Config) -> None:
    worker = getattr(config, "workerinput", None)
    if worker is None:
        _start_cluster()
        if not getattr(config.option, "numprocesses", None):
            _open_django(_copy("test_alone"))
    else:
        _open_django(json.loads(worker["environment"]))


def pytest_configure_node(node: Any) -> None:
    """xdist, in the controller: what a new test process needs to know."""
    node.workerinput["environment"] = json.dumps(_copy(f"test_{node.gateway.id}"))


def pytest_unconfigure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or _cluster is None:
        return
    if "django" in sys.modules:
        from django.db import connections

        connections.close_all()
        for connection in connections.all(initialized_only=True):
            getattr(connection, "close_pool", lambda: None)()
    _cluster.stop()
    if _home:
        _home.cleanup()


def _start_cluster() -> None:
    global _cluster, _home
    from operate.postgres import Cluster

    _home = tempfile.TemporaryDirectory(prefix="staffroom-test-", ignore_cleanup_errors=True)
    os.chmod(_home.name, 0o755)  # noqa: S103 - the database's ordinary user must reach its folder inside
    _cluster = Cluster(Path(_home.name) / "db", durable=False)
    _cluster.start()
    urls = _cluster.database(TEMPLATE)
    subprocess.run(
        [sys.executable, "-m", "django", "migrate", "--database", "owner", "--verbosity", "0"],
        env=os.environ | _environment(urls, "template"),
        check=True,
    )


def _copy(name: str) -> dict[str, str]:
    return _environment(_cluster.database(name, template=TEMPLATE), name)


def _environment(urls: Any, name: str) -> dict[str, str]:
    assert _home is not None
    home = Path(_home.name) / f"home-{name}"
    (home / "static").mkdir(parents=True, exist_ok=True)
    (home / "scratch").mkdir(exist_ok=True)  # the web process makes it before it takes a large upload
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "STAFFROOM_ENV": "test",
        "STAFFROOM_HOME": str(home),
        "STAFFROOM_DB_APP": urls.app,
        "STAFFROOM_DB_PLATFORM": urls.platform,
        "STAFFROOM_DB_OWNER": urls.owner,
        "STAFFROOM_SECRET_KEY": "a key for tests",
        "STAFFROOM_POOL": "20",
        "PYTHONPATH": os.getcwd(),
    }


def _open_django(environment: dict[str, str]) -> None:
    os.environ.update(environment)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "STAFFROOM_MODEL", "EMAIL_URL", "DATABASE_URL"):
        os.environ.pop(name, None)
    import django
    from django.test.utils import setup_test_environment

    django.setup()
    setup_test_environment()

    from staffroom.employees import minds

    minds.ALLOW_MODEL_REQUESTS = False


@pytest.fixture(autouse=True)
def no_open_connection_left_in_a_transaction() -> Iterator[None]:
    yield
    from django.db import connection

    assert not connection.in_atomic_block, "the test left a transaction open"
