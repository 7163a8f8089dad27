"""The conversation with a real browser, worker and model server: nothing is lost, nothing is shown twice."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import pytest
from axe_core_python.sync_playwright import Axe
from django.db import connection
from playwright.sync_api import Browser, BrowserContext, Page, expect

from bench import stub
from staffroom.billing import queries as billing
from staffroom.chats import arrivals, conversations, takeovers
from staffroom.core.scope import workspace_scope
from staffroom.employees import links, roster
from staffroom.employees.models import Employee
from staffroom.knowledge import sources
from tests.cast import PASSWORD, Cast
from tests.site import chromium, site, worker

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PHONE, DESK = (390, 844), (1280, 860)
TOKENS = 60
RULES = "# Returns\n\nYou may send an item back within 30 days of delivery.\n\n# Hours\n\nWe open at ten."
Made = TypeVar("Made")


@dataclass
class World:
    url: str
    cast: Cast
    browser: Browser
    states: dict[str, Any]

    def make(self, what: Callable[[], Made]) -> Made:
        """In Acme, in a thread of its own: Playwright's loop runs in this one, and Django's models refuse loops."""

        def inside() -> Made:
            with workspace_scope(self.cast.acme.id):
                return what()

        return self.make_outside(inside)

    def employee(self, model: str, name: str = "Otto") -> Employee:
        """`model`: what the stub does, or extract."""

        def hire() -> Employee:
            employee = roster.hire(name, by="system")
            employee.model = model if model == "extract" else f"openai:{model}"
            employee.save(update_fields=["model"])
            if model == "extract":
                source = sources.add("House rules", RULES, by="system")
                links.link(employee, source, by="system")
            return employee

        return self.make(hire)

    def chat(self, model: str, *said: str, channel: str = "test", name: str = "Otto") -> str:
        """The address of a new chat of Alice's; `said` waits unanswered before anybody looks."""
        employee = self.employee(model, name)
        alice = self.make_outside(lambda: self.cast.member(self.cast.alice, self.cast.acme))

        def start() -> str:
            chat = conversations.start(employee.id, by=alice, channel=channel, customer_name="Émile")
            for text in said:
                arrivals.receive(chat.id, text, by=alice)
            return f"/o/{self.cast.acme.slug}/chats/{chat.id}"

        return self.make(start)

    def make_outside(self, what: Callable[[], Made]) -> Made:
        def made() -> Made:
            try:
                return what()
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(made).result()

    def words_left(self) -> int:
        return self.make(lambda: billing.balance().words_left)

    def open(
        self, at: str, who: str = "alice", size: tuple[int, int] = DESK, theme: str = "light", **more: Any
    ) -> Page:
        context = self.context(who, size, theme, **more)
        page = context.new_page()
        page.goto(at)
        return page

    def context(
        self, who: str, size: tuple[int, int] = DESK, theme: str = "light", **more: Any
    ) -> BrowserContext:
        viewport = {"width": size[0], "height": size[1]}
        return self.browser.new_context(
            base_url=self.url,
            viewport=viewport,
            color_scheme=theme,
            storage_state=self.states[who],
            **more,
        )


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    cast = Cast()
    people = {"alice": cast.alice.email, "bob": cast.bob.email}
    with stub.running(tokens=TOKENS, interval=30, first=100) as model:
        os.environ |= {"OPENAI_BASE_URL": model, "OPENAI_API_KEY": "stub"}
        try:
            with site() as url, worker(), chromium() as browser:
                states = {name: signed_in(browser, url, email) for name, email in people.items()}
                yield World(url, cast, browser, states)
        finally:
            del os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]


