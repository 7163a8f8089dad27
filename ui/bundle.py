"""One stylesheet and one script out of css by noun and js by behaviour, so that a page asks for two files.

A finder of static files: `collectstatic` and development alike see `css/staffroom.css` and `js/staffroom.js`.
Nothing is translated or shortened; the parts stand in the order below, behind their names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage

STATIC = Path(__file__).parent / "static"

BUNDLES = {
    "css/staffroom.css": [
        "tokens",
        "base",
        "shell",
        "switcher",
        "controls",
        "surfaces",
        "people",
        "tables",
        "chats",
        "security",
        "employees",
        "knowledge",
        "organizations",
        "archives",
        "billing",
    ],
    "js/staffroom.js": [
        "theme",
        "switcher",
        "menu",
        "drawer",
        "autosize",
        "copy",
        "confirm",
        "forms",
        "slug",
        "toast",
        "when",
        "print",
    ],
}


class Bundles(BaseFinder):
    def check(self, **kwargs: Any) -> list[Any]:
        return []

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, FileSystemStorage]]:
        storage = FileSystemStorage(settings.STATIC_BUNDLES)
        for name in BUNDLES:
            build(name)
            yield name, storage

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> str | list[str]:
        if path not in BUNDLES:
            return []
        built = str(build(path))
        return [built] if find_all else built


def build(name: str) -> Path:
    kind = name.partition("/")[0]
    parts = (STATIC / kind / f"{part}.{kind}" for part in BUNDLES[name])
    target = Path(settings.STATIC_BUNDLES) / name
    target.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(f"/* {part.stem} */\n{part.read_text()}" for part in parts)
    if not target.exists() or target.read_text() != text:
        target.write_text(text)
    return target
