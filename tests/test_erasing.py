"""What is left of an organization after its deletion: nothing, whoever dies meanwhile, and nobody else's is touched."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from operate import cli, house
from staffroom.billing import checks
from staffroom.core import files, mailbox
from staffroom.core.scope import workspace_scope
from staffroom.workspaces import certificates, deletion, erasing
from staffroom.workspaces.certificates import DONE, DUE, RUNNING, WAITING, Record
from staffroom.workspaces.models import Slug, Workspace
from staffroom.workspaces.tests.races import at_once
from tests.cast import Cast
from tests.full_house import bare_tables, fingerprint, furnished, rows
from tests.owner import as_owner
from tests.test_schema import tenant_tables

FEW = 2  # rows of a batch: many batches


@pytest.fixture(scope="module")
def cast() -> Cast:
    cast = Cast()
    cast.ann, cast.bob  # noqa: B018 - brings them on stage
    furnished(cast, cast.rival)
    return cast


@pytest.fixture(autouse=True)
def rival_is_untouched(cast: Cast) -> Iterator[None]:
    with workspace_scope(cast.rival.id):
        before = files.count(cast.rival.id)
    others = [cast.rival.id, cast.acme.id, *(cast.member(one).workspace_id for one in (cast.alice, cast.sam))]
    seen = fingerprint(*others)
    yield
    assert fingerprint(*others) == seen
    assert files.count(cast.rival.id) == before > 0


@pytest.fixture
def shop(cast: Cast) -> Workspace:
    shop = furnished(cast, cast.organization("Shop", cast.alice))
    cast.joined(cast.ann, "admin", workspace=shop)
    cast.joined(cast.bob, "member", workspace=shop, status="left")
    return shop


def close(cast: Cast, shop: Workspace, *, now: bool = True) -> None:
    by = cast.member(cast.alice, shop)
    with cast.inside(shop):
        deletion.close(by=by, confirm=shop.slug or "", now=now)


def finish(shop: Workspace) -> list[str]:
    return list(erasing.steps(shop.id, FEW))


def record(shop: Workspace) -> Record:
    return next(one for one in certificates.records() if one.workspace == shop.id)


def gone(shop: Workspace) -> None:
    assert rows(shop.id) == {}
    assert as_owner("SELECT 1 FROM workspaces_workspace WHERE id = %s", shop.id) == []
    assert not (settings.STORAGES["default"]["OPTIONS"]["location"] / files.folder(shop.id)).exists()
    jobs = "SELECT task_name FROM procrastinate_jobs WHERE args ->> 'workspace_id' = %s"
    assert as_owner(jobs, str(shop.id)) == []


def told_right(shop: Workspace, before: dict[str, int]) -> None:
    said = record(shop)
    assert said.state(timezone.now()) == DONE
    assert {table: count for table, count in said.rows_before.items() if count} == before
    assert said.rows_erased == before
    assert set(said.rows_after) == tenant_tables() | {"workspaces_workspace"}
    assert set(said.rows_after.values()) == {0}
    assert (said.files_before, said.files_after) == (4, 0)


def counted(shop: Workspace) -> dict[str, int]:
    return {**rows(shop.id), "workspaces_workspace": 1}


class TestErasing:
    def test_nothing_is_left_and_the_certificate_says_so(self, cast: Cast, shop: Workspace) -> None:
        assert bare_tables(shop.id) == set(), "give it a row in tests/full_house.py"
        close(cast, shop)
        before = counted(shop)
        assert len(finish(shop)) > 20
        gone(shop)
        told_right(shop, before)
        said = record(shop)
        assert (said.kind, said.slug, said.asked_by) == ("organization", shop.slug, cast.alice.id)

    def test_purchases_stay_as_records_of_accounting(self, cast: Cast, shop: Workspace) -> None:
        close(cast, shop)
        finish(shop)
        payment, grant = record(shop).purchases
        for one in (payment, grant):
            assert datetime.fromisoformat(one.pop("date")).date() == timezone.now().date()
        assert payment.pop("reference")
        assert payment.pop("number") > 0
        assert payment == {
            "what": "words", "plan": "", "words": 1_000_000, "amount": 5000, "currency": "USD", "refunded": 0,
            "disputed": 100, "gateway": "test", "intent": "", "state": "paid",
        }  # fmt: skip
        assert grant == {"words": 5000, "reversed": 0, "reference": f"order {shop.id}", "amount": None}

    def test_the_owner_is_told_by_mail(self, cast: Cast, shop: Workspace) -> None:
        close(cast, shop)
        before = sum(counted(shop).values())
        finish(shop)
        letter = next(one for one in mailbox.letters() if (shop.slug or "?") in one.subject)
        assert letter.to == cast.alice.email
        assert f"Rows before: {before}, after: 0" in letter.text

    def test_every_slug_is_free_again(self, cast: Cast, shop: Workspace) -> None:
        with cast.inside(shop):
            slugs = list(Slug.objects.values_list("slug", flat=True))
        close(cast, shop)
        finish(shop)
        assert len(slugs) == 2
        assert as_owner("SELECT slug FROM workspaces_slug WHERE slug = ANY (%s)", slugs) == []

    def test_again_finds_nothing_to_do(self, cast: Cast, shop: Workspace) -> None:
        close(cast, shop)
        finish(shop)
        assert finish(shop) == []
        erasing.erase(str(shop.id))

    @pytest.mark.parametrize("now", [True, False])
    def test_nothing_is_erased_before_its_time(self, cast: Cast, shop: Workspace, now: bool) -> None:
        before = rows(shop.id)
        if not now:
            close(cast, shop, now=False)
            before["workspaces_deletion"] = 1
            before["workspaces_auditentry"] += 1
        assert finish(shop) == []
        assert rows(shop.id) == before
        assert shop.id not in erasing.due()

    def test_the_ledger_is_sound_in_the_middle_of_it(self, cast: Cast, shop: Workspace) -> None:
        close(cast, shop)
        for _step in erasing.steps(shop.id, FEW):
            assert [one for one in checks.problems(every=True) if one.workspace_id == shop.id] == []

    def test_what_is_written_in_the_last_moment_goes_as_well(self, cast: Cast, shop: Workspace) -> None:
        close(cast, shop)
        steps = erasing.steps(shop.id, FEW)
        next(step for step in steps if "files" in step)
        cast.joined(cast.sam, "member", workspace=shop, status="left")
        with cast.inside(shop):
            files.save("late.txt", ContentFile(b"late"))
        assert "something was written meanwhile" in list(steps)
        gone(shop)


class TestCrashes:
    def test_it_may_die_after_every_step(self, cast: Cast, shop: Workspace) -> None:
        close(cast, shop)
        before, deaths = counted(shop), 0
        while list(islice(erasing.steps(shop.id, FEW), 1)):
            deaths += 1
        assert deaths > 20
        gone(shop)
        told_right(shop, before)

    def test_it_may_die_within_every_step(
        self, cast: Cast, shop: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the step did is rolled back, and done by the next one."""
        close(cast, shop)
        before, whole, deaths = counted(shop), erasing._ask, [0]

        def ask(statement: str, *values: Any) -> Any:
            with transaction.atomic():
                answer = whole(statement, *values)
                if answer and "begin" not in statement:
                    deaths[0] += 1
                    if deaths[0] % 2:
                        raise ConnectionError
                return answer

        monkeypatch.setattr(erasing, "_ask", ask)
        while True:
            try:
                finish(shop)
                break
            except ConnectionError:
                continue
        assert deaths[0] > 40
        gone(shop)
        told_right(shop, before)

    def test_a_process_that_is_killed_again_and_again(self, cast: Cast, shop: Workspace) -> None:
        close(cast, shop)
        before, deaths, dice = counted(shop), 0, random.Random(7)
        while deaths < 3 or not record(shop).rows_erased:
            process = subprocess.Popen([sys.executable, "-c", _ERASER, str(shop.id)], stdout=subprocess.PIPE)
            assert process.stdout
            process.stdout.readline()  # it has begun
            time.sleep(dice.uniform(0.1, 0.5))
            deaths += process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            process.stdout.close()
        assert record(shop).state(timezone.now()) == RUNNING
        finish(shop)
        assert rows(shop.id) == {}
        told_right(shop, before)

    def test_two_at_once_share_the_work(self, cast: Cast, shop: Workspace) -> None:
        for _ in range(3):
            other = furnished(cast, cast.organization("Other", cast.alice))
            close(cast, other)
            before = counted(other)
            done = at_once(partial(finish, other), partial(finish, other))
            assert all(isinstance(one, list) for one in done), done
            gone(other)
            told_right(other, before)
            sent = [one for one in mailbox.letters() if one.subject.startswith(other.slug or "?")]
            assert len(sent) == 1


