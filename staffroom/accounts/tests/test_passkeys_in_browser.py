"""Passkeys with a real browser, whose security key is Chromium's virtual one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.cast import PASSWORD, Cast
from tests.site import chromium, site

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PHONE, DESK = (390, 844), (1280, 860)
# Colours change within a frame or two.
SETTLED = (
    "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 20))))"
)
SECURITY, ADD = "/accounts/security", "/accounts/2fa/webauthn/add/"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """By its name: browsers give no passkeys to bare addresses."""
    with site() as address:
        yield address.replace("127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def people() -> list[str]:
    return [Cast().alice.email for _ in range(8)]


@pytest.fixture(scope="module")
def browser(people: list[str]) -> Iterator[Browser]:
    """After the people: Playwright's loop runs in this thread from here on, and Django's models refuse loops."""
    with chromium() as started:
        yield started


@pytest.fixture
def person(people: list[str]) -> str:
    return people.pop()


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    opened = browser.new_context(base_url=url, viewport={"width": DESK[0], "height": DESK[1]}).new_page()
    opened.set_default_timeout(15_000)
    complaints: list[str] = []
    opened.on(
        "console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None
    )
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    opened.context.close()
    assert complaints == []


class Key:
    """A device with a fingerprint reader, beside one page."""

    def __init__(self, page: Page, *, resident: bool = True) -> None:
        self.session = page.context.new_cdp_session(page)
        self.session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": resident,
            "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
        }  # fmt: skip
        added = self.session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self.id = added["authenticatorId"]

    def refuse(self) -> None:
        self.session.send("WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": False})

    def credentials(self) -> list[Any]:
        return list(self.session.send("WebAuthn.getCredentials", {"authenticatorId": self.id})["credentials"])


def signed_in(page: Page, email: str) -> Page:
    page.goto("/accounts/login/")
    password_given(page, email)
    page.wait_for_url(lambda at: "/login" not in at)
    return page


def password_given(page: Page, email: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def confirmed(page: Page, at: str) -> None:
    page.goto(at)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url(f"**{at}")


def with_passkey(page: Page, email: str, *, alone: bool = True) -> Key:
    key = Key(page, resident=alone)
    signed_in(page, email)
    passkey_made(page, alone=alone)
    return key


def passkey_made(page: Page, *, alone: bool = True) -> None:
    confirmed(page, ADD)
    page.get_by_label("Name").fill("Ada's laptop")
    page.get_by_label("Sign in with it alone").set_checked(alone)
    page.get_by_role("button", name="Create the passkey").click()
    page.wait_for_url("**/recovery-codes/")


def signed_out(page: Page) -> None:
    page.goto("/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    page.wait_for_url(lambda at: "/logout" not in at)


def test_a_passkey_is_made_and_opens_the_account_alone(page: Page, person: str) -> None:
    key = with_passkey(page, person)
    assert len(key.credentials()) == 1
    assert len(page.locator("#codes").inner_text().split("\n")) == 10
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("Ada's laptop")).to_be_visible()
    expect(page.get_by_text("Two steps")).to_be_visible()
    expect(page.get_by_text("Opens the account alone")).to_be_visible()
    signed_out(page)
    page.goto(f"/accounts/login/?next={SECURITY}")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(f"**{SECURITY}")
    expect(page.get_by_text("last used")).to_be_visible()


def test_a_passkey_is_the_second_step_after_the_password(page: Page, person: str) -> None:
    with_passkey(page, person, alone=False)
    signed_out(page)
    page.goto(f"/accounts/login/?next={SECURITY}")
    password_given(page, person)
    page.wait_for_url("**/2fa/authenticate/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"**{SECURITY}")
    expect(page.get_by_text("Together with the password")).to_be_visible()


def test_a_refused_finger_is_told_and_can_be_tried_again(page: Page, person: str) -> None:
    key = with_passkey(page, person)
    signed_out(page)
    key.refuse()
    page.goto("/accounts/login/")
    button = page.get_by_role("button", name="Sign in with a passkey")
    button.click()
    expect(page.get_by_role("alert").filter(has_text="cancelled")).to_be_visible()
    expect(button).to_be_enabled()


def test_one_device_has_one_passkey_for_an_account(page: Page, person: str) -> None:
    with_passkey(page, person)
    page.goto(ADD)
    page.get_by_role("button", name="Create the passkey").click()
    expect(page.get_by_role("alert").filter(has_text="already has a passkey")).to_be_visible()


def test_it_confirms_what_is_about_to_be_done_and_is_renamed_and_removed(page: Page, person: str) -> None:
    with_passkey(page, person)
    signed_out(page)
    page.goto(f"/accounts/login/?next={SECURITY}")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(f"**{SECURITY}")
    page.get_by_role("link", name="Rename Ada's laptop").click()
    page.get_by_role("link", name="Use a passkey").click()
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_label("Name").fill("Kitchen <b>table</b>")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Kitchen <b>table</b>")).to_be_visible()
    page.get_by_role("link", name=re.compile("Remove Kitchen")).click()
    page.get_by_role("button", name="Remove the passkey").click()
    expect(page.get_by_text("Password only")).to_be_visible()


def test_the_recovery_codes_are_downloaded_and_copied_as_they_are_shown(page: Page, person: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    with_passkey(page, person)
    shown = page.locator("#codes").inner_text()
    with page.expect_download() as caught:
        page.get_by_role("link", name="Download").click()
    assert caught.value.suggested_filename == "staffroom-recovery-codes.txt"
    assert caught.value.path().read_text().strip() == shown.strip()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").strip() == shown.strip()


def test_at_a_bare_address_it_is_said_why_there_are_none(page: Page, person: str, url: str) -> None:
    bare = url.replace("localhost", "127.0.0.1")
    page.goto(f"{bare}/accounts/login/")
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_hidden()
    password_given(page, person)
    page.wait_for_url(lambda at: "/login" not in at)
    page.goto(f"{bare}{SECURITY}")
    expect(page.get_by_text(f"Open {url} and sign in there.")).to_be_visible()
    expect(page.get_by_role("link", name="Add a passkey")).to_have_count(0)


def test_the_pages_are_accessible_and_fit(browser: Browser, person: str, url: str) -> None:
    faults: list[str] = []
    context = browser.new_context(base_url=url, bypass_csp=True, reduced_motion="reduce")
    page = context.new_page()
    Key(page)
    signed_in(page, person)
    looked_at(page, "/accounts/security/second-factor?next=/accounts/settings", faults)
    passkey_made(page)
    looked_at(page, None, faults)
    for at in [
        SECURITY, ADD, "/accounts/2fa/totp/activate/",
        "/accounts/2fa/recovery-codes/", "/accounts/2fa/recovery-codes/generate/", "/accounts/reauthenticate/",
        "/accounts/2fa/reauthenticate/", "/accounts/2fa/webauthn/reauthenticate/",
    ]:  # fmt: skip
        looked_at(page, at, faults)
    page.goto(SECURITY)
    for link in ("Rename Ada's laptop", "Remove Ada's laptop"):
        page.get_by_role("link", name=link).click()
        looked_at(page, None, faults)
        page.goto(SECURITY)
    signed_out(page)
    page.goto("/accounts/login/")
    looked_at(page, None, faults)
    password_given(page, person)
    page.wait_for_url("**/2fa/authenticate/")
    looked_at(page, None, faults)
    context.close()
    assert faults == []


def looked_at(page: Page, at: str | None, faults: list[str]) -> None:
    """In both themes, on a desk and on a phone."""
    if at:
        page.goto(at)
    for theme in ("light", "dark"):
        for width, height in (DESK, PHONE):
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate(SETTLED)
            found = Axe().run(page)["violations"]
            faults += [f"{page.url}: {fault['id']} {fault['nodes'][0]['target']} {theme}" for fault in found]
            if page.evaluate("document.documentElement.scrollWidth") > width:
                faults.append(f"{page.url}: wider than {width}")
            _photographed(page, theme, width)


def _photographed(page: Page, theme: str, width: int) -> None:
    """For people to look at, when STAFFROOM_SHOTS names a folder; the first of each page."""
    if folder := os.environ.get("STAFFROOM_SHOTS"):
        name = re.sub(r"\W+", "-", page.url.split("/accounts/")[1].split("?")[0]).strip("-")
        file = Path(folder) / f"{name}-{theme}-{width}.png"
        if not file.exists():
            page.screenshot(path=file, full_page=True)
