"""The face with a real browser: no serious accessibility violation, everything by keyboard, no broken policy."""

from collections.abc import Iterator

import pytest
from axe_core_python.sync_playwright import Axe
from django.core.mail import EmailMessage
from playwright.sync_api import Browser, Page, expect

from staffroom.core import mail, mailbox
from staffroom.employees import links, roster
from staffroom.knowledge import sources
from tests.cast import PASSWORD, Cast
from tests.site import chromium, site

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

STRANGERS = [
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/confirm-email/",
    "/nowhere",
    "/dev/mail",
    "/dev/ui",
    "/dev/ui/errors/429",
    "/dev/ui/errors/500",
]
ADAS = ["/accounts/settings", "/accounts/email/", "/accounts/password/change/", "/accounts/logout/"]
PHONE, DESK = (390, 844), (1280, 860)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with site() as address:
        yield address


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast()


@pytest.fixture(scope="module")
def text_in_use(cast: Cast) -> str:
    """The page of a text; who answers from it has a name that cannot be broken between words."""
    with cast.inside(cast.acme):
        mara = roster.hire("Mara" * 20, by="system")
        source = sources.add("Returns" * 20, "Return within 30 days.", by="system")
        links.link(mara, source, by="system")
    return f"/o/{cast.acme.slug}/knowledge/{source.id}"


@pytest.fixture(scope="module")
def long_mail() -> str:
    """The page of a mail whose subject and address cannot be broken between words."""
    letter = EmailMessage(
        "Subject" * 40, "Line" * 200, None, [f"{'name' * 15}@{'x' * 60}.{'y' * 60}.example"]
    )
    mail.FolderBackend().send_messages([letter])
    return f"/dev/mail/{mailbox.letters(1)[0].name}"


@pytest.fixture(scope="module")
def browser(cast: Cast, text_in_use: str) -> Iterator[Browser]:
    """After the cast: Playwright's loop runs in this thread from here on, and Django's models refuse loops."""
    with chromium() as started:
        yield started


def opened(
    browser: Browser, url: str, size: tuple[int, int] = DESK, theme: str = "light", **more: bool
) -> Page:
    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(base_url=url, viewport=viewport, color_scheme=theme, **more)
    return context.new_page()


