"""Keys and the required second factor with a real browser: both themes, a phone, and the keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from staffroom.accounts.tests.keyring import App, with_app
from staffroom.core.scope import workspace_scope
from staffroom.workspaces import factors, invitations, keys, personal
from tests.cast import PASSWORD, Cast
from tests.site import chromium, site
from tests.test_face_in_browser import DESK, PHONE, faults_of, opened, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


class Stage:
    """What the walks need of the database, made before the browser's loop runs in this thread."""

    def __init__(self) -> None:
        self.cast = cast = Cast()
        cast.ann, cast.bob  # noqa: B018 - brings them on stage
        self.bank, self.second = cast.organization("Bank", cast.alice), cast.organization("Second", cast.sam)
        cast.joined(cast.bob, "member", workspace=self.bank)
        self.app = with_app(cast.alice)
        by = cast.member(cast.alice, self.bank)
        with cast.inside(self.bank):
            factors.demand(by=by, user=cast.alice)
            keys.make(name="W" * 80, role="admin", by=by)
            self.token = invitations.invite(email=cast.ann.email, role="member", by=by)[1]
        home = personal.home(cast.alice)
        with workspace_scope(home.workspace_id):
            keys.make_own(name="W" * 80, by=home, only=[self.bank.id, home.workspace_id])
            revoked, _token = keys.make_own(name="Old", by=home)
            keys.revoke(revoked.id, by=home)


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with site() as address:
        yield address


@pytest.fixture(scope="module")
def browser(stage: Stage) -> Iterator[Browser]:
    with chromium() as started:
        yield started


def with_code(page: Page, email: str, app: App) -> Page:
    page.goto("/accounts/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Code").fill(app.code())
    page.get_by_label("Code").press("Enter")
    page.wait_for_url(lambda at: "/accounts/" not in at)
    return page


def password_once_more(page: Page) -> None:
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()


@pytest.mark.parametrize(("size", "theme"), [(DESK, "light"), (PHONE, "dark")], ids=["desk", "phone"])
def test_pages_are_accessible_and_fit(
    browser: Browser, stage: Stage, url: str, theme: str, size: tuple[int, int]
) -> None:
    page = with_code(opened(browser, url, size, theme, bypass_csp=True), stage.cast.alice.email, stage.app)
    here = f"/o/{stage.bank.slug}/organization"
    page.goto("/accounts/keys/new")
    password_once_more(page)
    pages = [f"{here}/keys", f"{here}/security", f"/o/{stage.cast.acme.slug}/organization/keys",
             "/accounts/keys", "/accounts/keys/new", "/accounts/2fa/totp/deactivate/"]  # fmt: skip
    faults = [fault for at in pages for fault in faults_of(page, at, size)]
    page.context.close()
    page = signed_in(opened(browser, url, size, theme, bypass_csp=True), stage.cast.ann.email)
    faults += faults_of(page, f"/invitations/{stage.token}", size)
    page.context.close()
    page = signed_in(opened(browser, url, size, theme, bypass_csp=True), stage.cast.bob.email)
    faults += faults_of(page, f"/o/{stage.bank.slug}/chats", size)
    expect(page.get_by_text("This organization asks for a second factor")).to_be_visible()
    page.context.close()
    assert faults == []


def test_the_life_of_a_key_by_keyboard(browser: Browser, stage: Stage, url: str) -> None:
    page = signed_in(opened(browser, url), stage.cast.ann.email)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/o/{stage.cast.acme.slug}/organization")
    page.get_by_role("link", name="API keys").press("Enter")
    page.get_by_label("Name").press_sequentially("Shop")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("“Shop” is made")).to_be_visible()
    token = page.get_by_label("The new API key").input_value()
    page.get_by_role("button", name="Copy").press("Enter")
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == token
    assert re.fullmatch(r"sr_[\w-]{43}", token)
    api = page.context.browser.new_context(
        base_url=url, extra_http_headers={"Authorization": f"Bearer {token}"}
    )  # type: ignore[union-attr]
    said = api.request.get(f"/api/v1/o/{stage.cast.acme.slug}").json()
    assert said["role"] == "admin"
    page.goto(f"/o/{stage.cast.acme.slug}/organization/keys")
    expect(page.get_by_text("“Shop” is made")).to_have_count(0)
    page.get_by_role("button", name="Revoke Shop").press("Enter")
    dialog = page.get_by_role("dialog", name="Revoke “Shop”?")
    expect(dialog.get_by_text("stop with their next call")).to_be_visible()
    dialog.get_by_role("button", name="Revoke").press("Enter")
    expect(page.get_by_text("The key is revoked.")).to_be_visible()
    assert api.request.get(f"/api/v1/o/{stage.cast.acme.slug}").status == 401
    api.close()
    page.context.close()


def test_a_personal_key_limited_to_one_place(browser: Browser, stage: Stage, url: str) -> None:
    page = signed_in(opened(browser, url), stage.cast.ann.email)
    page.goto("/accounts/settings")
    page.get_by_role("link", name="API keys").click()
    page.get_by_role("link", name="New key").click()
    password_once_more(page)
    page.get_by_label("Name").fill("Laptop")
    expect(page.get_by_label("Personal account")).to_be_hidden()
    page.get_by_label("Only in some contexts").check()
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_text("Choose at least one context")).to_be_visible()
    page.get_by_label("Acme").check()
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_text("“Laptop” is made")).to_be_visible()
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_text("never used")).to_be_visible()
    page.context.close()


def test_from_the_closed_door_through_the_set_up_and_in(browser: Browser, stage: Stage, url: str) -> None:
    page = signed_in(opened(browser, url), stage.cast.bob.email)
    goal = f"/o/{stage.bank.slug}/organization?tab=members"
    page.goto(goal)
    expect(page.get_by_text("This organization asks for a second factor")).to_be_visible()
    page.get_by_role("button", name=re.compile("Personal account")).first.click()
    expect(page.get_by_text("second factor needed")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Set up a second factor").press("Enter")
    page.get_by_role("link", name="Codes from an app").press("Enter")
    password_once_more(page)
    app = App(page.locator("#secret").input_value())
    page.get_by_label("Code").fill(app.code())
    page.get_by_label("Code").press("Enter")
    page.get_by_role("link", name="I have kept them").click()
    page.wait_for_url(f"**{goal}")
    expect(page.get_by_role("heading", name="Bank")).to_be_visible()
    page.context.close()


def test_who_switches_it_on_sets_up_first(browser: Browser, stage: Stage, url: str) -> None:
    page = signed_in(opened(browser, url), stage.cast.sam.email)
    page.goto(f"/o/{stage.second.slug}/organization/security")
    page.get_by_role("link", name="Set up my second factor").click()
    page.get_by_role("link", name="Codes from an app").click()
    password_once_more(page)
    app = App(page.locator("#secret").input_value())
    page.get_by_label("Code").fill(app.code())
    page.get_by_label("Code").press("Enter")
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_role("button", name="Require a second factor").click()
    page.get_by_role("dialog").get_by_role("button", name="Require it").click()
    expect(page.get_by_text("From now on nobody enters without a second factor.")).to_be_visible()
    page.context.close()
