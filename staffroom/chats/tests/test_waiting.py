"""At nothing messages are kept; after a top-up those that are young are answered with one click."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from staffroom.billing import ledger, queries
from staffroom.chats import arrivals, conversations, takeovers, waiting
from staffroom.chats.models import Chat, Turn
from staffroom.core.ids import new_id
from staffroom.employees import roster
from staffroom.workspaces.members import SYSTEM
from tests.cast import Cast


class Scene:
    def __init__(self) -> None:
        self.cast = Cast()
        self.alice = self.cast.member(self.cast.alice, self.cast.acme)
        with self.cast.inside(self.cast.acme):
            self.mara = roster.hire("Mara", by=SYSTEM)
            left = queries.balance().words_left
            ledger.reserve(turn := new_id(), left)
            ledger.settle(turn, left)

    def asked(self, text: str = "When do you open?") -> UUID:
        with self.cast.inside(self.cast.acme):
            chat = conversations.start(self.mara.id, by=SYSTEM, channel="api").id
            arrivals.receive(chat, text, by=SYSTEM)
        return chat

    def topped_up(self, words: int = 100_000) -> None:
        with self.cast.inside(self.cast.acme):
            ledger.grant("purchased", str(new_id()), words, by=SYSTEM)

    def waiting(self) -> list[UUID]:
        with self.cast.inside(self.cast.acme):
            return waiting.chats()

    def answered(self) -> tuple[int, int]:
        with self.cast.inside(self.cast.acme):
            return waiting.answer(by=self.alice)

    def turns(self, chat: UUID) -> int:
        with self.cast.inside(self.cast.acme):
            return Turn.objects.filter(chat_id=chat, state="queued").count()


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_message_is_kept_and_answered_after_a_top_up(scene: Scene) -> None:
    first, second = scene.asked(), scene.asked()
    assert scene.waiting() == [first, second]
    assert scene.turns(first) == 0
    scene.topped_up()
    assert scene.answered() == (2, 0)
    assert (scene.turns(first), scene.turns(second), scene.waiting()) == (1, 1, [])


def test_a_second_click_asks_nobody_twice(scene: Scene) -> None:
    chat = scene.asked()
    scene.topped_up()
    scene.answered()
    assert scene.answered() == (0, 0)
    assert scene.turns(chat) == 1


def test_without_words_they_wait_on(scene: Scene) -> None:
    chat = scene.asked()
    assert scene.answered() == (0, 1)
    assert scene.waiting() == [chat]


def test_who_has_waited_for_a_day_is_left_alone(scene: Scene) -> None:
    chat = scene.asked()
    with scene.cast.inside(scene.cast.acme):
        Chat.objects.filter(id=chat).update(last_message_at=timezone.now() - timedelta(hours=25))
    assert scene.waiting() == []


def test_where_a_person_has_stepped_in_nobody_else_answers(scene: Scene) -> None:
    chat = scene.asked()
    with scene.cast.inside(scene.cast.acme):
        takeovers.pause(chat, by=scene.alice)
    assert scene.waiting() == []


def test_one_click_in_the_inbox(scene: Scene) -> None:
    chat = scene.asked()
    browser, here = scene.cast.browser(scene.cast.alice), f"/o/{scene.cast.acme.slug}/chats"
    page = browser.get(here).content.decode()
    assert "have run out" in page
    assert "1 chat has waited" in page
    assert "Answer them now" not in page
    scene.topped_up()
    assert "Answer them now" in browser.get(here).content.decode()
    assert browser.post(f"{here}/answers").status_code == 302
    assert scene.turns(chat) == 1
    assert "1 chat is being answered" in browser.get(here).content.decode()


def test_another_organization_answers_its_own(scene: Scene) -> None:
    chat = scene.asked()
    other = Scene()
    other.topped_up()
    assert other.answered() == (0, 0)
    assert scene.waiting() == [chat]
