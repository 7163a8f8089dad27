"""API keys: shown once, stored as a hash.

An organization's key has a role of its own, survives whoever made it and dies with the organization. A personal key
acts as its user in every context, or only in those that it was limited to.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID, uuid5

from django.utils import timezone
from django.utils.translation import gettext as _

from staffroom.accounts.models import User
from staffroom.core import mail
from staffroom.core.checks import together
from staffroom.core.errors import Conflict, Forbidden, Invalid, NotHere
from staffroom.core.paging import Page, page, position
from staffroom.core.scope import current_workspace_id
from staffroom.core.sentences import part

from . import audit, names, queries, standing
from .members import By, Member
from .models import ApiKey, Membership, Workspace
from .permissions import May

SHOWN = 9  # characters of a key that its list shows
ROLES = (Membership.MEMBER, Membership.ADMIN)


class KeyMadeAlready(Conflict):
    code, title = "key_made_already", "This key was made already"

    def default_sentence(self) -> str:
        return _("This key was made already, and it was shown only once. Revoke it and make another one.")


class KeyLimited(Forbidden):
    code, title = "key_limited", "This key is limited to some contexts"

    def default_sentence(self) -> str:
        return _("This key works in the contexts that it was limited to, and nowhere else.")


@dataclass(frozen=True, slots=True)
class Key:
    """One row of a list of keys."""

    id: UUID
    name: str
    prefix: str
    role: str  # of an organization's key; a personal one has its user's
    made_by: str  # by name, as it was then; empty for the operator's command
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    only_in: list[UUID] | None


def hashed(token: str) -> bytes:
    """SHA-256: enough for 256 random bits, which no dictionary holds."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def listed(cursor: str | None = None, limit: int = 50) -> Page[Key]:
    """Of the open workspace, the newest first; revoked ones too."""
    found = ApiKey.objects.order_by("-created_at", "-id")
    if after := position("keys", cursor, tuple[datetime, UUID]):
        at, last = after
        found = found.filter(created_at__lte=at).exclude(created_at=at, id__gte=last)
    rows = [_key(row) for row in found[: limit + 1]]
    return page(rows, limit, "keys", lambda row: (row.created_at, row.id))


@part
def make(*, name: str, role: str, by: Member, form: UUID | None = None) -> tuple[Key, str]:
    """A new key of the organization, and what is shown once. A repeated `form` raises `KeyMadeAlready`."""
    name, role = together(partial(_name, name), partial(_role, role))
    standing.locked(by, May.SETTINGS)
    return _written(ApiKey(name=name, role=role), by, form)


@part
def make_own(
    *, name: str, by: Member, only: Collection[UUID] | None = None, form: UUID | None = None
) -> tuple[Key, str]:
    """A key of the person whose personal account is open. `only`: the contexts in which it works, all where None."""
    name, places = together(partial(_name, name), partial(_places, by, only))
    Workspace.objects.select_for_update(no_key=True).get(id=by.workspace_id)
    made, token = _written(ApiKey(name=name, user_id=by.user_id, only_in=places), by, form)
    mail.send("workspaces/mail/key_made", by.user_email, {"name": made.name, "prefix": made.prefix})
    return made, token


@part
def revoke(key_id: UUID, *, by: Member) -> None:
    """Of the open workspace. It opens nothing from the next request on; a second time changes nothing."""
    if not by.is_personal:
        standing.locked(by, May.SETTINGS)
    key = ApiKey.objects.select_for_update().filter(id=key_id).first()
    if key is None:
        raise NotHere
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
        audit.write(
            "key.revoked", by=by, target=_target(key), before={"role": key.role} if key.role else None
        )


@part
def issue(*, by: By, user: User | None = None, role: str = "", name: str = "") -> str:
    """For the operator: a key of the open workspace, of a person (in the personal account) or, with `role`, of an
    organization. Nothing is asked and nobody is told.
    """
    return _stored(ApiKey(name=name, user=user, role=role), by)


def _written(key: ApiKey, by: Member, form: UUID | None) -> tuple[Key, str]:
    if form:
        key.id = uuid5(by.workspace_id, f"key {form}")  # nobody else's form comes upon this one's key
        if ApiKey.objects.filter(id=key.id).exists():
            raise KeyMadeAlready
    token = _stored(key, by)
    audit.write("key.made", by=by, target=_target(key), after={"role": key.role} if key.role else None)
    return _key(key), token


def _stored(key: ApiKey, by: By) -> str:
    token = "sr_" + secrets.token_urlsafe(32)
    key.workspace_id, key.hash, key.prefix = current_workspace_id(), hashed(token), token[:SHOWN]
    if isinstance(by, Member):
        key.made_by_id, key.made_by_name = by.user_id, by.user_name
    key.save(force_insert=True)
    return token


def _name(name: str) -> str:
    return names.checked(name)


def _role(role: str) -> str:
    if role not in ROLES:
        raise Invalid({"role": [_("Choose Admin or Member.")]})
    return role


def _places(by: Member, only: Collection[UUID] | None) -> list[UUID] | None:
    if only is None:
        return None
    mine = {context.id for context in queries.contexts(by.user_id)} if by.user_id else set()
    if not only or not set(only) <= mine:
        raise Invalid({"places": [_("Choose at least one context out of the list.")]})
    return sorted(set(only))


def _target(key: ApiKey) -> dict[str, str]:
    return {"key": str(key.id), "name": key.name, "prefix": key.prefix}


def _key(row: ApiKey) -> Key:
    return Key(
        row.id, row.name, row.prefix, row.role, row.made_by_name, row.created_at, row.last_used_at,
        row.revoked_at, row.only_in,
    )  # fmt: skip
