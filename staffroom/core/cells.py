"""Cells of a table that a spreadsheet opens."""

from __future__ import annotations

_RUN = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def neutral(cell: str) -> str:
    """What a spreadsheet would run as a formula is text behind an apostrophe."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_RUN) else cell
