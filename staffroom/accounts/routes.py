"""The API's view of a person."""

from __future__ import annotations

from typing import Any

from ninja import Router, Schema

from staffroom.api.doors import personal_route, within_limits

router = Router(tags=["user"])


class Me(Schema):
    id: str
    email: str
    name: str
    language: str


@router.get("user", response=Me, summary="Who am I")
@personal_route
@within_limits
def user(request: Any) -> Any:
    who = request.user
    return {"id": who.id, "email": who.email, "name": who.shown_name, "language": who.language}
