"""Lists in pages: each begins after the last row of the one before it, so a page costs the same anywhere.

A query takes `after` (the position of the last row that was seen, or None) and asks for `limit + 1` rows; the
one too many tells that there is more.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from django.conf import settings
from django.utils.translation import gettext as _

from .errors import Invalid

Row = TypeVar("Row")
_SEAL = 12  # bytes


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    items: Sequence[Row]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class TwoWayPage(Page[Row]):
    previous: str | None = None


def page(rows: Sequence[Row], limit: int, name: str, position: Callable[[Row], tuple[Any, ...]]) -> Page[Row]:
    """The page and the cursor to the next; `name` says of which list, so that no other takes the cursor."""
    if len(rows) <= limit:
        return Page(rows)
    rows = rows[:limit]
    return Page(rows, cursor(name, position(rows[-1])))


def both_ways(
    rows: Sequence[Row],
    limit: int,
    name: str,
    position: Callable[[Row], tuple[Any, ...]],
    *,
    came: bool | None,
) -> TwoWayPage[Row]:
    """As `page`, with cursors in both directions, whose positions begin with whether they lead back.

    `came` is that of the cursor that led here, None on the first page; rows of one that led back come backwards.
    """
    more, rows = len(rows) > limit, rows[:limit][:: -1 if came else 1]
    is_next, is_previous = (True, more) if came else (more, came is not None)
    return TwoWayPage(
        rows,
        cursor(name, (False, *position(rows[-1]))) if rows and is_next else None,
        cursor(name, (True, *position(rows[0]))) if rows and is_previous else None,
    )


def cursor(name: str, position: tuple[Any, ...]) -> str:
    body = msgspec.json.encode(position)
    return base64.urlsafe_b64encode(_seal(name, body) + body).decode().rstrip("=")


def position(name: str, given: str | None, shape: Any) -> Any:
    """What a cursor says, as the tuple type `shape`; None for the first page. Raises `Invalid`."""
    if not given:
        return None
    try:
        raw = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4))
        seal, body = raw[:_SEAL], raw[_SEAL:]
        if hmac.compare_digest(seal, _seal(name, body)):
            return msgspec.json.decode(body, type=shape)
    except (ValueError, msgspec.DecodeError):
        pass
    raise Invalid({"cursor": [_("This cursor is not one of this list. Begin again without it.")]})


def _seal(name: str, body: bytes) -> bytes:
    return hmac.digest(settings.SECRET_KEY.encode(), b"cursor\n" + name.encode() + b"\n" + body, "sha256")[
        :_SEAL
    ]
