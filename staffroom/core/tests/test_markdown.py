"""What is written as Markdown is shown as such, and can do nothing else."""

import pytest

from staffroom.core import markdown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("**30 days**", "<p><strong>30 days</strong></p>"),
        ("one\ntwo", "<p>one<br>\ntwo</p>"),
        ("# Hours", "<h3>Hours</h3>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("[us](https://x.example)", '<p><a href="https://x.example" rel="noopener noreferrer nofollow">us</a></p>'),
    ],
)  # fmt: skip
def test_markdown_is_shown(written: str, shown: str) -> None:
    assert markdown.html(written) == shown


@pytest.mark.parametrize(
    "written",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "![x](https://spy.example/p.png)",
        '<https://x.example/" onmouseover=alert(1)>',
        "[x](/o/acme/deletion)",
        "```<style>\nbody{}\n```",
    ],
)
def test_nothing_else_gets_through(written: str) -> None:
    shown = markdown.html(written)
    assert shown is not None
    for tag in ("<script", "<img", "<style", 'href="javascript', 'href="data', 'href="/'):
        assert tag not in shown.lower()
    assert not any(" on" in part.split(">")[0] for part in shown.split("<")[1:])


def test_depth_and_length_have_an_end() -> None:
    assert markdown.html("> " * 5_000 + "deep") is not None
    assert markdown.html("a" * 60_001) is None
