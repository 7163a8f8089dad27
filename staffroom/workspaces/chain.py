"""Whether the audit log is whole: every hash is computed again, from the first entry on, a step at a time.

A step is one short transaction and hands its verdict to the next one, so that a long log holds neither a
transaction nor a web thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from staffroom.core.sentences import part

from .audit import START, digest
from .members import Member
from .models import AuditEntry
from .permissions import May

STEP, ROWS = 3000, 1000  # entries of a step, and of one statement
_COLUMNS = ("workspace_id", "number", "at", "actor", "action", "target", "before", "after", "ip", "hash")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`checked` entries are whole; `broken` is the number of the first that is not, and `why` says what is wrong."""

    checked: int
    broken: int | None = None
    why: str = ""
    more: bool = False  # the log goes on after the last that was checked
    last: bytes = field(default=START, compare=False)  # the hash of that one


@part
def verify(member: Member, former: Verdict | None = None, at_most: int | None = None) -> Verdict:
    """Goes on from `former`, for at most so many entries. Entries cut off at the end leave no gap; `checked` tells
    how many there are.
    """
    member.require(May.SETTINGS)
    checked, last = (former.checked, former.last) if former else (0, START)
    end = None if at_most is None else checked + at_most
    for entry in _entries(checked):
        if checked == end:
            return Verdict(checked, more=True, last=last)
        if entry.number != checked + 1:
            return Verdict(checked, checked + 1, _("This entry is missing."))
        if bytes(entry.hash) != digest(last, entry):
            return Verdict(checked, entry.number, _("This entry, or the one before it, was changed."))
        last, checked = bytes(entry.hash), entry.number
    return Verdict(checked, last=last)


def length(member: Member) -> int:
    """The number of the newest entry."""
    member.require(May.SETTINGS)
    return AuditEntry.objects.order_by("-number").values_list("number", flat=True).first() or 0


def _entries(last: int) -> Iterator[Any]:
    entries = AuditEntry.objects.order_by("number").values_list(*_COLUMNS, named=True)
    while rows := list(entries.filter(number__gt=last)[:ROWS]):
        yield from rows
        last = rows[-1].number
