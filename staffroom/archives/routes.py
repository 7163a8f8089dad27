"""Exports and imports by API, with a personal key of the owner."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _
from ninja import File, Router, Schema
from ninja.files import UploadedFile
from pydantic import Field

from staffroom.api.doors import PersonNeeded, answer, route
from staffroom.core.errors import Invalid
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

from . import exports, imports, links, problems, queries, views
from .models import Export as Made
from .models import Import as Read

router = Router(tags=["exports"])


class Export(Schema):
    id: UUID
    state: Literal["pending", "running", "ready", "failed", "expired"]
    progress: int = Field(description="Percent.")
    url: str | None = Field(description="Of the file: works once, for the one who asked, until `expires_at`.")
    size: int = Field(description="Bytes.")
    counts: dict[str, int]
    error: str | None
    created_at: datetime
    expires_at: datetime | None


class Import(Schema):
    id: UUID
    state: Literal["pending", "running", "ready", "failed"]
    progress: int = Field(description="Percent.")
    counts: dict[str, int] = Field(description="What has been imported so far.")
    error: str | None
    created_at: datetime


@router.post("{ctx:ctx}/exports", response={202: Export}, summary="Export everything")
@route(May.OWN, closed=True)
def start(request: Any, member: Member) -> Any:
    """Begins to make a ZIP of everything. One at a time (`export_running`)."""
    _person(member)
    return answer(_export(member, exports.start(by=member)), 202)


@router.get("{ctx:ctx}/exports", response=list[Export], summary="One's own exports")
@route(May.OWN, closed=True)
def mine(request: Any, member: Member) -> Any:
    """The newest first; those of others are not there."""
    _person(member)
    return [_export(member, row) for row in queries.exports(member)]


@router.get("{ctx:ctx}/exports/{uuid:export_id}", response=Export, summary="How far an export is")
@route(May.OWN, closed=True)
def export(request: Any, member: Member, export_id: UUID) -> Any:
    """Once `state` is `ready`, `url` is where the file is fetched, with the same key."""
    _person(member)
    return _export(member, queries.export(member, export_id))


@router.post("{ctx:ctx}/exports/{uuid:export_id}/link", response=Export, summary="Make a new link")
@route(May.OWN, closed=True)
def link(request: Any, member: Member, export_id: UUID) -> Any:
    """For a file whose link was used, as long as it is kept; the former link is dead."""
    _person(member)
    return _export(member, links.renew(queries.export(member, export_id), by=member))


@router.get("{ctx:ctx}/exports/{uuid:export_id}/file/{token}", summary="Fetch the file")
@route(May.OWN, closed=True)
def file(request: Any, member: Member, export_id: UUID, token: str) -> Any:
    """A ZIP. The link is used up the moment it begins; the second time it is 404 (`link_used`)."""
    _person(member)
    return views.sent(member, links.use(queries.export(member, export_id), token, by=member))


@router.post("{ctx:ctx}/imports", response={202: Import}, summary="Import an archive")
@route(May.OWN)
def upload(request: Any, member: Member, archive: File[UploadedFile | None] = None) -> Any:
    """A ZIP of an export, as the form field `archive`. What it holds is added to what is here."""
    _person(member)
    if archive is None:  # said behind the door: before, it would be told to strangers
        raise Invalid({"archive": [_("Send the ZIP file of an export as the form field “archive”.")]})
    return answer(_import(imports.start(archive, by=member)), 202)


@router.get("{ctx:ctx}/imports/{uuid:import_id}", response=Import, summary="How far an import is")
@route(May.OWN)
def import_(request: Any, member: Member, import_id: UUID) -> Any:
    _person(member)
    return _import(queries.import_(member, import_id))


def _person(member: Member) -> None:
    if member.user_id is None:
        raise PersonNeeded


def _export(member: Member, row: Made) -> dict[str, Any]:
    token = links.token(row)
    place = f"{settings.PUBLIC_URL}/api/v1{member.url(f'exports/{row.id}/file/{token}')}"
    return {
        "id": row.id,
        "state": row.state,
        "progress": row.progress,
        "url": place if token else None,
        "size": row.size,
        "counts": row.counts,
        "error": problems.sentence(row.problem) if row.problem else None,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
    }


def _import(row: Read) -> dict[str, Any]:
    return {
        "id": row.id,
        "state": row.state,
        "progress": row.progress,
        "counts": row.counts,
        "error": problems.sentence(row.problem) if row.problem else None,
        "created_at": row.created_at,
    }
