"""A forgotten filter shows nothing of others, a forgotten scope is an error, and nothing outlives its transaction."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection, models, transaction

from staffroom.core.ids import new_id
from staffroom.core.scope import ScopeMissing, ScopeNested, across_workspaces, workspace_scope
from staffroom.workspaces.models import Membership, Slug, Tenant
from tests.cast import Cast
from tests.test_schema import tenant_tables

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [
    file
    for package in ("staffroom", "operate", "config")
    for file in sorted((ROOT / package).rglob("*.py"))
    if not {"tests", "migrations"} & set(file.parts)
]
TENANTS = [model for model in apps.get_models() if issubclass(model, Tenant)]

# Who reaches across workspaces, with how many calls. A new one needs a good reason, and this line.
ACROSS = {
    "staffroom/archives/sweeping.py": 1,  # archives lose their workers and come to their ends in every workspace
    "staffroom/billing/checks.py": 1,  # the ledger is checked as a whole
    "staffroom/chats/tally.py": 1,  # hours are counted in every workspace
    "staffroom/billing/ordered.py": 2,  # the operator sees what was ordered
    "staffroom/billing/jobs.py": 2,  # time runs out in every workspace; a gateway's word comes before its workspace
    "staffroom/workspaces/certificates.py": 1,  # the operator answers for every deletion
    "staffroom/workspaces/erasing.py": 1,  # grace times end in every workspace
    "staffroom/knowledge/ingestion.py": 1,  # the sweeper rings for sources that a dead worker held
}


@pytest.fixture(scope="module")
def cast() -> Cast:
    it = Cast()
    it.bob, it.rival  # noqa: B018 - they are there before anybody looks
    return it


def _select(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall()) if cursor.description else []


class TestAForgottenFilter:
    def test_raw_sql_shows_the_open_workspace_only(self, cast: Cast) -> None:
        with cast.inside(cast.acme):
            assert {row[0] for row in _select("SELECT workspace_id FROM workspaces_membership")} == {
                cast.acme.id
            }
            assert _select("SELECT 1 FROM workspaces_slug WHERE slug = %s", cast.rival.slug) == []

    def test_the_base_manager_too(self, cast: Cast) -> None:
        with cast.inside(cast.acme):
            assert not Membership._base_manager.filter(workspace_id=cast.rival.id).exists()
            assert not Slug._base_manager.filter(slug=cast.rival.slug).exists()

    def test_an_update_or_delete_without_a_filter_stays_inside(self, cast: Cast) -> None:
        before = self._names(cast)
        with cast.inside(cast.acme), connection.cursor() as cursor:
            cursor.execute("UPDATE workspaces_workspace SET name = 'Mine now'")
            assert cursor.rowcount == 1
            transaction.set_rollback(True)
        assert self._names(cast) == before

    @staticmethod
    def _names(cast: Cast) -> list[Any]:
        with cast.inside(cast.rival):
            return _select("SELECT name FROM workspaces_workspace")

    def test_a_row_cannot_be_written_into_another_workspace(self, cast: Cast) -> None:
        with pytest.raises(DatabaseError, match="row-level security"), cast.inside(cast.acme):
            Membership._base_manager.create(workspace_id=cast.rival.id, user=cast.sam, role="admin")

    def test_a_row_cannot_be_moved_into_another_workspace(self, cast: Cast) -> None:
        with pytest.raises(DatabaseError, match="row-level security"), cast.inside(cast.acme):
            Membership._base_manager.filter(user_id=cast.bob.id).update(workspace_id=cast.rival.id)


class TestAForgottenScope:
    @pytest.mark.parametrize("model", TENANTS, ids=lambda model: model._meta.label)
    def test_the_manager_raises_before_it_asks(self, model: type[models.Model]) -> None:
        with pytest.raises(ScopeMissing):
            model._default_manager.exists()

    @pytest.mark.parametrize("table", sorted(tenant_tables() | {"workspaces_workspace"}))
    def test_the_database_raises_where_the_manager_was_passed_by(self, cast: Cast, table: str) -> None:
        """A table without rows answers nothing: it has no row to ask the policy about."""
        with transaction.atomic():
            try:
                assert _select(f"SELECT 1 FROM {table}") == []
            except DatabaseError as error:
                assert "no workspace scope is open" in str(error)  # noqa: PT017
            transaction.set_rollback(True)

    def test_a_table_with_rows_raises(self, cast: Cast) -> None:
        with pytest.raises(DatabaseError, match="no workspace scope is open"):
            _select("SELECT 1 FROM workspaces_membership")

    def test_an_empty_setting_raises_as_well(self, cast: Cast) -> None:
        with pytest.raises(DatabaseError, match="no workspace scope is open"):
            self._look_with("")

    def test_a_setting_that_is_no_id_raises(self, cast: Cast) -> None:
        with pytest.raises(DatabaseError, match="uuid"):
            self._look_with("all")

    @staticmethod
    def _look_with(setting: str) -> None:
        with transaction.atomic():
            _select("SELECT set_config('app.workspace_id', %s, true)", setting)
            _select("SELECT 1 FROM workspaces_membership")


class TestScopes:
    def test_another_workspace_cannot_be_opened_inside(self, cast: Cast) -> None:
        with cast.inside(cast.acme), pytest.raises(ScopeNested), cast.inside(cast.rival):
            pass

    def test_nobody_reaches_across_from_inside(self, cast: Cast) -> None:
        with cast.inside(cast.acme), pytest.raises(ScopeNested), across_workspaces("a test"):
            pass

    def test_what_was_read_across_leads_its_relations_back_behind_the_wall(self, cast: Cast) -> None:
        with across_workspaces("a test"):
            membership = Membership.objects.get(workspace_id=cast.acme.id, user_id=cast.bob.id)
        with pytest.raises(DatabaseError, match="no workspace scope is open"):
            membership.workspace  # noqa: B018

    def test_a_request_leaves_no_setting_on_its_connection(self, cast: Cast) -> None:
        api = cast.api(cast.key(cast.alice))
        for _ in range(30):
            assert api.get(f"/api/v1/o/{cast.acme.slug}").status_code == 200
            assert not _select("SELECT current_setting('app.workspace_id', true)")[0][0]
            connection.close()  # back into the pool; the next request takes whichever comes

    def test_a_request_that_fails_leaves_no_setting_either(self, cast: Cast) -> None:
        api = cast.api(cast.key(cast.bob))
        assert (
            api.patch(f"/api/v1/o/{cast.acme.slug}", "{", content_type="application/json").status_code >= 400
        )
        assert not _select("SELECT current_setting('app.workspace_id', true)")[0][0]

    def test_a_role_cannot_be_changed_from_within_the_program(self) -> None:
        for role in ("staffroom_platform", "staffroom_owner"):
            with pytest.raises(DatabaseError, match="permission denied to set role"), transaction.atomic():
                _select(f"SET ROLE {role}")

    def test_row_security_cannot_be_switched_off(self, cast: Cast) -> None:
        """It can be set to off, and then a query that it would filter is refused."""
        with pytest.raises(DatabaseError, match="affected by row-level security"), cast.inside(cast.acme):
            self._look_without_security()

    @staticmethod
    def _look_without_security() -> None:
        _select("SET LOCAL row_security = off")
        _select("SELECT 1 FROM workspaces_membership")


class TestJobs:
    def test_a_job_is_told_its_workspace(self) -> None:
        """What a job does inside, it does in a scope of its own; without the id it could not open one."""
        without = {task.name for task in _tasks() if "workspace_id" not in signature(task.func).parameters}
        assert without == set(WITHOUT_WORKSPACE)

    def test_the_worker_knows_every_job_and_the_clock_its_recurring_ones(self) -> None:
        from procrastinate.contrib.django import app

        ours = {task.name for task in _tasks()}
        assert {"core.mail.deliver", "knowledge.prepare", "billing.sweep"} <= ours
        assert {name for name, _ in app.periodic_registry.periodic_tasks} <= ours

    def test_a_job_of_an_unknown_workspace_finds_nothing_to_do(self) -> None:
        with workspace_scope(new_id()):
            assert not Membership.objects.exists()

    def test_a_rule_that_a_job_runs_without_a_scope_fails(self) -> None:
        with pytest.raises(ScopeMissing):
            Membership.objects.create(user_id=new_id(), role="member")


# Jobs without a workspace, each with the reason.
WITHOUT_WORKSPACE = {
    "core.mail.deliver": "a mail is written out when it is enqueued: no tenant's row is read",
    "core.mail.write": "it is given all that the letter says: no tenant's row is read",
    "billing.sweep": "over all workspaces, as the platform",
    "chats.tally": "something is said in every workspace",
    "billing.fold": "every workspace has days",
    "billing.watch": "words run low in every workspace",
    "billing.hear_again": "a gateway's word comes before its workspace",
    "billing.check": "over all workspaces, as the platform",
    "workspaces.ring_again": "over all workspaces, as the platform",
    "core.ratelimits.forget_old": "counters by hash: no tenant's row is read",
    "archives.sweep": "over all workspaces, as the platform",
    "knowledge.ring_again": "over all workspaces, as the platform",
}


def _tasks() -> list[Any]:
    from procrastinate.contrib.django import app

    for name in settings.PROCRASTINATE_IMPORT_PATHS:
        import_module(name)
    return [task for task in app.tasks.values() if task.func.__module__.startswith("staffroom.")]


class TestSource:
    def test_those_who_reach_across_are_counted(self) -> None:
        found = Counter(
            str(file.relative_to(ROOT)) for file, call in _calls() if _name(call.func) == "across_workspaces"
        )
        assert dict(found) == ACROSS

    def test_a_cache_key_carries_the_workspace(self) -> None:
        """The cache is a library's (for counting sign-ins): our own code keeps nothing in it."""
        uses = re.compile(r"from django\.core\.cache import|cache_page|{% *cache\b")
        assert _files(uses) == set()

    def test_memory_that_outlives_a_request_holds_no_tenants_rows(self) -> None:
        """What is kept in the process is the program's own: templates, schemas, word lists."""
        kept = re.compile(r"@(?:functools\.)?(?:lru_cache|cache)\b")
        assert _files(kept) == KEPT

    def test_a_file_path_carries_the_workspace(self) -> None:
        wrong = [
            f"{model._meta.label}.{field.name}"
            for model in TENANTS
            for field in model._meta.get_fields()
            if isinstance(field, models.FileField)
        ]
        assert wrong == [], (
            "files of tenants are kept by core/files.py, which puts the workspace into their names"
        )
        assert _files(re.compile(r"default_storage|FileSystemStorage\(")) <= {
            "operate/doctor.py",
            "staffroom/core/files.py",
        }

    def test_nobody_sets_the_workspace_but_the_scope_and_the_worker(self) -> None:
        assert _files(re.compile(r"app\.workspace_id")) == SETTERS

    def test_nobody_makes_a_setting_for_the_session(self) -> None:
        """A setting that is not local to its transaction would go back into the pool with the connection."""
        lasting = re.compile(r"set_config\([^)]*,\s*false\)|\bSET\s+(?:SESSION\s+)?app\.", re.I)
        assert _files(lasting) == set()


KEPT = {
    "operate/binaries.py",  # where the database's programs lie
    "staffroom/api/description.py",  # the API's own document
    "staffroom/billing/gateways/stripe/gateway.py",  # the client of the installation's own account
    "staffroom/core/crypto.py",  # keys made from the installation's own
    "staffroom/core/outbound/connections.py",  # certificates
    "staffroom/core/postgres/base.py",  # how times are read
    "staffroom/core/tables.py",  # the words of statements
    "staffroom/employees/minds/providers.py",  # clients of model servers
    "staffroom/workspaces/slugs.py",  # reserved words
}
SETTERS = {
    "staffroom/chats/worker/turns.py",  # the worker's own connections are asynchronous
    "staffroom/core/scope.py",
    "staffroom/core/wall.py",
    "staffroom/core/postgres/base.py",
}


def _files(pattern: re.Pattern[str]) -> set[str]:
    return {str(file.relative_to(ROOT)) for file in SOURCES if pattern.search(file.read_text())}


def _calls() -> Iterator[tuple[Path, ast.Call]]:
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                yield file, node


def _name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
