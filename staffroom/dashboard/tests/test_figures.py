"""The figures of the start page are what was said and spent, for the period that is asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from staffroom.billing import ledger, reports
from staffroom.chats import conversations, tally
from staffroom.chats.models import Chat, Message, Tally, Turn
from staffroom.core.ids import new_id
from staffroom.dashboard import figures
from staffroom.employees import roster
from staffroom.workspaces.members import SYSTEM
from tests.cast import Cast

NOW = datetime.now(UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Scene:
    def __init__(self) -> None:
        self.cast = Cast()
        with self.cast.inside(self.cast.acme):
            self.mara = roster.hire("Mara", by=SYSTEM)

    def chat(self, *said: str, at: datetime, seconds: float = 2) -> UUID:
        """A conversation of customer, employee, manager, as it was said at that time."""
        with self.cast.inside(self.cast.acme):
            chat = conversations.start(self.mara.id, by=SYSTEM, channel="api")
            for number, author in enumerate(said, 1):
                one = Message.objects.create(chat=chat, number=number, author=author, text="Hello", words=1)
                Message.objects.filter(id=one.id).update(created_at=at)
                if author == "employee":
                    turn = Turn.objects.create(
                        chat=chat, upto=number, state="done", lease_until=at,
                        ended_at=at + timedelta(seconds=seconds),
                    )  # fmt: skip
                    Turn.objects.filter(id=turn.id).update(created_at=at)
            Chat.objects.filter(id=chat.id).update(last_message_at=at)
        return chat.id

    def spent(self, words: int) -> None:
        with self.cast.inside(self.cast.acme):
            ledger.reserve(turn := new_id(), words, employee=self.mara.id)
            ledger.settle(turn, words)

    def count(self, now: datetime = NOW) -> None:
        with self.cast.inside(self.cast.acme):
            reports.fold()
            tally.count(now)

    def cards(self, span: str, now: datetime = NOW) -> dict[str, tuple[float | None, int | None]]:
        with self.cast.inside(self.cast.acme):
            found = figures.cards(figures.SPANS[span], now, money=True)
        return {one.key: (one.value, one.change) for one in found}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_who_answered_and_how_fast(scene: Scene) -> None:
    scene.chat("customer", "employee", "customer", "employee", at=NOW, seconds=2)
    scene.chat("customer", "employee", "manager", at=NOW, seconds=5)
    scene.chat("customer", at=NOW)
    scene.count()
    cards = scene.cards("24h")
    assert {key: value for key, (value, _) in cards.items() if key not in ("words", "cost")} == {
        "messages": 8, "chats": 3, "alone": 1, "helped": 1, "seconds": 3.0}  # fmt: skip


def test_against_the_period_before(scene: Scene) -> None:
    for days, chats in ((1, 3), (9, 2)):
        for _ in range(chats):
            scene.chat("customer", "employee", at=NOW - days * DAY)
    scene.count()
    assert scene.cards("7d")["chats"] == (3, 50)
    assert scene.cards("30d")["chats"] == (5, None)


def test_words_of_hours_and_of_days_are_the_same_words(scene: Scene) -> None:
    scene.spent(300)
    scene.spent(500)
    scene.count()
    for span in figures.SPANS:
        assert scene.cards(span)["words"][0] == 800, span
        with scene.cast.inside(scene.cast.acme):
            chart = figures.chart("words", figures.SPANS[span], NOW)
            workers = figures.by_employee(figures.SPANS[span], NOW)
        assert sum(chart["series"][0]["values"]) == 800, span
        assert [(one.id, one.sums.words) for one in workers] == [(scene.mara.id, 800)], span


def test_a_second_count_changes_nothing_and_sees_what_is_new(scene: Scene) -> None:
    scene.chat("customer", "employee", at=NOW - 40 * DAY)
    scene.count()
    scene.count()
    assert scene.cards("3m")["chats"][0] == 1
    scene.chat("customer", "employee", at=NOW)
    scene.count()
    assert scene.cards("3m")["chats"][0] == 2


def test_a_count_that_is_days_late_sees_all_of_it(scene: Scene) -> None:
    scene.chat("customer", at=NOW - 9 * DAY)
    scene.count(NOW - 9 * DAY)
    scene.chat("customer", at=NOW - 5 * DAY)
    scene.chat("customer", at=NOW)
    scene.count()
    assert scene.cards("30d")["chats"][0] == 3


def test_the_job_counts_where_something_was_said(scene: Scene) -> None:
    scene.chat("customer", at=datetime.now(UTC))
    tally.tally()
    with scene.cast.inside(scene.cast.acme):
        assert Tally.objects.exists()
    assert scene.cards("24h", datetime.now(UTC))["messages"][0] == 1


def test_a_member_sees_the_work_and_not_the_money(scene: Scene) -> None:
    scene.chat("customer", "employee", at=datetime.now(UTC))
    scene.spent(300)
    here = f"/o/{scene.cast.acme.slug}/"
    member = scene.cast.browser(scene.cast.bob).get(here).content.decode()
    owner = scene.cast.browser(scene.cast.alice).get(here).content.decode()
    assert ("card=cost" in owner, "card=cost" in member) == (True, False)
    assert ("Answered by AI alone" in member, "$0.0" in member) == (True, False)


def test_the_number_of_questions_does_not_grow(scene: Scene) -> None:
    browser, here = scene.cast.browser(scene.cast.alice), f"/o/{scene.cast.acme.slug}/"

    def questions() -> int:
        browser.get(here)
        with CaptureQueriesContext(connection) as asked:
            assert browser.get(here).status_code == 200
        return len(asked)

    scene.chat("customer", "employee", at=datetime.now(UTC))
    few = questions()
    for _ in range(10):
        scene.chat("customer", "employee", at=datetime.now(UTC))
        scene.spent(10)
    assert questions() <= few + 1


def test_another_organization_counts_its_own(scene: Scene) -> None:
    scene.chat("customer", at=NOW)
    other = Scene()
    for one in (scene, other):
        one.count()
    assert other.cards("24h")["messages"][0] == 0
