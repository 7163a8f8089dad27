"""What a browser fetches to show a page for the first time: requests and bytes over the wire, compressed."""

from collections.abc import Callable

from playwright.sync_api import Browser, Page

from bench.figures import Figure, shown
from tests import product
from tests.site import chromium

EMAIL, PASSWORD = "alice@example.com", "correct horse battery staple"


def main() -> list[Figure]:
    figures: list[Figure] = []
    with product.running() as running:
        running.command("user", "add", EMAIL, "--name", "Alice", "--password", PASSWORD, "--verified")
        with chromium() as browser:
            figures += weighed(
                "sign-in page", browser, lambda page: _goto(page, f"{running.url}/accounts/login/")
            )
            figures += weighed(
                "first page inside", browser, lambda page: _goto(page, f"{running.url}/me/"), running.url
            )
    return shown(figures)


def weighed(name: str, browser: Browser, visit: Callable[[Page], None], sign_in: str = "") -> list[Figure]:
    """With an empty cache; after signing in the cache is emptied by taking the cookies to a new context."""
    context = browser.new_context()
    if sign_in:
        page = context.new_page()
        _goto(page, f"{sign_in}/accounts/login/")
        page.fill("input[name=login]", EMAIL)
        page.fill("input[name=password]", PASSWORD)
        page.press("input[name=password]", "Enter")
        page.wait_for_url(f"{sign_in}/me/")
        cookies = context.cookies()
        context.close()
        context = browser.new_context()
        context.add_cookies(cookies)  # type: ignore[arg-type]
    page = context.new_page()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    sizes: list[float] = []
    wire.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    visit(page)
    context.close()
    return [
        Figure(f"{name}: requests", len(sizes), "", 12),
        Figure(f"{name}: over the wire", sum(sizes) / 1000, "KB", 150),
    ]


def _goto(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_load_state("networkidle")


if __name__ == "__main__":
    main()
