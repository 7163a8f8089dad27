"""What every part of the API shares in its documents: input, lists, problems."""

from __future__ import annotations

from typing import Generic, TypeVar

from ninja import Schema
from pydantic import ConfigDict, Field

Item = TypeVar("Item")


class In(Schema):
    """A request's body. Unknown fields change nothing; strings keep their spaces for the rules to judge."""

    model_config = ConfigDict(extra="ignore", str_max_length=2_000_000)


class Paging(Schema):
    """Where in a list: `limit` items after the place that `cursor` (the answer's `next`) names."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=1000)


class PageOf(Schema, Generic[Item]):
    items: list[Item]
    next: str | None = None


class Problem(Schema):
    """RFC 9457. `code` is a stable word; `errors` (with 422) says field by field what is wrong."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: dict[str, list[str]] | None = None
