"""Sources: the text goes the way of every text that is added here, and is cut up anew."""

from __future__ import annotations

from collections.abc import Sequence

from staffroom.core.lines import visible_line
from staffroom.core.scope import workspace_scope
from staffroom.knowledge import ingestion
from staffroom.knowledge.models import Source
from staffroom.knowledge.sources import LONGEST

from .. import format
from ..problems import Problem
from ..reader import Reader
from .staff import Ordered
from .target import Target, plant


class Sources(Ordered):
    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self.reader = reader

    def __call__(self, said: format.Source) -> None:
        self.after(said.id)
        visible_line(said.title, "title", 200)
        _text(self.reader, said)


def sources(target: Target, rows: Sequence[format.Source]) -> None:
    """One by one, outside the batch's transaction: a long text is cut up in many of its own."""
    for said in rows:
        source = Source(
            id=target.id("source", said.id),
            workspace_id=target.workspace_id,
            created_at=said.created_at,
            title=visible_line(said.title, "title", 200),
            text=_text(target.reader, said),
            created_by_id=target.user_id,
        )
        with workspace_scope(target.workspace_id):
            plant([source])
        ingestion.ingest(target.workspace_id, source.id)


def counted(target: Target, rows: Sequence[format.Source]) -> dict[str, int]:
    return {"sources": len(rows)}


def _text(reader: Reader, said: format.Source) -> str:
    if not said.text.startswith(format.TEXTS) or said.text not in reader.names:
        raise Problem("missing", said.text)
    text = reader.text(said.text, LONGEST)
    if "\x00" in text:
        raise Problem("text", said.text, most=f"{LONGEST:,}")
    return text
