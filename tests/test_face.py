"""What holds for every page: the content policy, the vendored files, the weight of the first page."""

import gzip
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.db import connection
from django.http import HttpRequest
from django.template import engines
from django.template.loader import get_template
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.cast import Cast
from ui.templatetags.ui import ago

UI = Path(__file__).parent.parent / "ui"
TEMPLATES = UI / "templates"
VENDOR = UI / "static" / "vendor"
PAGES = sorted(
    path
    for path in TEMPLATES.rglob("*.html")
    if "email" not in path.parent.parts and path.parent.name != "mail"
)
MAILS = sorted(set(TEMPLATES.rglob("*.html")) - set(PAGES))
FIRST_PAGE_BYTES, FIRST_PAGE_REQUESTS = 150_000, 12

INLINE = {
    "an inline script": re.compile(r"<script(?![^>]*\bsrc=)", re.I),
    "an inline style": re.compile(r"<style|\sstyle\s*=", re.I),
    "an event attribute": re.compile(r"<[^>]*\son[a-z]+\s*=", re.I),
    "code in an htmx attribute": re.compile(r"hx-on|js:|javascript:", re.I),
}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_no_template_holds_what_the_content_policy_refuses(path: Path) -> None:
    text = path.read_text()
    assert [what for what, pattern in INLINE.items() if pattern.search(text)] == []


@pytest.mark.parametrize("path", PAGES + MAILS, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_every_template_compiles(path: Path) -> None:
    get_template(str(path.relative_to(TEMPLATES)))


def test_every_vendored_file_is_told_of_in_the_readme() -> None:
    told = (VENDOR / "README.md").read_text()
    files = {path.name for path in VENDOR.iterdir()} - {"README.md"}
    assert {name for name in files if f"`{name}`" not in told} == set()


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    drawn = set(re.findall(r'<symbol id="([^"]+)"', (VENDOR / "icons.svg").read_text()))
    named = set()
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text()
        named |= set(re.findall(r'{% icon "([^"]+)"', text))
        named |= set(re.findall(r'\b(?:sign|deed_icon)="([^"]+)"', text))
        named |= set(re.findall(r'{% menu_entry "[^"]+" "([^"]+)"', text))
    assert named - drawn == set()


def test_every_class_that_a_template_names_exists() -> None:
    styles = "".join(path.read_text() for path in (UI / "static").rglob("*.css"))
    known = set(re.findall(r"\.(-?[A-Za-z_][\w-]*)", styles)) | {"success", "flush"}
    used = set()
    for path in PAGES:
        text = re.sub(r"{%.*?%}|{{.*?}}", " ", path.read_text(), flags=re.S)
        for words in re.findall(r'\bclass="([^"]*)"', text):
            used |= set(words.split())
    assert {name for name in used if name not in known and not name.endswith("-")} == set()


def test_htmx_neither_evaluates_nor_styles() -> None:
    page = Client().get("/accounts/login/").content.decode()
    config = re.search(r"<meta name=\"htmx-config\" content='([^']+)'", page)
    assert config
    assert '"allowEval": false' in config[1]
    assert '"includeIndicatorStyles": false' in config[1]


@pytest.mark.parametrize("address", ["/accounts/login/", "/accounts/signup/", "/dev/ui"])
def test_a_first_page_is_light(address: str) -> None:
    page = Client().get(address)
    files = addresses(page.content.decode())
    weight = len(gzip.compress(page.content)) + sum(wire(name) for name in files)
    assert 1 + len(files) <= FIRST_PAGE_REQUESTS
    assert weight <= FIRST_PAGE_BYTES, f"{weight} bytes"


def addresses(page: str) -> set[str]:
    """What a browser fetches, each once; the font is preloaded and so stands in the page."""
    return {name.partition("#")[0] for name in re.findall(r'(?:href|src)="/static/([^"]+)"', page)}


def wire(name: str) -> int:
    """Bytes with gzip, the least that every client takes; fonts are compressed in themselves."""
    found = finders.find(name)
    assert isinstance(found, str), name
    return len(gzip.compress(Path(found).read_bytes()))


def test_the_sidebar_knows_the_words_left_in_one_statement() -> None:
    cast = Cast()
    template = engines["django"].from_string("{% words_left %}{% words_top %}{% balance_note %}")
    member = cast.member(cast.alice, cast.acme)
    with cast.inside(cast.acme), CaptureQueriesContext(connection) as asked:
        assert "<b>20,000</b>" in template.render({"member": member, "request": HttpRequest()})
    assert len(asked) == 1
    assert template.render({"member": member, "request": HttpRequest()}).strip() == ""


def test_moments_are_told_without_a_time_zone() -> None:
    now = timezone.now()
    assert ago(now) == "just now"
    assert ago(now - timedelta(hours=3, minutes=20)) == "3\xa0hours ago"
