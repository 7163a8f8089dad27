"""The library, for pages and programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models.functions import Left

from staffroom.core.errors import NotHere
from staffroom.core.paging import Page, page, position
from staffroom.workspaces.members import Member

from .models import Passage, Source


@dataclass(frozen=True, slots=True)
class Row:
    """A source without its text."""

    id: UUID
    title: str
    kind: str
    words: int
    passages: int
    language: str
    state: str
    progress: int
    error: str
    created_at: datetime
    created_by_id: UUID | None
    created_by_name: str


_ROWS = """
    SELECT s.id, s.title, s.kind, s.words, s.cut_into, s.language, s.state, s.progress, s.error, s.created_at,
           s.created_by_id, coalesce(nullif(u.name, ''), split_part(u.email, '@', 1), '')
    FROM knowledge_source s LEFT JOIN accounts_user u ON u.id = s.created_by_id
    WHERE s.workspace_id = %(workspace)s
      AND (%(after)s::uuid IS NULL OR s.id < %(after)s) AND (%(id)s::uuid IS NULL OR s.id = %(id)s)
    ORDER BY s.id DESC LIMIT %(limit)s
"""


def sources(member: Member, limit: int = 50, cursor: str | None = None) -> Page[Row]:
    """Newest first."""
    after = position("knowledge", cursor, tuple[UUID])
    rows = _rows(member, after=after[0] if after else None, limit=limit + 1)
    return page(rows, limit, "knowledge", lambda row: (row.id,))


def row(member: Member, source_id: UUID) -> Row:
    if found := _rows(member, id=source_id, limit=1):
        return found[0]
    raise NotHere


def source(member: Member, source_id: UUID) -> Source:
    if found := Source.objects.filter(workspace_id=member.workspace_id, id=source_id).first():
        return found
    raise NotHere


def text(member: Member, source_id: UUID, letters: int = 20_000) -> str:
    """The beginning of it, for the page."""
    found = Source.objects.filter(workspace_id=member.workspace_id, id=source_id)
    return str(found.values_list(Left("text", letters), flat=True).first() or "")


def passages(member: Member, source_id: UUID, limit: int, after: int = -1) -> list[Passage]:
    """The next ones after a number, in the order of the text."""
    mine = Passage.objects.filter(workspace_id=member.workspace_id, source_id=source_id, number__gt=after)
    return list(mine.only("number", "heading", "text").order_by("number")[:limit])


def _rows(member: Member, **values: Any) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, {"workspace": member.workspace_id, "after": None, "id": None} | values)
        return [Row(*found) for found in cursor.fetchall()]
