"""Promoting, handing over, leaving, and the open tab of somebody who was removed, with a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.cast import PASSWORD, Cast
from tests.site import chromium, site
from tests.test_face_in_browser import DESK, PHONE, faults_of, opened, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def cast() -> Cast:
    cast = Cast()
    cast.ann, cast.bob, cast.finn  # noqa: B018 - brings them on stage
    cast.joined(cast.person("zoe"), "member")
    return cast


@pytest.fixture(scope="module")
def ids(cast: Cast) -> dict[str, str]:
    return {name: str(getattr(cast, name).id) for name in ("alice", "ann", "bob")}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with site() as address:
        yield address


@pytest.fixture(scope="module")
def browser(cast: Cast, ids: dict[str, str]) -> Iterator[Browser]:
    """After the cast: Playwright's loop runs in this thread from here on, and Django's models refuse loops."""
    with chromium() as started:
        yield started


@pytest.mark.parametrize(("size", "theme"), [(DESK, "light"), (PHONE, "dark")], ids=["desk", "phone"])
def test_pages_are_accessible_and_fit(
    browser: Browser, cast: Cast, ids: dict[str, str], url: str, theme: str, size: tuple[int, int]
) -> None:
    here, page = f"/o/{cast.acme.slug}/organization", opened(browser, url, size, theme, bypass_csp=True)
    signed_in(page, cast.alice.email)
    bob = f"{here}/members/{ids['bob']}"
    pages = [f"{here}?tab=members", f"{bob}/role", f"{bob}/removal", f"{here}/departure",
             f"{here}/ownership?to={ids['ann']}", f"{here}/audit"]  # fmt: skip
    faults = [fault for at in pages for fault in faults_of(page, at, size)]
    page.context.close()
    assert faults == []


def menu(page: Page, name: str, deed: str) -> None:
    """By keyboard alone."""
    page.get_by_label(f"More for {name}").press("Enter")
    page.keyboard.press("ArrowDown")
    page.get_by_role("link", name=deed).press("Enter")


def test_the_life_of_an_organizations_people(browser: Browser, cast: Cast, url: str) -> None:
    here = f"/o/{cast.acme.slug}/organization?tab=members"
    alice, bob, zoe = (opened(browser, url) for _ in range(3))
    for page, email in (
        (alice, cast.alice.email),
        (bob, cast.bob.email),
        (zoe, f"zoe-{cast.mark}@example.com"),
    ):
        signed_in(page, email)
        page.goto(here)

    menu(alice, "Bob", "Change role")
    alice.get_by_label("Admin").check()
    alice.get_by_role("button", name="Save").click()
    expect(alice.get_by_text("The role of Bob is saved.")).to_be_visible()

    bob.reload()
    menu(bob, "Zoe", "Remove")
    expect(bob.get_by_text("Access ends with the next request")).to_be_visible()
    bob.get_by_role("button", name="Remove").click()
    expect(bob.get_by_text("Zoe is no longer a member.")).to_be_visible()
    bob.get_by_role("link", name="Audit log").click()
    expect(bob.get_by_role("cell", name="Member removed")).to_be_visible()
    bob.get_by_role("button", name="Verify the chain").click()
    expect(bob.get_by_text("2 entries checked.")).to_be_visible()
    with bob.expect_download() as table:
        bob.get_by_role("link", name="CSV").click()
    assert table.value.suggested_filename == f"audit-{cast.acme.slug}.csv"
    assert table.value.path().read_text().count("\n") == 3
    zoe.get_by_role("link", name="General").click()
    expect(zoe.get_by_role("heading", name="There is nothing here")).to_be_visible()

    alice.get_by_role("main").get_by_role("link", name="Leave organization").last.click()
    alice.get_by_role("link", name="Choose the new owner").click()
    menu(alice, "Bob", "Make owner")
    alice.get_by_label("Leave Acme in the same step").check()
    alice.get_by_label("Your password").fill("not this one")
    alice.get_by_role("button", name="Transfer ownership").click()
    expect(alice.get_by_text("That is not your password.")).to_be_visible()
    expect(alice.get_by_label("Leave Acme in the same step")).to_be_checked()
    alice.get_by_label("Leave Acme in the same step").uncheck()
    alice.get_by_label("Your password").fill(PASSWORD)
    alice.get_by_role("button", name="Transfer ownership").click()
    expect(alice.get_by_text("Bob owns Acme now. You are an admin of it.")).to_be_visible()

    alice.get_by_role("main").get_by_role("link", name="Leave organization").last.click()
    alice.get_by_role("button", name="Leave organization").click()
    alice.wait_for_url("**/me/")
    expect(alice.get_by_text("You have left Acme.")).to_be_visible()
