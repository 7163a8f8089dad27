"""No cell of a table runs as a formula."""

from __future__ import annotations

import pytest

from staffroom.core.cells import neutral


@pytest.mark.parametrize(
    "sign",
    ["=1", "+1", "-1", "@x", "|calc", "\uff1d1", "\uff0b1", "\uff0d1", "\uff20x", "\uff5cx", "\ufe661"],
)
@pytest.mark.parametrize(
    "before", ["", " ", "\u3000", "\xa0", "\n", "\t", "\r\n", "\ufeff", "\u200b", "\u202e", "\0", "\x1b "]
)
def test_what_would_run_is_text(before: str, sign: str) -> None:
    assert neutral(before + sign) == f"'{before}{sign}"


@pytest.mark.parametrize("cell", ["\tx", "\rx", "\nx"])
def test_what_begins_a_cell_anew_is_text(cell: str) -> None:
    assert neutral(cell) == f"'{cell}"


@pytest.mark.parametrize(
    "cell", ["", "a=1", " a", "1-2", "ann@example.com", "Ёлка → Ёлки", "'=1", "\u2212 5"]
)
def test_words_stay_as_they_are(cell: str) -> None:
    assert neutral(cell) == cell
