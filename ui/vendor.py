"""Fetches the built files of ui/static/vendor anew: `python ui/vendor.py` (needs npm; see the README there).

Packages come from whatever registry npm is set up with. Tabler is cut to the families we use, wrapped in a
cascade layer so that our own rules always win, and its icons are cut to the names in icons.txt.
"""

import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
VENDOR = HERE / "static" / "vendor"

TABLER, ICONS, HTMX, FONT, CHART = (
    "@tabler/core@1.6.1",
    "@tabler/icons@3.51.0",
    "htmx.org@2.0.11",
    "@fontsource-variable/onest@5.3.1",
    "chart.js@4.6.1",
)

# Families of Tabler that no page of ours shows. What is not named here stays and may be used freely.
UNUSED = re.compile(
    r"""\.(?:
        navbar|nav-(?!item|link|tabs|pills|underline|segmented)|offcanvas|carousel|ribbon|otp|signal|calendar
        |sparkline|sortable|chart|strength|timeline|mention|steps?(?![\w])|step-|divide|popover|tooltip|bs-
        |legend|theme-|modal|accordion|dropdown|dropup|dropend|dropstart|toast|placeholder|tracking|tag(?!\w)
        |tags|form-imagecheck|form-colorinput|form-selectgroup|form-colorcheck|form-fieldset|form-floating
        |form-range|img-responsive|payment|flag|social|link-|btn-(?:facebook|twitter|linkedin|google|youtube
        |vimeo|dribbble|github|instagram|pinterest|vk|rss|flickr|bitbucket|tabler|x|animate|floating|square)
        |(?:bg|text|border|btn|btn-outline|btn-ghost|badge|alert|status|table|list-group-item|card|text-bg|avatar)-?
        (?:facebook|twitter|linkedin|google|youtube|vimeo|dribbble|github|instagram|pinterest|vk|rss|flickr
        |bitbucket|tabler|x\b|blue|azure|indigo|purple|pink|red|orange|yellow|lime|green|teal|cyan)
        |bg-(?:gray|primary-|pattern)|text-(?:gray|bg)|chat|markdown|onboarding|wizard|signin|switch-icon
        |layout|page(?!-item|-link|\w)|page-(?!item|link)|browser|device|datagrid|range|noui|ts-|tom|apex|jvm
        |litepicker|dropzone|fslightbox|plyr|tox|hugerte|col-separator|cover|demo|vc-|scroll-|segmented
        |stamp|subheader|sidebar|hr-text|loader|map|comment|entry|turbo|glightbox|countup|clipboard
        |antialiased|countdown|aside|btn-list-|empty|avatar|animation|spinner|active-card
    )""",
    re.X,
)
UNUSED_MEDIA = ("1400px", "1399.98px", "print")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for package in (TABLER, ICONS, HTMX, FONT, CHART):
            unpack(package, Path(folder))
        tabler(Path(folder) / "@tabler/core")
        icons(Path(folder) / "@tabler/icons")
        copy(Path(folder) / "htmx.org", "dist/htmx.min.js", "htmx.min.js")
        copy(Path(folder) / "chart.js", "dist/chart.umd.min.js", "chart.umd.min.js")
        for script in ("latin", "latin-ext", "cyrillic"):
            copy(Path(folder) / "@fontsource-variable/onest", f"files/onest-{script}-wght-normal.woff2",
                 f"onest-{script}.woff2")  # fmt: skip


def unpack(package: str, folder: Path) -> None:
    name = package.rpartition("@")[0]
    command = ["npm", "pack", "--silent", "--pack-destination", str(folder), package]
    packed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]  # noqa: S603
    with tarfile.open(folder / packed) as archive:
        archive.extractall(folder / "out", filter="data")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / "out" / "package").rename(folder / name)


def copy(package: Path, source: str, target: str) -> None:
    """Without the last line that names a source map, which we do not ship."""
    content = (package / source).read_bytes()
    (VENDOR / target).write_bytes(re.sub(rb"\n//# sourceMappingURL=\S+\s*$", b"\n", content))


def tabler(package: Path) -> None:
    css = (package / "dist/css/tabler.min.css").read_text()
    banner = re.match(r'(?:@charset "UTF-8";)?(/\*!.*?\*/)', css, re.S)
    css = re.sub(r'@charset "UTF-8";|/\*.*?\*/', "", css, flags=re.S)
    note = "/* Cut by ui/vendor.py. */"
    text = "".join(prune(css))
    (VENDOR / "tabler.css").write_text(f"{banner[1] if banner else ''}\n{note}\n@layer tabler{{{text}}}\n")


def prune(css: str) -> Iterator[str]:
    for block in blocks(css):
        head, brace, body = block.partition("{")
        if head.startswith("@media"):
            inner = "".join(prune(body[:-1])) if not any(word in head for word in UNUSED_MEDIA) else ""
            if inner:
                yield f"{head}{{{inner}}}"
        elif head.startswith("@") or not brace:
            yield block
        elif kept := [selector for selector in selectors(head) if not UNUSED.search(selector)]:
            yield ",".join(kept) + brace + body


def blocks(css: str) -> Iterator[str]:
    start = depth = 0
    quote = ""
    for at, char in enumerate(css):
        if quote:
            quote = "" if char == quote and css[at - 1] != "\\" else quote
        elif char in "\"'":
            quote = char
        elif char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
        if not quote and depth == 0 and char in ";}":
            yield css[start : at + 1]
            start = at + 1


def selectors(head: str) -> list[str]:
    """Splits at commas outside of brackets: `:is(a,b),c` is two."""
    parts, depth = [""], 0
    for char in head:
        depth += (char in "([") - (char in ")]")
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def icons(package: Path) -> None:
    names = (HERE / "icons.txt").read_text().split()
    symbols = "".join(symbol(package, name) for name in names)
    licence = "<!-- @tabler/icons, MIT -->"
    (VENDOR / "icons.svg").write_text(f'<svg xmlns="http://www.w3.org/2000/svg">{licence}{symbols}</svg>\n')


def symbol(package: Path, name: str) -> str:
    svg = (package / f"icons/outline/{name}.svg").read_text()
    paths = "".join(re.findall(r"<(?:path|circle|rect|line)[^>]*/>", svg)).replace(" />", "/>")
    return f'<symbol id="{name}" viewBox="0 0 24 24">{paths}</symbol>\n'


if __name__ == "__main__":
    sys.exit(main())
