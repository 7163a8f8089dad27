"""Reads that start from a person, before any workspace is open: each goes through a function of the owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

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
