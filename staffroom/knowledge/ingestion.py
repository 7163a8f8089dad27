"""A source becomes passages: one path for a short text (within the caller's transaction) and a long one (a job).

The row is the message: whoever takes it raises `attempt` and leases it, writes batches of passages, each with the
progress in one transaction, and finishes. Who lost the lease finds another attempt in the row and stops.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from procrastinate.contrib.django import app

from staffroom.core import ids, words
from staffroom.core.scope import across_workspaces, current_workspace_id, workspace_scope
from staffroom.core.sentences import part

from . import languages, passages
from .models import Passage, Source
from .spelling import spelled

_BATCH: Final = 200
_LEASE: Final = timedelta(minutes=2)
_MOST: Final = 50_000  # passages of one source

# The words of the title count for every passage, less than the text's; the ids of source and workspace are
# words of their own.
_INSERT: Final = """
INSERT INTO knowledge_passage (id, workspace_id, created_at, source_id, number, heading, text, language, tsv)
SELECT p.id, s.workspace_id, now(), s.id, p.number, p.heading, p.text, s.language,
       array_to_tsvector(ARRAY['§' || s.id, '§' || s.workspace_id])
       || setweight(to_tsvector(s.language::regconfig, %(title)s), 'C')
       || setweight(to_tsvector(s.language::regconfig, p.spelled_heading), 'A')
       || to_tsvector(s.language::regconfig, p.spelled)
FROM knowledge_source s,
     unnest(%(ids)s::uuid[], %(numbers)s::int[], %(headings)s::text[], %(texts)s::text[],
            %(spelled_headings)s::text[], %(spelled)s::text[])
         AS p(id, number, heading, text, spelled_heading, spelled)
WHERE s.workspace_id = %(workspace)s AND s.id = %(source)s
"""


@part
def ring(source_id: UUID) -> None:
    """Ask the worker to cut up a source of the open workspace, once this transaction is committed."""
    prepare.defer(workspace_id=str(current_workspace_id()), source_id=str(source_id))


@app.task(name="knowledge.prepare")
def prepare(workspace_id: str, source_id: str) -> None:
    ingest(UUID(workspace_id), UUID(source_id))


@app.task(name="knowledge.ring_again", queueing_lock="knowledge.ring_again")
def ring_again(timestamp: int = 0) -> None:
    """For sources that nobody has taken, or whose taker died."""
    with across_workspaces("a worker dies with sources of any workspace in its hands"):
        left = Source.objects.filter(
            Q(lease_until=None, created_at__lt=timezone.now() - _LEASE) | Q(lease_until__lt=timezone.now()),
            state=Source.PENDING,
            workspace__closed_at=None,
        )
        waiting = list(left.values_list("workspace_id", "id"))
    for workspace_id, source_id in waiting:
        prepare.defer(workspace_id=str(workspace_id), source_id=str(source_id))


def ingest(workspace_id: UUID, source_id: UUID) -> None:
    """Cut a source into passages. Inside an open scope all of it joins the transaction; otherwise each batch is
    one of its own, so that others see the progress. A source that is done or taken is left alone."""
    with workspace_scope(workspace_id):
        source = _take(source_id)
    if source is None:
        return
    pieces = passages.cut(source.text)
    if not pieces or len(pieces) > _MOST:
        with workspace_scope(workspace_id):
            _fail(source, _reason(len(pieces)))
        return
    for start in range(0, len(pieces), _BATCH):
        with workspace_scope(workspace_id):
            if not _write(source, start, pieces[start : start + _BATCH], len(pieces)):
                return


def _take(source_id: UUID) -> Source | None:
    """Claim by UPDATE. What an earlier attempt wrote is thrown away. Nobody works in a closed organization."""
    now = timezone.now()
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    mine = Source.objects.filter(free, id=source_id, state=Source.PENDING, workspace__closed_at=None)
    if not mine.update(attempt=F("attempt") + 1, lease_until=now + _LEASE, progress=0, cut_into=0):
        return None
    source = Source.objects.get(id=source_id)
    Passage.objects.filter(source_id=source_id).delete()
    source.language = languages.of(source.text)
    Source.objects.filter(id=source_id).update(language=source.language, words=words.count(source.text))
    return source


def _write(source: Source, start: int, pieces: list[passages.Piece], whole: int) -> bool:
    """The next batch and the progress with it; False when somebody else has taken the source or deleted it."""
    done = start + len(pieces)
    still_mine = Source.objects.filter(
        id=source.id, attempt=source.attempt, state=Source.PENDING, workspace__closed_at=None
    ).update(
        progress=done * 100 // whole,
        cut_into=done,
        lease_until=timezone.now() + _LEASE if done < whole else None,
        state=Source.PENDING if done < whole else Source.READY,
    )
    if still_mine:
        _insert(source, start, pieces)
    return bool(still_mine)


def _insert(source: Source, start: int, pieces: list[passages.Piece]) -> None:
    values: dict[str, Any] = {
        "workspace": current_workspace_id(),
        "source": source.id,
        "title": spelled(source.title),
        "ids": [ids.new_id() for _ in pieces],
        "numbers": list(range(start, start + len(pieces))),
        "headings": [piece.heading for piece in pieces],
        "texts": [piece.text for piece in pieces],
        "spelled_headings": [spelled(piece.heading) for piece in pieces],
        "spelled": [spelled(piece.text) for piece in pieces],
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)


def _fail(source: Source, reason: str) -> None:
    Source.objects.filter(id=source.id, attempt=source.attempt).update(
        state=Source.FAILED, error=reason, lease_until=None
    )


def _reason(pieces: int) -> str:
    if not pieces:
        return _("There is no text in it.")
    return _("It has more than %(most)s separate parts. Split it into several sources.") % {"most": _MOST}
