"""What goes out comes back in: export, import elsewhere, export again, and nothing that is promised is different."""

from __future__ import annotations

import json
import random

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from staffroom.billing import payments, plans
from staffroom.chats import conversations
from staffroom.chats.models import Chat, Message
from staffroom.core.scope import workspace_scope
from staffroom.employees import roster
from staffroom.employees.models import Employee, Version
from staffroom.knowledge import sources
from staffroom.knowledge.models import Passage
from tests.cast import Cast

from . import house


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


@pytest.mark.parametrize("seed", range(6))
def test_a_round_trip_loses_nothing(cast: Cast, seed: int) -> None:
    shop, other = cast.organization("Shop", cast.alice), cast.organization("Other", cast.sam)
    house.fill(cast.member(cast.alice, shop), seed)
    first = house.exported(cast.member(cast.alice, shop))
    found = house.imported(cast.member(cast.sam, other), first)
    assert (found.state, found.problem, found.progress) == ("ready", None, 100)
    second = house.exported(cast.member(cast.sam, other))
    assert house.promised(second) == house.promised(first)
    assert len(house.promised(first)["messages"]) > 3


def test_a_long_chat_goes_on_in_the_next_file(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("staffroom.archives.parts.talks.MESSAGES", 4)
    shop, me = cast.organization("Long", cast.alice), cast.member(cast.sam)
    house.fill(cast.member(cast.alice, shop), 7, chats=8)
    first = house.exported(cast.member(cast.alice, shop))
    files = [name for name in house.unpacked(first) if name.startswith("chats/") and name.endswith(".jsonl")]
    assert len(files) > 3
    assert house.imported(me, first).problem is None
    assert house.promised(house.exported(me)) == house.promised(first)


@pytest.fixture(scope="module")
def two(cast: Cast) -> tuple[Cast, bytes]:
    shop = cast.organization("Whole", cast.alice)
    house.fill(cast.member(cast.alice, shop), 42, chats=9)
    return cast, house.exported(cast.member(cast.alice, shop))


def test_two_of_one_name_keep_it_where_nobody_else_has_it(cast: Cast) -> None:
    shop, other = cast.organization("Twins", cast.alice), cast.organization("Other", cast.sam)
    with workspace_scope(shop.id):
        for _ in range(2):
            roster.hire("Mira", by=cast.member(cast.alice, shop))
    house.imported(cast.member(cast.sam, other), house.exported(cast.member(cast.alice, shop)))
    with workspace_scope(other.id):
        assert list(Employee.objects.values_list("name", flat=True)) == ["Mira", "Mira"]


class TestWhatIsImported:
    def test_nothing_is_charged_nothing_is_sent_and_nobody_answers(self, two: tuple[Cast, bytes]) -> None:
        cast, archive = two
        place = cast.organization("Quiet", cast.alice)
        before = house.tally(place.id)
        house.imported(cast.member(cast.alice, place), archive)
        after = house.tally(place.id)
        assert (after["billing_entry"], after["chats_turn"]) == (before["billing_entry"], 0)
        with workspace_scope(place.id):
            assert not [chat for chat in Chat.objects.all() if chat.answered < chat.last_number]

    def test_citations_lead_to_the_passages_that_were_cut_here(self, two: tuple[Cast, bytes]) -> None:
        cast, archive = two
        place = cast.organization("Cited", cast.alice)
        house.imported(cast.member(cast.alice, place), archive)
        with workspace_scope(place.id):
            passages = {str(one.id): (str(one.source_id), one.number) for one in Passage.objects.all()}
            cited = [one for message in Message.objects.exclude(citations=None) for one in message.citations]
        assert cited
        assert all(passages[one["passage"]] == (one["source"], one["number"]) for one in cited)

    def test_twice_into_one_place_is_two_of_each_with_names_of_their_own(
        self, two: tuple[Cast, bytes]
    ) -> None:
        cast, archive = two
        place = cast.organization("Twice", cast.alice)
        member = cast.member(cast.alice, place)
        house.imported(member, archive)
        once = house.tally(place.id)
        assert house.imported(member, archive).problem is None
        twice = house.tally(place.id)
        assert {name: twice[name] for name in once if name != "billing_entry"} == {
            name: 2 * number for name, number in once.items() if name != "billing_entry"
        }
        with workspace_scope(place.id):
            employees = list(Employee.objects.values_list("name", "handle"))
        assert len({name for name, _ in employees}) == len({handle for _, handle in employees}) == 4

    def test_the_importer_is_the_author_of_employees_and_sources(self, two: tuple[Cast, bytes]) -> None:
        cast, archive = two
        me = cast.member(cast.sam)
        house.imported(me, archive)
        with workspace_scope(me.workspace_id):
            assert set(Employee.objects.values_list("created_by_id", flat=True)) == {cast.sam.id}
            assert set(Version.objects.values_list("author_id", "author_name")) == {(None, "Alice")}

    def test_members_purchases_and_the_log_are_told_but_not_imported(self, two: tuple[Cast, bytes]) -> None:
        cast, archive = two
        entries = house.unpacked(archive)
        members = json.loads(entries["members.json"])
        assert [(one["name"], one["role"]) for one in members] == [("Alice", "owner")]
        grants = json.loads(entries["grants.json"])
        assert (grants[0]["source"], grants[0]["words"]) == ("plan", 20_000)
        assert json.loads(entries["purchases.json"]) == []
        assert b'"employee.hire"' in entries["audit.jsonl"]
        place = cast.organization("Bare", cast.sam)
        house.imported(cast.member(cast.sam, place), archive)
        again = json.loads(house.unpacked(house.exported(cast.member(cast.sam, place)))["members.json"])
        assert [one["name"] for one in again] == ["Sam"]


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=300)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(persona=TEXTS, told=st.lists(TEXTS, min_size=1, max_size=4))
def test_any_text_that_can_be_kept_comes_back(cast: Cast, persona: str, told: list[str]) -> None:
    shop, other = cast.organization("Any", cast.alice), cast.organization("Other", cast.sam)
    by = cast.member(cast.alice, shop)
    with workspace_scope(shop.id):
        employee = roster.hire("Ada", by=by, persona=persona)
        Employee.objects.filter(id=employee.id).update(
            persona=persona
        )  # as somebody may have written it elsewhere
        library = [sources.add("Some", f"a {text}", by=by) for text in told]
        chat = conversations.start(employee.id, by=by, external_id="one")
        for number, text in enumerate(told, 1):
            house.said(chat, number, random.Random(number), library, timezone.now())
            Message.objects.filter(chat=chat, number=number).update(text=text, name=text[:254])
    first = house.exported(by)
    assert house.imported(cast.member(cast.sam, other), first).problem is None
    assert house.promised(house.exported(cast.member(cast.sam, other))) == house.promised(first)


