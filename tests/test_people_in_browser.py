"""Promoting, handing over, leaving, and the open tab of somebody who was removed, with a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from staffroom.accounts import people
from staffroom.workspaces import invitations
from staffroom.workspaces.tests.races import passer_by
from tests.cast import PASSWORD, Cast
from tests.site import chromium, site
from tests.test_face_in_browser import DESK, PHONE, faults_here, faults_of, opened, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def cast() -> Cast:
    cast = Cast()
    cast.ann, cast.bob, cast.finn  # noqa: B018 - brings them on stage
    cast.joined(cast.person("zoe"), "member")
    crowd(cast)
    return cast


def crowd(cast: Cast) -> None:
    """More than a page of members, one with a name that cannot be broken, and invitations in every state."""
    guild = cast.organization("Guild", cast.alice)
    cast.joined(cast.bob, "member", workspace=guild)
    for number in range(60):
        cast.joined(passer_by(f"n{number:02}"), "member", workspace=guild)
    long = people.add(f"{'long' * 15}@{'x' * 60}.example", name="Name" * 30, password=None, verified=True)  # type: ignore[arg-type]
    cast.joined(long, "admin", workspace=guild)
    by = cast.member(cast.alice, guild)
    with cast.inside(guild):
        for address in (f"{'y' * 60}@{'z' * 60}.example", "b@example.com", "c@example.com"):
            made, _token = invitations.invite(email=address, role="member", by=by)
        invitations.revoke(made.id, by=by)
    cast.guild = guild  # type: ignore[attr-defined]


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
def test_lists_are_accessible_and_fit(
    browser: Browser, cast: Cast, url: str, theme: str, size: tuple[int, int]
) -> None:
    here, page = f"/o/{cast.guild.slug}/organization", opened(browser, url, size, theme, bypass_csp=True)  # type: ignore[attr-defined]
    faults = faults_of(page, "/help/roles", size)
    signed_in(page, cast.alice.email)
    pages = [f"{here}?tab=members", f"{here}?tab=members&q=name&sort=-name", f"{here}?tab=members&q=nobody&find=x",
             f"{here}?tab=members&state=revoked", f"{here}/invitations/bulk", f"{here}/audit?q=example&from=2026-01-01",
             f"{here}/audit?q=nothing", f"{here}?tab=general"]  # fmt: skip
    faults += [fault for at in pages for fault in faults_of(page, at, size)]
    page.goto(f"{here}/invitations/bulk")
    page.get_by_label("E-mail addresses").fill(f"ok@example.com\n{'bad' * 60}\n{'w' * 50}@{'x' * 60}.example")
    page.get_by_role("button", name="Invite all").click()
    expect(page.get_by_role("heading", name="1 line refused")).to_be_visible()
    faults += faults_here(page, "results", size)
    page.context.close()
    assert faults == []


def test_a_search_while_typing_keeps_the_focus_and_the_address(
    browser: Browser, cast: Cast, url: str
) -> None:
    page = signed_in(opened(browser, url), cast.alice.email)
    page.goto(f"/o/{cast.guild.slug}/organization?tab=members")  # type: ignore[attr-defined]
    field = page.get_by_label("Find a member")
    field.press_sequentially("N5")
    expect(page.locator("#members-list tbody tr")).to_have_count(10)
    expect(field).to_be_focused()
    assert "q=N5" in page.url
    field.press_sequentially("7")
    expect(page.locator("#members-list tbody tr")).to_have_count(1)
    page.reload()
    expect(field).to_have_value("N57")
    field.fill("")
    expect(page.locator("#members-list tbody tr")).to_have_count(50)
    page.get_by_label("Order").select_option("name")
    expect(page.locator("#members-list th").first).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("link", name="Next", exact=True).press("Enter")
    expect(page.get_by_role("link", name="Previous")).to_be_visible()
    page.context.close()


def test_the_same_without_a_script(browser: Browser, cast: Cast, url: str) -> None:
    page = signed_in(opened(browser, url, java_script_enabled=False), cast.alice.email)
    page.goto(f"/o/{cast.guild.slug}/organization?tab=members")  # type: ignore[attr-defined]
    page.get_by_label("Find a member").fill("n57")
    page.keyboard.press("Enter")
    expect(page.locator("#members-list tbody tr")).to_have_count(1)
    page.get_by_label("State").select_option("revoked")
    page.get_by_role("button", name="Search invitations").click()
    expect(page.locator("#sent-list tbody tr")).to_have_count(1)
    page.goto(f"/o/{cast.guild.slug}/organization/audit")  # type: ignore[attr-defined]
    page.get_by_label("Words of who").fill("revoked")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("button", name="Verify the chain").click()
    expect(page.get_by_text("The chain is whole")).to_be_visible()
    page.context.close()


def test_a_list_is_pasted_mended_and_sent_by_keyboard(browser: Browser, cast: Cast, url: str) -> None:
    page = signed_in(opened(browser, url), cast.alice.email)
    page.goto(f"/o/{cast.guild.slug}/organization?tab=members")  # type: ignore[attr-defined]
    page.get_by_role("link", name="Invite several at once").press("Enter")
    page.get_by_label("E-mail addresses").fill(f"One <one-{cast.mark}@example.com>; two-{cast.mark}@example")
    page.get_by_role("button", name="Invite all").press("Enter")
    expect(page.get_by_role("heading", name="1 invitation sent, 1 line refused")).to_be_visible()
    expect(page.get_by_label("E-mail addresses")).to_have_value(f"two-{cast.mark}@example")
    page.get_by_label("E-mail addresses").press("End")
    page.keyboard.type(".com")
    page.get_by_role("button", name="Invite all").press("Enter")
    expect(page.get_by_role("heading", name="1 invitation sent")).to_be_visible()
    page.get_by_role("link", name="Done").press("Enter")
    page.get_by_label("Find an invitation").press_sequentially(cast.mark)
    expect(page.locator("#sent-list tbody tr")).to_have_count(2)
    expect(page.get_by_label("Find an invitation")).to_be_focused()
    page.context.close()


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
