"""The whole life of an organization with two real browsers: founded, renamed, given a picture, filled with people,
handed over, left and entered again, exported, closed, opened again, closed for good.

With `STAFFROOM_SCREENSHOTS=docs/screenshots` it leaves the pictures of the documentation there.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.cast import PASSWORD, Cast
from tests.eventually import eventually
from tests.owner import as_owner
from tests.site import chromium, site, worker
from tests.test_face_in_browser import PHONE, opened, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
SHOTS = os.environ.get("STAFFROOM_SCREENSHOTS", "")


@pytest.fixture(scope="module")
def cast() -> Cast:
    cast = Cast()
    cast.rival  # noqa: B018 - Sam owns it, and is nobody in Acme
    return cast


@pytest.fixture(scope="module")
def slug(cast: Cast) -> str:
    return f"harbour-{cast.mark}"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with site() as address, worker():
        yield address


@pytest.fixture(scope="module")
def browser(cast: Cast) -> Iterator[Browser]:
    """After the cast: Playwright's loop runs in this thread from here on, and Django's models refuse loops."""
    with chromium() as started:
        yield started


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


def test_the_whole_life_of_an_organization(browser: Browser, cast: Cast, url: str, slug: str) -> None:
    alice = signed_in(opened(browser, url), cast.alice.email)
    sam = signed_in(opened(browser, url, PHONE, "dark"), cast.sam.email)
    here = f"/o/{slug}"
    founded(alice, slug)
    furnished(alice, here)
    invited(alice, here, cast.sam.email)
    joined(sam, here)
    promoted_and_handed_over(alice, sam, here)
    left_and_returned(alice, sam, here, cast.alice.email)
    exported(sam, here)
    closed_and_opened_again(alice, sam, here, slug)
    closed_for_good(sam, here, slug)
    eventually(lambda: not as_owner("SELECT 1 FROM workspaces_slug WHERE slug = %s", slug), 20)
    for page in (alice, sam):
        page.context.close()


def founded(page: Page, slug: str) -> None:
    page.goto("/organizations/new")
    page.get_by_label("Name").fill("Harbour")
    page.get_by_label("Address").fill(slug)
    page.get_by_role("button", name="Create organization").click()
    page.wait_for_url(f"**/o/{slug}/")


def furnished(page: Page, here: str) -> None:
    page.goto(f"{here}/organization?tab=general")
    page.get_by_label("Name of the organization").fill("Harbour Café")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The name is saved.")).to_be_visible()
    page.get_by_label("Picture file").set_input_files(files=[picture()])
    page.get_by_role("button", name="Save the picture").click()
    expect(page.locator("img.avatar-i.xl")).to_be_visible()
    shot(page, "organization-general")


def picture() -> dict[str, object]:
    content = io.BytesIO()
    Image.new("RGB", (400, 300), (20, 102, 76)).save(content, "PNG")
    return {"name": "harbour.png", "mimeType": "image/png", "buffer": content.getvalue()}


def invited(page: Page, here: str, address: str) -> None:
    page.goto(f"{here}/organization/invitations/bulk")
    page.get_by_label("E-mail addresses").fill(
        f"{address}\nnobody at all\nAnn Lee <ann-{slug_of(here)}@example.com>"
    )
    page.get_by_label("Role").select_option("member")
    page.get_by_role("button", name="Invite all").click()
    expect(page.get_by_role("heading", name="2 invitations sent")).to_be_visible()
    expect(page.get_by_label("E-mail addresses")).to_have_value("nobody at all")
    shot(page, "organization-bulk-invite")


def joined(page: Page, here: str) -> None:
    """On a phone, out of the switcher."""
    page.goto("/me/")
    page.locator("[data-drawer-open]").click()
    page.locator("[data-switcher]").click()
    panel = page.get_by_role("dialog", name="Select organization")
    expect(panel.get_by_text("Harbour Café")).to_be_visible()
    shot(page, "switcher-phone-dark")
    panel.get_by_role("button", name="Accept").click()
    page.wait_for_url(f"**{here}/")
    expect(page.get_by_text("Welcome to Harbour Café.")).to_be_visible()


def promoted_and_handed_over(owner: Page, other: Page, here: str) -> None:
    owner.goto(f"{here}/organization?tab=members")
    menu(owner, "Sam", "Change role")
    owner.get_by_label("Admin", exact=True).check()
    owner.get_by_role("button", name="Save").click()
    expect(owner.get_by_text("The role of Sam is saved.")).to_be_visible()
    shot(owner, "organization-members")
    menu(owner, "Sam", "Make owner")
    owner.get_by_label("Your password").fill(PASSWORD)
    owner.get_by_role("button", name="Transfer ownership").click()
    expect(owner.get_by_text("Sam owns Harbour Café now.")).to_be_visible()
    other.goto(f"{here}/organization/departure")
    expect(other.get_by_role("link", name="Choose the new owner")).to_be_visible()
    expect(other.get_by_role("link", name=re.compile("Delete the organization"))).to_be_visible()


def menu(page: Page, name: str, deed: str) -> None:
    page.get_by_label(f"More for {name}").press("Enter")
    page.get_by_role("link", name=deed).press("Enter")


def left_and_returned(former: Page, owner: Page, here: str, address: str) -> None:
    former.goto(f"{here}/organization/departure")
    former.get_by_role("button", name="Leave organization").click()
    expect(former.get_by_text("You have left Harbour Café.")).to_be_visible()
    assert former.goto(f"{here}/").status == 404  # type: ignore[union-attr]
    owner.goto(f"{here}/organization?tab=members")
    owner.get_by_label("E-mail", exact=True).fill(address)
    owner.get_by_role("button", name="Invite", exact=True).click()
    expect(owner.get_by_text(address).first).to_be_visible()
    former.goto("/me/")
    former.locator("[data-switcher]").press("Enter")
    former.get_by_role("dialog", name="Select organization").get_by_role("button", name="Accept").click()
    former.wait_for_url(f"**{here}/")


def exported(owner: Page, here: str) -> None:
    owner.goto(f"{here}/exports")
    owner.get_by_role("button", name="Start export").click()
    link = owner.get_by_role("link", name="Download")
    expect(link).to_be_visible(timeout=20_000)
    shot(owner, "organization-export-phone-dark")
    with owner.expect_download() as download:
        link.click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert "manifest.json" in archive.namelist()
        assert b"Harbour Caf" in archive.read("manifest.json")


def closed_and_opened_again(member: Page, owner: Page, here: str, slug: str) -> None:
    close(owner, here, slug)
    owner.wait_for_url("**/organizations/*/deletion")
    shot(owner, "organization-closed-phone-dark")
    assert member.goto(f"{here}/").status == 404  # type: ignore[union-attr]
    owner.get_by_role("button", name="Cancel the deletion").click()
    owner.wait_for_url(f"**{here}/")
    assert member.goto(f"{here}/").status == 200  # type: ignore[union-attr]


def closed_for_good(owner: Page, here: str, slug: str) -> None:
    close(owner, here, slug, now=True)
    owner.wait_for_url("**/me/")
    expect(owner.get_by_text("Harbour Café is deleted.")).to_be_visible()


def close(owner: Page, here: str, slug: str, *, now: bool = False) -> None:
    owner.goto(f"{here}/organization/deletion")
    owner.get_by_label("Address of the organization").fill(slug)
    owner.get_by_label("Your password").fill(PASSWORD)
    if now:
        owner.get_by_label("Delete now").check()
    owner.get_by_role("button", name="Delete organization").click()


def slug_of(here: str) -> str:
    return here.rpartition("/")[2]
