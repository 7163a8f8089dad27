"""Employees by API."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Query, Router, Schema
from pydantic import Field

from staffroom.api.doors import answer, route
from staffroom.api.shapes import In, PageOf, Paging
from staffroom.core.scope import workspace_scope
from staffroom.knowledge import queries as knowledge
from staffroom.workspaces.doors import elsewhere
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

from . import catalogue, copies, links, personas, queries, roster
from .models import Employee as Row

router = Router(tags=["employees"])


class Line(Schema):
    """An employee in a list. `model` is the one chosen, empty for the installation's default."""

    id: str
    name: str
    handle: str
    active: bool
    model: str
    sources: int
    created_at: datetime


class Employee(Schema):
    id: str
    name: str
    handle: str
    active: bool
    model: str
    actual_model: str
    persona: str
    settings: dict[str, Any]
    version: int
    knowledge: list[str]
    created_at: datetime


class NewEmployee(In):
    name: str
    template: str = ""
    persona: str | None = None
    model: str = ""


class Change(In):
    """What is left out stays. `version`: the one that was edited; 409 `edited_meanwhile` when it is not the newest."""

    name: str | None = None
    active: bool | None = None
    persona: str | None = None
    model: str | None = None
    settings: dict[str, Any] | None = None
    version: int | None = None


class Copy(In):
    to: str = Field(description="`me`, or the slug of an organization.")
    name: str = Field("", description="The same as here where it is left out.")


class Version(Schema):
    number: int
    persona: str
    model: str
    settings: dict[str, Any]
    author: str
    created_at: datetime


@router.get("{ctx:ctx}/employees", response=PageOf[Line], summary="The employees")
@route(May.WORK)
def employees(request: Any, member: Member, paging: Query[Paging]) -> Any:
    """Newest first, without personas."""
    page = queries.employees(member, paging.limit, paging.cursor)
    return {"items": [_line(row) for row in page.items], "next": page.next}


@router.post("{ctx:ctx}/employees", response={201: Employee}, summary="Hire")
@route(May.WORK)
def hire(request: Any, member: Member, new: NewEmployee) -> Any:
    """From a template (assistant, support, sales, research, tasks, learning, writing), with a persona, or blank."""
    employee = roster.hire(new.name, template=new.template, persona=new.persona, model=new.model, by=member)
    return answer(_shown(employee), 201)


@router.get("{ctx:ctx}/employees/{uuid:employee_id}", response=Employee, summary="Read an employee")
@route(May.WORK)
def employee(request: Any, member: Member, employee_id: UUID) -> Any:
    return _shown(queries.employee(member, employee_id))


@router.patch("{ctx:ctx}/employees/{uuid:employee_id}", response=Employee, summary="Change an employee")
@route(May.WORK)
def change(request: Any, member: Member, employee_id: UUID, change: Change) -> Any:
    """Persona, model and settings make a version when they change."""
    employee = personas.save(
        queries.employee(member, employee_id),
        by=member,
        name=change.name,
        edited=change.version,
        persona=change.persona,
        model=change.model,
        settings=change.settings,
    )
    if change.active is not None:
        roster.switch(employee, change.active, by=member)
    return _shown(employee)


@router.delete("{ctx:ctx}/employees/{uuid:employee_id}", response={204: None}, summary="Dismiss an employee")
@route(May.WORK)
def dismiss(request: Any, member: Member, employee_id: UUID) -> None:
    """Members dismiss whom they hired."""
    roster.dismiss(queries.employee(member, employee_id), by=member)


@router.post(
    "{ctx:ctx}/employees/{uuid:employee_id}/copy", response={201: Employee}, summary="Copy an employee"
)
@route(May.WORK, apart=True)
def copy(request: Any, member: Member, employee_id: UUID, new: Copy) -> Any:
    """Persona, settings, model and knowledge, into this or another context that one works in. An organization's key
    copies inside its organization only."""
    there = elsewhere(request, None if new.to == "me" else new.to)
    employee = copies.copy(employee_id, by=member, to=there, name=new.name)
    with workspace_scope(there.workspace_id):
        return answer(_shown(employee), 201)


@router.get(
    "{ctx:ctx}/employees/{uuid:employee_id}/versions", response=PageOf[Version], summary="What it was told"
)
@route(May.WORK)
def versions(request: Any, member: Member, employee_id: UUID, paging: Query[Paging]) -> Any:
    """Newest first."""
    page = queries.versions(queries.employee(member, employee_id), paging.limit, paging.cursor)
    return {
        "items": [
            {
                "number": row.number,
                "persona": row.persona,
                "model": row.model,
                "settings": row.settings,
                "author": row.author_name,
                "created_at": row.created_at,
            }
            for row in page.items
        ],
        "next": page.next,
    }


@router.post(
    "{ctx:ctx}/employees/{uuid:employee_id}/versions/{int:number}/restore",
    response=Employee,
    summary="Bring a version back",
)
@route(May.WORK)
def restore(request: Any, member: Member, employee_id: UUID, number: int) -> Any:
    """As a new version."""
    return _shown(personas.restore(queries.employee(member, employee_id), number, by=member))


@router.put(
    "{ctx:ctx}/employees/{uuid:employee_id}/knowledge/{uuid:source_id}",
    response={204: None},
    summary="Link knowledge",
)
@route(May.WORK)
def link(request: Any, member: Member, employee_id: UUID, source_id: UUID) -> None:
    employee = queries.employee(member, employee_id)
    links.link(employee, knowledge.source(member, source_id), by=member)


@router.delete(
    "{ctx:ctx}/employees/{uuid:employee_id}/knowledge/{uuid:source_id}",
    response={204: None},
    summary="Unlink knowledge",
)
@route(May.WORK)
def unlink(request: Any, member: Member, employee_id: UUID, source_id: UUID) -> None:
    employee = queries.employee(member, employee_id)
    links.unlink(employee, knowledge.source(member, source_id), by=member)


def _line(row: queries.Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "handle": row.handle,
        "active": row.active,
        "model": row.model,
        "sources": row.sources,
        "created_at": row.created_at,
    }


def _shown(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "handle": row.handle,
        "active": row.active,
        "model": row.model,
        "actual_model": catalogue.actual(row.model),
        "persona": row.persona,
        "settings": row.settings,
        "version": row.version,
        "knowledge": queries.source_ids(row.id),
        "created_at": row.created_at,
    }
