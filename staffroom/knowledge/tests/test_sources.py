"""How a text enters the library, how it is read, and how it leaves."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from staffroom.core.errors import Invalid, NotHere
from staffroom.core.scope import ScopeMissing
from staffroom.knowledge import ingestion, passages, queries, search, sources
from staffroom.knowledge.models import Passage, Source
from staffroom.workspaces.permissions import RoleForbids
from tests.cast import Cast

LONG = "\n\n".join(
    f"Paragraph {n}. " + "The keeper of the lighthouse counts ships. " * 20 for n in range(120)
)


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


class TestAdding:
    def test_a_short_text_is_ready_at_once(self, cast: Cast) -> None:
        with cast.inside(cast.acme):
            source = sources.add(
                "  Hours ", "We open at ten.\r\nAlways.", by=cast.member(cast.alice, cast.acme)
            )
        assert (source.state, source.progress, source.title, source.words) == ("ready", 100, "Hours", 5)
        assert source.text == "We open at ten.\nAlways."
        assert source.created_by_id == cast.alice.id

    def test_a_long_text_waits_for_the_job(self, cast: Cast, rung: list[Any]) -> None:
        with cast.inside(cast.acme):
            source = sources.add("Long", LONG, by="system")
        assert (source.state, source.cut_into) == ("pending", 0)
        assert rung == [(str(cast.acme.id), str(source.id))]
        ingestion.prepare(*rung[0])
        with cast.inside(cast.acme):
            source.refresh_from_db()
            assert (source.state, source.progress, source.language) == ("ready", 100, "english")
            assert Passage.objects.filter(source=source).count() == source.cut_into > 100
            assert "lighthouse" in search.find("lighthouse 57", [source.id])[0].text

    @pytest.mark.parametrize(
        ("title", "text", "fields"),
        [
            ("", "", {"title", "text"}),
            ("x" * 10_000, "fine", {"title"}),
            ("\u200b\u2060", "fine", {"title"}),
            ("fine", " \n\t\x00 ", {"text"}),
            ("fine", "x" * 2_000_001, {"text"}),
        ],
    )
    def test_what_is_no_text_is_refused_by_field(
        self, cast: Cast, title: str, text: str, fields: set[str]
    ) -> None:
        with pytest.raises(Invalid) as refused, cast.inside(cast.acme):
            sources.add(title, text, by="system")
        assert set(refused.value.errors) == fields

    def test_characters_that_break_pages_and_tables_are_taken_out(self, cast: Cast) -> None:
        with cast.inside(cast.acme):
            source = sources.add("Gr\u202e\u200bün", "one\x00two \ud800 three", by="system")
            source.refresh_from_db()
        assert (source.title, source.text) == ("Gr ün", "onetwo  three")

    def test_a_text_without_words_still_is_kept(self, cast: Cast) -> None:
        with cast.inside(cast.acme):
            source = sources.add("Lines", "----\n****\n", by="system")
        assert source.state in ("ready", "failed")


class TestReading:
    """The job may ring twice, die in the middle, or come after the source is gone."""

    @pytest.fixture
    def source(self, cast: Cast, rung: list[Any]) -> Source:
        with cast.inside(cast.acme):
            return sources.add("Long", LONG, by="system")

    def state(self, cast: Cast, source: Source) -> tuple[str, int, int]:
        with cast.inside(cast.acme):
            source.refresh_from_db()
            return source.state, source.progress, Passage.objects.filter(source=source).count()

    def test_ringing_twice_reads_once(self, cast: Cast, source: Source) -> None:
        ingestion.ingest(cast.acme.id, source.id)
        once = self.state(cast, source)
        ingestion.ingest(cast.acme.id, source.id)
        assert self.state(cast, source) == once
        assert source.attempt == 1

    def test_progress_is_seen_between_batches_and_the_next_worker_begins_anew(
        self, cast: Cast, source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        insert, seen = ingestion._insert, []

        def dying(source: Source, start: int, pieces: list[passages.Piece]) -> None:
            if start >= 100:
                raise KeyboardInterrupt
            insert(source, start, pieces)

        monkeypatch.setattr(ingestion, "_BATCH", 50)
        monkeypatch.setattr(ingestion, "_insert", dying)
        with pytest.raises(KeyboardInterrupt):
            ingestion.ingest(cast.acme.id, source.id)
        seen.append(self.state(cast, source))
        assert seen[0][0] == "pending"
        assert 0 < seen[0][1] < 100
        assert seen[0][2] == 100
        monkeypatch.setattr(ingestion, "_insert", insert)

        ingestion.ingest(cast.acme.id, source.id)
        assert self.state(cast, source)[0] == "pending", "the lease of the dead one holds for a while"
        with cast.inside(cast.acme):
            Source.objects.filter(id=source.id).update(lease_until=timezone.now())
        ingestion.ingest(cast.acme.id, source.id)
        state, progress, count = self.state(cast, source)
        assert (state, progress, count, source.attempt) == ("ready", 100, source.cut_into, 2)

    def test_a_worker_that_wakes_up_late_writes_nothing(
        self, cast: Cast, source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with cast.inside(cast.acme):
            late = ingestion._take(source.id)
            assert late is not None
            Source.objects.filter(id=source.id).update(attempt=late.attempt + 1)
        with cast.inside(cast.acme):
            assert not ingestion._write(late, 0, passages.cut(LONG)[:5], 5)
        assert self.state(cast, source)[2] == 0

    def test_the_sweeper_rings_again_for_what_nobody_finished(
        self, cast: Cast, source: Source, rung: list[Any]
    ) -> None:
        rung.clear()
        ingestion.ring_again()
        mine = (str(cast.acme.id), str(source.id))
        assert mine not in rung, "just added: its own bell is still on the way"
        with cast.inside(cast.acme):
            Source.objects.filter(id=source.id).update(lease_until=timezone.now())
        ingestion.ring_again()
        assert mine in rung

    def test_a_source_that_is_gone_is_no_error(self, cast: Cast, source: Source) -> None:
        with cast.inside(cast.acme):
            source_id = source.id
            source.delete()
        ingestion.ingest(cast.acme.id, source_id)

    def test_too_many_parts_fail_with_a_sentence(
        self, cast: Cast, source: Source, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ingestion, "_MOST", 10)
        ingestion.ingest(cast.acme.id, source.id)
        assert self.state(cast, source)[0] == "failed"
        assert "Split it" in source.error


class TestDeleting:
    def test_members_delete_what_they_added_and_admins_everything(self, cast: Cast) -> None:
        bob, ann = cast.member(cast.bob, cast.acme), cast.member(cast.ann, cast.acme)
        with cast.inside(cast.acme):
            of_bob, of_ann = sources.add("B", "bob", by=bob), sources.add("A", "ann", by=ann)
            with pytest.raises(RoleForbids):
                sources.delete(of_ann, by=bob)
            sources.delete(of_bob, by=bob)
            sources.delete(of_ann, by=ann)


class TestTheWall:
    def test_nobody_reads_the_source_of_another_workspace(self, cast: Cast) -> None:
        with cast.inside(cast.acme):
            source = sources.add("Secret", "Of Acme alone.", by="system")
        sam = cast.member(cast.sam, cast.rival)
        with cast.inside(cast.rival):
            for read in (queries.row, queries.source):
                with pytest.raises(NotHere):
                    read(sam, source.id)
            assert queries.text(sam, source.id) == ""
            assert queries.passages(sam, source.id, 10) == []
            assert queries.sources(sam).items == []

    def test_without_a_scope_nothing_is_read(self) -> None:
        with pytest.raises(ScopeMissing):
            Source.objects.count()


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked of the worker."""
    bells: list[Any] = []
    monkeypatch.setattr(
        type(ingestion.prepare),
        "defer",
        lambda self, workspace_id, source_id: bells.append((workspace_id, source_id)),
        raising=True,
    )
    return bells
