"""One person, one browser, two tabs in two organizations: each form arrives where it was opened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.cast import Cast
from tests.owner import as_owner
from tests.site import chromium, site
from tests.test_face_in_browser import opened, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
ROUNDS = 4


@pytest.fixture(scope="module")
def cast() -> Cast:
    cast = Cast()
    cast.joined(cast.alice, "admin", workspace=cast.rival)
    return cast


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with site() as address:
        yield address


@pytest.fixture(scope="module")
def browser(cast: Cast) -> Iterator[Browser]:
    """After the cast: Playwright's loop runs in this thread from here on, and Django's models refuse loops."""
    with chromium() as started:
        yield started


@pytest.fixture
def tabs(browser: Browser, cast: Cast, url: str) -> Iterator[tuple[Page, Page]]:
    first = signed_in(opened(browser, url), cast.alice.email)
    second = first.context.new_page()
    for page in (first, second):
        page.on("dialog", lambda dialog: dialog.accept())  # what was typed is given up
    yield first, second
    first.context.close()


def titles(cast: Cast) -> dict[str, list[str]]:
    """What lies where, as the owner of the tables sees it."""
    return {
        place.name: [
            title
            for (title,) in as_owner(
                "SELECT title FROM knowledge_source WHERE workspace_id = %s ORDER BY created_at", place.id
            )
        ]
        for place in (cast.acme, cast.rival)
    }


def typed(page: Page, slug: str | None, title: str) -> None:
    page.goto(f"/o/{slug}/knowledge/new")
    page.get_by_label("Title").fill(title)
    page.get_by_label("Text", exact=True).fill(f"{title}: we open at ten.")


def sent(page: Page, slug: str | None) -> None:
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_url(f"**/o/{slug}/knowledge/*")
    expect(page.get_by_role("button", name="Add", exact=True)).to_have_count(0)


def test_posting_alternately(cast: Cast, tabs: tuple[Page, Page]) -> None:
    before = titles(cast)
    places = list(zip(tabs, (cast.acme, cast.rival), strict=True))
    for number in range(ROUNDS):
        for page, place in places if number % 2 else places[::-1]:
            typed(page, place.slug, f"{place.name} {number}")
        for page, place in places:
            sent(page, place.slug)
            expect(page.locator("main")).to_contain_text(f"{place.name} {number}")
    assert titles(cast) == {
        place.name: before[place.name] + [f"{place.name} {number}" for number in range(ROUNDS)]
        for _, place in places
    }


def test_switching_in_the_middle_of_a_form_in_another_tab(cast: Cast, tabs: tuple[Page, Page]) -> None:
    first, second = tabs
    before = titles(cast)
    typed(first, cast.acme.slug, "Half typed")
    second.goto(f"/o/{cast.acme.slug}/knowledge")
    switched(second, "Rival", cast.rival.slug)
    sent(first, cast.acme.slug)
    second.reload()
    expect(second.get_by_text("Half typed")).to_have_count(0)
    assert titles(cast) == {"Acme": [*before["Acme"], "Half typed"], "Rival": before["Rival"]}


def test_switching_in_the_middle_of_a_form_and_going_back(cast: Cast, tabs: tuple[Page, Page]) -> None:
    page, _ = tabs
    before = titles(cast)
    typed(page, cast.acme.slug, "Given up")
    switched(page, "Rival", cast.rival.slug)
    expect(page.locator("main")).not_to_contain_text("Given up")
    expect(page.get_by_text("Half typed")).to_have_count(0)
    page.go_back()
    page.wait_for_url(f"**/o/{cast.acme.slug}/knowledge/new")
    page.get_by_label("Title").fill("Typed after all")
    page.get_by_label("Text", exact=True).fill("We open at ten.")
    sent(page, cast.acme.slug)
    assert titles(cast) == {"Acme": [*before["Acme"], "Typed after all"], "Rival": before["Rival"]}


def test_a_form_of_an_organization_that_one_has_left_meanwhile_arrives_nowhere(
    cast: Cast, tabs: tuple[Page, Page]
) -> None:
    first, second = tabs
    typed(first, cast.rival.slug, "Too late")
    before = titles(cast)
    second.goto(f"/o/{cast.rival.slug}/organization/departure")
    second.get_by_role("button", name="Leave").last.click()
    second.wait_for_url("**/me/")
    first.get_by_role("button", name="Add", exact=True).click()
    expect(first.get_by_text("There is nothing here")).to_be_visible()
    assert titles(cast) == before


def switched(page: Page, name: str, slug: str | None) -> None:
    page.locator("[data-switcher]").press("Enter")
    panel = page.get_by_role("dialog", name="Select organization")
    panel.get_by_role("link", name=name).click()
    page.wait_for_url(f"**/o/{slug}/**")
