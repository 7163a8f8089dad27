"""What is read from an archive, in the order in which later lines refer to earlier ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .. import format
from ..problems import Problem
from ..reader import Reader
from . import library, staff, talks
from .target import Target

Rows = Sequence[Any]


def _nothing(target: Target, rows: Rows) -> None:
    return


@dataclass(frozen=True, slots=True)
class Step:
    """`check` is given every line with its number and raises a `Problem` or `Invalid`-like complaint of ours;
    `ahead` works outside every transaction, `restore` inside the one of its batch, and says how many of what."""

    name: str
    shape: Any
    check: Callable[[Reader], Callable[[Any], None]]
    restore: Callable[[Target, Rows], dict[str, int]]
    ahead: Callable[[Target, Rows], None] = _nothing


_FIXED: Final = (
    Step(format.EMPLOYEES, format.Employee, staff.Employees, staff.employees),
    Step(format.VERSIONS, format.Version, staff.Versions, staff.versions),
    Step(format.SOURCES, format.Source, library.Sources, library.counted, library.sources),
    Step(format.LINKS, format.Link, staff.Links, staff.links),
)


def of(reader: Reader) -> list[Step]:
    for step in _FIXED:
        if step.name not in reader.names:
            raise Problem("missing", step.name)
    return [*_FIXED, *_talks(reader)]


def _talks(reader: Reader) -> Iterator[Step]:
    """Their files are read as if they were one: a long chat goes on in the next."""
    check = talks.Talks()
    for name in sorted(reader.names):
        if name.startswith(format.CHATS) and name.endswith(".jsonl"):
            yield Step(name, talks.LINE, lambda _reader: check, talks.restore)
