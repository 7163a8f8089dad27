"""Every address of the program with its methods, read from the URL resolver."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.urls import get_resolver
from django.urls.resolvers import RegexPattern, URLPattern, URLResolver

_CONVERTER = re.compile(r"<(?:\w+:)?(\w+)>")


def addresses() -> set[str]:
    """`GET /api/v1/{ctx}/employees`. What exists below /me and below /o/{slug} is one address."""
    found = {
        f"{method} {path}"
        for path, view in _walk(get_resolver().url_patterns, "/")
        for method in methods(view)
    }
    twice = {name for name in found if name.replace(" /o/{slug}/", " /me/", 1) in found and " /o/" in name}
    return (found - twice - {name.replace(" /o/{slug}/", " /me/", 1) for name in twice}) | {
        name.replace(" /o/{slug}/", " /{ctx}/", 1) for name in twice
    }


def methods(view: Callable[..., Any]) -> list[str]:
    """Ninja's operations; Django's decorators; both GET and POST where nothing says otherwise."""
    for layer in _layers(view):
        names = _nonlocals(layer)
        if operations := getattr(names.get("self"), "operations", None):
            return [method for operation in operations for method in operation.methods]
        if "request_method_list" in names:
            return list(names["request_method_list"])
    return ["GET", "POST"]


def operations() -> dict[str, Any]:
    """Ninja's operation for each address of the API."""
    return {
        f"{method} {path}": operation
        for path, view in _walk(get_resolver().url_patterns, "/")
        for operation in getattr(_nonlocals(view).get("self"), "operations", [])
        for method in operation.methods
    }


def _walk(
    patterns: Iterable[URLPattern | URLResolver], prefix: str
) -> Iterator[tuple[str, Callable[..., Any]]]:
    for entry in patterns:
        if isinstance(entry.pattern, RegexPattern) and isinstance(entry, URLPattern):
            path = f"{prefix}re:{entry.name or entry.pattern}" if prefix != "/" else f"re:{entry.name}"
        else:
            path = prefix + _CONVERTER.sub(r"{\1}", str(entry.pattern))
        if isinstance(entry, URLResolver):
            yield from _walk(entry.url_patterns, path)
        else:
            yield path, entry.callback


def _layers(view: Any) -> Iterator[Any]:
    while view is not None:
        yield view
        view = getattr(view, "__wrapped__", None)


def _nonlocals(view: Any) -> dict[str, Any]:
    try:
        return dict(inspect.getclosurevars(view).nonlocals)
    except TypeError:  # a partial or a class
        return {}
