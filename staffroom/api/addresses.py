"""Ninja's addresses in a tree, so that one is found after a few looks and not after half of all."""

from __future__ import annotations

from typing import Any

from django.urls import include, path

PREFIXES = ("<ctx:ctx>/", "o/<slug:slug>/")


def grouped(patterns: list[Any]) -> list[Any]:
    """What lies below a context is looked for once its context was read."""
    groups: dict[str, list[Any]] = {prefix: [] for prefix in PREFIXES}
    rest = []
    for pattern in patterns:
        route = str(pattern.pattern)
        prefix = next((one for one in PREFIXES if route.startswith(one)), None)
        if prefix is None:
            rest.append(pattern)
        else:
            groups[prefix].append(path(route.removeprefix(prefix), pattern.callback, name=pattern.name))
    return rest + [path(prefix, include(inner)) for prefix, inner in groups.items()]
