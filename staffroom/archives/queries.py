"""Exports and imports of the one who asked for them: nobody else knows that they are there."""

from __future__ import annotations

from uuid import UUID

from django.db import connection

from staffroom.core.errors import NotHere
from staffroom.core.scope import workspace_scope
from staffroom.workspaces.members import Member
from staffroom.workspaces.models import Workspace

from .models import Export, Import

SHOWN = 20


def exports(member: Member) -> list[Export]:
    """The newest first."""
    mine = Export.objects.filter(workspace_id=member.workspace_id, asked_by_id=_person(member))
    return list(mine.order_by("-created_at")[:SHOWN])


def export(member: Member, export_id: UUID) -> Export:
    mine = Export.objects.filter(workspace_id=member.workspace_id, asked_by_id=_person(member), id=export_id)
    if found := mine.first():
        return found
    raise NotHere


def imports(member: Member) -> list[Import]:
    mine = Import.objects.filter(workspace_id=member.workspace_id, asked_by_id=_person(member))
    return list(mine.order_by("-created_at")[:SHOWN])


def import_(member: Member, import_id: UUID) -> Import:
    mine = Import.objects.filter(workspace_id=member.workspace_id, asked_by_id=_person(member), id=import_id)
    if found := mine.first():
        return found
    raise NotHere


def still_owns(member: Member) -> bool:
    """Outside every scope, in whichever thread: leaves no connection behind."""
    try:
        with workspace_scope(member.workspace_id):
            return Workspace.objects.filter(id=member.workspace_id, owner_id=member.user_id).exists()
    finally:
        connection.close()


def _person(member: Member) -> UUID:
    """An organization's key is nobody, and has asked for nothing."""
    if member.user_id is None:
        raise NotHere
    return member.user_id
