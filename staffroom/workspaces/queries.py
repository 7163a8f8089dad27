"""Reads of workspaces. Those that start from a person, before any workspace is open, go through functions of the owner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from .members import Member
from .permissions import Role


@dataclass(frozen=True, slots=True)
class Context:
    """One entry of the switcher."""

    id: UUID
    kind: str
    slug: str | None
    name: str
    avatar: str
    role: Role
    last_used_at: Any

    @property
    def prefix(self) -> str:
        return f"/o/{self.slug}" if self.slug else "/me"


def contexts(user_id: UUID) -> list[Context]:
    """The personal account first, then organizations by name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, kind, slug, name, avatar, role, last_used_at FROM contexts_of(%s)", [user_id]
        )
        return [
            Context(id_, kind, slug, name, avatar, Role(role), last_used_at)
            for id_, kind, slug, name, avatar, role, last_used_at in cursor.fetchall()
        ]


def last_used(user_id: UUID) -> Context:
    """Where bare addresses lead."""
    return max(contexts(user_id), key=lambda context: context.last_used_at)


@dataclass(frozen=True, slots=True)
class Organization:
    slug: str
    name: str
    role: Role
    avatar: str
    created_at: datetime
    owner_id: UUID
    owner_name: str
    owner_email: str


def organization(member: Member) -> Organization:
    """The organization that the member stands in, with its owner."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT w.slug, w.name, %s, w.avatar, w.created_at, u.id,"
            " coalesce(nullif(u.name, ''), split_part(u.email, '@', 1)), u.email"
            " FROM workspaces_workspace w JOIN accounts_user u ON u.id = w.owner_id WHERE w.id = %s",
            [member.role, member.workspace_id],
        )
        return Organization(*cursor.fetchone())