def signed_in(browser: Browser, url: str, email: str) -> Any:
    context = browser.new_context(base_url=url)
    page = context.new_page()
    page.goto("/accounts/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda at: "/login" not in at)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture(autouse=True)
def closed(world: World) -> Iterator[None]:
    yield
    for context in world.browser.contexts:
        context.close()


def say(page: Page, text: str) -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_label("Message", exact=True).press("Enter")


def streaming(page: Page, words: int = 3) -> None:
    """Wait until so many words of a reply in the making are shown."""
    page.wait_for_function(
        "n => document.querySelector('[data-turn]')?.textContent.split(' ').length > n", arg=words
    )


def replies(page: Page) -> list[str]:
    return [
        " ".join(text.split())
        for text in page.locator("[data-log] .turn.right [data-text]").all_inner_texts()
    ]


def whole(page: Page, count: int = 1, tokens: int = TOKENS) -> None:
    """So many replies, each exactly once and exactly what the model said."""
    bubbles = page.locator("[data-log] .turn.right:not(.person) [data-text]")
    expect(bubbles).to_have_count(count, timeout=20_000)
    assert replies(page) == [" ".join(stub.text(tokens).split())] * count
    expect(page.locator("[data-turn]")).to_have_count(0)


class TestStreaming:
    def test_a_reply_streams_and_is_charged_in_front_of_everybody(self, world: World) -> None:
        page = world.open(world.chat("paced-60-30-100"))
        before = world.words_left()
        say(page, "Who are you?")
        expect(page.get_by_label("Message", exact=True)).to_have_value("")
        streaming(page)
        whole(page)
        shown = int(page.locator(".price > summary").inner_text().split()[0].replace(",", ""))
        assert world.words_left() == before - shown
        expect(page.locator("#words-left b")).to_have_text(f"{before - shown:,}")
        page.locator(".price > summary").click()
        expect(page.get_by_text("Charged")).to_be_visible()

    def test_reloaded_in_the_middle_it_is_whole(self, world: World) -> None:
        page = world.open(world.chat("paced-60-30-100"))
        say(page, "Who are you?")
        streaming(page, 5)
        page.reload()
        streaming(page, 8)
        page.reload()
        whole(page)

    def test_a_second_tab_shows_the_same(self, world: World) -> None:
        page = world.open(world.chat("paced-60-30-100"))
        say(page, "Who are you?")
        streaming(page, 5)
        second = page.context.new_page()
        second.goto(page.url)
        streaming(second, 8)
        whole(second)
        whole(page)

    def test_the_network_may_go_and_come(self, world: World) -> None:
        page = world.open(world.chat("paced-60-50-100"))
        say(page, "Who are you?")
        streaming(page, 5)
        page.context.set_offline(True)
        page.wait_for_timeout(700)
        page.context.set_offline(False)
        whole(page)

    def test_what_is_sent_without_a_network_stays_in_the_box_and_is_said_once(self, world: World) -> None:
        page = world.open(world.chat("paced-60-10-0"))
        page.context.set_offline(True)
        say(page, "Can you hear me?")
        expect(page.get_by_text("could not be sent")).to_be_visible()
        expect(page.get_by_label("Message", exact=True)).to_have_value("Can you hear me?")
        page.context.set_offline(False)
        page.get_by_role("button", name="Send").click()
        whole(page)
        expect(page.locator("[data-log] .turn:not(.right)")).to_have_count(1)

    def test_a_message_during_a_reply_waits_its_turn(self, world: World) -> None:
        page = world.open(world.chat("paced-60-20-100"))
        say(page, "First")
        streaming(page)
        say(page, "Second")
        whole(page, 2)
        numbers = page.locator("[data-log] [data-number]").evaluate_all(
            "all => all.map(one => one.dataset.number)"
        )
        assert numbers == ["1", "2", "3", "4"]

    def test_somebody_else_sees_it_live(self, world: World) -> None:
        at = world.chat("paced-60-30-100")
        page, bobs = world.open(at), world.open(at, "bob")
        say(page, "Who are you?")
        streaming(bobs)
        whole(bobs)

    def test_shift_and_enter_begin_a_line(self, world: World) -> None:
        page = world.open(world.chat("paced-60-10-0"))
        box = page.get_by_label("Message", exact=True)
        box.fill("one")
        box.press("Shift+Enter")
        box.type("two")
        expect(box).to_have_value("one\ntwo")

    def test_reading_above_is_not_disturbed(self, world: World) -> None:
        page = world.open(world.chat("paced-200-15-100"), size=PHONE)
        say(page, "A long question.\n" * 40)
        streaming(page)
        pane = page.locator("[data-scroll]")
        pane.evaluate("pane => { pane.scrollTop = 0 }")
        expect(page.get_by_role("button", name="Jump to latest")).to_be_visible()
        whole(page, tokens=200)
        assert pane.evaluate("pane => pane.scrollTop") == 0
        page.get_by_role("button", name="Jump to latest").click()
        expect(page.get_by_role("button", name="Jump to latest")).to_be_hidden()


class TestNobodyAnswers:
    def test_a_model_that_is_down_says_so_and_is_asked_again(self, world: World) -> None:
        page = world.open(world.chat("down"))
        say(page, "Hello?")
        expect(page.get_by_text("Otto could not answer")).to_be_visible(timeout=15_000)
        expect(page.get_by_text("Hello?")).to_be_visible()
        page.get_by_role("button", name="Ask again").click()
        expect(page.locator("[data-turn]")).to_be_visible()
        expect(page.get_by_text("Otto could not answer")).to_be_visible(timeout=15_000)

    def test_a_reply_that_was_cut_says_so(self, world: World) -> None:
        page = world.open(world.chat("cut-12"))
        say(page, "Hello?")
        expect(page.locator("[data-log] .turn.failed")).to_be_visible(timeout=15_000)
        assert replies(page) == [" ".join(stub.text(12).split())]

    def test_taking_over_withdraws_the_reply(self, world: World) -> None:
        at = world.chat("paced-200-50-100")
        page, bobs = world.open(at), world.open(at, "bob")
        say(page, "Who are you?")
        streaming(bobs)
        bobs.get_by_label("As yourself").check()
        say(bobs, "I am Bob.")
        for one in (page, bobs):
            expect(one.locator("[data-log] .turn.person")).to_have_text(re.compile("I am Bob."))
            expect(one.locator("[data-turn]")).to_have_count(0)
            expect(one.locator("[data-part=state]")).to_contain_text(
                "Bob has taken over; Otto is paused until"
            )
        bobs.get_by_role("button", name="Resume").click()
        for one in (page, bobs):
            expect(one.locator("[data-part=state]")).to_be_empty()
            expect(one.get_by_role("button", name="Pause Otto")).to_be_visible()


class TestThePanel:
    def test_a_test_chat_beside_the_persona(self, world: World) -> None:
        employee = world.employee("extract", "Mara")
        page = world.open(f"/o/{world.cast.acme.slug}/employees/{employee.id}")
        say(page, "Can I send an item back?")
        panel = page.locator("[data-talk]")
        expect(panel.locator("[data-log] .turn.right")).to_contain_text("within 30 days", timeout=15_000)
        expect(panel.get_by_role("link", name="House rules")).to_be_visible()
        page.reload()
        expect(panel.locator("[data-log] .turn")).to_have_count(2)
        panel.get_by_role("button", name="New test chat").click()
        expect(panel.get_by_text("Try Mara out")).to_be_visible()
        say(page, "When do you open?")
        expect(panel.locator("[data-log] .turn.right")).to_contain_text("We open at ten", timeout=15_000)
        expect(panel.locator("[data-log] .turn")).to_have_count(2)

    def test_a_reply_streams_there_too(self, world: World) -> None:
        employee = world.employee("paced-60-30-100")
        page = world.open(f"/o/{world.cast.acme.slug}/employees/{employee.id}")
        say(page, "Who are you?")
        streaming(page)
        whole(page)
        say(page, "And now?")
        whole(page, 2)


class TestTheInbox:
    def test_filter_and_delete_with_a_question_first(self, world: World) -> None:
        at = world.chat("paced-60-10-0", "Hello", name="Zoe")
        page = world.open(f"/o/{world.cast.acme.slug}/chats")
        page.get_by_label("Show chats of").select_option(label="Zoe")
        expect(page.locator(".inbox-row")).to_have_count(1)
        assert "employee=" in page.url
        page.get_by_label("More for Émile").click()
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog", name="Delete this chat?").get_by_role("button", name="Delete").click()
        expect(page.get_by_text("The chat is deleted.")).to_be_visible()
        assert page.goto(at).status == 404


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_pages_are_accessible_and_fit(world: World, size: tuple[int, int], theme: str) -> None:
    quiet = world.chat("extract", "Can I send an item back?", channel="api", name="Mara")
    down, off = world.chat("down", "Hello?"), world.chat("extract", channel="api")
    ann = world.make_outside(lambda: world.cast.member(world.cast.ann, world.cast.acme))
    world.make(lambda: takeovers.write(UUID(off.rpartition("/")[2]), "I am **here**.", by=ann))
    page = world.open(quiet, size=size, theme=theme, bypass_csp=True)
    page.locator(".price > summary").click(timeout=15_000)
    faults = faults_of(page, size)
    page.goto(down)
    page.get_by_role("button", name="Ask again").wait_for(timeout=15_000)
    faults += faults_of(page, size)
    for at in (off, f"/o/{world.cast.acme.slug}/chats"):
        page.goto(at)
        faults += faults_of(page, size)
    assert faults == []


def faults_of(page: Page, size: tuple[int, int]) -> list[str]:
    faults = [f"{page.url}: {one['id']} {one['nodes'][0]['target']}" for one in Axe().run(page)["violations"]]
    if page.evaluate("document.documentElement.scrollWidth") > size[0]:
        faults.append(f"{page.url}: wider than the screen")
    return faults
