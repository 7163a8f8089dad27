"""Employees as they are, every version of their personas, and which sources they may answer from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final
from uuid import UUID

from ..format import EMPLOYEES, LINKS, VERSIONS, raw
from ..rows import all_of
from ..writer import Writer

NOBODY: Final = UUID(int=0)
_AT_ONCE: Final = 50  # rows with a persona each

_EMPLOYEES: Final = """
    SELECT id, name, handle, active, persona, model, settings::text, version, created_at
    FROM employees_employee WHERE workspace_id = %(workspace)s AND id > %(id)s ORDER BY id LIMIT %(limit)s
"""
_VERSIONS: Final = """
    SELECT employee_id, number, persona, model, settings::text, author_name, created_at
    FROM employees_version WHERE workspace_id = %(workspace)s AND (employee_id, number) > (%(id)s, %(number)s)
    ORDER BY employee_id, number LIMIT %(limit)s
"""
_LINKS: Final = """
    SELECT employee_id, source_id FROM employees_employeesource
    WHERE workspace_id = %(workspace)s AND (employee_id, source_id) > (%(id)s, %(source)s)
    ORDER BY employee_id, source_id LIMIT %(limit)s
"""


def write(archive: Writer, workspace_id: UUID, done: Callable[[int], None]) -> dict[str, int]:
    return {
        "employees": archive.lines(EMPLOYEES, _employees(workspace_id, done)),
        "versions": archive.lines(VERSIONS, _versions(workspace_id, done)),
        "links": archive.lines(LINKS, _links(workspace_id)),
    }


def _employees(workspace_id: UUID, done: Callable[[int], None]) -> Iterator[dict[str, Any]]:
    for row in all_of(workspace_id, _EMPLOYEES, _AT_ONCE, {"id": NOBODY}, lambda row: {"id": row[0]}):
        id_, name, handle, active, persona, model, settings, version, created_at = row
        yield {
            "id": id_,
            "name": name,
            "handle": handle,
            "active": active,
            "persona": persona,
            "model": model,
            "settings": raw(settings),
            "version": version,
            "created_at": created_at,
        }
        done(1)


def _versions(workspace_id: UUID, done: Callable[[int], None]) -> Iterator[dict[str, Any]]:
    start = {"id": NOBODY, "number": 0}
    for row in all_of(workspace_id, _VERSIONS, _AT_ONCE, start, lambda row: {"id": row[0], "number": row[1]}):
        employee, number, persona, model, settings, author, at = row
        yield {
            "employee": employee,
            "number": number,
            "persona": persona,
            "model": model,
            "settings": raw(settings),
            "author": author,
            "at": at,
        }
        done(1)


def _links(workspace_id: UUID) -> Iterator[dict[str, Any]]:
    start = {"id": NOBODY, "source": NOBODY}
    for employee, source in all_of(
        workspace_id, _LINKS, 1000, start, lambda row: {"id": row[0], "source": row[1]}
    ):
        yield {"employee": employee, "source": source}
