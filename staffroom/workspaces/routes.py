"""Contexts and organizations by API."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ninja import Router, Schema

from staffroom.api.doors import personal_route, route
from staffroom.api.shapes import PageOf

from . import queries
from .members import Member
from .models import ORGANIZATION
from .permissions import May

router = Router(tags=["organizations"])


class Context(Schema):
    kind: Literal["personal", "organization"]
    slug: str | None
    name: str
    role: Literal["owner", "admin", "member"]
    avatar_url: str | None
    words_left: int


class Person(Schema):
    id: str
    name: str
    email: str
    avatar_url: str | None = None


class Organization(Schema):
    slug: str
    name: str
    role: Literal["owner", "admin", "member"]
    avatar_url: str | None
    created_at: datetime
    owner: Person


@router.get("contexts", response=PageOf[Context], tags=["user"], summary="Where I may work")
@personal_route
def contexts(request: Any) -> Any:
    """The personal account first, then organizations by name; all of them at once."""
    return {
        "items": [
            {
                "kind": one.kind,
                "slug": one.slug,
                "name": one.name,
                "role": one.role,
                "avatar_url": one.avatar or None,
                "words_left": 0,
            }
            for one in queries.contexts(request.user.id)
        ],
        "next": None,
    }


@router.get("o/{slug:slug}", response=Organization, summary="Read an organization")
@route(May.WORK, only=ORGANIZATION)
def organization(request: Any, member: Member) -> Any:
    return _shown(queries.organization(member))


def _shown(found: queries.Organization) -> dict[str, Any]:
    return {
        "slug": found.slug,
        "name": found.name,
        "role": found.role,
        "avatar_url": found.avatar or None,
        "created_at": found.created_at,
        "owner": {"id": found.owner_id, "name": found.owner_name, "email": found.owner_email},
    }
