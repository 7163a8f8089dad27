"""Buying with a real browser: by the test gateway, by invoice, and on Stripe's page (a stand-in), both themes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from staffroom.billing import ledger
from staffroom.core.scope import workspace_scope
from tests import stripe_server
from tests.cast import Cast
from tests.product import free_port
from tests.site import chromium, site
from tests.stripe_server import KEY, SECRET, Stripe
from tests.test_face_in_browser import DESK, PHONE, faults_of, opened, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
PURCHASE = re.compile(r"/billing/purchases/[0-9a-f-]{36}")


@pytest.fixture(scope="module")
def cast() -> Cast:
    cast = Cast()
    cast.bob  # noqa: B018 - brings him on stage
    for workspace_id in (cast.acme.id, cast.member(cast.alice).workspace_id):
        with workspace_scope(workspace_id):
            for words in (300, 800, 450):
                turn = uuid4()
                ledger.reserve(turn, 1000, chat=uuid4(), user=cast.alice.id)
                ledger.settle(turn, words)
    return cast


@pytest.fixture(scope="module")
def stripe() -> Iterator[Stripe]:
    with stripe_server.running() as it:
        yield it


@pytest.fixture(scope="module")
def url(stripe: Stripe) -> Iterator[str]:
    settings = {"STRIPE_SECRET_KEY": KEY, "STRIPE_WEBHOOK_SECRET": SECRET, "STRIPE_API_BASE": stripe.url}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setitem(os.environ, name, value)
        port = free_port()
        patch.setitem(os.environ, "STAFFROOM_PUBLIC_URL", f"http://127.0.0.1:{port}")
        with site(port) as address:
            stripe.webhook = f"{address}/webhooks/stripe"
            yield address


@pytest.fixture(scope="module")
def browser(cast: Cast) -> Iterator[Browser]:
    """After the cast: Playwright's loop runs in this thread from here on, and Django's models refuse loops."""
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser, cast: Cast, url: str) -> Iterator[Page]:
    page = signed_in(opened(browser, url), cast.alice.email)
    yield page
    page.context.close()


@pytest.mark.parametrize(
    ("size", "theme"), [(DESK, "dark"), (PHONE, "light"), (PHONE, "dark")], ids=lambda one: str(one)
)
def test_pages_are_accessible_and_fit(
    browser: Browser, cast: Cast, url: str, size: tuple[int, int], theme: str
) -> None:
    page = signed_in(opened(browser, url, size, theme, bypass_csp=True), cast.alice.email)
    here = f"/o/{cast.acme.slug}/billing"
    pages = [here, f"{here}/spending?days=7", f"{here}/purchases", f"{here}/purchases/new?plan=pro",
             f"{here}/words/history", "/me/billing", "/me/billing/words/history"]  # fmt: skip
    faults = [fault for at in pages for fault in faults_of(page, at, size)]
    page.context.close()
    assert faults == []


def test_a_plan_by_the_test_gateway(page: Page, cast: Cast) -> None:
    page.goto(f"/o/{cast.acme.slug}/billing")
    page.get_by_role("link", name="Choose Starter").click()
    expect(page.get_by_text("Starter begins now")).to_be_visible()
    page.get_by_label("Test payment").check()
    page.get_by_role("button", name="Pay $100.00").click()
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.get_by_text("The words are on the balance.")).to_be_visible()
    page.get_by_role("link", name="Receipt").click()
    expect(page.get_by_role("heading", name="Receipt")).to_be_visible()
    page.goto(f"/o/{cast.acme.slug}/billing")
    expect(page.get_by_text("Starter runs until")).to_be_visible()
    expect(page.locator("#words-left")).to_contain_text("2,018,450")
    page.goto("/me/billing")
    expect(page.locator("#words-left")).to_contain_text("18,450")


def test_a_payment_that_fails_brings_nothing_and_can_be_begun_anew(page: Page, cast: Cast) -> None:
    page.goto("/me/billing")
    page.get_by_label("Or an amount of your own").fill("7.50")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="150,000 words")).to_be_visible()
    page.get_by_label("Test payment").check()
    page.get_by_role("button", name="Pay $7.50").click()
    page.get_by_role("button", name="Let it fail").click()
    expect(page.get_by_text("did not go through")).to_be_visible()
    page.get_by_role("link", name="Begin anew").click()
    expect(page.get_by_role("heading", name="150,000 words")).to_be_visible()


def test_an_amount_out_of_bounds_is_said_beside_the_field(page: Page) -> None:
    page.goto("/me/billing")
    page.get_by_label("Or an amount of your own").fill("3")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Between $5 and")).to_be_visible()
    expect(page.get_by_label("Or an amount of your own")).to_have_value("3")


def test_an_invoice_waits_for_the_operator(page: Page) -> None:
    page.goto("/me/billing/purchases/new?plan=business")
    page.get_by_label("Invoice").check()
    page.get_by_role("button", name="Pay $1,000.00").click()
    expect(page.get_by_text("Waiting for payment")).to_be_visible()
    page.get_by_role("link", name="Invoice").click()
    expect(page.get_by_text("Please transfer the amount to:")).to_be_visible()
    page.go_back()
    page.get_by_role("button", name="Cancel the purchase").click()
    expect(page.get_by_text("Cancelled").first).to_be_visible()


def test_on_the_page_of_stripe(page: Page, cast: Cast, stripe: Stripe) -> None:
    page.goto(f"/o/{cast.acme.slug}/billing/purchases/new?words=200000")
    page.get_by_label("Card").check()
    page.get_by_role("button", name="Pay $10.00").click()
    page.wait_for_url(f"{stripe.url}/pay/*")
    expect(page.get_by_role("heading", name="Pay 10.00 USD")).to_be_visible()
    page.get_by_role("button", name="Pay").click()
    page.wait_for_url(PURCHASE)
    expect(page.get_by_text("The words are on the balance.")).to_be_visible(timeout=15_000)


def test_coming_back_without_having_paid(page: Page, cast: Cast, stripe: Stripe) -> None:
    page.goto(f"/o/{cast.acme.slug}/billing/purchases/new?words=200000")
    page.get_by_label("Card").check()
    page.get_by_role("button", name="Pay $10.00").click()
    page.wait_for_url(f"{stripe.url}/pay/*")
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_url(PURCHASE)
    expect(page.get_by_text("Waiting for payment")).to_be_visible()
    expect(page.get_by_role("link", name="Continue to the payment")).to_be_visible()


def test_nothing_is_paid_when_stripe_is_down(page: Page, stripe: Stripe) -> None:
    stripe.down = True
    try:
        page.goto("/me/billing/purchases/new?words=200000")
        page.get_by_label("Card").check()
        page.get_by_role("button", name="Pay $10.00").click()
        expect(page.get_by_text("does not answer")).to_be_visible(timeout=15_000)
    finally:
        stripe.down = False
    page.get_by_role("button", name="Try again").click()
    page.wait_for_url(f"{stripe.url}/pay/*")


def test_a_member_sees_what_is_left_and_whom_to_ask(browser: Browser, cast: Cast, url: str) -> None:
    page = signed_in(opened(browser, url), cast.bob.email)
    page.goto(f"/o/{cast.acme.slug}/billing")
    expect(page.get_by_role("heading", name="Who can top up")).to_be_visible()
    expect(page.get_by_text("Choose Starter")).to_have_count(0)
    page.context.close()


def test_the_replies_of_a_day_stand_behind_its_row(page: Page) -> None:
    page.goto("/me/billing/words/history")
    page.locator("td a.name").first.click()
    expect(page.locator(".replies li")).to_have_count(3)
