"""Cells of a table that a spreadsheet would run as a formula."""

from __future__ import annotations

import re
import unicodedata

# What a spreadsheet drops in front of a cell before it looks: spaces of every width, controls, marks without width.
_DROPPED = re.compile(
    r"^[\s\x00-\x1f\x7f-\xa0\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u2069\ufeff]+"
)
_RUN = ("=", "+", "-", "@", "|")


def neutral(cell: str) -> str:
    """Text behind an apostrophe, where it would be run, in full-width spelling (＝) too."""
    bare = unicodedata.normalize("NFKC", _DROPPED.sub("", cell)[:4])
    return f"'{cell}" if bare.startswith(_RUN) or cell.startswith(("\t", "\r", "\n")) else cell
