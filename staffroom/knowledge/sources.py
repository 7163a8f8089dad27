"""Sources enter the library and leave it."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext as _

from staffroom.core.errors import Invalid
from staffroom.core.lines import is_blank, storable, visible_line
from staffroom.core.scope import current_workspace_id
from staffroom.core.sentences import part
from staffroom.workspaces import audit
from staffroom.workspaces.members import By, Member
from staffroom.workspaces.permissions import RoleForbids

from . import ingestion
from .models import Source

LONGEST: Final = 2_000_000  # letters of one pasted text
AT_ONCE: Final = 50_000  # letters that are cut up within the request; more is a job


@part
def add(title: str, text: str, *, by: By) -> Source:
    """A pasted text. Short ones are ready at once, long ones when the job has cut them up."""
    title, text = _checked(title, text)
    source = Source.objects.create(
        title=title, text=text, created_by_id=by.user_id if isinstance(by, Member) else None
    )
    audit.write("knowledge.add", by=by, target={"source": str(source.id), "title": source.title})
    if len(source.text) > AT_ONCE:
        ingestion.ring(source.id)
    else:
        ingestion.ingest(current_workspace_id(), source.id)
        source.refresh_from_db()
    return source


@part
def take_over(title: str, text: str, *, by: By, wait: bool) -> Source:
    """A text out of another context's library, as it stood there. The caller writes it down in the audit log.

    `wait`: it is ready when this returns; otherwise the job cuts it up.
    """
    source = Source.objects.create(
        title=title, text=text, created_by_id=by.user_id if isinstance(by, Member) else None
    )
    if wait:
        ingestion.ingest(current_workspace_id(), source.id)
    else:
        ingestion.ring(source.id)
    return source


@part
def delete(source: Source, *, by: Member) -> None:
    """Out of the library, and from every employee at once. Members delete what they added."""
    if not by.may_delete(source.created_by_id):
        raise RoleForbids
    audit.write("knowledge.delete", by=by, target={"source": str(source.id), "title": source.title})
    source.delete()


def _checked(title: str, text: str) -> tuple[str, str]:
    errors: dict[str, list[str]] = {}
    text = storable(text)
    if is_blank(text):
        errors["text"] = [_("Paste the text that employees may answer from.")]
    elif len(text) > LONGEST:
        errors["text"] = [
            _("This text has %(has)s characters; one source holds at most %(most)s. Split it into several.")
            % {"has": f"{len(text):,}", "most": f"{LONGEST:,}"}
        ]
    try:
        title = visible_line(title, "title", 200)
    except Invalid as wrong:
        errors |= wrong.errors
    if errors:
        raise Invalid(errors)
    return title, text
