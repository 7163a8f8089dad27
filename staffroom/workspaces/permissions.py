"""The one table of who may do what. Pages, buttons, API, tests and the help page read it."""

from __future__ import annotations

from enum import StrEnum

from django.utils.translation import gettext_lazy as _

from staffroom.core.errors import StaffroomError


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


class May(StrEnum):
    WORK = "work"
    DELETE_ANY = "delete_any"
    CONNECT = "connect"
    SEE_MEMBERS = "see_members"
    SEE_BALANCE = "see_balance"
    MANAGE_MEMBERS = "manage_members"
    BILLING = "billing"
    SETTINGS = "settings"
    OWN = "own"
    LEAVE = "leave"


SENTENCES = {
    May.WORK: _("work with employees, knowledge, chats, profiles and broadcasts"),
    May.DELETE_ANY: _("delete any employee, knowledge source or chat"),
    May.CONNECT: _("add, change and remove connections"),
    May.SEE_MEMBERS: _("see the members"),
    May.SEE_BALANCE: _("see the remaining words"),
    May.MANAGE_MEMBERS: _("invite, change roles, remove members"),
    May.BILLING: _("billing pages, plans, top-ups, purchases, spending by employee and member"),
    May.SETTINGS: _(
        "name, address, avatar, word limits of members, audit log, API keys of the organization, required second factor"
    ),
    May.OWN: _("transfer ownership, delete the organization, export everything"),
    May.LEAVE: _("leave"),
}

# What a yes is limited to, and what can be done instead of a no.
NOTES = {
    (Role.MEMBER, May.DELETE_ANY): _("only what they created"),
    (Role.MEMBER, May.CONNECT): _("use only"),
    (Role.MEMBER, May.SEE_BALANCE): _("read-only"),
    (Role.OWNER, May.MANAGE_MEMBERS): _("an owner is made by a transfer"),
    (Role.ADMIN, May.MANAGE_MEMBERS): _("never the owner, never to owner"),
    (Role.OWNER, May.LEAVE): _("transfer first"),
}

_MEMBER = {May.WORK, May.SEE_MEMBERS, May.SEE_BALANCE, May.LEAVE}
_ADMIN = _MEMBER | {May.DELETE_ANY, May.CONNECT, May.MANAGE_MEMBERS, May.BILLING, May.SETTINGS}

ROLES: dict[Role, frozenset[May]] = {
    Role.OWNER: frozenset((_ADMIN | {May.OWN}) - {May.LEAVE}),
    Role.ADMIN: frozenset(_ADMIN),
    Role.MEMBER: frozenset(_MEMBER),
}

# A personal account has one person, who owns it; what needs members or a public name does not exist there.
PERSONAL = frozenset({May.WORK, May.DELETE_ANY, May.CONNECT, May.SEE_BALANCE, May.BILLING, May.OWN})


def deeds(kind: str, role: Role) -> frozenset[May]:
    """What that role may do in a workspace of that kind."""
    return PERSONAL if kind == "personal" else ROLES[role]


class RoleForbids(StaffroomError):
    code, status, title = "role_forbids", 403, "Your role does not allow this"

    def default_sentence(self) -> str:
        return str(_("Your role does not allow this. Ask the owner or an admin of the organization."))
