"""The audit log as it is read: a page of it, and what each entry says in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from staffroom.core.paging import Page, page, position

from .members import Member
from .models import AuditEntry
from .permissions import May

ACTIONS = {
    "organization.founded": gettext_lazy("Organization founded"),
    "organization.renamed": gettext_lazy("Organization renamed"),
    "organization.moved": gettext_lazy("Address changed"),
    "ownership.transferred": gettext_lazy("Ownership transferred"),
    "invitation.sent": gettext_lazy("Invitation sent"),
    "invitation.renewed": gettext_lazy("Invitation sent again"),
    "invitation.revoked": gettext_lazy("Invitation revoked"),
    "invitation.accepted": gettext_lazy("Invitation accepted"),
    "invitation.declined": gettext_lazy("Invitation declined"),
    "member.role_changed": gettext_lazy("Role changed"),
    "member.removed": gettext_lazy("Member removed"),
    "member.left": gettext_lazy("Member left"),
    "limit.changed": gettext_lazy("Word limit changed"),
    "purchase.paid": gettext_lazy("Purchase paid"),
    "purchase.refunded": gettext_lazy("Purchase refunded"),
    "purchase.disputed": gettext_lazy("Purchase disputed by the bank"),
    "employee.hire": gettext_lazy("Employee hired"),
    "employee.on": gettext_lazy("Employee switched on"),
    "employee.off": gettext_lazy("Employee switched off"),
    "employee.link": gettext_lazy("Knowledge given to an employee"),
    "employee.unlink": gettext_lazy("Knowledge taken from an employee"),
    "employee.rename": gettext_lazy("Employee renamed"),
    "employee.dismiss": gettext_lazy("Employee deleted"),
    "knowledge.add": gettext_lazy("Knowledge added"),
    "knowledge.delete": gettext_lazy("Knowledge deleted"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    number: int
    at: datetime
    actor: dict[str, Any]
    action: str
    target: dict[str, Any]
    before: Any
    after: Any
    ip: str | None
    hash: str
    people: dict[str, str]  # id → address, of the persons whom the entry names by their id

    @property
    def what(self) -> str:
        return str(ACTIONS.get(self.action, self.action))

    @property
    def who(self) -> str:
        if "system" in self.actor:
            return _("Staffroom")
        if "key" in self.actor:
            person = self.people.get(self.actor.get("user", ""), "")
            return _("API key of %(who)s") % {"who": person} if person else _("API key of the organization")
        return str(self.actor.get("email") or self.people.get(self.actor.get("user", ""), ""))

    @property
    def whom(self) -> str:
        if "user" in self.target:
            return self.people.get(str(self.target["user"]), str(self.target["user"]))
        return next((str(self.target[key]) for key in ("email", "name", "title") if key in self.target), "")

    @property
    def change(self) -> str:
        return " → ".join(self._said(one) for one in (self.before, self.after) if one not in (None, {}))

    def _said(self, value: Any) -> str:
        values = value.values() if isinstance(value, dict) else [value]
        return ", ".join(self.people.get(str(one), str(one)) for one in values if one not in (None, ""))


def entries(member: Member, cursor: str | None = None, limit: int = 50, action: str = "") -> Page[Entry]:
    """The newest first."""
    member.require(May.SETTINGS)
    found = AuditEntry.objects.order_by("-number")
    if action:
        found = found.filter(action=action.replace("\0", ""))
    if after := position("audit", cursor, tuple[int]):
        found = found.filter(number__lt=after[0])
    rows = list(found[: limit + 1])
    people = _people(rows)
    return page([_entry(row, people) for row in rows], limit, "audit", lambda entry: (entry.number,))


def _entry(row: AuditEntry, people: dict[str, str]) -> Entry:
    return Entry(
        row.number, row.at, row.actor, row.action, row.target, row.before, row.after, row.ip,
        bytes(row.hash).hex(), people,
    )  # fmt: skip


def _people(rows: list[AuditEntry]) -> dict[str, str]:
    """The addresses of everybody named by id, in one statement."""
    named = {
        str(one)
        for row in rows
        for place in (row.actor, row.target, row.before, row.after)
        if isinstance(place, dict)
        for key in ("user", "owner")
        if (one := place.get(key))
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT id::text, email FROM accounts_user WHERE id = ANY(%s)", [_ids(named)])
        return dict(cursor.fetchall())


def _ids(named: set[str]) -> list[UUID]:
    ids = []
    for one in sorted(named):
        try:
            ids.append(UUID(one))
        except ValueError:
            continue
    return ids
