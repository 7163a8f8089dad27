"""Which knowledge an employee may answer from."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from staffroom.core.ids import new_id
from staffroom.core.scope import current_workspace_id
from staffroom.core.sentences import part
from staffroom.knowledge.models import Source
from staffroom.workspaces import audit
from staffroom.workspaces.members import By

from .models import Employee, EmployeeSource


@part
def link(employee: Employee, source: Source, *, by: By) -> None:
    """Linked already: nothing changes."""
    if _add(employee, [source.id]):
        _note("employee.link", employee, [source.id], by)


@part
def unlink(employee: Employee, source: Source, *, by: By) -> None:
    if EmployeeSource.objects.filter(employee=employee, source=source).delete()[0]:
        _note("employee.unlink", employee, [source.id], by)


@part
def choose(employee: Employee, shown: Collection[UUID], ticked: Collection[UUID], *, by: By) -> None:
    """As the tick boxes stand; sources that the page did not show stay as they are."""
    present = set(Source.objects.filter(id__in=shown).values_list("id", flat=True))
    linked = set(EmployeeSource.objects.filter(employee=employee).values_list("source_id", flat=True))
    added = [id_ for id_ in present & set(ticked) if id_ not in linked]
    removed = [id_ for id_ in present - set(ticked) if id_ in linked]
    if added:
        _add(employee, added)
        _note("employee.link", employee, added, by)
    if removed:
        EmployeeSource.objects.filter(employee=employee, source_id__in=removed).delete()
        _note("employee.unlink", employee, removed, by)


@part
def begin_with(employee: Employee, source_ids: list[UUID]) -> None:
    """Of an employee who is new here; the audit log tells of it where it tells of the employee."""
    _add(employee, source_ids)


def _add(employee: Employee, source_ids: list[UUID]) -> int:
    """How many are new; whoever links the same at the same moment is the first or changes nothing."""
    before = EmployeeSource.objects.filter(employee=employee, source_id__in=source_ids).count()
    EmployeeSource.objects.bulk_create(
        [
            EmployeeSource(
                id=new_id(), workspace_id=current_workspace_id(), employee_id=employee.id, source_id=source_id
            )
            for source_id in source_ids
        ],
        ignore_conflicts=True,
    )
    return len(source_ids) - before


def _note(action: str, employee: Employee, source_ids: list[UUID], by: By) -> None:
    audit.write(
        action,
        by=by,
        target={"employee": str(employee.id), "name": employee.name},
        after={"sources": [str(id_) for id_ in source_ids]},
    )
