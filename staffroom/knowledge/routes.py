"""Knowledge by API."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ninja import Query, Router, Schema

from staffroom.api.doors import answer, route
from staffroom.api.shapes import In, PageOf, Paging
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

from . import queries, sources

router = Router(tags=["knowledge"])


class Source(Schema):
    id: str
    title: str
    kind: Literal["text"]
    state: Literal["pending", "ready", "failed"]
    progress: int
    error: str | None
    language: str
    words: int
    passages: int
    created_at: datetime


class NewSource(In):
    title: str
    text: str


@router.get("{ctx:ctx}/knowledge", response=PageOf[Source], summary="The library")
@route(May.WORK)
def library(request: Any, member: Member, paging: Query[Paging]) -> Any:
    """Newest first. `progress` counts to 100 while a long text is read."""
    page = queries.sources(member, paging.limit, paging.cursor)
    return {"items": [_shown(row) for row in page.items], "next": page.next}


@router.post("{ctx:ctx}/knowledge", response={201: Source}, summary="Add a text")
@route(May.WORK)
def add(request: Any, member: Member, new: NewSource) -> Any:
    """A short text is ready at once; a long one is `pending` while it is read."""
    source = sources.add(new.title, new.text, by=member)
    return answer(_shown(queries.row(member, source.id)), 201)


@router.get("{ctx:ctx}/knowledge/{uuid:source_id}", response=Source, summary="Read a source")
@route(May.WORK)
def source(request: Any, member: Member, source_id: UUID) -> Any:
    return _shown(queries.row(member, source_id))


@router.delete("{ctx:ctx}/knowledge/{uuid:source_id}", response={204: None}, summary="Delete a source")
@route(May.WORK)
def delete(request: Any, member: Member, source_id: UUID) -> None:
    """Every employee loses it at once. Members delete what they added."""
    sources.delete(queries.source(member, source_id), by=member)


def _shown(row: queries.Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "title": row.title,
        "kind": row.kind,
        "state": row.state,
        "progress": row.progress,
        "error": row.error or None,
        "language": row.language,
        "words": row.words,
        "passages": row.passages,
        "created_at": row.created_at,
    }
