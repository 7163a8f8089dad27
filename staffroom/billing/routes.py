"""What is left, by API."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ninja import Router, Schema

from staffroom.api.doors import route
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

from . import queries

router = Router(tags=["balance"])


class Part(Schema):
    source: Literal["plan", "bonus", "purchased"]
    words: int
    expires_at: datetime | None


class Balance(Schema):
    words_left: int
    reserved: int
    parts: list[Part]
    plan: str | None


@router.get("{ctx:ctx}/balance", response=Balance, summary="Words left")
@route(May.SEE_BALANCE)
def balance(request: Any, member: Member) -> Any:
    """Of this context; `reserved` words belong to replies that are being written. Members may see it too."""
    found = queries.balance()
    return {
        "words_left": found.words_left,
        "reserved": found.reserved,
        "parts": [
            {"source": part.source, "words": part.words, "expires_at": part.expires_at}
            for part in found.parts
        ],
        "plan": found.plan,
    }
