"""The OpenAPI document as chapters for a reader, so that its page needs no script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    kind: str
    needed: bool
    says: str


@dataclass(frozen=True, slots=True)
class Call:
    id: str
    method: str
    path: str
    title: str
    says: str
    parameters: list[Field]
    body: list[Field]
    answers: list[tuple[str, list[Field]]]


@dataclass(frozen=True, slots=True)
class Chapter:
    name: str
    calls: list[Call]


def chapters(schema: dict[str, Any]) -> list[Chapter]:
    found: dict[str, list[Call]] = {}
    for path, methods in schema["paths"].items():
        if path.startswith("/api/v1/me/") and path.replace("/me/", "/o/{slug}/", 1) in schema["paths"]:
            continue  # the same call stands below /o/{slug}
        for method, details in methods.items():
            name = (details.get("tags") or ["more"])[0]
            found.setdefault(name, []).append(_call(schema, path, method, details))
    return [Chapter(name, calls) for name, calls in found.items()]


def _call(schema: dict[str, Any], path: str, method: str, details: dict[str, Any]) -> Call:
    both = path.replace("/o/{slug}/", "/me/", 1) in schema["paths"]
    return Call(
        id=details["operationId"],
        method=method.upper(),
        path=path.replace("/o/{slug}/", "/{ctx}/", 1) if both and "/o/{slug}/" in path else path,
        title=details["summary"],
        says=details.get("description", ""),
        parameters=[
            Field(one["name"], _kind(one["schema"]), one.get("required", False), one.get("description", ""))
            for one in details["parameters"]
            if not (both and one["name"] == "slug")
        ],
        body=_fields(schema, _content(details.get("requestBody", {}))),
        answers=[
            (status, _fields(schema, _content(answer)))
            for status, answer in details["responses"].items()
            if status != "default"
        ],
    )


def _content(part: dict[str, Any]) -> dict[str, Any]:
    for content in part.get("content", {}).values():
        return dict(content.get("schema", {}))
    return {}


def _fields(schema: dict[str, Any], shape: dict[str, Any]) -> list[Field]:
    shape = _resolved(schema, shape)
    needed = set(shape.get("required", []))
    return [
        Field(name, _kind(inner), name in needed, inner.get("description", ""))
        for name, inner in shape.get("properties", {}).items()
    ]


def _resolved(schema: dict[str, Any], shape: dict[str, Any]) -> dict[str, Any]:
    if reference := shape.get("$ref"):
        return dict(schema["components"]["schemas"][reference.rsplit("/", 1)[-1]])
    return shape


def _kind(shape: dict[str, Any]) -> str:
    return " | ".join(dict.fromkeys(_kinds(shape))) or "any"


def _kinds(shape: dict[str, Any]) -> Iterator[str]:
    if reference := shape.get("$ref"):
        yield reference.rsplit("/", 1)[-1]
    elif "enum" in shape:
        yield from (str(value) for value in shape["enum"])
    elif choices := shape.get("anyOf") or shape.get("oneOf"):
        for choice in choices:
            yield from _kinds(choice)
    elif shape.get("type") == "array":
        yield f"list of {_kind(shape.get('items', {}))}"
    elif kind := shape.get("type"):
        yield str(kind)
