"""What an employee is told. Each save is a version; nobody overwrites what they have not seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext as _

from staffroom.core.errors import Conflict, Invalid, NotHere
from staffroom.core.lines import storable, visible_line
from staffroom.core.sentences import part
from staffroom.workspaces import audit
from staffroom.workspaces.members import By, Member

from . import catalogue
from .models import Employee, Version
from .settings import Settings

LONGEST: Final = 50_000  # letters of a persona


class EditedMeanwhile(Conflict):
    """Somebody saved another version since this one was opened; `theirs` is that version."""

    code, title = "edited_meanwhile", "Somebody else has saved meanwhile"

    def __init__(self, theirs: Version) -> None:
        self.theirs = theirs
        sentence = _(
            "%(who)s saved version %(number)s while you were editing. Nothing of theirs or yours is lost."
        )
        super().__init__(
            sentence % {"who": theirs.author_name or _("Somebody"), "number": theirs.number},
            version=theirs.number,
        )


@part
def save(
    employee: Employee,
    *,
    by: By,
    edited: int | None = None,
    name: str | None = None,
    persona: str | None = None,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Employee:
    """A new version with what is given, the rest as it was; none when nothing changes, or only the name.

    `edited` is the number of the version that the author had before them: when it is no longer the newest,
    raises `EditedMeanwhile`. None overwrites whatever is there. The handle stays: programs know it.
    """
    employee = Employee.objects.select_for_update(no_key=True).get(id=employee.id)
    values = _checked(employee, name, persona, model, settings)
    changed = {field: value for field, value in values.items() if value != getattr(employee, field)}
    is_version = bool(changed.keys() - {"name"})
    if is_version and edited is not None and edited != employee.version:
        raise EditedMeanwhile(Version.objects.get(employee_id=employee.id, number=employee.version))
    if "name" in changed:
        target = {"employee": str(employee.id), "name": changed["name"]}
        audit.write("employee.rename", by=by, target=target, before=employee.name, after=changed["name"])
    for field, value in changed.items():
        setattr(employee, field, value)
    if is_version:
        employee.version += 1
        record(employee, by=by)
    if changed:
        employee.save(update_fields=[*changed, "version"])
    return employee


@part
def restore(employee: Employee, number: int, *, by: By) -> Employee:
    """A former version again, as a new one."""
    former = Version.objects.filter(employee_id=employee.id, number=number).first()
    if former is None:
        raise NotHere
    return save(employee, by=by, persona=former.persona, model=former.model, settings=former.settings)


@part
def record(employee: Employee, *, by: By) -> Version:
    """Write down the employee as it is now."""
    return Version.objects.create(
        employee=employee,
        number=employee.version,
        persona=employee.persona,
        model=employee.model,
        settings=employee.settings,
        author_id=by.user_id if isinstance(by, Member) else None,
        author_name=_author(by),
    )


def checked(persona: str) -> str:
    persona = storable(persona).strip()
    if len(persona) > LONGEST:
        raise Invalid(
            {
                "persona": [
                    _(
                        "This persona has %(has)s characters; at most %(most)s fit. Long texts belong in knowledge."
                    )
                    % {"has": f"{len(persona):,}", "most": f"{LONGEST:,}"}
                ]
            }
        )
    return persona


def _checked(
    employee: Employee,
    name: str | None,
    persona: str | None,
    model: str | None,
    settings: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What was given, read; every field is looked at before the first error is told."""
    values: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for field, given, read in (
        ("name", name, lambda: visible_line(name or "", "name", 80)),
        ("persona", persona, lambda: checked(persona or "")),
        (
            "model",
            model,
            lambda: employee.model if model == employee.model else catalogue.chosen(model or ""),
        ),
        ("settings", settings, lambda: Settings.of(employee.settings).changed(settings or {}).stored),
    ):
        if given is None:
            continue
        try:
            values[field] = read()
        except Invalid as wrong:
            errors |= wrong.errors
    if errors:
        raise Invalid(errors)
    return values


def _author(by: By) -> str:
    if isinstance(by, Member):
        return by.user_name or by.user_email or _("An API key")
    return by if isinstance(by, str) else by.name
