"""Word limits of members, with a real browser: how the pages look, and setting one with the keyboard alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, expect

from staffroom.billing import ledger
from tests.cast import Cast
from tests.site import chromium, site
from tests.test_face_in_browser import DESK, PHONE, faults_here, faults_of, opened, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def cast() -> Cast:
    cast = Cast()
    cast.ann, cast.bob  # noqa: B018 - brings them on stage
    with cast.inside(cast.acme):
        turn = uuid4()
        ledger.reserve(turn, 1300, user=cast.bob.id).require()
        ledger.settle(turn, 1300)
        ledger.limit(cast.bob.id, ledger.Rule(True, 1300))
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
    with chromium() as started:
        yield started


@pytest.mark.parametrize(("size", "theme"), [(DESK, "light"), (PHONE, "dark")], ids=["desk", "phone"])
def test_the_pages_are_accessible_and_fit(
    browser: Browser, cast: Cast, ids: dict[str, str], url: str, theme: str, size: tuple[int, int]
) -> None:
    here, faults = f"/o/{cast.acme.slug}/organization", list[str]()
    page = opened(browser, url, size, theme, bypass_csp=True)
    signed_in(page, cast.ann.email)
    pages = [f"{here}?tab=members", f"{here}/members/limit", f"{here}/members/{ids['bob']}/limit"]
    for number, at in enumerate(pages):
        faults += faults_of(page, at, size)
        _shot(page, f"{theme}-{number}")
    page.get_by_label("Words a month").fill("many")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Write a number of words")).to_be_visible()
    faults += faults_here(page, "refused", size)
    _shot(page, f"{theme}-refused")
    page.context.close()
    page = opened(browser, url, size, theme, bypass_csp=True)
    signed_in(page, cast.bob.email)
    faults += faults_of(page, f"{here}?tab=members", size)
    _shot(page, f"{theme}-member")
    page.context.close()
    assert faults == []


def test_a_limit_is_set_with_the_keyboard_alone(
    browser: Browser, cast: Cast, ids: dict[str, str], url: str
) -> None:
    page = opened(browser, url, DESK, "light")
    signed_in(page, cast.ann.email)
    page.goto(f"{url}/o/{cast.acme.slug}/organization?tab=members")
    page.get_by_label(f"More for {cast.bob.name}").focus()
    page.keyboard.press("Enter")
    menu = page.get_by_role("link", name="Word limit").filter(visible=True)
    menu.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio", name="A limit of their own")).to_be_checked()
    page.get_by_role("radio", name="A limit of their own").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("20 000")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1,300 of 20,000")).to_be_visible()
    page.context.close()


def _shot(page: object, name: str) -> None:
    if folder := os.environ.get("STAFFROOM_SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)  # type: ignore[attr-defined]
