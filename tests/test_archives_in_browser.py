"""Everything out and in again with a real browser and a real worker, and bodies that are larger than most."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from staffroom.archives.models import Export, Import
from staffroom.archives.tests import house
from tests.cast import Cast
from tests.site import chromium, site, worker
from tests.test_face_in_browser import DESK, PHONE, faults_of, opened, signed_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

LARGE = 35 * 1024**2  # bytes: more than everybody may send


@pytest.fixture(scope="module")
def cast() -> Cast:
    cast = Cast()
    cast.sam, cast.rival  # noqa: B018 - brings them on stage
    house.fill(cast.member(cast.alice, cast.acme), 4, chats=30)
    return cast


@pytest.fixture(scope="module")
def keys(cast: Cast) -> dict[str, str]:
    """Also one export and import of each end, for the pages."""
    mine = cast.member(cast.alice)
    with cast.inside(cast.acme):
        shown = {"asked_by_id": cast.alice.id, "progress": 40}
        Export.objects.create(state="failed", problem={"code": "storage"}, **shown)
        Export.objects.create(state="expired", counts={"chats": 3, "messages": 1200}, **shown)
        Import.objects.create(state="failed", name="ملف" * 30 + ".zip", size=12_345_678, counts={"employees": 2},
                              problem={"code": "line", "entry": "chats/000001.jsonl", "line": 7, "why": "odd"}, **shown)  # fmt: skip
    house.exported(mine)
    return {"alice": cast.key(cast.alice), "sam": cast.key(cast.sam)}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with site() as address, worker():
        yield address


@pytest.fixture(scope="module")
def browser(cast: Cast, keys: dict[str, str]) -> Iterator[Browser]:
    """After the cast: Playwright's loop runs in this thread from here on, and Django's models refuse loops."""
    with chromium() as started:
        yield started


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_pages_are_accessible_and_fit(
    browser: Browser, cast: Cast, url: str, theme: str, size: tuple[int, int]
) -> None:
    page = signed_in(opened(browser, url, size, theme, bypass_csp=True), cast.alice.email)
    here = f"/o/{cast.acme.slug}"
    pages = [f"{here}/exports", f"{here}/imports", "/me/exports", "/me/imports", f"{here}/organization",
             "/accounts/settings"]  # fmt: skip
    faults = [fault for at in pages for fault in faults_of(page, at, size)]
    if folder := os.environ.get("STAFFROOM_SCREENSHOTS"):
        for at in pages:
            page.goto(at)
            name = f"{at.strip('/').replace('/', '-').replace(cast.acme.slug or '', 'acme')}-{theme}-{size[0]}.png"
            page.screenshot(path=Path(folder) / name, full_page=True)
    page.context.close()
    assert faults == []


def test_out_of_one_organization_and_into_another_by_keyboard(
    browser: Browser, cast: Cast, url: str, tmp_path: Path
) -> None:
    alice, sam = opened(browser, url), opened(browser, url, PHONE)
    signed_in(alice, cast.alice.email)
    alice.goto(f"/o/{cast.acme.slug}/organization")
    alice.get_by_role("link", name="Export and import").press("Enter")
    alice.get_by_role("button", name="Start export").press("Enter")
    expect(alice.get_by_text("An export is being made.")).to_be_visible()
    download = alice.get_by_role("link", name="Download").first
    expect(download).to_be_visible(timeout=30_000)
    with alice.expect_download() as started:
        download.press("Enter")
    started.value.save_as(tmp_path / "all.zip")
    assert "manifest.json" in house.unpacked((tmp_path / "all.zip").read_bytes())
    alice.reload()
    alice.get_by_role("button", name="Make a new link").press("Enter")
    expect(alice.get_by_text("Here is a new link.")).to_be_visible()
    expect(alice.get_by_role("link", name="Download")).to_be_visible()

    signed_in(sam, cast.sam.email)
    sam.goto(f"/o/{cast.rival.slug}/imports")
    sam.get_by_label("Archive").set_input_files(tmp_path / "all.zip")
    sam.get_by_role("button", name="Import").press("Enter")
    expect(sam.get_by_text("Imported:")).to_be_visible(timeout=30_000)
    sam.goto(f"/o/{cast.rival.slug}/chats")
    expect(sam.locator("main")).to_contain_text("مرحبا")
    for page in (alice, sam):
        page.context.close()


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        ("alice", "me/imports", 202),
        ("sam", "o/{acme}/imports", 413),
        ("", "me/imports", 413),
        ("alice", "me/knowledge", 413),
    ],
)
def test_only_the_owner_may_send_a_large_body_and_only_to_the_imports(
    cast: Cast, keys: dict[str, str], url: str, who: str, path: str, status: int
) -> None:
    at = f"{url}/api/v1/{path.format(acme=cast.acme.slug)}"
    headers = {"Authorization": f"Bearer {keys[who]}"} if who else {}
    answer = httpx.post(at, files={"archive": ("large.zip", b"x" * LARGE)}, headers=headers, timeout=60)
    assert answer.status_code == status, answer.text
