"""Attempts, leases and workers that die, freeze and come back: seen from the database's side."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from django.conf import settings
from django.db import connection

from staffroom.billing.models import Entry, Hold
from staffroom.chats import arrivals, takeovers
from staffroom.chats.models import Message
from staffroom.chats.models import Turn as Row
from staffroom.chats.worker import turns
from staffroom.chats.worker.turns import Turn
from staffroom.core.ids import new_id
from staffroom.core.pools import Pool
from tests.cast import Cast

from . import house
from .house import House, Model, chat_with, hired, said
from .test_turns import Scenes

ONE, TWO = 1_000_001, 1_000_002


def in_pool(work: Callable[[Pool], Coroutine[Any, Any, Any]]) -> Any:
    async def opened() -> Any:
        pool = Pool(2)
        await pool.open()
        try:
            return await work(pool)
        finally:
            await pool.close()

    return asyncio.run(opened())


def done(turn: Turn, text: str = "Fine.", cost: int = 7) -> dict[str, Any]:
    return {
        "turn": turn.id, "attempt": turn.attempt, "state": "done", "message": new_id(), "name": "Mira",
        "text": text, "words": 1, "cost": cost, "model": "extract", "price": {"parts": {}}, "citations": [],
    }  # fmt: skip


class TestAttempts:
    cast: Cast

    @classmethod
    def setup_class(cls) -> None:
        cls.cast = Cast()
        cls.employee = hired(cls.cast)

    def setup_method(self) -> None:
        self.chat = chat_with(self.cast, self.employee)
        with self.cast.inside(self.cast.acme):
            arrivals.receive(self.chat, "Hello", by=self.cast.member(self.cast.alice, self.cast.acme))

    def claim(self, worker: int = ONE, *, sweep: bool = False, limit: int = 1_000) -> list[Turn]:
        found = in_pool(lambda pool: turns.claim(pool, worker, limit, sweep=sweep))
        return [turn for turn in found if turn.chat_id == self.chat]

    def finish(self, *finishes: dict[str, Any]) -> list[str]:
        encoded = msgspec.json.encode(finishes)
        return [
            one.verdict for one in in_pool(lambda pool: turns.finish(pool, self.cast.acme.id, encoded, 0))
        ]

    def checkpoint(self, worker: int, *claimed: Turn) -> set[UUID]:
        found: set[UUID] = in_pool(lambda pool: turns.checkpoint(pool, worker, claimed))
        return found

    def let_lease_run_out(self) -> None:
        with self.cast.inside(self.cast.acme):
            Row.objects.filter(chat_id=self.chat, state="running").update(lease_until="2020-01-01T00:00Z")

    def row(self) -> Row:
        with self.cast.inside(self.cast.acme):
            return Row.objects.filter(chat_id=self.chat).latest("created_at")

    def charges(self) -> list[Entry]:
        with self.cast.inside(self.cast.acme):
            return list(Entry.objects.filter(chat_id=self.chat, kind="charge"))

    def test_a_turn_is_claimed_by_one_worker_only(self) -> None:
        [turn] = self.claim()
        assert (turn.workspace_id, turn.attempt) == (self.cast.acme.id, 1)
        assert not self.claim(TWO)

    def test_many_workers_at_once_share_what_waits(self) -> None:
        chats = [chat_with(self.cast, self.employee) for _ in range(12)]
        with self.cast.inside(self.cast.acme):
            for chat in chats:
                arrivals.receive(chat, "Hello", by=self.cast.member(self.cast.alice, self.cast.acme))

        async def race(pool: Pool) -> list[list[Turn]]:
            return await asyncio.gather(*[turns.claim(pool, n, 5, sweep=False) for n in range(1, 9)])

        taken = [turn.id for found in in_pool(race) for turn in found]
        assert len(taken) == len(set(taken)) >= 12

    def test_after_its_lease_a_turn_is_taken_again_and_the_frozen_worker_commits_nothing(self) -> None:
        [frozen] = self.claim()
        self.let_lease_run_out()
        [second] = self.claim(TWO, sweep=True)
        assert (second.id, second.attempt) == (frozen.id, 2)
        assert self.checkpoint(ONE, frozen) == {frozen.id}
        assert self.finish(done(frozen, "From the grave")) == ["lost"]
        assert self.finish(done(second, "Alive")) == ["done"]
        assert self.finish(done(frozen, "From the grave")) == ["lost"]
        assert [one.text for one in said(self.cast, self.chat)] == ["Hello", "Alive"]
        assert len(self.charges()) == 1

    def test_a_dead_worker_shows_at_once_by_its_lock(self) -> None:
        with psycopg.connect(settings.DB_APP, autocommit=True) as living:
            living.execute("SELECT pg_advisory_lock(%s, %s)", [turns.LOCK_CLASS, ONE])
            self.claim()
            assert not self.claim(TWO, sweep=True)
        assert [turn.attempt for turn in self.claim(TWO, sweep=True)] == [2]

    def test_a_worker_does_not_take_its_own_turns_for_dead(self) -> None:
        self.claim()
        assert not self.claim(sweep=True)

    def test_a_checkpoint_keeps_the_draft_and_the_lease(self) -> None:
        [turn] = self.claim()
        self.let_lease_run_out()
        turn.add("So far")
        assert self.checkpoint(ONE, turn) == set()
        assert self.row().draft == "So far"
        assert not self.claim(TWO, sweep=True) or self.row().attempt == 2  # ONE holds no lock here

    def test_finishing_twice_answers_the_same_and_charges_once(self) -> None:
        [turn] = self.claim()
        finish = done(turn)
        assert self.finish(finish) == self.finish(finish) == ["done"]
        assert len(self.charges()) == 1
        with self.cast.inside(self.cast.acme):
            assert Message.objects.filter(chat_id=self.chat).count() == 2

    def test_many_ends_in_one_transaction_do_not_disturb_each_other(self) -> None:
        [turn] = self.claim()
        gone = {**done(turn), "turn": new_id()}
        assert self.finish(gone, done(turn), {**done(turn), "attempt": 9}) == ["lost", "done", "lost"]

    def test_a_failure_gives_the_words_back(self) -> None:
        [turn] = self.claim()
        assert self.finish({"turn": turn.id, "attempt": 1, "state": "failed", "failure": "model_down"}) == [
            "failed"
        ]
        with self.cast.inside(self.cast.acme):
            assert not Hold.objects.filter(turn=turn.id).exists()
        assert not self.charges()

    def test_what_was_handed_back_is_taken_at_once(self) -> None:
        [turn] = self.claim()
        in_pool(lambda pool: turns.hand_back(pool, ONE, [turn]))
        assert [again.attempt for again in self.claim(TWO, sweep=True)] == [2]
        in_pool(lambda pool: turns.hand_back(pool, ONE, [turn]))  # too late: it is another's by now
        assert not self.claim(ONE, sweep=True) or self.row().worker == ONE

    def test_parallel_ends_and_take_overs_never_wait_in_a_circle(self) -> None:
        chats = [chat_with(self.cast, self.employee) for _ in range(8)]
        alice = self.cast.member(self.cast.alice, self.cast.acme)
        with self.cast.inside(self.cast.acme):
            for chat in chats:
                arrivals.receive(chat, "Hello", by=alice)
        claimed = [
            turn
            for turn in in_pool(lambda pool: turns.claim(pool, ONE, 100, sweep=False))
            if turn.chat_id in chats
        ]

        def take_over() -> None:
            try:
                for chat in reversed(chats):
                    with self.cast.inside(self.cast.acme):
                        takeovers.write(chat, "I do it.", by=alice)
            finally:
                connection.close()

        async def end_and_keep(pool: Pool) -> Any:
            finishes = msgspec.json.encode([done(turn) for turn in claimed])
            return await asyncio.gather(
                turns.finish(pool, self.cast.acme.id, finishes, 0), turns.checkpoint(pool, ONE, claimed)
            )

        person = threading.Thread(target=take_over)
        person.start()
        outcomes, _ = in_pool(end_and_keep)
        person.join()
        assert {one.verdict for one in outcomes} <= {"done", "cancelled"}
        with self.cast.inside(self.cast.acme):
            for chat in chats:
                authors = [one.author for one in Message.objects.filter(chat_id=chat).order_by("number")]
                assert authors[-1] == "manager"
                assert authors in (["customer", "manager"], ["customer", "employee", "manager"])


class TestTheRunner(Scenes):
    def test_a_turn_that_nobody_rang_for_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(arrivals.notes, "ring_after_commit", lambda: None)

        async def scene(house: House) -> None:
            assert (await house.say(self.chat))[0] == 200

        self.play(scene, Model("Found."))

    def test_a_dead_workers_reply_begins_again_and_the_reader_hears_only_one(self) -> None:
        """The first worker has said and stored a beginning; then it is gone."""
        model = Model("Good ", "evening.")

        async def scene(house: House) -> None:
            await house.inside(arrivals.receive, self.chat, "Hello", by="system")
            pool = Pool(1)
            await pool.open()
            [dead] = [
                turn for turn in await turns.claim(pool, ONE, 1_000, sweep=False) if turn.chat_id == self.chat
            ]
            dead.add("Good mor")
            await turns.checkpoint(pool, ONE, [dead])
            async with house.following(self.chat) as reader:
                await reader.until(lambda: reader.text == "Good mor")
                async with house.worker():
                    await reader.until(lambda: reader.events[-1][0] == "done")
            names = [name for name, _ in reader.events]
            assert names.index("restart") < len(names) - 1
            after = reader.events[names.index("restart") :]
            assert "".join(data["text"] for name, data in after if name == "delta") == "Good evening."
            await pool.close()

        house.play(scene, None, self.cast, self.monkeypatch, script=model)
        assert [turn.attempt for turn in self.turns()] == [2]
        assert self.said()[-1] == ("employee", "Good evening.")

    def test_stopped_it_hands_back_what_is_not_written(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("staffroom.chats.worker.runner.LAST_REPLIES", 0.2)
        model = Model("Never ", "ending", hold_before=1)

        async def scene(house: House) -> None:
            async with house.worker():
                asking = asyncio.create_task(house.hear(self.chat))
                await model.reached.wait()
            [turn] = await house.inside(list_turns, self.chat)
            assert turn.state == "running"
            model.gate.set()
            async with house.worker():
                events = await asking
            assert events[-1][0] == "done"
            assert "".join(data["text"] for name, data in events if name == "delta") == "Never ending"

        house.play(scene, None, self.cast, self.monkeypatch, script=model)

    def test_more_turns_than_streams_wait_in_their_rows(self) -> None:
        chats = [chat_with(self.cast, self.employee) for _ in range(30)]  # what they hold is there

        async def scene(house: House) -> None:
            answers = await asyncio.gather(*[house.say(chat) for chat in chats])
            assert {status for status, _ in answers} == {200}

        self.play(scene, Model("One ", "after ", "the other."))

    def test_the_bus_may_be_gone_for_a_while(self) -> None:
        """Its connections are cut in the middle; the reader gets everything from the rows."""
        model = Model("One ", "two ", "three.", hold_before=1)

        async def scene(house: House) -> None:
            asking = asyncio.create_task(house.hear(self.chat))
            await model.reached.wait()
            await asyncio.to_thread(cut_all_connections)
            model.gate.set()
            events = await asking
            assert "".join(data["text"] for name, data in events if name == "delta") == "One two three."
            assert events[-1][0] == "done"

        self.play(scene, model)


def list_turns(chat: UUID) -> list[Row]:
    return list(Row.objects.filter(chat_id=chat))


def cut_all_connections() -> None:
    with psycopg.connect(settings.DB_APP, autocommit=True) as app:
        app.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = current_user AND application_name LIKE 'staffroom%'"
        )
