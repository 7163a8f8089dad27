"""Archives of honest and of hostile people. What is wrong is told with its place, and nothing of it is written."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone

from staffroom.archives import holding, imports, reader, sweeping
from staffroom.archives.models import Import
from staffroom.archives.restoring import talks
from staffroom.chats import conversations
from staffroom.chats.models import Chat, Message
from staffroom.core import files
from staffroom.core.errors import Invalid, TooMany
from staffroom.core.scope import workspace_scope
from staffroom.employees.models import Employee
from staffroom.workspaces.members import Member
from tests.cast import Cast

from . import house

Entries = dict[str, bytes]


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


@pytest.fixture(scope="module")
def honest(cast: Cast) -> Entries:
    """The files of an archive with something of everything."""
    shop = cast.organization("Shop", cast.alice)
    house.fill(cast.member(cast.alice, shop), 11, chats=8)
    return house.unpacked(house.exported(cast.member(cast.alice, shop)))


@pytest.fixture
def place(cast: Cast) -> Member:
    return cast.member(cast.sam, cast.organization("Place", cast.sam))


def changed(entries: Entries, name: str, change: Callable[[list[Any]], Any]) -> Entries:
    """With the lines of one file as `change` leaves them."""
    told = [json.loads(line) for line in entries[name].split(b"\n") if line]
    change(told)
    return entries | {name: b"".join(json.dumps(line).encode() + b"\n" for line in told)}


CHATS, EMPLOYEES, SOURCES = "chats/000001.jsonl", "employees/employees.jsonl", "knowledge/sources.jsonl"


def reply(lines: list[Any]) -> dict[str, Any]:
    return next(line for line in lines if line.get("price"))


def deep(lines: list[Any]) -> None:
    lines[0]["settings"] = {"reply_limit": [[[[]]]]}


LINES: dict[str, tuple[str, Callable[[list[Any]], Any]]] = {
    "a name that is a number": (EMPLOYEES, lambda lines: lines[1].update(name=7)),
    "a name that is too long": (EMPLOYEES, lambda lines: lines[0].update(name="x" * 10_000)),
    "a name that nobody sees": (EMPLOYEES, lambda lines: lines[0].update(name="\u200b\u2060")),
    "a persona without end": (EMPLOYEES, lambda lines: lines[0].update(persona="x" * 60_000)),
    "settings of another kind": (EMPLOYEES, deep),
    "the same employee twice": (EMPLOYEES, lambda lines: lines.append(lines[0])),
    "a field that is missing": (EMPLOYEES, lambda lines: lines[0].pop("version")),
    "a time without its zone": (EMPLOYEES, lambda lines: lines[0].update(created_at="2025-01-01T00:00:00")),
    "a path for a text": (SOURCES, lambda lines: lines[0].update(text="../../etc/passwd")),
    "a text of another part": (SOURCES, lambda lines: lines[0].update(text="audit.jsonl")),
    "an id that is none": (SOURCES, lambda lines: lines[0].update(id="1")),
    "a message before its chat": (CHATS, lambda lines: lines.insert(0, lines.pop())),
    "a message said twice": (CHATS, lambda lines: lines.append(lines[-1])),
    "an author that is none": (CHATS, lambda lines: reply(lines).update(author="system")),
    "a number beyond the table": (CHATS, lambda lines: reply(lines).update(number=2**31)),
    "a price that is text": (CHATS, lambda lines: reply(lines).update(price={"rate": "free"})),
    "parts of a price that are text": (CHATS, lambda lines: reply(lines)["price"].update(parts={"reply": "x"})),
    "a citation that leads nowhere": (CHATS, lambda lines: reply(lines).update(citations=[{"url": "javascript:"}])),
    "a negative charge": (CHATS, lambda lines: reply(lines).update(charged=-5)),
    "a character that no table holds": (CHATS, lambda lines: reply(lines).update(text="a\x00b")),
    "that character deep inside": (CHATS, lambda lines: reply(lines)["price"].update(model={"a": ["\x00"]})),
    "a line of another type": (CHATS, lambda lines: lines[0].update(type="turn")),
}  # fmt: skip


@pytest.mark.parametrize("what", LINES)
def test_a_wrong_line_is_named_and_nothing_is_written(honest: Entries, place: Member, what: str) -> None:
    name, change = LINES[what]
    before = house.tally(place.workspace_id)
    found = house.imported(place, house.packed(changed(honest, name, change)))
    assert found.state == "failed"
    assert found.problem["code"] in ("line", "order", "missing"), found.problem
    if found.problem["code"] != "missing":
        assert (found.problem["entry"], found.problem["line"] > 0) == (name, True)
    assert (house.tally(place.workspace_id), found.counts) == (before, {})
    assert files.count(place.workspace_id) == 0


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"{not json}\n", 1),
        (b"\xff\xfe\n", 1),
        (b"[" * 100_000 + b"\n", 1),
        (b'{"type":"chat"}\n', 1),
        (b"null\n", 1),
        (b'"' + b"x" * (9 * 1024 * 1024), 1),
    ],
    ids=["no JSON", "no UTF-8", "a tower", "a torso", "nothing", "no end"],
)
def test_what_is_no_line_is_told_with_its_number(
    honest: Entries, place: Member, data: bytes, line: int
) -> None:
    whole = len(honest[CHATS].splitlines())
    found = house.imported(place, house.packed(honest | {CHATS: honest[CHATS] + data}))
    assert (found.problem["entry"], found.problem["line"]) == (CHATS, whole + line)


class TestTheArchiveItself:
    @pytest.mark.parametrize(
        ("code", "data"),
        [
            ("no_archive", b"hello"),
            ("no_archive", b"PK\x05\x06" + bytes(18)),
            ("no_archive", b"PK\x03\x04" * 1000),
            ("no_archive", bytes(70_000)),
        ],
    )
    def test_what_is_no_zip(self, place: Member, code: str, data: bytes) -> None:
        assert house.imported(place, data).problem["code"] in (code, "no_manifest")

    def test_a_zip_of_somebody_else(self, place: Member) -> None:
        assert code(place, house.packed({"readme.txt": b"hi"}, manifest=False)) == "no_manifest"

    @pytest.mark.parametrize(
        ("manifest", "expected"),
        [
            (b"{}", "format"),
            (b"[]", "manifest"),
            (b"\xff", "manifest"),
            (b'{"format": "staffroom-archive", "version": 2}', "version"),
            (b'{"format": "staffroom-archive", "version": 1}', "manifest"),
            (b"[" * 100_000, "manifest"),
        ],
    )
    def test_a_manifest_that_says_nothing(self, place: Member, manifest: bytes, expected: str) -> None:
        archive = house.packed({"manifest.json": manifest}, manifest=False)
        assert code(place, archive) == expected

    @pytest.mark.parametrize(
        "name", ["../evil", "/etc/passwd", "a\\b", "a/../b", "C:x", "a//b", ".hidden", "a b", "folder/"]
    )
    def test_names_that_are_paths(self, honest: Entries, place: Member, name: str) -> None:
        assert code(place, house.packed(honest | {name: b"x"})) == "unsafe_name"

    def test_a_file_that_was_changed(self, honest: Entries, place: Member) -> None:
        forged = honest | {"grants.json": honest["grants.json"].replace(b"20000", b"90000")}
        assert code(place, house.packed(forged, manifest=False)) == "checksum"

    def test_files_that_the_manifest_does_not_list_or_that_are_missing(
        self, honest: Entries, place: Member
    ) -> None:
        assert code(place, house.packed(honest | {"more.txt": b"x"}, manifest=False)) == "unlisted"
        less = {name: data for name, data in honest.items() if name != "members.json"}
        assert code(place, house.packed(less, manifest=False)) == "missing"
        less = {name: data for name, data in honest.items() if name != EMPLOYEES}
        assert code(place, house.packed(less)) == "missing"

    def test_a_file_that_is_there_twice(self, honest: Entries, place: Member) -> None:
        out = io.BytesIO(house.packed(honest))
        with zipfile.ZipFile(out, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("members.json", b"[]")
        assert code(place, out.getvalue()) == "twice"

    def test_damage_in_the_middle(self, honest: Entries, place: Member) -> None:
        archive = bytearray(house.packed(honest))
        archive[200:260] = bytes(60)
        assert code(place, bytes(archive)) in ("damaged", "checksum")

    def test_half_an_archive(self, honest: Entries, place: Member) -> None:
        assert code(place, house.packed(honest)[:-3000]) == "no_archive"

    def test_ways_of_packing_that_are_not_read(self, honest: Entries, place: Member) -> None:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as archive:
            for name, data in honest.items():
                archive.writestr(name, data)
        assert code(place, out.getvalue()) == "packed_otherwise"

    def test_a_bomb(self, honest: Entries, place: Member, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reader, "SMALL", 1024**2)
        bomb = house.packed(honest | {"chats/000009.jsonl": bytes(20 * 1024**2)})
        assert code(place, bomb) == "too_dense"
        monkeypatch.setattr(reader, "UNPACKED", 1024**2)
        assert code(place, bomb) == "too_large"

    def test_a_size_that_lies(self, honest: Entries, place: Member) -> None:
        """The directory declares less than there is: no more than the declared is read."""
        archive = bytearray(house.packed(honest | {"big.txt": b"x" * 100_000}))
        at = archive.rindex(b"big.txt") - 46
        assert archive[at : at + 4] == b"PK\x01\x02"
        struct.pack_into("<I", archive, at + 24, 10)
        assert code(place, bytes(archive)) in ("damaged", "checksum")

    def test_more_files_than_anybody_has(
        self, honest: Entries, place: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reader, "ENTRIES", len(honest) - 1)
        assert code(place, house.packed(honest)) == "too_many_entries"

    def test_entries_that_share_their_bytes(self, honest: Entries, place: Member) -> None:
        """Every entry of the directory declares the packed bytes of the largest."""
        archive = bytearray(house.packed(honest))
        at = archive.index(b"PK\x01\x02")
        while archive[at : at + 4] == b"PK\x01\x02":
            struct.pack_into("<I", archive, at + 20, len(archive))
            at += 46 + sum(struct.unpack_from("<HHH", archive, at + 28))
        assert code(place, bytes(archive)) == "damaged"


class TestGoingOn:
    """A worker dies after any batch; the next one goes on, and nothing is there twice."""

    def test_after_every_batch(
        self, cast: Cast, honest: Entries, place: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(imports, "_ROWS", 7)
        archive = house.packed(honest)
        found = house.begun(place, archive)
        deaths = 0
        while killed_after_one_batch(found):
            deaths += 1
            with workspace_scope(place.workspace_id):
                past = timezone.now() - timedelta(seconds=1)
                Import.objects.filter(id=found.id).update(lease_until=past, attempt=1)
        assert deaths > 5
        assert self.state(found) == "ready"
        other = cast.member(cast.sam, cast.organization("Other", cast.sam))
        whole = house.imported(other, archive)
        assert house.tally(place.workspace_id) == house.tally(other.workspace_id)
        with workspace_scope(place.workspace_id):
            assert Import.objects.get(id=found.id).counts == whole.counts

    def test_from_the_beginning_again_nothing_is_there_twice(self, honest: Entries, place: Member) -> None:
        found = house.begun(place, house.packed(honest))
        kept = found.file
        with workspace_scope(place.workspace_id):
            data = files.opened(kept).read()
        imports.run(place.workspace_id, found.id)
        once = house.tally(place.workspace_id)
        with workspace_scope(place.workspace_id):
            files.save_as(kept, SimpleUploadedFile("again.zip", data))
            Import.objects.filter(id=found.id).update(
                state="pending", file=kept, step=0, line=0, attempt=0, counts={}
            )
        imports.run(place.workspace_id, found.id)
        assert self.state(found) == "ready"
        assert house.tally(place.workspace_id) == once

    def test_whoever_writes_into_a_chat_that_is_being_read_loses_nothing(
        self, honest: Entries, place: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The chat is there before its last messages are."""
        monkeypatch.setattr(imports, "_ROWS", 3)
        whole, said = talks.restore, []

        def interrupted(target: Any, rows: Any) -> Any:
            counts = whole(target, rows)
            if not said and (chat := Chat.objects.order_by("-last_number").first()):
                Message.objects.create(
                    chat=chat, number=chat.last_number + 1, author="manager", text="Me", words=1
                )
                Chat.objects.filter(id=chat.id).update(last_number=chat.last_number + 1)
                said.append(chat.id)
            return counts

        monkeypatch.setattr(talks, "restore", interrupted)
        found = house.imported(place, house.packed(honest))
        with workspace_scope(place.workspace_id):
            assert Message.objects.count() == found.counts["messages"] + 1

    def test_a_chat_that_is_deleted_meanwhile_takes_its_messages_along(
        self, honest: Entries, place: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(imports, "_ROWS", 2)
        whole = talks.restore

        def interrupted(target: Any, rows: Any) -> Any:
            counts = whole(target, rows)
            for chat in Chat.objects.all():
                conversations.delete(chat, by=place)
            return counts

        monkeypatch.setattr(talks, "restore", interrupted)
        assert house.imported(place, house.packed(honest)).state == "ready"

    def test_names_and_handles_that_others_have_here(self, honest: Entries, place: Member) -> None:
        house.imported(place, house.packed(honest))
        with workspace_scope(place.workspace_id):
            before = dict(Employee.objects.values_list("handle", "name"))
        house.imported(place, house.packed(honest))
        with workspace_scope(place.workspace_id):
            after = dict(Employee.objects.values_list("handle", "name"))
        assert len(after) == 2 * len(before) == len(set(after.values()))

    def state(self, found: Import) -> str:
        with workspace_scope(found.workspace_id):
            return str(Import.objects.get(id=found.id).state)


class TestStarting:
    def test_one_at_a_time(self, honest: Entries, place: Member) -> None:
        house.begun(place, house.packed(honest))
        with pytest.raises(imports.ImportRunning):
            house.begun(place, house.packed(honest))
        assert files.count(place.workspace_id) == 1

    def test_too_large_and_empty(self, place: Member, settings_: Any) -> None:
        settings_.IMPORT_LIMIT = 10
        for data in (b"", b"x" * 11):
            with pytest.raises(Invalid):
                house.begun(place, data)

    def test_not_without_end(self, place: Member, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(imports, "A_DAY", imports.Limit("imports of a test", 2, timedelta(days=1)))
        for _ in range(2):
            house.imported(place, b"no archive")
        with pytest.raises(TooMany):
            house.begun(place, b"no archive")

    def test_the_sweeper_rings_for_what_was_lost(
        self, place: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lost = house.begun(place, b"something")
        with workspace_scope(place.workspace_id):
            past = timezone.now() - timedelta(minutes=2)
            Import.objects.filter(id=lost.id).update(state="running", lease_until=past)
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM procrastinate_jobs WHERE args::text LIKE %s", [f"%{lost.id}%"])
        rung: list[Any] = []
        monkeypatch.setattr(imports, "ring", lambda *place: rung.append(place))
        sweeping.sweep()
        assert (place.workspace_id, lost.id) in rung


class TestByPageAndApi:
    def test_upload_and_see_what_came(self, cast: Cast, honest: Entries) -> None:
        shop = cast.organization("Paged", cast.alice)
        browser, at = cast.browser(cast.alice), f"/o/{shop.slug}/imports"
        archive = SimpleUploadedFile("my archive.zip", house.packed(honest), "application/zip")
        assert browser.post(at, {"archive": archive}).status_code == 302
        page = browser.get(at).content.decode()
        assert "my archive.zip" in page
        assert "An import is running" in page
        found = house.read_all(shop.id, Import)[0]
        imports.run(shop.id, found.id)
        assert browser.get(f"{at}/{found.id}?was=running")["HX-Refresh"] == "true"
        assert "Imported" in browser.get(at).content.decode()

    def test_nothing_chosen_is_said_at_the_field(self, cast: Cast) -> None:
        answer = cast.browser(cast.alice).post("/me/imports", {})
        assert answer.status_code == 422
        assert "Choose the ZIP file" in answer.content.decode()

    def test_what_failed_is_told_in_words(self, cast: Cast, honest: Entries) -> None:
        shop = cast.organization("Told", cast.alice)
        wrong = changed(honest, EMPLOYEES, lambda lines: lines[1].update(name=7))
        house.imported(cast.member(cast.alice, shop), house.packed(wrong))
        page = cast.browser(cast.alice).get(f"/o/{shop.slug}/imports").content.decode()
        assert "employees/employees.jsonl, line 2: A line cannot be read" in page
        assert "Nothing was imported" in page

    def test_by_api(self, cast: Cast, honest: Entries) -> None:
        shop = cast.organization("Programmed", cast.alice)
        api, at = cast.api(cast.key(cast.alice)), f"/api/v1/o/{shop.slug}/imports"
        answer = api.post(at, {"archive": SimpleUploadedFile("a.zip", house.packed(honest))})
        assert (answer.status_code, answer.json()["state"]) == (202, "pending")
        imports.run(shop.id, answer.json()["id"])
        told = api.get(f"{at}/{answer.json()['id']}").json()
        assert (told["state"], told["error"], told["counts"]["chats"]) == ("ready", None, 8)
        assert api.post(at, {"archive": "text"}).status_code == 422
        assert cast.api(cast.key(cast.sam)).get(f"{at}/{told['id']}").status_code == 404


@pytest.fixture
def settings_() -> Any:
    from django.test import override_settings

    with override_settings():
        from django.conf import settings

        yield settings


def code(place: Member, archive: bytes) -> str:
    found = house.imported(place, archive)
    assert found.state == "failed"
    return str(found.problem["code"])


class Killed(BaseException):
    pass


def killed_after_one_batch(found: Import) -> bool:
    """True when it died; the batch itself is written."""
    write, batches = holding.Holding.write, []

    def dying(self: Any, **values: Any) -> None:
        if "step" in values:
            if batches:
                raise Killed
            batches.append(values)
        write(self, **values)

    holding.Holding.write = dying  # type: ignore[method-assign]
    try:
        imports.run(found.workspace_id, found.id)
    except Killed:
        return True
    finally:
        holding.Holding.write = write  # type: ignore[method-assign]
    return False
