"""A copy of an employee, in the same context or in another one: persona, settings, model and knowledge, once.

Nothing leads from the copy back to where it came from, and what happens to one of the two happens to that one alone.
Chats, former versions and the switch stay where they are. In the same context the copy answers from the same texts of
the library; in another one it brings copies of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.utils.translation import gettext as _

from staffroom.core.lines import visible_line
from staffroom.core.scope import workspace_scope
from staffroom.core.sentences import sentence
from staffroom.knowledge import sources
from staffroom.knowledge.models import Source
from staffroom.workspaces import audit
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

from . import links, queries, roster
from .models import Employee

_NAME: Final = 80
# What the log of one context may know of the other: names there would tell who works where.
_ELSEWHERE: Final = "another context"


@dataclass(frozen=True, slots=True)
class Original:
    """What goes along, read in its own context."""

    id: UUID
    name: str
    persona: str
    model: str
    settings: dict[str, Any]
    source_ids: list[UUID]


@sentence
def copy(employee_id: UUID, *, by: Member, to: Member, name: str = "") -> Employee:
    """The new employee. `by` and `to` are one actor in two contexts, or twice in the same; no scope may be open.

    One transaction for both, which opens one context after the other: all of it happens, or nothing.
    Raises `NotHere` and `Invalid`.
    """
    for actor in (by, to):
        actor.require(May.WORK)
    with workspace_scope(by.workspace_id):
        original = _read(employee_id, by)
    new = Employee(
        name=visible_line(name, "name", _NAME) if name else _name(original, by, to),
        persona=original.persona,
        model=original.model,
        settings=original.settings,
    )
    with workspace_scope(to.workspace_id):
        roster.enter(new, by=to)
    own = original.source_ids if by.workspace_id == to.workspace_id else _carried(original, by, to)
    with workspace_scope(to.workspace_id):
        links.begin_with(new, own)
    _tell(original, new, by=by, to=to)
    return new


def _read(employee_id: UUID, by: Member) -> Original:
    found = queries.employee(by, employee_id)
    return Original(
        found.id, found.name, found.persona, found.model, found.settings, queries.source_ids(found.id)
    )


def _name(original: Original, by: Member, to: Member) -> str:
    """Two of one name in one list would be told apart by nobody."""
    if by.workspace_id != to.workspace_id:
        return original.name
    ending = " " + _("(copy)")
    return original.name[: _NAME - len(ending)].rstrip() + ending


def _carried(original: Original, by: Member, to: Member) -> list[UUID]:
    """One text after the other, so that a library of any size needs the memory of one. The first, short ones are
    ready at once, the rest as soon as a worker has read them."""
    carried, letters = [], 0
    for source_id in original.source_ids:
        with workspace_scope(by.workspace_id):
            source = Source.objects.filter(id=source_id).first()
        if source is None:
            continue  # deleted since we asked for its id
        letters += len(source.text)
        with workspace_scope(to.workspace_id):
            taken = sources.take_over(source.title, source.text, by=to, wait=letters <= sources.AT_ONCE)
            carried.append(taken.id)
    return carried


def _tell(original: Original, new: Employee, *, by: Member, to: Member) -> None:
    """Both logs, in the order of their workspaces: writing locks each, and somebody may be copying the other way."""
    here = by.workspace_id == to.workspace_id
    told: list[tuple[Member, dict[str, Any]]] = [
        (to, {"target": _target(new), "before": {"from": original.name if here else _ELSEWHERE}})
    ]
    if not here:
        told.append((by, {"target": _target(original), "after": {"to": _ELSEWHERE}}))
    for actor, said in sorted(told, key=lambda one: one[0].workspace_id):
        with workspace_scope(actor.workspace_id):
            audit.write("employee.copied", by=actor, **said)


def _target(employee: Original | Employee) -> dict[str, str]:
    return {"employee": str(employee.id), "name": employee.name}
