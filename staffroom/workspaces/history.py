"""The audit log as it is read: a page of it, and what each entry says in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from staffroom.accounts.emails import normalised
from staffroom.core.paging import Page, page, position
from staffroom.core.paging import cursor as cursor_to

from .members import Member
from .models import ApiKey, AuditEntry
from .permissions import May
from .queries import plain

LOOKED = 20_000  # entries that a search reads for one page
ACTIONS = {
    "organization.founded": gettext_lazy("Organization founded"),
    "organization.renamed": gettext_lazy("Organization renamed"),
    "organization.moved": gettext_lazy("Address changed"),
    "organization.closed": gettext_lazy("Deletion asked for"),
    "organization.reopened": gettext_lazy("Deletion cancelled"),
    "avatar.changed": gettext_lazy("Avatar changed"),
    "avatar.removed": gettext_lazy("Avatar removed"),
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
    "key.made": gettext_lazy("API key made"),
    "key.revoked": gettext_lazy("API key revoked"),
    "second_factor.required": gettext_lazy("Second factor required"),
    "second_factor.waived": gettext_lazy("Second factor no longer required"),
    "employee.hire": gettext_lazy("Employee hired"),
    "employee.copied": gettext_lazy("Employee copied"),
    "employee.on": gettext_lazy("Employee switched on"),
    "employee.off": gettext_lazy("Employee switched off"),
    "employee.link": gettext_lazy("Knowledge given to an employee"),
    "employee.unlink": gettext_lazy("Knowledge taken from an employee"),
    "employee.rename": gettext_lazy("Employee renamed"),
    "employee.dismiss": gettext_lazy("Employee deleted"),
    "knowledge.add": gettext_lazy("Knowledge added"),
    "knowledge.delete": gettext_lazy("Knowledge deleted"),
    "export.start": gettext_lazy("Export begun"),
    "export.download": gettext_lazy("Export downloaded"),
    "export.link": gettext_lazy("New link to an export"),
    "import.start": gettext_lazy("Import begun"),
    "import.finish": gettext_lazy("Import finished"),
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
    people: dict[str, str]  # id → address of the persons, name of the keys, that the entry names by their id

    @property
    def what(self) -> str:
        return str(ACTIONS.get(self.action, self.action))

    @property
    def who(self) -> str:
        if "system" in self.actor:
            return _("Staffroom")
        if "key" in self.actor:
            person = self.people.get(self.actor.get("user", ""), "")
            if person:
                return _("API key of %(who)s") % {"who": person}
            name = self.people.get(self.actor["key"], "")
            return _("API key “%(name)s”") % {"name": name} if name else _("API key of the organization")
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


@dataclass(frozen=True, slots=True)
class Asked:
    """Which entries: each part narrows the others. Days are those of UTC, both included."""

    action: str = ""
    person: str = (
        ""  # an identifier, or the address of somebody who is or was a member; as actor or as target
    )
    since: date | None = None
    until: date | None = None
    q: str = ""  # words of actor, target and what changed

    @property
    def is_everything(self) -> bool:
        return self == Asked()


@dataclass(frozen=True, slots=True)
class LogPage(Page[Entry]):
    looked_back_to: datetime | None = None  # a search that has not seen everything; `next` goes on


def entries(
    member: Member, cursor: str | None = None, limit: int = 50, action: str = "", asked: Asked | None = None
) -> LogPage:
    """The newest first. A search looks at `LOOKED` entries for a page, so that a rare word costs no more than a common one."""
    member.require(May.SETTINGS)
    asked = asked or Asked(action=action)
    search = _Search(member, asked, position("audit", cursor, tuple[int]))
    if search.is_for_nobody:
        return LogPage([])
    floor = search.floor() if asked.q else None
    rows = _rows_of(search.numbers(limit + 1, floor))
    people = _people(rows) | _keys(rows)
    found = page([_entry(row, people) for row in rows], limit, "audit", lambda entry: (entry.number,))
    if found.next or floor is None:
        return LogPage(found.items, found.next)
    number, at = floor
    return LogPage(found.items, cursor_to("audit", (number + 1,)), at)


class _Search:
    """One or two walks along an index, newest first: two where a person is asked for, as actor and as target."""

    def __init__(self, member: Member, asked: Asked, after: tuple[int] | None) -> None:
        self.values: dict[str, Any] = {"workspace": member.workspace_id}
        self.person = _person(asked.person, self.values)
        self.is_for_nobody = bool(asked.person) and self.person is None
        self.narrow = ["workspace_id = %(workspace)s", *_narrowed(asked, after, self.values)]
        self.words = _worded(asked.q, self.values)

    def numbers(self, limit: int, floor: tuple[int, datetime] | None) -> list[int]:
        above = ["number > %(floor)s"] if floor else []
        walks = self._walks("number", [*self.words, *above], "LIMIT %(limit)s")
        sql = f"SELECT number FROM ({walks}) found ORDER BY number DESC LIMIT %(limit)s"  # noqa: S608
        values = self.values | {"limit": limit, "floor": floor and floor[0]}
        return [number for (number,) in _ask(sql, values)]

    def floor(self) -> tuple[int, datetime] | None:
        """The first entry that this page does not look at any more."""
        walks = self._walks("number, at", [], "OFFSET %(looked)s LIMIT 1")
        sql = f"SELECT number, at FROM ({walks}) found ORDER BY number DESC LIMIT 1"  # noqa: S608
        return next(iter(_ask(sql, self.values | {"looked": LOOKED})), None)

    def _walks(self, columns: str, more: list[str], tail: str) -> str:
        sides = ("actor_id = %(person)s", "target_id = %(person)s") if self.person else ("true",)
        return " UNION ".join(
            f"(SELECT {columns} FROM workspaces_auditentry WHERE {' AND '.join([*self.narrow, *more, side])}"  # noqa: S608
            f" ORDER BY number DESC {tail})"
            for side in sides
        )


def _person(given: str, values: dict[str, Any]) -> str | None:
    """The identifier, as entries hold it."""
    if not given:
        return None
    if ids := _ids({given.strip()}):
        person: str | None = str(ids[0])
    else:
        address = normalised(given.replace("\0", "").encode("utf-8", "ignore").decode())
        person = next((id_ for (id_,) in _ask(_BY_ADDRESS, values | {"address": address})), None)
    values["person"] = person
    return person


_BY_ADDRESS = """
    SELECT u.id::text FROM accounts_user u JOIN workspaces_membership m ON m.user_id = u.id
    WHERE lower(u.email) = lower(%(address)s) AND m.workspace_id = %(workspace)s
