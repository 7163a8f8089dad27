"""An organization may ask for a second factor: who has none is led to set one up and does not enter before.

That a factor exists says that this browser has shown it: allauth asks for it at every sign-in, and the first one
that somebody adds signs every other browser out. An organization's keys have no person behind them and go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext as _

from staffroom.accounts.models import User
from staffroom.accounts.security import has_second_factor
from staffroom.core.errors import Forbidden
from staffroom.core.sentences import part

from . import audit, standing
from .members import Member
from .models import Workspace
from .permissions import May


class SecondFactorRequired(Forbidden):
    code, title = "second_factor_required", "This organization asks for a second factor"

    def default_sentence(self) -> str:
        return _(
            "This organization asks for a second factor, and your account has none. Set one up in your account "
            "under Security, then come back."
        )


@dataclass(frozen=True, slots=True)
class Requiring:
    """An organization of a person that asks for a second factor."""

    id: UUID
    slug: str
    name: str


@part
def demand(*, by: Member, user: User) -> None:
    """From the next request on nobody enters without; `user`, who acts, must have one already."""
    if not has_second_factor(user):
        raise SecondFactorRequired(_("Set up your own second factor first: you would lock yourself out."))
    _set(True, by)


@part
def waive(*, by: Member) -> None:
    _set(False, by)


def satisfies(user: User, workspace: Workspace) -> bool:
    """Whether this person may come in, as far as a second factor goes."""
    return not workspace.requires_second_factor or has_second_factor(user)


def requiring(user_id: UUID) -> list[Requiring]:
    """The organizations in which the person is active and that ask for a second factor. Outside every scope."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, slug, name FROM requiring_second_factor(%s)", [user_id])
        return [Requiring(*row) for row in cursor.fetchall()]


def barring(user: User) -> list[Requiring]:
    """Those that the person cannot enter at present."""
    found = requiring(user.id)
    return [] if not found or has_second_factor(user) else found


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a second factor is required, how many members have none, and the first of these by name."""

    required: bool
    members: int
    without: int
    names: list[str]


def readiness(member: Member, shown: int = 10) -> Readiness:
    member.require(May.SETTINGS)
    with connection.cursor() as cursor:
        cursor.execute(_READINESS, {"workspace": member.workspace_id, "shown": shown})
        [(required, members, without, names)] = cursor.fetchall()
    return Readiness(required, members, without, names or [])


_READINESS = """
    WITH people AS (
        SELECT coalesce(nullif(u.name, ''), split_part(u.email, '@', 1)) AS name, m.joined_at,
            EXISTS (SELECT FROM mfa_authenticator f WHERE f.user_id = u.id AND f.type <> 'recovery_codes') AS has
        FROM workspaces_membership m JOIN accounts_user u ON u.id = m.user_id
        WHERE m.workspace_id = %(workspace)s AND m.status = 'active'
    )
    SELECT (SELECT requires_second_factor FROM workspaces_workspace WHERE id = %(workspace)s),
        count(*), count(*) FILTER (WHERE NOT has),
        (SELECT array_agg(name ORDER BY joined_at) FROM (
            SELECT name, joined_at FROM people WHERE NOT has ORDER BY joined_at LIMIT %(shown)s) first)
    FROM people
"""


def _set(required: bool, by: Member) -> None:
    workspace = standing.locked(by, May.SETTINGS)
    if workspace.requires_second_factor == required:
        return
    workspace.requires_second_factor = required
    workspace.save(update_fields=["requires_second_factor"])
    audit.write("second_factor.required" if required else "second_factor.waived", by=by)