_ERASER = f"""
import sys, time, django
django.setup()
from uuid import UUID
from staffroom.workspaces import erasing
print("begun", flush=True)
for _step in erasing.steps(UUID(sys.argv[1]), {FEW}):
    time.sleep(0.01)
"""


class TestJobs:
    def test_the_clock_rings_for_what_is_due_and_for_what_was_left(self, cast: Cast, shop: Workspace) -> None:
        close(cast, shop, now=False)
        assert shop.id not in erasing.due()
        _let_grace_end(shop)
        assert shop.id in erasing.due()
        next(erasing.steps(shop.id))
        assert shop.id not in erasing.due(), "somebody is at work"
        as_owner("UPDATE workspaces_certificate SET at_work_at = now() - interval '3 minutes'")
        assert shop.id in erasing.due()
        erasing.ring_again()
        erasing.ring_again()
        assert _jobs(shop).count(("workspaces.erase",)) == 1

    def test_a_job_makes_room_for_others_and_rings_for_the_next(
        self, cast: Cast, shop: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        close(cast, shop)
        as_owner("DELETE FROM procrastinate_jobs WHERE args ->> 'workspace_id' = %s", str(shop.id))
        monkeypatch.setattr(erasing, "SHIFT", -1)
        erasing.erase(str(shop.id))
        assert _jobs(shop) == [("workspaces.erase",)]
        assert record(shop).state(timezone.now()) == RUNNING

    def test_deleting_now_rings_at_once(self, cast: Cast, shop: Workspace) -> None:
        close(cast, shop)
        assert {("workspaces.erase",), ("chats.stop",)} <= set(_jobs(shop))


class TestTheFunctions:
    """They run with the owner's rights: nothing may be reached through them but what is due."""

    @pytest.mark.parametrize(
        "statement",
        ["erase_count(%s, 'chats_chat')", "erase_batch(%s, 'chats_chat', 5)", "erase_end(%s, 0)"],
    )
    def test_of_an_open_organization_nothing_is_erased(self, cast: Cast, statement: str) -> None:
        with pytest.raises(DatabaseError, match="is to be erased"):
            _call(statement, cast.rival.id)

    def test_in_the_grace_time_neither(self, cast: Cast, shop: Workspace) -> None:
        close(cast, shop, now=False)
        assert _call("erase_begin(%s, 0, '[]')", shop.id) is False
        with pytest.raises(DatabaseError, match="is to be erased"):
            _call("erase_batch(%s, 'chats_chat', 5)", shop.id)

    @pytest.mark.parametrize(
        "table", ["accounts_user", "workspaces_certificate", "pg_class", "x; DROP TABLE y"]
    )
    def test_only_tables_of_tenants(self, cast: Cast, shop: Workspace, table: str) -> None:
        close(cast, shop)
        next(erasing.steps(shop.id))
        with pytest.raises(DatabaseError, match="no table of tenants"):
            _call("erase_batch(%s, %s, 5)", shop.id, table)

    def test_the_application_does_not_see_certificates(self, cast: Cast, shop: Workspace) -> None:
        close(cast, shop)
        finish(shop)
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM workspaces_certificate")
            assert cursor.fetchall() == []

    def test_every_table_comes_before_those_that_it_refers_to(self) -> None:
        order = erasing.in_order()
        assert set(order) == tenant_tables()
        between = as_owner("""
            SELECT c.relname, t.relname FROM pg_constraint f
            JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class t ON t.oid = f.confrelid
            WHERE f.contype = 'f' AND f.conrelid <> f.confrelid
        """)
        pairs = [(one, other) for one, other in between if {one, other} <= tenant_tables()]
        assert ("chats_message", "chats_chat") in pairs
        assert [pair for pair in pairs if order.index(pair[0]) > order.index(pair[1])] == []


def test_the_operator_sees_every_deletion(
    cast: Cast, shop: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house, "_await_tables", lambda *_: None)
    monkeypatch.setattr(house, "_close_connections", lambda: None)
    close(cast, shop, now=False)
    assert record(shop).state(timezone.now()) == WAITING
    _let_grace_end(shop)
    assert record(shop).state(timezone.now()) == DUE
    cli.main(["deletions"])
    assert f"due      /o/{shop.slug}" in capsys.readouterr().out
    finish(shop)
    cli.main(["deletions"])
    line = next(line for line in capsys.readouterr().out.splitlines() if f"/o/{shop.slug} " in line)
    assert line.startswith("done")
    assert line.endswith("rows, 4 → 0 files")
    cli.main(["deletions", "--certificate", str(shop.id)])
    assert '"chats_message": 0' in capsys.readouterr().out
    with pytest.raises(SystemExit):
        cli.main(["deletions", "--certificate", str(uuid4())])


def _let_grace_end(shop: Workspace) -> None:
    as_owner("UPDATE workspaces_deletion SET delete_after = now() WHERE workspace_id = %s", shop.id)


def _jobs(shop: Workspace) -> list[tuple[str]]:
    sql = "SELECT task_name FROM procrastinate_jobs WHERE args ->> 'workspace_id' = %s AND status = 'todo'"
    return as_owner(sql, str(shop.id))  # type: ignore[return-value]


def _call(statement: str, *values: UUID | str) -> Any:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT {statement}", values)
        return cursor.fetchone()[0]
