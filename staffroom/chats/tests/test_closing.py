"""Where an organization was closed, nothing runs: no reply, no arrival, no stream, no job."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from staffroom.billing import jobs as billing
from staffroom.billing import queries as balances
from staffroom.billing.models import Hold
from staffroom.chats import arrivals, closing
from staffroom.chats.models import Turn as Row
from staffroom.chats.worker import turns
from staffroom.core.errors import NotHere
from staffroom.knowledge import ingestion, sources
from staffroom.knowledge.models import Source
from staffroom.workspaces import deletion
from tests.cast import Cast
from tests.owner import as_owner

from .house import House, Model, chat_with, hired
from .test_turns import Scenes
from .test_worker import ONE, in_pool


def close(cast: Cast) -> None:
    with cast.inside(cast.acme):
        deletion.close(by=cast.member(cast.alice, cast.acme), confirm=cast.acme.slug or "")


def reopen(cast: Cast) -> None:
    by = deletion.closed_for_owner(cast.alice, cast.acme.id)
    with cast.inside(cast.acme):
        deletion.cancel(by=by)


@pytest.fixture
def cast() -> Cast:
    return Cast()


@pytest.fixture
def chat(cast: Cast) -> Any:
    chat = chat_with(cast, hired(cast))
    with cast.inside(cast.acme):
        arrivals.receive(chat, "Hello", by=cast.member(cast.alice, cast.acme))
    return chat


def claimed(cast: Cast, *, sweep: bool = False) -> list[Any]:
    found = in_pool(lambda pool: turns.claim(pool, ONE, 1000, sweep=sweep))
    return [turn for turn in found if turn.workspace_id == cast.acme.id]


def test_what_waits_is_not_claimed_until_it_is_open_again(cast: Cast, chat: Any) -> None:
    close(cast)
    assert claimed(cast) == []
    reopen(cast)
    assert len(claimed(cast)) == 1


def test_what_a_dead_worker_left_is_not_claimed_either(cast: Cast, chat: Any) -> None:
    claimed(cast)
    with cast.inside(cast.acme):
        Row.objects.update(lease_until="2020-01-01T00:00Z")
    close(cast)
    assert claimed(cast, sweep=True) == []
    reopen(cast)
    assert len(claimed(cast, sweep=True)) == 1


def test_turns_end_and_their_words_are_given_back(cast: Cast, chat: Any) -> None:
    other = chat_with(cast, hired(cast))
    claimed(cast)
    with cast.inside(cast.acme):
        arrivals.receive(other, "Hello", by=cast.member(cast.alice, cast.acme))
        assert balances.balance().reserved > 0
    close(cast)
    closing.stop(str(cast.acme.id))
    with cast.inside(cast.acme):
        assert set(Row.objects.values_list("state", flat=True)) == {"cancelled"}
        assert not Hold.objects.exists()
        assert balances.balance().reserved == 0


def test_of_an_open_organization_nothing_is_stopped(cast: Cast, chat: Any) -> None:
    closing.stop(str(cast.acme.id))
    with cast.inside(cast.acme):
        assert list(Row.objects.values_list("state", flat=True)) == ["queued"]


def test_nothing_arrives(cast: Cast, chat: Any) -> None:
    close(cast)
    for deed in (
        lambda: arrivals.receive(chat, "More", by="system"),
        lambda: arrivals.ask_again(chat, by="system"),
    ):
        with pytest.raises(NotHere), cast.inside(cast.acme):
            deed()


def test_jobs_do_nothing(cast: Cast, chat: Any) -> None:
    with cast.inside(cast.acme):
        source = sources.add("Long", "We open at ten. " * 50_000, by="system")
    as_owner("UPDATE billing_hold SET lease_until = now() WHERE workspace_id = %s", cast.acme.id)
    as_owner("UPDATE knowledge_source SET created_at = now() - interval '1 hour' WHERE id = %s", source.id)
    assert cast.acme.id in billing.waiting()
    close(cast)
    assert cast.acme.id not in billing.waiting()
    ingestion.prepare(str(cast.acme.id), str(source.id))
    ingestion.ring_again()
    rung = "SELECT count(*) FROM procrastinate_jobs WHERE args ->> 'source_id' = %s"
    assert as_owner(rung, str(source.id)) == [(1,)], "the one from before"
    with cast.inside(cast.acme):
        assert Source.objects.values_list("state", "progress").get(id=source.id) == (Source.PENDING, 0)
    reopen(cast)
    ingestion.prepare(str(cast.acme.id), str(source.id))
    with cast.inside(cast.acme):
        assert Source.objects.get(id=source.id).state == Source.READY


def test_a_text_in_the_middle_of_being_cut_is_left(
    cast: Cast, chat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cast.inside(cast.acme):
        source = sources.add("Long", "We open at ten. " * 50_000, by="system")
    write, batches = ingestion._write, []

    def closing_meanwhile(*args: Any) -> bool:
        batches.append(write(*args))
        if len(batches) == 1:
            as_owner("UPDATE workspaces_workspace SET closed_at = now() WHERE id = %s", cast.acme.id)
        return batches[-1]

    monkeypatch.setattr(ingestion, "_write", closing_meanwhile)
    ingestion.ingest(cast.acme.id, source.id)
    assert batches == [True, False]
    with cast.inside(cast.acme):
        assert Source.objects.get(id=source.id).state == Source.PENDING


class TestStreams(Scenes):
    def is_being_written(self) -> bool:
        return Row.objects.filter(chat_id=self.chat, state="running").exists()

    def test_they_end_within_five_seconds(self) -> None:
        async def scene(house: House) -> None:
            async with house.following(self.chat) as reader:
                await asyncio.to_thread(close, self.cast)
                await reader.until(lambda: reader.ended, 5)

        self.play(scene)
        reopen(self.cast)

    def test_a_reply_that_is_being_written_is_not_stored_and_costs_nothing(self) -> None:
        model = Model("I ", "think", hold_before=1)
        before = self.balance

        async def scene(house: House) -> None:
            asking = asyncio.create_task(house.hear(self.chat))
            while not await house.inside(self.is_being_written):  # the worker has others' turns as well
                await asyncio.sleep(0.05)
            await asyncio.to_thread(close, self.cast)
            await asyncio.to_thread(closing.stop, str(self.cast.acme.id))
            model.gate.set()
            told = await asking
            assert [name for name, _ in told][-1:] in (["error"], ["delta"], ["message"])

        self.play(scene, model)
        reopen(self.cast)
        with self.cast.inside(self.cast.acme):
            assert list(Row.objects.filter(chat_id=self.chat).values_list("state", flat=True)) == [
                "cancelled"
            ]
        assert self.balance == before
