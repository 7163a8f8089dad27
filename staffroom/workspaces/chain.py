"""Whether the audit log is whole: every hash is computed again, in pages, from the first entry on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from staffroom.core.sentences import part

from .audit import START, digest
from .members import Member
from .models import AuditEntry
from .permissions import May

ROWS = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """`checked` entries are whole; `broken` is the number of the first that is not, and `why` says what is wrong."""

    checked: int
    broken: int | None = None
    why: str = ""


@part
def verify(member: Member) -> Verdict:
    """Entries cut off at the end leave no gap; `checked` tells how many there are."""
    member.require(May.SETTINGS)
    former, checked = START, 0
    for entry in _entries():
        if entry.number != checked + 1:
            return Verdict(checked, checked + 1, _("This entry is missing."))
        if bytes(entry.hash) != digest(former, entry):
            return Verdict(checked, entry.number, _("This entry, or the one before it, was changed."))
        former, checked = bytes(entry.hash), entry.number
    return Verdict(checked)


def _entries() -> Iterator[AuditEntry]:
    last = 0
    while rows := list(AuditEntry.objects.filter(number__gt=last).order_by("number")[:ROWS]):
        yield from rows
        last = rows[-1].number
