"""Messages that are taken in together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from staffroom.chats import arrivals, takeovers
from staffroom.chats.arrivals import Incoming
from staffroom.chats.desk import Desk
from staffroom.chats.failures import EmployeePaused
from staffroom.core.bus import Bus
from staffroom.core.durable import Disk
from staffroom.core.errors import NotHere
from staffroom.core.ids import new_id
from staffroom.core.pools import Pool

from .house import House, Model, chat_with
from .test_turns import TEXT, Scenes


class Statements(Pool):
    """Counts the statements that pass, and can lose the answer of one after it was done."""

    def __init__(self) -> None:
        super().__init__(2)
        self.sent: list[str] = []
        self.repeats = False

    async def rows(self, statement: str, values: Any, patience: float = 0) -> list[tuple[Any, ...]]:
        self.sent.append(statement)
        rows = await super().rows(statement, values, patience)
        return await super().rows(statement, values, patience) if self.repeats else rows


def _noting(kept: list[int | None]) -> Callable[[int | None], Awaitable[None]]:
    async def note(promise: int | None) -> None:
        kept.append(promise)

    return note


class TestDesk(Scenes):
    disk: Disk

    def at_the_desk(self, scene: Callable[[Desk, Statements], Awaitable[Any]]) -> Any:
        async def play() -> Any:
            pool, bus, self.disk = Statements(), Bus(), Disk()
            await pool.open()
            await bus.open()
            try:
                return await scene(Desk(pool, bus, self.disk), pool)
            finally:
                await bus.close()
                await pool.close()

        return asyncio.run(play())

    def incoming(self, chat: UUID, text: str, external_id: str | None = None) -> Incoming:
        alice = self.cast.member(self.cast.alice, self.cast.acme)
        return arrivals.incoming(chat, text, by=alice, external_id=external_id)

    def receive(self, *messages: Incoming, repeats: bool = False) -> tuple[list[Any], int]:
        """What becomes of them, and how many statements it took."""

        async def scene(desk: Desk, pool: Statements) -> tuple[list[Any], int]:
            pool.repeats = repeats
            here = self.cast.acme.id
            came = [desk.receive(here, one) for one in messages]
            return await asyncio.gather(*came, return_exceptions=True), len(pool.sent)

        return self.at_the_desk(scene)  # type: ignore[no-any-return]

    def test_many_chats_take_two_statements(self) -> None:
        chats = [chat_with(self.cast, self.employee) for _ in range(8)]
        arrived, statements = self.receive(*[self.incoming(chat, "Hello") for chat in chats])
        assert statements == 2
        assert [one.fresh for one in arrived] == [True] * 8
        assert [turn.id for chat in chats for turn in self.turns(chat)] == [one.turn for one in arrived]

    def test_messages_of_one_chat_keep_their_order_and_wait_for_one_reply(self) -> None:
        arrived, _ = self.receive(*[self.incoming(self.chat, f"Line {n}") for n in range(5)])
        assert [one.number for one in arrived] == [1, 2, 3, 4, 5]
        assert self.said() == [("customer", f"Line {n}") for n in range(5)]
        [turn] = self.turns()
        assert ({one.turn for one in arrived}, turn.upto) == ({turn.id}, 5)

    def test_a_chat_that_is_not_there_hinders_nobody(self) -> None:
        foreign = chat_with(self.cast, self.employee)
        (lost, kept), _ = self.receive(self.incoming(uuid4(), "Hello"), self.incoming(foreign, "Hello"))
        assert isinstance(lost, NotHere)
        assert kept.number == 1

    def test_one_that_cannot_be_stored_hinders_nobody(self) -> None:
        broken = self.incoming(self.chat, "Hello", external_id="x" * 300)
        (refused, kept), _ = self.receive(broken, self.incoming(self.chat, "Good day"))
        assert isinstance(refused, Exception)
        assert (kept.number, self.said()) == (1, [("customer", "Good day")])

    def test_a_statement_that_is_sent_again_changes_nothing(self) -> None:
        before = self.balance.reserved
        (arrived,), _ = self.receive(self.incoming(self.chat, "Hello"), repeats=True)
        assert (arrived.number, arrived.text, arrived.fresh) == (1, "Hello", False)
        assert [turn.id for turn in self.turns()] == [arrived.turn]
        assert self.said() == [("customer", "Hello")]
        held = self.balance.reserved
        self.receive(self.incoming(chat_with(self.cast, self.employee), "Hello"))
        assert held - before == self.balance.reserved - held > 0

    def test_what_came_before_is_answered_as_it_stands_there(self) -> None:
        self.receive(self.incoming(self.chat, "Hello", "m1"))
        (again,), _ = self.receive(self.incoming(self.chat, "Something else", "m1"))
        assert (again.text, again.number, again.repeated) == ("Hello", 1, True)

    def test_of_two_with_the_same_name_in_one_moment_one_is_kept(self) -> None:
        twins = [self.incoming(self.chat, "Hello", "m1") for _ in range(2)]
        (first, second), _ = self.receive(*twins)
        assert (first.message, first.turn) == (second.message, second.turn)
        assert (first.repeated, second.repeated) == (False, True)

    def test_whoever_is_refused_beside_others_waits_for_the_disk_like_them(self) -> None:
        alice = self.cast.member(self.cast.alice, self.cast.acme)
        paused = chat_with(self.cast, self.employee)
        with self.cast.inside(self.cast.acme):
            takeovers.pause(paused, by=alice)
        said = [self.incoming(chat, "Hello") for chat in (self.chat, paused)]

        async def scene(desk: Desk, pool: Statements) -> None:
            self.disk.open()
            while self.disk.promise() is None:
                await asyncio.sleep(0.01)
            kept: list[int | None] = []
            self.monkeypatch.setattr(self.disk, "kept", _noting(kept))
            here = self.cast.acme.id
            asked, refused = await asyncio.gather(*[desk.receive(here, one) for one in said])
            assert (asked.refusal, type(refused.refusal)) == (None, EmployeePaused)
            assert kept == [1, 1]
            await self.disk.close()

        self.at_the_desk(scene)

    @pytest.mark.parametrize("stream", [True, False])
    def test_a_message_with_and_without_a_key_gets_the_same_answer(self, stream: bool) -> None:
        async def scene(house: House) -> None:
            accept = "text/event-stream" if stream else "application/json"
            path, headers = f"/chats/{self.chat}/messages", {"idempotency-key": str(new_id())}
            plain = await house.call("POST", path, {"text": "One"}, accept=accept)
            keyed = await house.call("POST", path, {"text": "Two"}, accept=accept, **headers)
            assert (plain[0], plain[1]["content-type"]) == (keyed[0], keyed[1]["content-type"])
            assert plain[2].count(TEXT.encode()) == keyed[2].count(TEXT.encode()) > 0

        self.play(scene, Model(TEXT))

    def test_a_chat_of_nobody_is_not_found(self) -> None:
        async def scene(house: House) -> None:
            status, answer = await house.say(uuid4())
            assert (status, answer["code"]) == (404, "not_found")

        self.play(scene)
