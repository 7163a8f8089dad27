"""A picture is chosen, cropped by mouse and by keyboard, and seen; an employee is copied. With a real browser."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect

from staffroom.employees import links, roster
from staffroom.knowledge import sources
from tests.cast import Cast
from tests.site import chromium, site
from tests.test_face_in_browser import DESK, PHONE, faults_of, opened, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

QUARTERS = {(0, 0): "#c81e1e", (1, 0): "#1e1ec8", (0, 1): "#1e961e", (1, 1): "#d2b41e"}


def quarters() -> dict[str, Any]:
    """A file of four colours: red and blue above, green and yellow below."""
    picture = Image.new("RGB", (800, 800))
    draw = ImageDraw.Draw(picture)
    for (x, y), colour in QUARTERS.items():
        draw.rectangle((x * 400, y * 400, x * 400 + 399, y * 400 + 399), fill=colour)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return {"name": "quarters.png", "mimeType": "image/png", "buffer": out.getvalue()}


@pytest.fixture(scope="module")
def cast() -> Cast:
    cast = Cast()
    cast.bob  # noqa: B018 - comes on stage
    cast.organization("Bobs", cast.bob)
    return cast


@pytest.fixture(scope="module")
def mira(cast: Cast) -> str:
    with cast.inside(cast.acme):
        employee = roster.hire("Mira", template="support", by="system")
        links.link(employee, sources.add("Returns", "Within 30 days.", by="system"), by="system")
    return f"/o/{cast.acme.slug}/employees/{employee.id}"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with site() as address:
        yield address


@pytest.fixture(scope="module")
def browser(cast: Cast, mira: str) -> Iterator[Browser]:
    """After the cast: Playwright's loop runs in this thread from here on, and Django's models refuse loops."""
    with chromium() as started:
        yield started


@pytest.mark.parametrize(("size", "theme"), [(DESK, "light"), (PHONE, "dark")], ids=["desk", "phone"])
def test_pages_are_accessible_and_fit(
    browser: Browser, cast: Cast, mira: str, url: str, theme: str, size: tuple[int, int]
) -> None:
    page = opened(browser, url, size, theme, bypass_csp=True)
    signed_in(page, cast.bob.email)
    faults = [fault for at in (f"{mira}/copy", mira) for fault in faults_of(page, at, size)]
    page.context.clear_cookies()
    signed_in(page, cast.alice.email)
    faults += [
        fault
        for at in (f"/o/{cast.acme.slug}/organization?tab=general", "/accounts/settings", f"{mira}/copy")
        for fault in faults_of(page, at, size)
    ]
    page.goto("/accounts/settings")
    page.get_by_label("Picture file").set_input_files(files=[quarters()])
    expect(page.get_by_label("Zoom")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    page.context.close()
    assert faults == []


def colour(page: Page, x: float, y: float) -> str:
    """Of the saved picture in the page's head, read through a canvas."""
    return page.evaluate(
        """([x, y]) => {
          const picture = document.querySelector("img.avatar-i.l, img.avatar-i.xl");
          const canvas = document.createElement("canvas");
          canvas.width = canvas.height = 256;
          const pen = canvas.getContext("2d");
          pen.drawImage(picture, 0, 0, 256, 256);
          const [r, g, b] = pen.getImageData(x * 255, y * 255, 1, 1).data;
          return r > 150 && g > 120 ? "yellow" : r > 150 ? "red" : b > 150 ? "blue" : g > 110 ? "green" : "none";
        }""",
        [x, y],
    )


def all_over(page: Page) -> set[str]:
    expect(page.locator("img.avatar-i.xl")).to_be_visible()
    page.wait_for_function(
        "[...document.querySelectorAll('img.avatar-i')].every(it => it.complete && it.naturalWidth)"
    )
    return {colour(page, x, y) for x in (0.1, 0.9) for y in (0.1, 0.9)}


