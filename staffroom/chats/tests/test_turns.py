"""Turns, from the customer's message to the price: with the real database, worker and streams, and a scripted model."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from staffroom.accounts.models import User
from staffroom.billing import alerts, checks, ledger, limits
from staffroom.billing import queries as balances
from staffroom.billing.models import Entry, Hold
from staffroom.chats import arrivals, takeovers
from staffroom.chats.models import Chat, Message, Turn
from staffroom.core import words
from staffroom.core.ids import new_id
from staffroom.employees.minds import ModelFailed
from staffroom.employees.models import Employee
from staffroom.workspaces.models import Membership
from tests.cast import Cast

from . import house
from .house import House, Model, chat_with, hired, said

TEXT = "We open at nine, from Tuesday to Saturday."


def said_here(chat: UUID) -> list[Message]:
    return list(Message.objects.filter(chat_id=chat))


def turns_of(chat: UUID) -> list[Turn]:
    return list(Turn.objects.filter(chat_id=chat))


def remove(user: User) -> None:
    Membership.objects.filter(user_id=user.id).update(status=Membership.REMOVED)


class Scenes:
    cast: Cast
    employee: Employee

    @pytest.fixture(autouse=True)
    def stage(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        cls = type(self)
        if "cast" not in cls.__dict__:
            cls.cast = Cast()
            cls.employee = hired(cls.cast)
        self.monkeypatch = monkeypatch
        self.chat = chat_with(self.cast, self.employee)
        yield
        problems = [one for one in checks.problems(every=True) if one.workspace_id == self.cast.acme.id]
        assert not problems

    def play(self, scene: house.Scene, model: Model | None = None) -> None:
        house.play(scene, model, self.cast, self.monkeypatch)

    def said(self, chat: UUID | None = None) -> list[tuple[str, str]]:
        return [(one.author, one.text) for one in said(self.cast, chat or self.chat)]

    def turns(self, chat: UUID | None = None) -> list[Turn]:
        with self.cast.inside(self.cast.acme):
            return list(Turn.objects.filter(chat_id=chat or self.chat).order_by("created_at"))

    @property
    def balance(self) -> balances.Balance:
        with self.cast.inside(self.cast.acme):
            return balances.balance()


class TestAnAnswer(Scenes):
    def test_the_reply_streams_is_stored_and_costs_what_it_shows(self) -> None:
        async def scene(house: House) -> None:
            events = await house.hear(self.chat)
            assert [name for name, _ in events if name != "delta"] == ["message", "done"]
            assert "".join(data["text"] for name, data in events if name == "delta") == TEXT
            done = events[-1][1]
            assert done["text"] == TEXT
            price = done["price"]
            assert done["words"] == price["sent"] + price["written"] == sum(price["parts"].values())
            assert price["parts"]["reply"] == words.count(TEXT)

        before = self.balance
        self.play(scene, Model(*(f"{word} " for word in TEXT.split()[:-1]), TEXT.split()[-1]))
        assert self.said() == [("customer", "When do you open?"), ("employee", TEXT)]
        with self.cast.inside(self.cast.acme):
            [entry] = Entry.objects.filter(chat_id=self.chat)
            reply = Message.objects.get(chat_id=self.chat, author="employee")
        assert before.words_left - self.balance.words_left == reply.charged == -(entry.plan + entry.bonus)
        assert (self.balance.reserved, entry.reference) == (0, self.turns()[0].id)

    def test_without_a_stream_the_answer_comes_when_it_is_complete(self) -> None:
        async def scene(house: House) -> None:
            status, answer = await house.say(self.chat)
            assert status == 200
            assert [one["author"] for one in answer["messages"]] == ["customer", "employee"]
            assert answer["messages"][1]["text"] == TEXT

        self.play(scene, Model(TEXT))

    def test_what_was_said_before_and_the_persona_are_in_the_brief(self) -> None:
        model = Model("Yes.")

        async def scene(house: House) -> None:
            await house.say(self.chat, "First")
            await house.say(self.chat, "Second")
            brief = model.briefs[1]
            assert [(line.role, line.text) for line in brief.lines] == [
                ("user", "First"), ("assistant", "Yes."), ("user", "Second"),
            ]  # fmt: skip
            assert "bicycle rental" in brief.system

        self.play(scene, model)

    def test_the_same_external_id_is_the_same_message(self) -> None:
        async def scene(house: House) -> None:
            first, again = await asyncio.gather(
                house.say(self.chat, "Hello", external_id="m1"),
                house.say(self.chat, "Hello", external_id="m1"),
            )
            assert first[1] == again[1]

        self.play(scene, Model(TEXT))
        assert len(self.said()) == 2

    def test_the_same_idempotency_key_gives_the_same_answer_and_streams_it_too(self) -> None:
        async def scene(house: House) -> None:
            first = await house.say(self.chat, "Hello", idempotency_key="k1")
            assert await house.say(self.chat, "Hello", idempotency_key="k1") == first

        self.play(scene, Model(TEXT))
        assert len(self.said()) == 2

    def test_a_reader_who_comes_in_the_middle_gets_all_of_it(self) -> None:
        model = Model("One ", "two ", "three", hold_before=2)

        async def scene(house: House) -> None:
            asking = asyncio.create_task(house.say(self.chat))
            await model.reached.wait()
            async with house.following(self.chat) as late:
                await late.until(lambda: late.text == "One two ")
                async with house.following(self.chat, last=late.last_id) as resumed:
                    model.gate.set()
                    await late.until(lambda: late.events[-1][0] == "done")
                    await resumed.until(lambda: resumed.events and resumed.events[-1][0] == "done")
                    assert resumed.text == "three"
            assert late.text == "One two three"
            await asking

        self.play(scene, model)

    def test_who_comes_back_after_the_end_is_told_the_rest(self) -> None:
        async def scene(house: House) -> None:
            await house.say(self.chat, "Hello")
            async with house.following(self.chat, last="0") as reader:
                await reader.until(lambda: len(reader.events) >= 3)
                assert [name for name, _ in reader.events] == ["message", "delta", "done"]

        self.play(scene, Model(TEXT))


class TestABurst(Scenes):
    def test_many_messages_at_once_keep_their_order_and_are_answered_together(self) -> None:
        model = Model("All of it.", hold_before=0)
        number = 60

        async def scene(house: House) -> None:
            asked = [asyncio.create_task(house.say(self.chat, f"Question {n}")) for n in range(number)]
            await model.reached.wait()
            while len(await house.inside(said_here, self.chat)) < number:
                await asyncio.sleep(0.05)
            model.gate.set()
            answers = await asyncio.gather(*asked)
            assert {status for status, _ in answers} == {200}
            for _, answer in answers:
                question, reply = answer["messages"]
                assert question["number"] < reply["number"]

        self.play(scene, model)
        shown = said(self.cast, self.chat)
        assert [one.number for one in shown] == list(range(1, len(shown) + 1))
        assert len([one for one in shown if one.author == "customer"]) == number
        assert len([one for one in shown if one.author == "employee"]) == 2
        assert [turn.state for turn in self.turns()] == ["done", "done"]

    def test_a_message_during_a_reply_is_answered_after_it(self) -> None:
        model = Model("Yes.", hold_before=0)

        async def scene(house: House) -> None:
            first = asyncio.create_task(house.say(self.chat, "One"))
            await model.reached.wait()
            second = asyncio.create_task(house.say(self.chat, "Two"))
            await asyncio.sleep(0.3)
            model.gate.set()
            await asyncio.gather(first, second)
            assert [line.text for line in model.briefs[1].lines] == ["One", "Yes.", "Two"]

        self.play(scene, model)
        assert [text for _, text in self.said()] == ["One", "Two", "Yes.", "Yes."]


class TestNoAnswer(Scenes):
    def test_a_model_that_fails_at_once_costs_nothing_and_says_why(self) -> None:
        before = self.balance

        async def scene(house: House) -> None:
            status, answer = await house.say(self.chat)
            assert (status, answer["code"]) == (502, "model_key_refused")
            assert answer["message"]["text"] == "When do you open?"
            events = await house.hear(self.chat, "And now?")
            assert [name for name, _ in events] == ["message", "error"]

        self.play(scene, Model(error=ModelFailed("model_key_refused", detail="sk-secret")))
        assert self.balance == before
        assert [turn.state for turn in self.turns()] == ["failed", "failed"]
        assert [author for author, _ in self.said()] == ["customer", "customer"]

    def test_a_reply_that_breaks_off_is_kept_and_costs_what_was_written(self) -> None:
        async def scene(house: House) -> None:
            _, answer = await house.say(self.chat)
            reply = answer["messages"][1]
            assert (reply["text"], reply["cut"], reply["words"]) == ("We open at", "model_cut", 3)

        self.play(scene, Model("We ", "open at", error=ModelFailed("model_cut")))

    def test_a_model_that_may_do_better_is_asked_once_more(self) -> None:
        model = Model("Back again.")
        failures = [ModelFailed("model_busy")]

        async def flaky(brief: Any, keys: Any = None) -> Any:
            if failures:
                raise failures.pop()
            async for piece in Model("Back again.").stream(brief):
                yield piece

        model.stream = flaky  # type: ignore[method-assign]

        async def scene(house: House) -> None:
            assert (await house.say(self.chat))[0] == 200

        self.play(scene, model)

    def test_a_switched_off_employee_keeps_the_message(self) -> None:
        employee = hired(self.cast)
        chat = chat_with(self.cast, employee)
        with self.cast.inside(self.cast.acme):
            Employee.objects.filter(id=employee.id).update(active=False)

        async def scene(house: House) -> None:
            status, answer = await house.say(chat)
            assert (status, answer["code"]) == (409, "employee_off")

        self.play(scene)
        assert self.said(chat) == [("customer", "When do you open?")]
        assert not self.turns(chat)

    @pytest.mark.parametrize("text", ["", "  \n ", "x" * 20_001])
    def test_what_is_no_message_changes_nothing(self, text: str) -> None:
        async def scene(house: House) -> None:
            assert (await house.say(self.chat, text))[0] == 422

        self.play(scene)
        assert not self.said()

    def test_a_stranger_finds_no_chat(self) -> None:
        sam = self.cast.sam

        async def scene(house: House) -> None:
            key = await house.key(sam)
            for method, path, body in (
                ("POST", "/messages", {"text": "Hi"}),
                ("GET", "/events", None),
                ("POST", "/pause", None),
                ("DELETE", "", None),
            ):
                status, _, _ = await house.call(method, f"/chats/{self.chat}{path}", body, key=key)
                assert status == 404
            assert (await house.say(new_id()))[0] == 404

        self.play(scene)
        assert not self.said()


class TestWords(Scenes):
    """Each scene in a workspace of its own, with as few words as it needs."""

    @pytest.fixture(autouse=True)
    def poor(self, stage: Any) -> None:
        self.cast = Cast()
        self.employee = hired(self.cast, reply_limit=200)
        self.chat = chat_with(self.cast, self.employee)

    def spend_all_but(self, left: int) -> None:
        with self.cast.inside(self.cast.acme):
            turn, all_words = new_id(), balances.balance().words_left
            ledger.reserve(turn, all_words)
            ledger.settle(turn, all_words - left)

    def test_at_zero_the_message_is_kept_and_nobody_answers(self) -> None:
        self.spend_all_but(0)

        async def scene(house: House) -> None:
            status, answer = await house.say(self.chat)
            assert (status, answer["code"]) == (402, "out_of_words")

        self.play(scene, Model("Never"))
        assert self.said() == [("customer", "When do you open?")]
        assert not self.turns()

    def test_the_last_words_are_spent_and_the_reply_is_cut_there(self) -> None:
        self.spend_all_but(100)

        async def scene(house: House) -> None:
            status, answer = await house.say(self.chat)
            reply = answer["messages"][1]
            assert (status, reply["cut"], reply["words"]) == (200, "out_of_words", 100)
            assert words.count(reply["text"]) == reply["price"]["written"]

        self.play(scene, Model(*["word "] * 200))
        assert (self.balance.words_left, self.balance.reserved) == (0, 0)

    def test_words_that_come_meanwhile_let_the_reply_go_on(self) -> None:
        self.spend_all_but(100)
        model = Model(*["word "] * 150, hold_before=5)

        async def scene(house: House) -> None:
            asking = asyncio.create_task(house.say(self.chat))
            await model.reached.wait()
            await house.inside(ledger.grant, "bonus", "gift", 1_000, by="system")
            model.gate.set()
            _, answer = await asking
            assert (answer["messages"][1]["cut"], answer["messages"][1]["price"]["written"]) == ("", 150)

        self.play(scene, model)

    def test_after_a_top_up_what_waits_is_answered_on_request(self) -> None:
        self.spend_all_but(0)

        async def scene(house: House) -> None:
            await house.say(self.chat)
            await house.inside(ledger.grant, "bonus", "gift", 1_000, by="system")
            await house.inside(arrivals.ask_again, self.chat, by="system")
            async with house.following(self.chat, last="1") as reader:
                await reader.until(lambda: reader.events and reader.events[-1][0] == "done")

        self.play(scene, Model(TEXT))
        assert self.said()[-1] == ("employee", TEXT)


class TestAPersonStepsIn(Scenes):
    def test_a_reply_never_follows_a_take_over(self) -> None:
        model = Model("I ", "think", hold_before=1)
        before = self.balance

        async def scene(house: House) -> None:
            asking = asyncio.create_task(house.hear(self.chat))
            await model.reached.wait()
            status, answer = await house.say(self.chat, "I take over.", **{"as": "manager"})
            assert (status, answer["messages"][0]["author"]) == (200, "manager")
            model.gate.set()
            events = await asking
            assert events[-1][1]["code"] == "taken_over"
            status, answer = await house.say(self.chat, "Still there?")
            assert (status, answer["code"]) == (409, "employee_paused")

        self.play(scene, model)
        assert [author for author, _ in self.said()] == ["customer", "manager", "customer"]
        assert [turn.state for turn in self.turns()] == ["cancelled"]
        assert self.balance == before

    def test_a_pause_just_before_the_end_is_seen_by_the_end(self) -> None:
        """The turn was not withdrawn (a pause that did not know of it), and yet nothing follows."""
        model = Model("Too late", hold_before=1)

        async def scene(house: House) -> None:
            asking = asyncio.create_task(house.hear(self.chat))
            await model.reached.wait()
            self.monkeypatch.setattr(takeovers, "withdraw", lambda chat: None)
            await house.inside(takeovers.pause, self.chat, by="system")
            model.gate.set()
            assert (await asking)[-1][1]["code"] == "taken_over"

        self.play(scene, model)
        assert [author for author, _ in self.said()] == ["customer"]

    def test_what_a_person_wrote_is_kept_once_however_often_it_is_sent(self) -> None:
        async def scene(house: House) -> None:
            mine: dict[str, Any] = {"as": "manager", "external_id": "m1"}
            first, beside = await asyncio.gather(
                house.say(self.chat, "I take over.", **mine), house.say(self.chat, "I take over.", **mine)
            )
            assert first == beside
            await house.call("DELETE", f"/chats/{self.chat}/pause")
            assert await house.say(self.chat, "Said otherwise", **mine) == first
            status, answer = await house.say(self.chat, "And now?", external_id="m1")
            assert (status, answer["code"]) == (409, "external_id_taken")
            assert (await house.say(self.chat, "And now?", external_id="c1"))[0] == 200, "nothing is paused"
            status, answer = await house.say(self.chat, "Mine", **{**mine, "external_id": "c1"})
            assert (status, answer["code"]) == (409, "external_id_taken")

        self.play(scene, Model(TEXT))
        assert [author for author, _ in self.said()] == ["manager", "customer", "employee"]

    def test_with_an_idempotency_key_too(self) -> None:
        async def scene(house: House) -> None:
            first = await house.say(self.chat, "I take over.", idempotency_key="m2", **{"as": "manager"})
            assert (
                await house.say(self.chat, "I take over.", idempotency_key="m2", **{"as": "manager"}) == first
            )

        self.play(scene)
        assert self.said() == [("manager", "I take over.")]

    def test_resumed_it_answers_again(self) -> None:
        async def scene(house: House) -> None:
            await house.call("POST", f"/chats/{self.chat}/pause")
            assert (await house.say(self.chat))[0] == 409
            status, _, _ = await house.call("DELETE", f"/chats/{self.chat}/pause")
            assert status == 204
            assert (await house.say(self.chat, "And now?"))[0] == 200

        self.play(scene, Model(TEXT))

    def test_deleting_a_chat_in_the_middle_gives_the_words_back(self) -> None:
        model = Model("I ", "think", hold_before=1)
        before = self.balance

        async def scene(house: House) -> None:
            asking = asyncio.create_task(house.hear(self.chat))
            await model.reached.wait()
            waiting = asyncio.create_task(house.say(self.chat, "And when do you close?"))
            async with house.following(self.chat) as reader:
                await reader.until(lambda: reader.text)
                while len(await house.inside(turns_of, self.chat)) < 2:
                    await asyncio.sleep(0.05)
                status, _, _ = await house.call("DELETE", f"/chats/{self.chat}")
                assert status == 204
                await reader.until(lambda: reader.ended)
                assert reader.events[-1][1]["code"] == "chat_gone"
            model.gate.set()
            assert (await asking)[-1][1]["code"] == "chat_gone"
            status, answer = await waiting
            assert (status, answer["code"]) == (404, "chat_gone")

        self.play(scene, model)
        with self.cast.inside(self.cast.acme):
            assert not Chat.objects.filter(id=self.chat).exists()
            assert not Hold.objects.exists()
        assert self.balance == before

    def test_a_stream_ends_soon_after_its_reader_was_removed(self) -> None:
        bob = self.cast.bob

        async def scene(house: House) -> None:
            key = await house.key(bob)
            async with house.following(self.chat, key=key) as reader:
                await house.inside(remove, bob)
                await reader.until(lambda: reader.ended, 5)

        self.play(scene)


class TestAMembersLimit(Scenes):
    """Alice asks; what she may use of the balance in a month is limited."""

    def limit(self, words: int | None) -> None:
        with self.cast.inside(self.cast.acme):
            rule = limits.Rule(True, words)
            limits.limit(self.cast.alice.id, rule, by=self.cast.member(self.cast.alice, self.cast.acme))

    @property
    def used(self) -> int:
        alice = self.cast.alice.id
        with self.cast.inside(self.cast.acme):
            return balances.member_words([alice])[alice].used

    def test_at_the_limit_the_message_is_kept_and_the_answer_says_what_next(self) -> None:
        self.limit(self.used + 10)

        async def scene(house: House) -> None:
            status, answer = await house.say(self.chat)
            assert (status, answer["code"]) == (402, "member_limit_reached")
            assert f"{self.used_before + 10:,} words" in answer["detail"]
            assert "the owner or an admin can raise the limit" in answer["detail"]
            assert answer["message"]["text"] == "When do you open?"

        self.used_before = self.used
        self.play(scene)
        assert self.said() == [("customer", "When do you open?")]
        assert not self.turns()

    def test_customers_and_the_organizations_keys_go_on(self) -> None:
        self.limit(0)
        key = self.cast.organization_key(self.cast.acme)

        async def scene(house: House) -> None:
            path = f"/chats/{self.chat}/messages"
            status, _, _ = await house.call("POST", path, {"text": "Hello"}, key=key)
            assert status == 200
            await house.inside(arrivals.receive, chat, "Hello", by="system")

        chat = chat_with(self.cast, self.employee)
        self.play(scene, Model(TEXT))
        assert len(self.said()) == 2
        assert len(self.turns(chat)) == 1

    def test_a_reply_that_reaches_the_limit_is_cut_there_and_says_so(self) -> None:
        long = " ".join(f"word{n}" for n in range(150))
        self.limit(self.used + 100)

        async def scene(house: House) -> None:
            status, answer = await house.say(self.chat)
            reply = answer["messages"][1]
            assert (status, reply["cut"], reply["words"]) == (200, "member_limit_reached", 100)

        self.play(scene, Model(*(f"{word} " for word in long.split())))
        with self.cast.inside(self.cast.acme):
            [entry] = Entry.objects.filter(chat_id=self.chat)
        assert (-entry.plan - entry.bonus - entry.purchased, entry.written_off) == (100, 0)
        assert self.balance.words_left > 1000

    def test_what_is_refused_for_a_limit_is_no_want_of_words(self) -> None:
        told: list[bool] = []
        self.monkeypatch.setattr(alerts, "ran_out", lambda: told.append(True))
        self.limit(0)

        async def scene(house: House) -> None:
            await house.say(self.chat)
            await house.say(self.chat, idempotency_key=str(new_id()))

        self.play(scene)
        assert not told

    def test_with_a_higher_limit_the_answer_may_be_asked_for(self) -> None:
        self.limit(0)

        async def scene(house: House) -> None:
            assert (await house.say(self.chat))[0] == 402
            await house.inside(self.raise_limit)
            await house.inside(arrivals.ask_again, self.chat, by=self.alice)
            while not [one for one in await house.inside(said_here, self.chat) if one.author == "employee"]:
                await asyncio.sleep(0.02)

        self.alice = self.cast.member(self.cast.alice, self.cast.acme)
        self.play(scene, Model(TEXT))
        assert self.said()[-1] == ("employee", TEXT)
        assert self.used > 0

    def raise_limit(self) -> None:
        limits.limit(self.cast.alice.id, limits.NO_LIMIT, by=self.alice)
