"""Employees come, pause, and leave."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

from anyascii import anyascii
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from staffroom.core.errors import Invalid
from staffroom.core.lines import visible_line
from staffroom.core.scope import current_workspace_id
from staffroom.core.sentences import part
from staffroom.workspaces import audit
from staffroom.workspaces.members import By, Member
from staffroom.workspaces.permissions import RoleForbids

from . import catalogue, personas, templates
from .models import Employee
from .settings import Settings


@part
def hire(name: str, *, by: By, template: str = "", persona: str | None = None, model: str = "") -> Employee:
    """A new employee with version 1 of its persona: the one given, else the template's, else none."""
    employee = enter(_begun(name, template, persona, model), by=by)
    audit.write(
        "employee.hire", by=by, target=_target(employee), after={"template": template, "model": model}
    )
    return employee


@part
def enter(employee: Employee, *, by: By) -> Employee:
    """One whose fields are set already, as a new one of the open workspace. The caller writes the audit log."""
    employee.workspace_id = current_workspace_id()
    employee.created_by_id = by.user_id if isinstance(by, Member) else None
    _write(employee)
    personas.record(employee, by=by)
    return employee


@part
def switch(employee: Employee, active: bool, *, by: By) -> None:
    """On: it answers. Off: customers' messages are kept and nobody answers."""
    if active == employee.active:
        return
    employee.active = active
    employee.save(update_fields=["active"])
    audit.write("employee.on" if active else "employee.off", by=by, target=_target(employee))


@part
def dismiss(employee: Employee, *, by: Member) -> None:
    """For good. Members dismiss whom they hired."""
    if not by.may_delete(employee.created_by_id):
        raise RoleForbids
    audit.write("employee.dismiss", by=by, target=_target(employee))
    employee.delete()


def _begun(name: str, template: str, persona: str | None, model: str) -> Employee:
    """Not yet written; every field is looked at before the first error is told."""
    employee = Employee(settings=Settings().stored)
    errors: dict[str, list[str]] = {}
    pattern = templates.found(template)
    if template and not pattern:
        errors["template"] = [_("There is no such template.")]
    text = (pattern.text if pattern else "") if persona is None else persona
    reads: dict[str, Callable[[], str]] = {
        "name": lambda: visible_line(name, "name", 80),
        "persona": lambda: personas.checked(text),
        "model": lambda: catalogue.chosen(model),
    }
    for field, read in reads.items():
        try:
            setattr(employee, field, read())
        except Invalid as wrong:
            errors |= wrong.errors
    if errors:
        raise Invalid(errors)
    return employee


def _write(employee: Employee) -> None:
    """With the handle that the name makes, or with an ending where another employee has it."""
    plain = str(anyascii(employee.name)).lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "employee"
    for handle in (base, *(f"{base}-{secrets.token_hex(3)}" for _try in range(3))):
        employee.handle = handle
        try:
            with transaction.atomic():
                return employee.save(force_insert=True)
        except IntegrityError:
            continue
    raise RuntimeError("no free handle in four tries")


def _target(employee: Employee) -> dict[str, str]:
    return {"employee": str(employee.id), "name": employee.name}
