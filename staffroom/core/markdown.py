"""Markdown of models and people as HTML that is safe to show."""

from __future__ import annotations

from typing import Final

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

_LONGEST: Final = 60_000
"""Characters; what is longer is shown as it was written, by the caller's own means."""
_TAGS: Final = {
    "a", "blockquote", "br", "code", "del", "em", "h3", "h4", "hr", "li", "ol", "p", "pre", "s", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
# Images would tell a foreign server who reads; raw HTML stays text.
_reader: Final = (
    MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 20})
    .enable(["table", "strikethrough"])
    .disable(["image", "html_block", "html_inline"])
)


def html(text: str) -> SafeString | None:
    """None for a text that is too long to be worth it."""
    if len(text) > _LONGEST:
        return None
    return mark_safe(  # noqa: S308 - what nh3 has cleaned
        nh3.clean(
            _lowered(_reader.render(text)),
            tags=_TAGS,
            attributes={"a": {"href", "title"}, "ol": {"start"}},
            url_schemes={"http", "https", "mailto", "tel"},
            link_rel="noopener noreferrer nofollow",
            url_relative="deny",
        ).strip()
    )


def _lowered(rendered: str) -> str:
    """A reply stands below the headings of its page: its own begin with the third level."""
    for level, lower in ((6, 4), (5, 4), (4, 4), (3, 4), (2, 4), (1, 3)):
        rendered = rendered.replace(f"<h{level}>", f"<h{lower}>").replace(f"</h{level}>", f"</h{lower}>")
    return rendered
