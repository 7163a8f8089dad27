"""Employees, the versions of their personas, and what they may answer from."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from django.db import IntegrityError, transaction

from staffroom.core.lines import visible_line
from staffroom.employees.models import Employee, EmployeeSource, Version
from staffroom.employees.settings import Settings
from staffroom.knowledge.models import Source

from .. import format
from ..problems import Problem
from ..reader import Reader
from .target import Target, plant, present

_HANDLE: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


class Ordered:
    """Keys that only grow: so nothing is there twice, and nobody has to remember what was."""

    def __init__(self) -> None:
        self.last: Any = None

    def after(self, key: Any) -> None:
        if self.last is not None and key <= self.last:
            raise Problem("order")
        self.last = key


class Employees(Ordered):
    def __init__(self, reader: Reader) -> None:
        super().__init__()

    def __call__(self, said: format.Employee) -> None:
        self.after(said.id)
        _read(said.settings)
        visible_line(said.name, "name", 80)


class Versions(Ordered):
    def __init__(self, reader: Reader) -> None:
        super().__init__()

    def __call__(self, said: format.Version) -> None:
        self.after((said.employee, said.number))
        _read(said.settings)


class Links(Ordered):
    def __init__(self, reader: Reader) -> None:
        super().__init__()

    def __call__(self, said: format.Link) -> None:
        self.after((said.employee, said.source))


def employees(target: Target, rows: Sequence[format.Employee]) -> dict[str, int]:
    """Names that others have here get a number; handles, an ending."""
    others = _others(target)
    given: set[str] = set()
    for said in rows:
        id_, name = target.id("employee", said.id), visible_line(said.name, "name", 80)
        if name in others:  # two of the archive may share a name, as they did there
            name = _free(name, others | given)
            given.add(name)
        if not Employee.objects.filter(id=id_).exists():
            _hire(target, id_, said, name)
    return {"employees": len(rows)}


def versions(target: Target, rows: Sequence[format.Version]) -> dict[str, int]:
    here = present(Employee, (target.id("employee", said.employee) for said in rows))
    plant([_version(target, said) for said in rows if target.id("employee", said.employee) in here])
    return {"versions": len(rows)}


def links(target: Target, rows: Sequence[format.Link]) -> dict[str, int]:
    """Of what is there on both sides: an archive is read in pages, and something may have gone meanwhile."""
    here = present(Employee, (target.id("employee", said.employee) for said in rows))
    known = present(Source, (target.id("source", said.source) for said in rows))
    pairs = [(target.id("employee", said.employee), target.id("source", said.source)) for said in rows]
    EmployeeSource.objects.bulk_create(
        [
            EmployeeSource(
                id=target.id("link", employee, source.int),
                workspace_id=target.workspace_id,
                employee_id=employee,
                source_id=source,
            )
            for employee, source in pairs
            if employee in here and source in known
        ],
        ignore_conflicts=True,
    )
    return {"links": len(rows)}


def _read(stored: dict[str, Any]) -> dict[str, Any]:
    """Settings as this installation knows them; raises `Invalid`."""
    return Settings().changed(stored).stored


def _others(target: Target) -> set[str]:
    """Names of the employees that are not this archive's own."""
    lines: Iterator[tuple[int, int, format.Employee]] = target.reader.lines(format.EMPLOYEES, format.Employee)
    ours = [target.id("employee", said.id) for _number, _size, said in lines]
    return set(Employee.objects.exclude(id__in=ours).values_list("name", flat=True))


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name[:72]} ({number})"
    return free


def _hire(target: Target, id_: UUID, said: format.Employee, name: str) -> None:
    wanted = said.handle if _HANDLE.fullmatch(said.handle) else "employee"
    for handle in (wanted, *(f"{wanted[:50]}-{secrets.token_hex(3)}" for _try in range(3))):
        employee = Employee(
            id=id_,
            workspace_id=target.workspace_id,
            name=name,
            handle=handle,
            active=said.active,
            persona=said.persona,
            model=said.model,
            settings=_read(said.settings),
            version=said.version,
            created_by_id=target.user_id,
        )
        try:
            with transaction.atomic():
                employee.save(force_insert=True)
        except IntegrityError:
            continue
        Employee.objects.filter(id=id_).update(created_at=said.created_at)
        return
    raise RuntimeError("no free handle in four tries")


def _version(target: Target, said: format.Version) -> Version:
    return Version(
        id=target.id("version", said.employee, said.number),
        workspace_id=target.workspace_id,
        created_at=said.at,
        employee_id=target.id("employee", said.employee),
        number=said.number,
        persona=said.persona,
        model=said.model,
        settings=_read(said.settings),
        author_name=said.author,
    )
