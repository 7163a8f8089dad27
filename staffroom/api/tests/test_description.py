"""The API describes itself truly: every route stands in the document, the page needs nothing from elsewhere."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from staffroom.api import reading
from staffroom.core.headers import POLICY
from tests.resolver import addresses


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = Client().get("/api/v1/openapi.json").json()
    return found


def test_every_route_stands_in_the_document(schema: dict[str, Any]) -> None:
    described = {
        f"{method.upper()} {path}" for path, methods in schema["paths"].items() for method in methods
    }
    real = {
        name.replace("{ctx}", context)
        for name in addresses()
        for context in ("me", "o/{slug}")
        if "/api/v1/" in name and not name.endswith(("/docs", "/openapi.json", "/api/v1/"))
    }
    assert real == described


def test_every_operation_has_an_id_of_its_own_and_names_its_problems(schema: dict[str, Any]) -> None:
    operations = [one for methods in schema["paths"].values() for one in methods.values()]
    ids = [one["operationId"] for one in operations]
    assert len(ids) == len(set(ids))
    assert all("application/problem+json" in one["responses"]["default"]["content"] for one in operations)


def test_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    references = set(re.findall(r'"\$ref": ?"#/components/schemas/([^"]+)"', str(schema).replace("'", '"')))
    assert references <= set(schema["components"]["schemas"])


def test_a_path_of_a_context_says_its_slug(schema: dict[str, Any]) -> None:
    for path, methods in schema["paths"].items():
        named = set(re.findall(r"\{(\w+)\}", path))
        for one in methods.values():
            assert named == {it["name"] for it in one["parameters"] if it["in"] == "path"}, path


def test_the_page_shows_every_call_and_loads_nothing_from_elsewhere(schema: dict[str, Any]) -> None:
    answer = Client().get("/api/v1/docs")
    page = answer.content.decode()
    calls = [call for chapter in reading.chapters(schema) for call in chapter.calls]
    assert all(f'id="{call.id}"' in page for call in calls)
    assert answer["Content-Security-Policy"] == POLICY
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert not re.findall(r"<script(?![^>]+src=)|\son\w+=|style=", page)
