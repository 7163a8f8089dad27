"""The OpenAPI document. Each path of a context is shown twice, as it is called: below /me and below /o/{slug}."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import msgspec
from ninja import NinjaAPI

from .shapes import Problem

_SLUG = {
    "in": "path",
    "name": "slug",
    "required": True,
    "schema": {"type": "string"},
    "description": "The organization's slug.",
}
_REPEAT = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string", "maxLength": 255},
    "description": "The same key with the same body gives the first answer again for 24 hours.",
}
_WRITES = {"post", "put", "patch", "delete"}


@cache
def document(api: NinjaAPI) -> bytes:
    return msgspec.json.encode(describe(api))


@cache
def describe(api: NinjaAPI) -> dict[str, Any]:
    schema: dict[str, Any] = dict(api.get_openapi_schema())
    schema["paths"] = {
        path: {method: _operation(path, method, details) for method, details in methods.items()}
        for template, methods in schema["paths"].items()
        for path in _paths(template)
    }
    schema["components"]["schemas"]["Problem"] = Problem.model_json_schema()
    schema["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return schema


def _paths(template: str) -> list[str]:
    if "{ctx}" not in template:
        return [template]
    return [template.replace("{ctx}", "me"), template.replace("{ctx}", "o/{slug}")]


def _operation(path: str, method: str, details: dict[str, Any]) -> dict[str, Any]:
    details = copy.deepcopy(details)
    if "/me/" in path or path.endswith("/me"):
        details["operationId"] += "_me"
    if "{slug}" in path:
        details["parameters"].insert(0, _SLUG)
    if method in _WRITES:
        details["parameters"].append(_REPEAT)
    details["responses"]["default"] = {
        "description": "A problem",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    details["security"] = [{"key": []}]
    return details