def test_cropping_by_mouse(browser: Browser, cast: Cast, url: str) -> None:
    page, complaints = signed_in(opened(browser, url), cast.alice.email), []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"/o/{cast.acme.slug}/organization?tab=general")
    page.get_by_label("Picture file").set_input_files(files=[quarters()])
    view = page.get_by_label("Part of the picture to show")
    view.hover()
    page.mouse.wheel(0, -800)
    box = view.bounding_box()
    assert box
    page.mouse.down()
    page.mouse.move(box["x"] - 900, box["y"] - 900, steps=5)
    page.mouse.up()
    assert float(page.locator("[name=crop]").input_value().split(",")[2]) < 0.5
    page.get_by_role("button", name="Save the picture").click()
    expect(page.get_by_text("The picture is saved.")).to_be_visible()
    assert all_over(page) == {"yellow"}
    assert complaints == []
    page.context.close()


def test_cropping_by_keyboard_alone_and_a_mistake_that_costs_nothing(
    browser: Browser, cast: Cast, url: str
) -> None:
    page = signed_in(opened(browser, url), cast.bob.email)
    page.goto("/accounts/settings")
    wrong = {"name": "me.png", "mimeType": "image/png", "buffer": b"no picture"}
    page.get_by_label("Picture file").set_input_files(files=[wrong])
    page.get_by_role("button", name="Save the picture").press("Enter")
    expect(page.locator("#id_avatar_errors")).to_contain_text("Choose a PNG, JPEG, WebP or GIF picture.")
    page.get_by_label("Picture file").set_input_files(files=[quarters()])
    expect(page.locator("#id_avatar_errors")).to_have_text("")
    page.get_by_label("Picture file").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Part of the picture to show")).to_be_focused()
    for key in ["+"] * 10 + ["Shift+ArrowRight"] * 20 + ["Shift+ArrowUp"] * 20:
        page.keyboard.press(key)
    page.keyboard.press("Tab")
    expect(page.get_by_label("Zoom")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The picture is saved.")).to_be_visible()
    assert all_over(page) == {"blue"}
    page.goto(f"/o/{cast.acme.slug}/organization?tab=members")
    expect(page.locator("td img.avatar-i")).to_have_count(1)
    page.goto("/accounts/settings")
    page.get_by_role("button", name="Remove the picture").press("Enter")
    expect(page.get_by_text("The picture is removed.")).to_be_visible()
    expect(page.locator("img.avatar-i")).to_have_count(0)
    page.context.close()


def test_without_scripts_the_middle_is_taken(browser: Browser, cast: Cast, url: str) -> None:
    page = signed_in(opened(browser, url, java_script_enabled=False), cast.alice.email)
    page.goto("/accounts/settings")
    page.get_by_label("Picture file").set_input_files(files=[quarters()])
    page.get_by_role("button", name="Save the picture").click()
    expect(page.get_by_text("The picture is saved.")).to_be_visible()
    page.context.close()
    page = signed_in(opened(browser, url), cast.alice.email)
    page.goto("/accounts/settings")
    assert all_over(page) == {"red", "blue", "green", "yellow"}
    page.context.close()


def test_a_file_that_is_too_heavy_is_not_sent(browser: Browser, cast: Cast, url: str) -> None:
    page = signed_in(opened(browser, url), cast.alice.email)
    page.goto("/accounts/settings")
    heavy = quarters() | {"buffer": bytes(5 * 1024 * 1024 + 1)}
    page.get_by_label("Picture file").set_input_files(files=[heavy])
    expect(page.locator("#id_avatar_errors")).to_have_text("This file is larger than 5 MB.")
    assert page.get_by_label("Picture file").input_value() == ""
    page.context.close()


def test_copying_by_keyboard(browser: Browser, cast: Cast, mira: str, url: str) -> None:
    page = signed_in(opened(browser, url), cast.bob.email)
    page.goto(mira.rpartition("/")[0])
    page.get_by_label("More for Mira").first.press("Enter")
    page.get_by_role("link", name="Copy to…").press("Enter")
    page.get_by_label("Bobs").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("Mara")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Mara", exact=True)).to_be_visible()
    expect(page.locator(".topbar, .switch-button").filter(has_text="Bobs").first).to_be_attached()
    page.get_by_role("link", name="Back to the original").press("Enter")
    page.wait_for_url(f"**{mira}")
    page.get_by_label("More for Mira").press("Enter")
    page.get_by_role("button", name="Duplicate").press("Enter")
    expect(page.get_by_role("heading", name="Mira (copy)", exact=True)).to_be_visible()
    page.context.close()
