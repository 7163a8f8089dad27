"""The pages of chats without a browser: who sees what, what stands there, and how many questions that costs."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from staffroom.accounts.models import User
from staffroom.billing import ledger
from staffroom.chats import arrivals, conversations, takeovers
from staffroom.chats.models import Chat, Message, Turn
from staffroom.core.ids import new_id
from staffroom.employees import roster
from staffroom.employees.models import Employee
from staffroom.workspaces.models import Workspace
from tests.cast import Cast

EVIL = "<script>alert(1)</script>"
SCRIPT = {"HX-Request": "true"}


class Scene:
    """Acme with Mara, and a place where her chats are made."""

    def __init__(self) -> None:
        self.cast = Cast()
        self.mara = self.hired("Mara")
        self.at = f"/o/{self.cast.acme.slug}/chats"

    def hired(self, name: str, workspace: Workspace | None = None) -> Employee:
        with self.cast.inside(workspace or self.cast.acme):
            return roster.hire(name, by="system")

    def chat(self, by: User | None = None, channel: str = Chat.API, customer: str = "Émile") -> UUID:
        member = self.cast.member(by or self.cast.alice, self.cast.acme)
        with self.cast.inside(self.cast.acme):
            return conversations.start(self.mara.id, by=member, channel=channel, customer_name=customer).id

    def asked(self, chat_id: UUID, text: str) -> None:
        with self.cast.inside(self.cast.acme):
            arrivals.receive(chat_id, text, by="system")

    def said(self, chat_id: UUID, count: int = 1, author: str = "customer", **more: Any) -> None:
        """Messages as if everything had gone well; nothing waits afterwards."""
        with self.cast.inside(self.cast.acme):
            chat = Chat.objects.get(id=chat_id)
            for _ in range(count):
                chat.last_number += 1
                given = {"text": f"Line {chat.last_number}.", "words": 2, "name": "Émile", **more}
                Message.objects.create(chat=chat, number=chat.last_number, author=author, **given)
            chat.answered, chat.last_author, chat.last_line = chat.last_number, author, "Line"
            chat.save()

    def replied(self, chat_id: UUID, text: str = "Yes.", **more: Any) -> None:
        price = {
            "rate": 1.0,
            "parts": {"message": 4, "persona": 10, "history": 0, "knowledge": 20, "reply": 1},
            "cut": False,
        }
        given = {"text": text, "name": "Mara", "charged": 35, "price": price, "model": "extract", **more}
        self.said(chat_id, author="employee", **given)

    def spend_everything(self) -> None:
        with self.cast.inside(self.cast.acme):
            turn = new_id()
            left = ledger.reserve(turn, 1).words_left
            ledger.release(turn)
            ledger.reserve(turn, left + 1)

    def get(self, path: str = "", user: User | None = None) -> HttpResponse:
        return self.browser(user).get(f"{self.at}{path}")

    def browser(self, user: User | None = None) -> Client:
        return self.cast.browser(user or self.cast.alice)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def html(response: HttpResponse) -> str:
    assert response.status_code == 200, response.content.decode()
    return response.content.decode()


def text(response: HttpResponse) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html(response)).split())


class TestTheInbox:
    def test_it_says_what_to_do_when_it_is_empty(self, scene: Scene) -> None:
        assert f'href="/o/{scene.cast.acme.slug}/employees/{scene.mara.id}"' in html(scene.get())
        assert "Start a test chat" in text(scene.get())

    def test_without_employees_the_first_thing_is_to_hire_one(self, scene: Scene) -> None:
        page = scene.browser().get("/me/chats")
        assert "Hire an employee" in text(page)
        assert 'href="/me/employees/new"' in html(page)

    def test_a_row_says_who_what_where_and_whether_anybody_must_act(self, scene: Scene) -> None:
        scene.replied(scene.chat(), "**We** open at ten.")
        waiting = scene.chat(customer="Zoë")
        scene.asked(waiting, "Hello?")
        with scene.cast.inside(scene.cast.acme):
            Turn.objects.filter(chat_id=waiting).update(state="failed")
        shown = text(scene.get())
        assert re.search(r"Zoë Hello\? MA Mara API Not answered", shown)
        assert re.search(r"Émile Mara : Line MA Mara API ", shown)

    def test_the_latest_is_first_and_pages_go_on_where_they_ended(self, scene: Scene) -> None:
        chats = [scene.chat() for _ in range(33)]
        first = html(scene.get())
        next_url = re.search(r'href="([^"]+)" rel="next"', first)
        assert next_url
        second = html(scene.browser().get(next_url[1].replace("&amp;", "&")))
        found = re.findall(r'class="name clip" href="[^"]*/chats/([^"]+)"', first + second)
        assert found == [str(chat) for chat in reversed(chats)]
        assert 'rel="next"' not in second

    def test_it_can_be_narrowed_to_an_employee(self, scene: Scene) -> None:
        scene.said(scene.chat())
        otto = scene.hired("Otto")
        assert "No chats with Otto yet" in text(scene.get(f"?employee={otto.id}"))
        assert "Émile" in text(scene.get(f"?employee={scene.mara.id}"))
        assert "Émile" in text(scene.get("?employee=nonsense"))

    def test_the_number_of_questions_does_not_grow(self, scene: Scene) -> None:
        scene.said(scene.chat())
        few = questions(scene)
        for _ in range(9):
            scene.replied(scene.chat())
        assert questions(scene) == few
        assert few <= 7


def questions(scene: Scene, path: str = "") -> int:
    browser = scene.browser()
    browser.get(f"{scene.at}{path}")  # remembers the context once
    with CaptureQueriesContext(connection) as asked:
        browser.get(f"{scene.at}{path}")
    return len(asked)


class TestAConversation:
    def test_customer_left_employee_right_with_price_sources_and_model(self, scene: Scene) -> None:
        chat = scene.chat()
        source = str(new_id())
        scene.said(chat)
        cited = [{"passage": "p", "source": source, "title": "Returns", "heading": "", "number": number}
                 for number in (3, 7)]  # fmt: skip
        scene.replied(chat, "You have **30 days**.", citations=cited)
        page = html(scene.get(f"/{chat}"))
        assert "<strong>30 days</strong>" in page
        assert page.count("Returns") == 1
        assert f'href="/o/{scene.cast.acme.slug}/knowledge/{source}#passage-3"' in page
        assert re.search(
            r"35 words Message 4 Persona 10 Knowledge 20 Reply 1 Charged 35", text(scene.get(f"/{chat}"))
        )
        assert len(re.findall(r'class="turn right"', page)) == 1

    def test_nothing_that_was_written_is_taken_for_a_tag(self, scene: Scene) -> None:
        chat = scene.chat(customer=EVIL)
        scene.said(chat, text=EVIL, name=EVIL)
        evil = f"{EVIL} <img src=x onerror=alert(1)> [a](javascript:alert(1)) ![b](http://x/y.png)"
        scene.replied(chat, evil, name=EVIL, cut=EVIL, model=EVIL,
                      citations=[{"passage": "p", "source": f'"{EVIL}', "title": EVIL, "number": 1}])  # fmt: skip
        for page in (html(scene.get(f"/{chat}")), html(scene.get())):
            assert EVIL not in page
            assert "<img" not in page
            assert 'href="javascript' not in page

    def test_a_price_of_a_cut_reply_is_what_was_written(self, scene: Scene) -> None:
        chat = scene.chat()
        price = {"rate": 2.0, "parts": {"message": 4, "persona": 10, "reply": 6}, "cut": True}
        scene.replied(chat, charged=12, price=price, cut="out_of_words")
        assert "12 words Reply 6 Rate of the model × 2 Charged 12" in text(scene.get(f"/{chat}"))

    def test_older_messages_come_on_demand(self, scene: Scene) -> None:
        chat = scene.chat()
        scene.said(chat, 120)
        page = html(scene.get(f"/{chat}"))
        assert numbers(page) == list(range(71, 121))
        older = html(scene.get(f"/{chat}/history?before=71"))
        assert numbers(older) == list(range(21, 71))
        assert "before=21" in older
        oldest = html(scene.get(f"/{chat}/history?before=21"))
        assert numbers(oldest) == list(range(1, 21))
        assert "before=" not in oldest

    def test_what_is_new_comes_after_a_number(self, scene: Scene) -> None:
        chat = scene.chat()
        scene.said(chat, 12)
        assert numbers(html(scene.get(f"/{chat}/messages?after=10"))) == [11, 12]
        assert numbers(html(scene.get(f"/{chat}/messages?after=12"))) == []

    def test_whoever_was_away_for_long_gets_it_whole(self, scene: Scene) -> None:
        chat = scene.chat()
        scene.said(chat, 80)
        page = html(scene.get(f"/{chat}/messages?after=10"))
        assert "data-talk" in page
        assert numbers(page) == list(range(31, 81))

    def test_the_number_of_questions_does_not_grow(self, scene: Scene) -> None:
        chat = scene.chat()
        scene.replied(chat)
        few = questions(scene, f"/{chat}")
        scene.said(chat, 40)
        scene.replied(chat)
        assert questions(scene, f"/{chat}") == few
        assert few <= 7


def numbers(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'data-number="(\d+)"', page)]


class TestSaying:
    def say(self, scene: Scene, chat: UUID, user: User | None = None, **form: str) -> HttpResponse:
        browser = scene.browser(user)
        return browser.post(f"{scene.at}/{chat}/messages?after=0", form, headers=SCRIPT)

    def test_as_the_customer_in_a_test_chat(self, scene: Scene) -> None:
        chat = scene.chat(channel=Chat.TEST, customer="")
        page = html(self.say(scene, chat, **{"text": "When do you open?", "as": "customer"}))
        assert "When do you open?" in page
        assert 'aria-busy="true"' in page
        assert "Alice" in page

    def test_the_same_form_twice_is_one_message(self, scene: Scene) -> None:
        chat = scene.chat(channel=Chat.TEST)
        for _ in range(2):
            page = html(self.say(scene, chat, **{"text": "Hello", "as": "customer", "key": "k1"}))
        assert numbers(page) == [1]

    def test_what_a_person_sends_twice_is_one_message_too(self, scene: Scene) -> None:
        chat = scene.chat()
        for _ in range(2):
            page = html(self.say(scene, chat, text="I am Alice.", key="k\0 1"))
        assert numbers(page) == [1]

    def test_as_oneself_the_employee_is_paused_and_resumed_by_the_button(self, scene: Scene) -> None:
        chat = scene.chat()
        page = html(self.say(scene, chat, scene.cast.bob, text="I am Bob."))
        assert "turn right person" in page
        assert "has taken over" in page
        resumed = scene.browser().delete(f"{scene.at}/{chat}/pause?after=1", headers=SCRIPT)
        assert "has taken over" not in html(resumed)
        paused = scene.browser().post(f"{scene.at}/{chat}/pause?after=1", headers=SCRIPT)
        assert "has taken over" in html(paused)

    def test_in_a_customers_chat_nobody_writes_as_the_customer(self, scene: Scene) -> None:
        chat = scene.chat()
        self.say(scene, chat, **{"text": "I am Alice.", "as": "customer"})
        with scene.cast.inside(scene.cast.acme):
            assert [message.author for message in Message.objects.filter(chat_id=chat)] == ["manager"]

    @pytest.mark.parametrize(
        ("written", "sentence"), [("  \n ", "Write a message first."), ("x" * 20_001, "at most")]
    )
    def test_what_cannot_be_said_is_refused_with_a_sentence(
        self, scene: Scene, written: str, sentence: str
    ) -> None:
        for at in (f"{scene.chat(channel=Chat.TEST)}", f"test/{scene.mara.id}"):
            response = scene.browser().post(
                f"{scene.at}/{at}/messages", {"text": written, "as": "customer"}, headers=SCRIPT
            )
            assert response.status_code == 422
            assert sentence in response.content.decode()

    def test_without_a_script_the_page_comes_again(self, scene: Scene) -> None:
        chat = scene.chat()
        response = scene.browser().post(f"{scene.at}/{chat}/messages", {"text": "Hello"})
        assert response.status_code == 302
        assert response["Location"] == f"{scene.at}/{chat}"


class TestNobodyAnswers:
    @pytest.fixture
    def chat(self, scene: Scene) -> UUID:
        return scene.chat(channel=Chat.TEST)

    def test_who_may_top_up_is_told_to(self, scene: Scene, chat: UUID) -> None:
        scene.spend_everything()
        scene.asked(chat, "Hello?")
        shown = text(scene.get(f"/{chat}"))
        assert "The words have run out The message is kept. Top up the balance, then ask again." in shown
        assert "Hello?" in shown

    def test_members_are_told_who_can(self, scene: Scene, chat: UUID) -> None:
        scene.spend_everything()
        scene.asked(chat, "Hello?")
        assert "Alice, the owner of Acme, or an admin can top up" in text(
            scene.get(f"/{chat}", scene.cast.bob)
        )

    def test_a_reply_that_ended_with_the_words_says_so(self, scene: Scene, chat: UUID) -> None:
        scene.replied(chat, "We open at", cut="out_of_words")
        assert "The words ran out here." in text(scene.get(f"/{chat}"))

    def test_an_employee_that_is_off(self, scene: Scene, chat: UUID) -> None:
        with scene.cast.inside(scene.cast.acme):
            roster.switch(Employee.objects.get(id=scene.mara.id), False, by="system")
        scene.asked(chat, "Hello?")
        assert "Mara is switched off" in text(scene.get(f"/{chat}"))

    def test_an_employee_that_is_gone(self, scene: Scene, chat: UUID) -> None:
        with scene.cast.inside(scene.cast.acme):
            roster.dismiss(
                Employee.objects.get(id=scene.mara.id),
                by=scene.cast.member(scene.cast.alice, scene.cast.acme),
            )
        scene.asked(chat, "Hello?")
        shown = text(scene.get(f"/{chat}"))
        assert "Mara does not work here any more" in shown
        assert "Pause" not in shown

    def test_a_failure_names_its_reason_and_may_be_asked_again(self, scene: Scene, chat: UUID) -> None:
        scene.asked(chat, "Hello?")
        with scene.cast.inside(scene.cast.acme):
            Turn.objects.filter(chat_id=chat).update(state="failed", failure="model_down", detail="503 <b>")
        page = html(scene.get(f"/{chat}"))
        assert "Mara could not answer" in page
        assert "503 &lt;b&gt;" in page
        again = scene.browser().post(f"{scene.at}/{chat}/reply?after=1", headers=SCRIPT)
        assert 'aria-busy="true"' in html(again)

    def test_while_a_person_has_taken_over_there_is_nothing_to_complain_about(
        self, scene: Scene, chat: UUID
    ) -> None:
        with scene.cast.inside(scene.cast.acme):
            takeovers.pause(chat, by=scene.cast.member(scene.cast.alice, scene.cast.acme))
        scene.asked(chat, "Hello?")
        page = html(scene.get(f"/{chat}"))
        assert "has taken over" in page
        assert (
            "alert-"
            not in page.partition("data-data-talk")[0].split('data-part="ending"')[1].split("</div>")[0]
        )


class TestThePanel:
    def test_it_begins_empty_and_goes_on_with_the_persons_last_test_chat(self, scene: Scene) -> None:
        at = f"{scene.at}/test/{scene.mara.id}"
        browser = scene.browser()
        assert "Try Mara out" in text(browser.get(at))
        page = html(browser.post(f"{at}/messages", {"text": "Hello", "as": "customer"}, headers=SCRIPT))
        assert "data-events" in page
        assert "Hello" in text(browser.get(at))
        assert "Try Mara out" in text(browser.get(f"{at}?new"))
        assert "Try Mara out" in text(scene.browser(scene.cast.bob).get(at))

    def test_looking_makes_no_chat(self, scene: Scene) -> None:
        scene.browser().get(f"{scene.at}/test/{scene.mara.id}")
        with scene.cast.inside(scene.cast.acme):
            assert not Chat.objects.exists()

    def test_the_greeting_is_shown_first(self, scene: Scene) -> None:
        with scene.cast.inside(scene.cast.acme):
            Employee.objects.filter(id=scene.mara.id).update(settings={"greeting": "Good day!"})
        assert "Good day!" in text(scene.browser().get(f"{scene.at}/test/{scene.mara.id}"))


class TestDeleting:
    def test_members_delete_what_they_created(self, scene: Scene) -> None:
        mine, other = scene.chat(by=scene.cast.bob), scene.chat()
        browser = scene.browser(scene.cast.bob)
        assert browser.post(f"{scene.at}/{other}/deletion").status_code == 403
        assert browser.post(f"{scene.at}/{mine}/deletion").status_code == 302
        assert browser.get(f"{scene.at}/{mine}").status_code == 404
        assert html(browser.get(scene.at)).count("/deletion") == 0

    def test_admins_delete_everything(self, scene: Scene) -> None:
        chat = scene.chat(by=scene.cast.bob)
        assert scene.browser(scene.cast.ann).post(f"{scene.at}/{chat}/deletion").status_code == 302


class TestTheWall:
    @pytest.fixture
    def addresses(self, scene: Scene) -> list[tuple[str, str]]:
        chat = scene.chat()
        reads = ["", "/messages", "/history"]
        deeds = ["/messages", "/reply", "/pause", "/deletion"]
        return [
            *(("get", f"/chats/{chat}{read}") for read in reads),
            *(("post", f"/chats/{chat}{deed}") for deed in deeds),
            ("delete", f"/chats/{chat}/pause"),
            ("get", f"/chats/test/{scene.mara.id}"),
            ("post", f"/chats/test/{scene.mara.id}/messages"),
        ]

    def test_a_chat_is_not_there_for_strangers_nor_from_another_context(
        self, scene: Scene, addresses: list[tuple[str, str]]
    ) -> None:
        scene.cast.rival  # noqa: B018 - founded here
        for user, prefix in (
            (scene.cast.sam, f"/o/{scene.cast.acme.slug}"),
            (scene.cast.sam, f"/o/{scene.cast.rival.slug}"),
            (scene.cast.finn, f"/o/{scene.cast.acme.slug}"),
            (scene.cast.alice, "/me"),
        ):
            browser = scene.cast.browser(user)
            answers = {
                f"{method} {path}": getattr(browser, method)(
                    prefix + path, {"text": "Hi"} if method == "post" else None
                ).status_code
                for method, path in addresses
            }
            assert set(answers.values()) == {404}, answers

    def test_a_test_chat_is_ones_own_in_the_panel(self, scene: Scene) -> None:
        scene.chat(by=scene.cast.bob, channel=Chat.TEST)
        assert "Try Mara out" in text(scene.browser().get(f"{scene.at}/test/{scene.mara.id}"))
