"""The first day of a team, walked in two browsers at the running product."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from bench import stub
from tests.product import Product, running
from tests.site import chromium

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery staple"
HANDBOOK = """# Opening hours

The shop is open from Tuesday to Saturday, ten to seven. On public holidays it stays closed.

# Returns

A rented bicycle comes back by seven in the evening. Every further hour costs four euros.
"""
SHOTS = os.environ.get("STAFFROOM_SHOTS")  # a folder: the walk leaves pictures of its pages there


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    with (
        stub.running() as model,
        running(OPENAI_BASE_URL=model, OPENAI_API_KEY="k", STAFFROOM_MODEL="openai:paced-60-10") as it,
    ):
        yield it


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


class Visitor:
    """A person with a browser of their own, who looks at every page in both themes."""

    def __init__(self, browser: Browser, product: Product, email: str, name: str) -> None:
        self.product, self.email, self.name = product, email, name
        self.context = browser.new_context(base_url=product.url, viewport={"width": 1280, "height": 860})
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._said)

    def _said(self, message: object) -> None:
        if "Content Security Policy" in str(getattr(message, "text", "")):
            self.complaints.append(str(message))

    def look(self, title: str) -> None:
        """No serious violation in either theme; a picture when asked for."""
        for theme in ("light", "dark"):
            self.page.emulate_media(color_scheme=theme)
            self.page.wait_for_timeout(350)  # colours fade
            found = Axe().run(self.page)["violations"]
            serious = [
                f"{v['id']}: {v['nodes'][0]['html'][:160]}"
                for v in found
                if v["impact"] in ("serious", "critical")
            ]
            assert not serious, f"{title} ({theme}): {serious}"
            if SHOTS:
                self.shoot(f"{title}-{theme}")
        self.page.emulate_media(color_scheme="light")
        assert not self.complaints, self.complaints

    def shoot(self, name: str) -> None:
        for width in (1280, 390):
            self.page.set_viewport_size({"width": width, "height": 860})
            self.page.wait_for_timeout(150)
            self.page.screenshot(path=Path(str(SHOTS)) / f"{name}-{width}.png")
        self.page.set_viewport_size({"width": 1280, "height": 860})

    def sign_up(self) -> None:
        self.page.goto("/accounts/signup/")
        self.look("sign-up")
        self.page.get_by_label("Your name").fill(self.name)
        self.page.get_by_label("E-mail").fill(self.email)
        self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        self.page.get_by_role("button", name="Create account").click()
        self.page.wait_for_url("**/confirm-email/")
        self.look("verify")

    def balance(self, context: str) -> int:
        """Words left, as the API tells this browser's session."""
        answer = self.page.request.get(f"/api/v1/{context}/balance")
        assert answer.ok, answer.status
        assert answer.json()["reserved"] == 0
        return int(answer.json()["words_left"])


def mailed_link(product: Product, to: str, holds: str) -> str:
    """The link in the newest letter to somebody; read as the mail program would, from the folder of mails."""
    from email import message_from_bytes, policy

    for file in sorted((product.home / "mail").glob("*.eml"), reverse=True):
        letter = message_from_bytes(file.read_bytes(), policy=policy.default)
        body = letter.get_body(("plain",))
        assert body is not None
        found = re.search(rf"http\S+{holds}\S+", body.get_content())
        if to in str(letter["To"]) and found:
            return found[0]
    raise AssertionError(f"no letter to {to}")


