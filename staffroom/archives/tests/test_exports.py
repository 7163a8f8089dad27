"""An export from the first click to the day after: one at a time, killed and begun anew, fetched once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from staffroom.archives import delivery, exports, holding, links, queries, sweeping
from staffroom.archives.models import Export
from staffroom.core import files
from staffroom.core.errors import NotHere
from staffroom.core.scope import workspace_scope
from staffroom.workspaces import deletion
from staffroom.workspaces.members import Member
from staffroom.workspaces.models import Workspace
from tests.cast import Cast

from . import house


@pytest.fixture
def cast() -> Cast:
    return Cast()


@pytest.fixture
def alice(cast: Cast) -> Member:
    return cast.member(cast.alice, cast.acme)


def begun(by: Member) -> Export:
    with workspace_scope(by.workspace_id):
        return exports.start(by=by)


def made(by: Member) -> Export:
    export = begun(by)
    exports.run(by.workspace_id, export.id)
    return now(export)


def now(export: Export) -> Export:
    with workspace_scope(export.workspace_id):
        export.refresh_from_db()
    return export


def set_(export: Export, **values: Any) -> None:
    with workspace_scope(export.workspace_id):
        Export.objects.filter(id=export.id).update(**values)


def stored(workspace: Workspace) -> int:
    return files.count(workspace.id)


def used(export: Export, token: str, by: Member) -> Export:
    with workspace_scope(export.workspace_id):
        return links.use(queries.export(by, export.id), token, by=by)


class TestMaking:
    def test_it_waits_runs_and_is_ready_with_a_file_below_its_workspace(
        self, cast: Cast, alice: Member
    ) -> None:
        export = begun(alice)
        assert (export.state, export.progress) == ("pending", 0)
        exports.run(cast.acme.id, export.id)
        export = now(export)
        assert (export.state, export.progress, export.problem) == ("ready", 100, None)
        assert export.file.startswith(f"workspaces/{cast.acme.id}/exports/")
        assert timedelta(hours=24) <= export.expires_at - export.ended_at + timedelta(seconds=1)

    def test_one_at_a_time_and_two_clicks_are_one(self, cast: Cast, alice: Member) -> None:
        with ThreadPoolExecutor(4) as threads:
            outcomes = list(threads.map(lambda _: attempted(lambda: begun(alice)), range(4)))
        assert sorted(outcomes) == [*["ExportRunning"] * 3, "None"]
        assert len(house.read_all(cast.acme.id, Export)) == 1

    def test_a_job_that_rings_twice_makes_one_file(self, cast: Cast, alice: Member) -> None:
        export = made(alice)
        exports.make(str(cast.acme.id), str(export.id))
        assert (now(export).attempt, stored(cast.acme)) == (1, 1)

    def test_whoever_lost_the_lease_writes_nothing(
        self, cast: Cast, alice: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A frozen worker wakes up when another has taken over."""
        export = begun(alice)
        whole = exports._keep

        def late(*values: Any) -> None:
            set_(export, attempt=2)
            whole(*values)

        monkeypatch.setattr(exports, "_keep", late)
        exports.run(cast.acme.id, export.id)
        assert (now(export).state, now(export).file, stored(cast.acme)) == ("running", "", 0)

    def test_a_workspace_that_is_erased_meanwhile_gets_no_file(
        self, cast: Cast, alice: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        export, save = begun(alice), files.save_as

        def late(*values: Any) -> None:
            save(*values)
            with workspace_scope(cast.acme.id):
                Export.objects.filter(id=export.id).delete()

        monkeypatch.setattr(files, "save_as", late)
        exports.run(cast.acme.id, export.id)
        assert stored(cast.acme) == 0

    def test_what_a_dead_worker_put_away_is_removed_by_the_next(
        self, cast: Cast, alice: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        export = begun(alice)
        with monkeypatch.context() as patch:
            patch.setattr(holding.Holding, "finish", killed)
            with pytest.raises(SystemExit):
                exports.run(cast.acme.id, export.id)
        assert stored(cast.acme) == 1
        set_(export, lease_until=timezone.now() - timedelta(seconds=1))
        exports.run(cast.acme.id, export.id)
        assert (now(export).state, now(export).attempt, stored(cast.acme)) == ("ready", 2, 1)

    def test_a_full_disk_is_told_in_words_and_another_try_may_begin(
        self, cast: Cast, alice: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*values: Any) -> None:
            raise OSError(28, "No space left on device")

        export = begun(alice)
        with monkeypatch.context() as patch:
            patch.setattr(files, "save_as", full)
            exports.run(cast.acme.id, export.id)
        page = cast.browser(cast.alice).get(f"/o/{cast.acme.slug}/exports").content.decode()
        assert now(export).state == "failed"
        assert "disk is full" in page
        assert "Try again" in page
        assert made(alice).state == "ready"

    def test_after_some_attempts_it_is_given_up(self, cast: Cast, alice: Member) -> None:
        export = begun(alice)
        set_(export, attempt=holding.ATTEMPTS)
        exports.run(cast.acme.id, export.id)
        assert now(export).problem["code"] == "given_up"

    def test_statements_do_not_grow_with_the_rows_of_a_page(self, cast: Cast) -> None:
        asked = []
        for chats in (1, 30):
            place = cast.organization("Some", cast.alice)
            by = cast.member(cast.alice, place)
            house.fill(by, 1, chats=chats)
            export = begun(by)
            with CaptureQueriesContext(connection) as captured:
                exports.run(place.id, export.id)
            asked.append(len(captured))
        assert asked[0] == asked[1] < 60


class TestTheLink:
    def test_of_many_at_the_same_moment_one_gets_the_file(self, alice: Member) -> None:
        for _ in range(10):
            export = made(alice)
            race = partial(attempted, partial(used, export, links.token(export) or "", alice))
            with ThreadPoolExecutor(8) as threads:
                got = list(threads.map(lambda _, race=race: race(), range(8)))
            assert sorted(map(str, got)) == ["LinkUsed"] * 7 + ["None"]

    def test_another_person_another_token_and_another_day_are_nothing(
        self, cast: Cast, alice: Member
    ) -> None:
        export = made(alice)
        token = links.token(export) or ""
        assert attempted(lambda: used(export, token[:-1] + "x", alice)) == "LinkUsed"
        with pytest.raises(NotHere):
            used(export, token, cast.member(cast.ann, cast.acme))
        set_(export, expires_at=timezone.now())
        assert attempted(lambda: used(export, token, alice)) == "LinkUsed"
        assert links.token(now(export)) is None

    def test_the_table_holds_no_token(self, alice: Member) -> None:
        export = made(alice)
        token = (links.token(export) or "").encode()
        assert len(token) >= 43
        assert token not in bytes(now(export).link_hash)

    def test_a_new_link_kills_the_former_and_works_once(self, alice: Member) -> None:
        export = made(alice)
        former = links.token(export) or ""
        with workspace_scope(alice.workspace_id):
            links.renew(export, by=alice)
        assert attempted(lambda: used(export, former, alice)) == "LinkUsed"
        token = links.token(now(export)) or ""
        assert attempted(lambda: used(export, token, alice)) == "None"
        assert attempted(lambda: used(export, token, alice)) == "LinkUsed"

    def test_without_a_file_there_is_no_new_link(self, alice: Member) -> None:
        export = begun(alice)
        with pytest.raises(links.NoFile), workspace_scope(alice.workspace_id):
            links.renew(export, by=alice)


class TestTheDayAfter:
    def test_the_file_is_removed_and_the_page_says_so(self, cast: Cast, alice: Member) -> None:
        export = made(alice)
        exports.expire(str(cast.acme.id), str(export.id))
        assert stored(cast.acme) == 1
        set_(export, expires_at=timezone.now())
        exports.expire(str(cast.acme.id), str(export.id))
        assert (now(export).state, export.file, stored(cast.acme)) == ("expired", "", 0)
        assert "Expired" in cast.browser(cast.alice).get(f"/o/{cast.acme.slug}/exports").content.decode()

    def test_the_sweeper_rings_for_what_was_lost_and_what_has_expired(
        self, cast: Cast, alice: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lost, old = begun(alice), made(cast.member(cast.alice))
        past = timezone.now() - timedelta(minutes=2)
        set_(lost, state="running", lease_until=past)
        set_(old, expires_at=past)
        rung: list[Any] = []
        monkeypatch.setattr(exports, "ring", lambda *place: rung.append(place))
        sweeping.sweep()
        assert (cast.acme.id, lost.id) not in rung, "it stands in the queue"
        done(lost)
        sweeping.sweep()
        assert (cast.acme.id, lost.id) in rung
        assert queued("archives.expire", str(old.id)) == 2  # swept twice, and removed once


class TestByPage:
    def test_start_wait_download_once_and_again_with_a_new_link(self, cast: Cast) -> None:
        browser, place = cast.browser(cast.alice), f"/o/{cast.acme.slug}/exports"
        assert "Start export" in browser.get(place).content.decode()
        assert browser.post(place).status_code == 302
        export = house.read_all(cast.acme.id, Export)[0]
        state = browser.get(f"{place}/{export.id}?was=pending").content.decode()
        assert "hx-get" in state
        assert "Start export" not in browser.get(place).content.decode()
        exports.run(cast.acme.id, export.id)
        assert browser.get(f"{place}/{export.id}?was=pending")["HX-Refresh"] == "true"
        answer = browser.get(link_on(browser.get(place)))
        assert answer["Content-Disposition"].startswith('attachment; filename="staffroom-acme-')
        assert (answer["Cache-Control"], answer["Content-Type"]) == ("no-store", "application/zip")
        assert "manifest.json" in house.unpacked(whole(answer))
        assert "Make a new link" in browser.get(place).content.decode()
        assert browser.get(answer.request["PATH_INFO"]).status_code == 404
        assert browser.post(f"{place}/{export.id}/link").status_code == 302
        assert browser.get(link_on(browser.get(place))).status_code == 200

    def test_looking_ahead_of_a_click_uses_nothing_up(self, cast: Cast, alice: Member) -> None:
        made(alice)
        browser = cast.browser(cast.alice)
        url = link_on(browser.get(f"/o/{cast.acme.slug}/exports"))
        assert browser.head(url).status_code == 405
        assert browser.get(url).status_code == 200

    def test_what_was_asked_by_another_owner_is_not_there(self, cast: Cast, alice: Member) -> None:
        export, ann = made(alice), cast.ann
        with workspace_scope(cast.acme.id):
            Workspace.objects.filter(id=cast.acme.id).update(owner=ann)
        browser = cast.browser(cast.ann)
        url = f"/o/{cast.acme.slug}/exports/{export.id}/file/{links.token(export)}"
        assert browser.get(url).status_code == 404
        assert "Ready" not in browser.get(f"/o/{cast.acme.slug}/exports").content.decode()
        assert cast.browser(cast.alice).get(url).status_code == 403, "no owner any more"

    def test_an_organization_that_is_being_deleted_can_still_be_taken_along(
        self, cast: Cast, alice: Member
    ) -> None:
        with workspace_scope(cast.acme.id):
            deletion.close(by=alice, confirm=alice.slug or "")
        browser, place = cast.browser(cast.alice), f"/o/{cast.acme.slug}/exports"
        assert browser.post(place).status_code == 302
        exports.run(cast.acme.id, house.read_all(cast.acme.id, Export)[0].id)
        page = browser.get(place)
        assert f"/o/{cast.acme.slug}/imports" not in page.content.decode()
        assert "manifest.json" in house.unpacked(whole(browser.get(link_on(page))))
        assert browser.get(f"/o/{cast.acme.slug}/imports").status_code == 404
        assert cast.browser(cast.ann).get(place).status_code == 404

    def test_a_download_ends_with_the_ownership(
        self, cast: Cast, alice: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delivery, "EVERY", -1.0)
        monkeypatch.setattr(delivery, "_AT_ONCE", 100)
        export, ann = made(alice), cast.ann
        answer = cast.browser(cast.alice).get(
            f"/o/{cast.acme.slug}/exports/{export.id}/file/{links.token(export)}"
        )

        def hand_over() -> None:
            with workspace_scope(cast.acme.id):
                Workspace.objects.filter(id=cast.acme.id).update(owner=ann)
            connection.close()

        async def read() -> int:
            pieces = aiter(answer)
            got = len(await anext(pieces))
            await sync_to_async(hand_over, thread_sensitive=False)()
            return got + sum([len(piece) async for piece in pieces])

        assert asyncio.run(read()) == 100 < export.size


class TestByApi:
    def test_the_way_of_an_export(self, cast: Cast) -> None:
        api = cast.api(cast.key(cast.alice))
        for context in ("me", f"o/{cast.acme.slug}"):
            started = api.post(f"/api/v1/{context}/exports", content_type="application/json")
            assert started.status_code == 202
            told = started.json()
            assert (told["state"], told["progress"], told["url"]) == ("pending", 0, None)
            again = api.post(f"/api/v1/{context}/exports", content_type="application/json")
            assert (again.status_code, again.json()["code"]) == (409, "export_running")
            place = cast.acme.id if "/" in context else cast.member(cast.alice).workspace_id
            exports.run(place, told["id"])
            told = api.get(f"/api/v1/{context}/exports/{told['id']}").json()
            path = told["url"].partition("/api/")[2]
            assert "manifest.json" in house.unpacked(whole(api.get(f"/api/{path}")))
            gone = api.get(f"/api/{path}")
            assert (gone.status_code, gone.json()["code"]) == (404, "link_used")
            renewed = api.post(
                f"/api/v1/{context}/exports/{told['id']}/link", content_type="application/json"
            )
            assert renewed.json()["url"] != told["url"]

    def test_one_click_sent_twice_with_a_key_is_one_export(self, cast: Cast) -> None:
        api = cast.api(cast.key(cast.alice))
        first, second = (
            api.post("/api/v1/me/exports", content_type="application/json", headers={"Idempotency-Key": "a"})
            for _ in range(2)
        )
        assert (first.status_code, second.json()) == (202, first.json())


def attempted(deed: Callable[[], Any]) -> str:
    try:
        deed()
    except Exception as refused:
        return type(refused).__name__
    finally:
        connection.close()
    return "None"


def killed(*values: Any, **more: Any) -> None:
    raise SystemExit("killed")


def queued(task: str, said: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE task_name = %s AND args::text LIKE %s",
            [task, f"%{said}%"],
        )
        return int(cursor.fetchone()[0])


def done(export: Export) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE args::text LIKE %s", [f"%{export.id}%"])


def link_on(answer: Any) -> str:
    page = answer.content.decode()
    assert "/file/" in page, page
    start = page.rindex('"', 0, page.index("/file/")) + 1
    return str(page[start : page.index('"', start)])


def whole(answer: Any) -> bytes:
    async def read() -> bytes:
        return b"".join([part async for part in answer])

    assert answer.status_code == 200
    return asyncio.run(read())
