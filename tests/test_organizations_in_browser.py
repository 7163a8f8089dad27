"""Organizations with a real browser: founding, inviting, joining, changing places."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from staffroom.core import mailbox
from staffroom.workspaces import invitations
from tests.cast import PASSWORD, Cast
from tests.site import chromium, site
from tests.test_face_in_browser import DESK, PHONE, faults_of, opened, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def cast() -> Cast:
    cast = Cast()
    cast.bob, cast.rival  # noqa: B018 - brings them on stage
    return cast


@pytest.fixture(scope="module")
def links(cast: Cast) -> dict[str, str]:
    """One to somebody without an account, one to Alice."""
    made = {}
    for name, owner, shop, address in [
        ("new", cast.alice, cast.acme, f"new-{cast.mark}@example.com"),
        ("alice", cast.sam, cast.rival, cast.alice.email),
    ]:
        with cast.inside(shop):
            _, token = invitations.invite(email=address, role="member", by=cast.member(owner, shop))
        made[name] = f"/invitations/{token}"
    return made


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with site() as address:
        yield address


@pytest.fixture(scope="module")
def browser(cast: Cast, links: dict[str, str]) -> Iterator[Browser]:
    """After the cast: Playwright's loop runs in this thread from here on, and Django's models refuse loops."""
    with chromium() as started:
        yield started


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_pages_are_accessible_and_fit(
    browser: Browser, cast: Cast, links: dict[str, str], url: str, theme: str, size: tuple[int, int]
) -> None:
    here = f"/o/{cast.acme.slug}"
    page = opened(browser, url, size, theme, bypass_csp=True)
    faults = [fault for at in (links["new"], "/invitations/nothing") for fault in faults_of(page, at, size)]
    signed_in(page, cast.alice.email)
    pages = [f"{here}/", "/me/", f"{here}/organization?tab=general", f"{here}/organization?tab=members",
             "/organizations/new", links["new"], links["alice"]]  # fmt: skip
    faults += [fault for at in pages for fault in faults_of(page, at, size)]
    page.context.close()
    assert faults == []


def test_founding_inviting_and_joining(browser: Browser, cast: Cast, url: str) -> None:
    alice, zoe = opened(browser, url), opened(browser, url)
    address = f"zoe-{cast.mark}@example.com"
    signed_in(alice, cast.alice.email)
    found(alice, f"Harbour {cast.mark}")
    alice.get_by_role("link", name="Invite a colleague").click()
    alice.get_by_label("E-mail").fill(address)
    alice.get_by_role("button", name="Invite", exact=True).click()
    expect(alice.get_by_label("Link of the invitation")).to_have_value(re.compile(r"/invitations/[\w-]{43}$"))
    zoe.goto(mailed(address))
    zoe.get_by_role("button", name="Create an account and join").click()
    expect(zoe.get_by_label("E-mail")).to_have_value(address)
    expect(zoe.get_by_label("E-mail")).to_be_disabled()
    zoe.get_by_label("Your name").fill("Zoe")
    zoe.get_by_label("Password", exact=True).fill(PASSWORD)
    zoe.get_by_role("button", name="Create account").click()
    zoe.wait_for_url(f"**/o/harbour-{cast.mark}/")
    alice.reload()
    expect(alice.get_by_role("cell", name=re.compile("Zoe"))).to_be_visible()


def found(page: Page, name: str) -> None:
    page.goto("/organizations/new")
    page.get_by_label("Address").fill("billing")
    expect(page.get_by_text("is reserved for the program itself")).to_be_visible()
    page.get_by_label("Address").fill("")
    page.get_by_label("Name").fill(name)
    expect(page.get_by_text("The address will be")).to_be_visible()
    page.get_by_role("button", name="Create organization").click()
    page.wait_for_url("**/o/harbour-*/")


def mailed(address: str) -> str:
    letter = next(letter for letter in mailbox.letters() if letter.to == address)
    return re.search(r"/invitations/\S+", letter.text)[0]  # type: ignore[index]


def test_the_forms_of_a_page_without_referrer_are_taken(
    browser: Browser, cast: Cast, links: dict[str, str], url: str
) -> None:
    """Such a page posts with `Origin: null`, which Django's own check would refuse."""
    page = opened(browser, url)
    signed_in(page, cast.alice.email)
    page.goto(links["alice"])
    page.get_by_role("button", name="Accept").click()
    page.wait_for_url(f"**/o/{cast.rival.slug}/")


def test_the_switcher_keeps_the_section(browser: Browser, cast: Cast, url: str) -> None:
    page = opened(browser, url)
    signed_in(page, cast.alice.email)
    page.goto(f"/o/{cast.acme.slug}/organization?tab=members")
    page.locator("[data-switcher]").press("Enter")
    panel = page.get_by_role("dialog", name="Select organization")
    expect(panel.get_by_role("link", name="Acme")).to_have_attribute("aria-current", "true")
    panel.get_by_role("link", name=f"Harbour {cast.mark}").click()
    page.wait_for_url(f"**/o/harbour-{cast.mark}/organization?tab=members")
    expect(page.get_by_text(cast.bob.email)).to_have_count(0)