def test_the_first_day_of_a_team(product: Product, browser: Browser) -> None:
    alice = Visitor(browser, product, "alice@example.com", "Alice Archer")
    bob = Visitor(browser, product, "bob@example.com", "Bob Baker")
    page = alice.page

    alice.sign_up()
    page.goto(mailed_link(product, alice.email, "confirm-email"))
    alice.look("confirm")
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/me/")
    alice.look("personal-home")
    alices = alice.balance("me")

    page.get_by_role("button", name=re.compile("Personal account")).click()
    page.get_by_role("link", name="Create organization").click()
    page.get_by_label("Name").fill("Acme")
    expect(page.locator("#slug-check")).to_contain_text("/o/acme", timeout=10_000)
    alice.look("create-organization")
    page.get_by_role("button", name="Create organization").click()
    page.wait_for_url("**/o/acme/")
    alice.look("home")

    page.goto("/o/acme/organization?tab=members")
    page.get_by_label("E-mail").fill(bob.email)
    page.get_by_role("button", name="Invite").click()
    expect(page.get_by_text("No mail server is set up here").first).to_be_visible()
    alice.look("members")

    link = mailed_link(product, bob.email, "/invitations/")
    bob.page.goto(link)
    bob.look("invitation")
    bob.page.get_by_role("button", name="Create an account and join").click()
    expect(bob.page.get_by_label("E-mail")).to_have_value(bob.email)
    bob.page.get_by_label("Your name").fill(bob.name)
    bob.page.get_by_label("Password", exact=True).fill(PASSWORD)
    bob.page.get_by_role("button", name=re.compile("Create account")).click()
    bob.page.wait_for_url("**/o/acme/**")
    bob.page.goto("/o/acme/organization?tab=members")
    expect(bob.page.get_by_text("Failed to load invitations.")).to_be_visible()
    bob.look("members-of-a-member")
    bobs = bob.balance("me")

    page.goto("/o/acme/knowledge")
    alice.look("knowledge-empty")
    page.goto("/o/acme/knowledge/new")
    page.get_by_label("Title").fill("Handbook")
    page.get_by_label("Text").fill(HANDBOOK)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", name="Handbook")).to_be_visible()
    alice.look("knowledge")

    page.goto("/o/acme/employees")
    alice.look("employees-empty")
    page.goto("/o/acme/employees/new")
    alice.look("hire")
    page.get_by_label("Name", exact=True).fill("Mira")
    page.get_by_role("button", name="Hire").click()
    page.wait_for_url(re.compile(r"/o/acme/employees/[0-9a-f-]{36}"))
    with page.expect_response(re.compile("/knowledge$")):
        page.get_by_label("Handbook").check()
    words = alice.balance("o/acme")

    message = page.get_by_role("textbox", name="Message", exact=True)
    message.fill("When is the shop open?")
    message.press("Enter")
    reply = page.locator("[data-turn], .turn").filter(has_text=stub.text(60)[:40]).last
    expect(reply).to_be_visible(timeout=20_000)
    expect(page.get_by_text(stub.text(60)).last).to_be_visible(timeout=20_000)
    expect(page.locator(".citations, [data-citations]").last).to_contain_text("Handbook", timeout=20_000)
    alice.look("employee")

    spent = words - alice.balance("o/acme")
    assert spent > 60
    expect(page.get_by_text(re.compile(rf"\b{spent:,} words")).first).to_be_visible()
    assert alice.balance("me") == alices
    assert bob.balance("me") == bobs

    page.goto("/o/acme/chats")
    alice.look("chats")
    page.locator("#inbox a").first.click()
    expect(page.get_by_text(stub.text(60)).last).to_be_visible()
    alice.look("chat")

    sam = Visitor(browser, product, "sam@example.com", "Sam Stranger")
    product.person(sam.email, sam.name)
    sam.page.goto("/accounts/login/")
    sam.page.get_by_label("E-mail").fill(sam.email)
    sam.page.get_by_label("Password", exact=True).fill(PASSWORD)
    sam.page.get_by_role("button", name="Sign in").click()
    sam.page.wait_for_url("**/me/")
    for address in (
        "",
        "chats",
        "employees",
        "employees/new",
        "knowledge",
        "organization?tab=members",
        "contexts",
    ):
        answer = sam.page.goto(f"/o/acme/{address}")
        assert answer is not None
        assert answer.status == 404, address
    sam.look("not-found")
    assert product.command("ledger", "check", "--all")
