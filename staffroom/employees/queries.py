"""Employees, for pages, programs, and whoever lets them think."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from staffroom.core.errors import NotHere
from staffroom.core.paging import Page, page, position
from staffroom.workspaces.members import Member

from .models import Employee, EmployeeSource, Version


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list: no persona."""

    id: UUID
    name: str
    handle: str
    active: bool
    model: str
    sources: int
    created_at: datetime
    created_by_id: UUID | None


_ROWS = """
    SELECT e.id, e.name, e.handle, e.active, e.model,
           (SELECT count(*) FROM employees_employeesource l
            WHERE l.workspace_id = e.workspace_id AND l.employee_id = e.id),
           e.created_at, e.created_by_id
    FROM employees_employee e
    WHERE e.workspace_id = %(workspace)s AND (%(after)s::uuid IS NULL OR e.id < %(after)s)
    ORDER BY e.id DESC LIMIT %(limit)s
"""


def employees(member: Member, limit: int = 50, cursor: str | None = None) -> Page[Row]:
    """Newest first, one statement."""
    after = position("employees", cursor, tuple[UUID])
    values = {"workspace": member.workspace_id, "after": after[0] if after else None, "limit": limit + 1}
    rows = [Row(*found) for found in _read(_ROWS, values)]
    return page(rows, limit, "employees", lambda row: (row.id,))


def employee(member: Member, employee_id: UUID) -> Employee:
    found = Employee.objects.filter(workspace_id=member.workspace_id, id=employee_id).first()
    if found is None:
        raise NotHere
    return found


def names(ids: list[UUID]) -> dict[UUID, str]:
    """Of the open workspace's employees; one who is gone is missing."""
    return dict(Employee.objects.filter(id__in=ids).values_list("id", "name"))


def source_ids(employee_id: UUID) -> list[UUID]:
    """What the employee may answer from."""
    return list(
        EmployeeSource.objects.filter(employee_id=employee_id)
        .order_by("source_id")
        .values_list("source_id", flat=True)
    )


@dataclass(frozen=True, slots=True)
class Linked:
    """A source beside an employee."""

    id: UUID
    title: str
    words: int
    state: str
    linked: bool


_LIBRARY = """
    SELECT s.id, s.title, s.words, s.state, l.id IS NOT NULL
    FROM knowledge_source s
    LEFT JOIN employees_employeesource l
        ON l.workspace_id = s.workspace_id AND l.source_id = s.id AND l.employee_id = %(employee)s
    WHERE s.workspace_id = %(workspace)s
    ORDER BY (l.id IS NOT NULL) DESC, s.id DESC LIMIT %(limit)s
"""


def library(employee: Employee, limit: int = 200) -> list[Linked]:
    """The sources of the context, the employee's own first, then the newest."""
    values = {"workspace": employee.workspace_id, "employee": employee.id, "limit": limit}
    return [Linked(*found) for found in _read(_LIBRARY, values)]


_USERS = """
    SELECT e.id, e.name FROM employees_employeesource l
    JOIN employees_employee e ON e.workspace_id = l.workspace_id AND e.id = l.employee_id
    WHERE l.workspace_id = %(workspace)s AND l.source_id = %(source)s ORDER BY lower(e.name), e.id
"""


def users_of(member: Member, source_id: UUID) -> list[tuple[UUID, str]]:
    """Id and name of the employees that answer from a source."""
    return _read(_USERS, {"workspace": member.workspace_id, "source": source_id})


_USE = """
    SELECT source_id, count(*) FROM employees_employeesource
    WHERE workspace_id = %(workspace)s AND source_id = ANY(%(sources)s) GROUP BY source_id
"""


def use(member: Member, source_ids: list[UUID]) -> dict[UUID, int]:
    """By how many employees each source is used."""
    return dict(_read(_USE, {"workspace": member.workspace_id, "sources": source_ids}))


def versions(employee: Employee, limit: int = 20, cursor: str | None = None) -> Page[Version]:
    """Newest first."""
    after = position(f"versions of {employee.id}", cursor, tuple[int])
    found = Version.objects.filter(employee_id=employee.id).order_by("-number")
    rows = list((found.filter(number__lt=after[0]) if after else found)[: limit + 1])
    return page(rows, limit, f"versions of {employee.id}", lambda row: (row.number,))


def _read(sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