"""


# Numbers grow with time, so that a period is found in the walk's own index; clocks of two machines differ a little.
_SKEW = 100
_OF_TIME = "SELECT number FROM workspaces_auditentry WHERE workspace_id = %(workspace)s AND"
_FIRST = f"{_OF_TIME} at >= %(since)s ORDER BY at LIMIT 1"
_LAST = f"{_OF_TIME} at <= %(until)s ORDER BY at DESC LIMIT 1"


def _narrowed(asked: Asked, after: tuple[int] | None, values: dict[str, Any]) -> Iterator[str]:
    if asked.action:
        values["action"] = asked.action.replace("\0", "").encode("utf-8", "ignore").decode()
        yield "action = %(action)s"
    if asked.since:
        values["since"] = datetime.combine(asked.since, time.min, UTC)
        yield f"at >= %(since)s AND number >= ({_FIRST}) - {_SKEW}"
    if asked.until:
        values["until"] = datetime.combine(asked.until, time.max, UTC)
        yield f"at <= %(until)s AND number <= ({_LAST}) + {_SKEW}"
    if after:
        values["after"] = after[0]
        yield "number < %(after)s"


def _worded(q: str, values: dict[str, Any]) -> list[str]:
    """Every word stands in the entry, or the entry names a member of whom it holds the identifier only."""
    if not (words := plain(q).split()[:5]):
        return []
    values |= {f"word{place}": word for place, word in enumerate(words)}
    marks = [f"folded(%(word{place})s)" for place in range(len(words))]
    listed = " AND ".join(f"strpos(listed, {mark}) > 0" for mark in marks)
    sql = (
        "SELECT user_id::text FROM workspaces_membership"  # noqa: S608
        f" WHERE workspace_id = %(workspace)s AND {listed} LIMIT 1000"
    )
    values["named"] = [id_ for (id_,) in _ask(sql, values)]
    said = " AND ".join(f"strpos(said, {mark}) > 0" for mark in marks)
    return [f"({said} OR actor_id = ANY(%(named)s) OR target_id = ANY(%(named)s))"]


def _rows_of(numbers: list[int]) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(number__in=numbers).order_by("-number"))


def _ask(sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


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


def _keys(rows: list[AuditEntry]) -> dict[str, str]:
    """The names of the organization's own keys that acted; a person's key lies elsewhere."""
    acted = {row.actor["key"] for row in rows if row.actor.get("key") and not row.actor.get("user")}
    if not acted:
        return {}
    return {str(id_): name for id_, name in ApiKey.objects.filter(id__in=acted).values_list("id", "name")}


def _ids(named: set[str]) -> list[UUID]:
    ids = []
    for one in sorted(named):
        try:
            ids.append(UUID(one))
        except ValueError:
            continue
    return ids
