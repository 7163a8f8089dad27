"""Deletion with a real browser: asked for, taken back, asked for again and meant; and a person's own account."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from staffroom.workspaces import deletion
from tests.cast import PASSWORD, Cast
from tests.eventually import eventually
from tests.owner import as_owner
from tests.site import chromium, site, worker
from tests.test_face_in_browser import DESK, PHONE, faults_of, opened, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def cast() -> Cast:
    cast = Cast()
    cast.bob, cast.rival  # noqa: B018 - brings them on stage
    return cast


@pytest.fixture(scope="module")
def closed(cast: Cast) -> str:
    """The page of an organization in its grace time."""
    place = cast.organization("Closed", cast.alice)
    with cast.inside(place):
        deletion.close(by=cast.member(cast.alice, place), confirm=place.slug or "")
    return f"/organizations/{place.id}/deletion"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with site() as address, worker():
        yield address


@pytest.fixture(scope="module")
def browser(cast: Cast, closed: str) -> Iterator[Browser]:
    """After the cast: Playwright's loop runs in this thread from here on, and Django's models refuse loops."""
    with chromium() as started:
        yield started


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_pages_are_accessible_and_fit(
    browser: Browser, cast: Cast, closed: str, url: str, theme: str, size: tuple[int, int]
) -> None:
    here = f"/o/{cast.acme.slug}/organization"
    pages = [f"{here}?tab=general", f"{here}/deletion", f"{here}/departure", closed, "/accounts/deletion"]
    page = signed_in(opened(browser, url, size, theme, bypass_csp=True), cast.alice.email)
    faults = [fault for at in pages for fault in faults_of(page, at, size)]
    page.context.close()
    page = signed_in(opened(browser, url, size, theme, bypass_csp=True), cast.bob.email)
    faults += faults_of(page, "/accounts/deletion", size)
    page.context.close()
    assert faults == []


def test_deleted_taken_back_and_deleted_for_good(browser: Browser, cast: Cast, url: str) -> None:
    page = signed_in(opened(browser, url), cast.sam.email)
    at = f"/o/{cast.rival.slug}"
    ask(page, at, cast.rival.slug or "")
    page.wait_for_url("**/organizations/*/deletion")
    assert page.goto(f"{at}/").status == 404  # type: ignore[union-attr]

    page.goto("/me/")
    page.locator("[data-switcher]").press("Enter")
    panel = page.get_by_role("dialog", name="Select organization")
    expect(panel.get_by_text("Being deleted, until")).to_be_visible()
    panel.get_by_role("button", name="Cancel deletion").click()
    page.wait_for_url(f"**{at}/")
    expect(page.get_by_text("is open again, as it was")).to_be_visible()

    ask(page, at, cast.rival.slug or "", now=True)
    page.wait_for_url("**/me/")
    expect(page.get_by_text("Rival is deleted.")).to_be_visible()
    page.locator("[data-switcher]").press("Enter")
    expect(panel.get_by_role("link", name="Create organization")).to_be_visible()
    expect(panel.get_by_text("Rival")).to_have_count(0)
    eventually(lambda: not as_owner("SELECT 1 FROM workspaces_slug WHERE slug = %s", cast.rival.slug), 30)


def ask(page: Page, at: str, slug: str, *, now: bool = False) -> None:
    """By keyboard alone."""
    page.goto(f"{at}/organization?tab=general")
    page.get_by_role("link", name="Delete organization").press("Enter")
    page.wait_for_url("**/organization/deletion")
    page.get_by_label("Address of the organization").focus()
    page.keyboard.type(slug)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    if now:
        page.get_by_label("Delete now").press("Space")
    page.get_by_role("button", name="Delete organization").press("Enter")


def test_the_only_way_out_of_an_account_leads_by_its_organizations(
    browser: Browser, cast: Cast, url: str
) -> None:
    page = signed_in(opened(browser, url), cast.alice.email)
    page.goto("/accounts/settings")
    page.get_by_role("link", name="Delete account").click()
    expect(page.get_by_role("link", name="Transfer Acme")).to_be_visible()
    expect(page.get_by_role("button", name="Delete account")).to_have_count(0)
    page.get_by_role("link", name="Delete Acme").click()
    page.wait_for_url("**/organization/deletion")


def test_an_account_is_deleted(browser: Browser, cast: Cast, url: str) -> None:
    page = signed_in(opened(browser, url), cast.bob.email)
    page.goto("/accounts/deletion")
    expect(page.get_by_text("You leave these organizations:")).to_contain_text("Acme")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Delete account").click()
    page.wait_for_url("**/accounts/login/**")
    expect(page.get_by_text("Your account is deleted.")).to_be_visible()