def signed_in(page: Page, email: str) -> Page:
    page.goto("/accounts/login/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda at: "/login" not in at)
    return page


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_pages_are_accessible_and_fit(
    browser: Browser, cast: Cast, url: str, theme: str, size: tuple[int, int]
) -> None:
    page = opened(browser, url, size, theme, bypass_csp=True)
    faults = [fault for at in STRANGERS for fault in faults_of(page, at, size)]
    signed_in(page, cast.alice.email)
    faults += [fault for at in ADAS for fault in faults_of(page, at, size)]
    page.context.close()
    assert faults == []


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_list_of_who_uses_a_text_is_as_large_as_its_names(
    browser: Browser, cast: Cast, url: str, text_in_use: str, size: tuple[int, int]
) -> None:
    page = signed_in(opened(browser, url, size, bypass_csp=True), cast.alice.email)
    faults = faults_of(page, text_in_use, size)
    height = page.locator("[aria-labelledby=users-title]").evaluate("section => section.offsetHeight")
    page.context.close()
    assert (faults, height < 200) == ([], True)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_mails_fit_whatever_their_subjects_and_addresses_are(
    browser: Browser, url: str, long_mail: str, theme: str, size: tuple[int, int]
) -> None:
    page = opened(browser, url, size, theme, bypass_csp=True)
    faults = [fault for at in ("/dev/mail", long_mail) for fault in faults_of(page, at, size)]
    page.context.close()
    assert faults == []


# What is still fading in has too little contrast for a moment.
AT_REST = """Promise.all(document.getAnimations()
    .filter(one => one.effect.getComputedTiming().iterations !== Infinity).map(one => one.finished))"""


def faults_of(page: Page, at: str, size: tuple[int, int]) -> list[str]:
    page.goto(at)
    return faults_here(page, at, size)


def faults_here(page: Page, at: str, size: tuple[int, int]) -> list[str]:
    page.evaluate(AT_REST)
    found = Axe().run(page)["violations"]
    faults = [f"{at}: {fault['id']} {fault['nodes'][0]['target']}" for fault in found]
    if page.evaluate("document.documentElement.scrollWidth") > size[0]:
        faults.append(f"{at}: wider than the screen")
    return faults


def test_the_content_policy_is_never_touched(browser: Browser, url: str) -> None:
    page, complaints = opened(browser, url), []
    page.on(
        "console",
        lambda message: complaints.append(message.text) if "Content Security" in message.text else 0,
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for at in ["/accounts/signup/", "/dev/ui", "/dev/mail"]:
        page.goto(at)
        page.wait_for_load_state("networkidle")
    assert complaints == []


@pytest.fixture
def gallery(browser: Browser, url: str) -> Iterator[Page]:
    page = opened(browser, url)
    yield from shown(page, url)


@pytest.fixture
def gallery_on_a_phone(browser: Browser, url: str) -> Iterator[Page]:
    yield from shown(opened(browser, url, PHONE), url)


def shown(page: Page, url: str) -> Iterator[Page]:
    contexts = f"{url}/dev/ui/contexts"
    page.route("**/me/contexts*", lambda route: route.fulfill(response=route.fetch(url=contexts)))
    page.goto("/dev/ui")
    yield page
    page.context.close()


class TestTheSwitcherByKeyboard:
    @pytest.mark.parametrize("key", ["Enter", "Space", "ArrowDown"])
    def test_it_opens_and_escape_gives_the_focus_back(self, gallery: Page, key: str) -> None:
        button, panel = (
            gallery.locator("[data-switcher]"),
            gallery.get_by_role("dialog", name="Select organization"),
        )
        button.focus()
        gallery.keyboard.press(key)
        expect(panel.get_by_role("link", name="Acme")).to_be_visible()
        expect(button).to_have_attribute("aria-expanded", "true")
        gallery.keyboard.press("Escape")
        expect(panel).to_be_hidden()
        expect(button).to_be_focused()

    def test_arrows_move_and_wrap(self, gallery: Page) -> None:
        gallery.locator("[data-switcher]").click()
        expect(gallery.get_by_label("Find an organization")).to_be_focused()
        gallery.keyboard.press("ArrowDown")
        expect(gallery.locator("#switcher a").first).to_be_focused()
        gallery.keyboard.press("ArrowUp")
        gallery.keyboard.press("ArrowUp")
        expect(gallery.get_by_role("link", name="Create organization")).to_be_focused()

    def test_typing_filters_and_enter_goes_to_the_first(self, gallery: Page) -> None:
        gallery.locator("[data-switcher]").click()
        expect(gallery.get_by_label("Find an organization")).to_be_focused()
        gallery.keyboard.type("north")
        expect(gallery.locator("#switcher a[data-name]:visible")).to_have_count(1)
        gallery.keyboard.press("Enter")
        gallery.wait_for_url("**#Northwind*")

    def test_it_asks_the_server_once(self, gallery: Page) -> None:
        asked: list[str] = []
        gallery.on("request", lambda request: asked.append(request.url))
        for _ in range(3):
            gallery.locator("[data-switcher]").click()
            expect(gallery.get_by_role("link", name="Acme")).to_be_visible()
            gallery.keyboard.press("Escape")
        assert len([at for at in asked if "contexts" in at]) == 1


class TestThePhone:
    def test_the_drawer_holds_the_menu_and_gives_the_focus_back(self, gallery_on_a_phone: Page) -> None:
        page = gallery_on_a_phone
        expect(page.get_by_role("link", name="Chats")).to_be_hidden()
        page.get_by_role("button", name="Menu", exact=True).click()
        expect(page.get_by_role("link", name="Chats")).to_be_visible()
        assert page.locator("#sheet").evaluate("sheet => sheet.inert")
        page.keyboard.press("Escape")
        expect(page.get_by_role("link", name="Chats")).to_be_hidden()
        expect(page.get_by_role("button", name="Menu", exact=True)).to_be_focused()

    def test_escape_closes_the_menu_inside_the_drawer_first(self, gallery_on_a_phone: Page) -> None:
        page = gallery_on_a_phone
        page.get_by_role("button", name="Menu", exact=True).click()
        page.locator("summary.person").click()
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
        expect(page.get_by_role("link", name="Chats")).to_be_visible()


class TestBehaviours:
    def test_a_deed_that_destroys_asks_for_the_word_first(self, gallery: Page) -> None:
        gallery.get_by_role("button", name="Delete Mara").click()
        deed = gallery.get_by_role("dialog", name="Delete Mara?").get_by_role(
            "button", name="Delete", exact=True
        )
        expect(deed).to_be_disabled()
        gallery.get_by_label("Type this to confirm").fill("Mara")
        deed.click()
        gallery.wait_for_url("**/dev/ui?")

    def test_cancelling_does_nothing(self, gallery: Page) -> None:
        gallery.get_by_role("button", name="Delete Mara").click()
        gallery.get_by_role("button", name="Cancel").click()
        expect(gallery.get_by_role("dialog", name="Delete Mara?")).to_be_hidden()
        assert gallery.url.endswith("/dev/ui")

    def test_copying_says_so(self, gallery: Page) -> None:
        gallery.context.grant_permissions(["clipboard-read", "clipboard-write"])
        gallery.get_by_role("button", name="Copy", exact=True).click()
        expect(gallery.get_by_role("button", name="Copied")).to_be_visible()
        assert gallery.evaluate("navigator.clipboard.readText()").startswith("https://staffroom.example")

    def test_the_theme_changes_at_once_and_stays(self, browser: Browser, cast: Cast, url: str) -> None:
        page = signed_in(opened(browser, url), cast.alice.email)
        page.goto("/accounts/settings")
        page.locator("summary.person").click()
        with page.expect_response("**/accounts/theme"):
            page.get_by_role("button", name="Dark").click()
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
        page.reload()
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
        page.context.close()