def test_pages_of_an_archive_are_static_and_escaped(cast: Cast) -> None:
    shop = cast.organization("Pages", cast.alice)
    house.fill(cast.member(cast.alice, shop), 3, chats=12)
    pages = {name: data.decode() for name, data in house.unpacked(house.exported(cast.member(cast.alice, shop))).items()
             if name.endswith(".html")}  # fmt: skip
    assert {"index.html", "chats/000001.html"} <= set(pages)
    assert not [name for name, page in pages.items() if "<script" in page or "javascript:" in page]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages["chats/000001.html"]
    assert 'href="chats/000001.html"' in pages["index.html"]


def test_what_was_bought_is_told(cast: Cast) -> None:
    shop = cast.organization("Buyer", cast.alice)
    with workspace_scope(shop.id):
        bought = payments.begin(
            plans.order(plan="starter"), "invoice", by=cast.member(cast.alice, shop), numbered=True
        )
    told = json.loads(house.unpacked(house.exported(cast.member(cast.alice, shop)))["purchases.json"])
    assert [(one["id"], one["state"], one["amount"]) for one in told] == [(str(bought.id), "pending", 10_000)]


def test_the_manifest_counts_and_names_everything(cast: Cast) -> None:
    shop = cast.organization("Counted", cast.alice)
    house.fill(cast.member(cast.alice, shop), 5)
    entries = house.unpacked(house.exported(cast.member(cast.alice, shop)))
    told = json.loads(entries["manifest.json"])
    assert (told["format"], told["version"]) == ("staffroom-archive", 1)
    assert told["context"] == {"kind": "organization", "name": "Counted", "slug": shop.slug}
    assert {one["name"] for one in told["entries"]} == set(entries) - {"manifest.json"}
    assert told["counts"]["sources"] == 4
    assert told["made_at"][:10] == f"{timezone.now():%Y-%m-%d}"
