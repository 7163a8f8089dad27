"""What can go wrong with an archive: stored as a stable word with its facts, told in the reader's language."""

from __future__ import annotations

from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy


class Problem(Exception):
    """`code` is a key of `SENTENCES`; `entry` and `line` say where, `why` is the reader's own complaint."""

    def __init__(self, code: str, entry: str = "", line: int = 0, **facts: Any) -> None:
        super().__init__(code)
        self.stored = {"code": code, "entry": entry, "line": line, **facts}


SENTENCES: Final = {
    "storage": gettext_lazy("The file could not be written. Ask the operator whether the disk is full."),
    "internal": gettext_lazy("Something went wrong on our side. Please try again."),
    "given_up": gettext_lazy("The work broke off several times in a row. Please try again later."),
    "gone": gettext_lazy("The uploaded file is not there any more. Please upload it again."),
    "no_archive": gettext_lazy("This is not a ZIP file that can be read."),
    "no_manifest": gettext_lazy("There is no manifest.json in it: it is not an archive of Staffroom."),
    "manifest": gettext_lazy("Its manifest.json cannot be read: %(why)s"),
    "format": gettext_lazy("It is in another format (%(why)s). Only archives made by Staffroom can be imported."),
    "version": gettext_lazy(
        "It was made in version %(why)s of the format; this installation reads versions up to %(known)s. Update it first."
    ),
    "too_many_entries": gettext_lazy("It holds too many files: at most %(most)s are read."),
    "too_large": gettext_lazy("Unpacked it would be too large: at most %(most)s are read."),
    "too_dense": gettext_lazy("It is packed more densely than any honest archive: it is not unpacked."),
    "unsafe_name": gettext_lazy("It holds a file with an unsafe name."),
    "packed_otherwise": gettext_lazy("A file in it is encrypted, or packed in a way that is not read here."),
    "twice": gettext_lazy("A file is in it twice."),
    "unlisted": gettext_lazy("It holds a file that its manifest does not list."),
    "missing": gettext_lazy("A file that its manifest lists is missing."),
    "checksum": gettext_lazy("A file is not as it was when the archive was made: its checksum differs."),
    "damaged": gettext_lazy("A file in it is damaged."),
    "line": gettext_lazy("A line cannot be read: %(why)s"),
    "line_too_long": gettext_lazy("A line is too long."),
    "order": gettext_lazy("The lines are not in the order of the format."),
    "text": gettext_lazy("A text is not UTF-8, or longer than %(most)s characters."),
}  # fmt: skip


def sentence(stored: dict[str, Any]) -> str:
    """For a person: what is wrong, and where."""
    facts = {"why": "", "most": "", "known": "", **stored}
    said = str(SENTENCES.get(stored["code"], SENTENCES["internal"])) % facts
    if stored.get("line"):
        return _("%(entry)s, line %(line)s: %(said)s") % {**facts, "said": said}
    return f"{stored['entry']}: {said}" if stored.get("entry") else said
