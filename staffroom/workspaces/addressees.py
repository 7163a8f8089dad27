"""A pasted list of addresses: `ann@x.org`, `Ann <ann@x.org>`, `Doe, John <john@x.org>`, one after the other.

Newlines, commas and semicolons separate. What is no address stays as it was typed, for its writer to mend.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Between two separators: quoted names and bracketed addresses hold theirs as they are.
_PIECE = re.compile(r'(?:"[^"\n]*"|<[^<>\n]*>|[^,;\n])+|[,;\n]')
_BRACKETED = re.compile(r"<([^<>]*)>\s*$")


@dataclass(frozen=True, slots=True)
class Addressee:
    typed: str
    email: str


def read(text: str) -> list[Addressee]:
    return [Addressee(typed, _email(typed)) for typed in _pieces(text.replace("\r", "\n"))]


def _pieces(text: str) -> Iterator[str]:
    """A comma inside a name that nobody quoted, as mail programs copy it, belongs to the name."""
    name = ""
    for piece in _PIECE.findall(text):
        if piece == ",":
            name = f"{name}," if name else ""
        elif "@" in piece and _BRACKETED.search(piece):
            yield from _said(name + piece)
            name = ""
        else:
            yield from _said(name)
            name = "" if piece in {";", "\n"} else piece
            if "@" in name:
                yield from _said(name)
                name = ""
    yield from _said(name)


def _said(piece: str) -> Iterator[str]:
    if stripped := piece.strip(" \t,"):
        yield stripped


def _email(typed: str) -> str:
    bracketed = _BRACKETED.search(typed)
    return (bracketed[1] if bracketed else typed).strip()
