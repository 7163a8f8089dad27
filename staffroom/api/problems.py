"""Whatever goes wrong below /api becomes a problem document, and input that no row could hold is refused."""

from __future__ import annotations

from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils.translation import gettext as _
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.parser import Parser

from staffroom.core.answers import NotReadable, answer, named
from staffroom.core.errors import Invalid, StaffroomError


class Reader(Parser):
    """JSON by msgspec (no NaN, no lone surrogates), and no NUL, which PostgreSQL's text cannot hold."""

    def parse_body(self, request: HttpRequest) -> Any:
        body = request.body
        data = msgspec.json.decode(body)
        if b"\\u0000" in body and _holds_nul(data):
            raise ValueError("NUL")
        return data

    def parse_querydict(self, data: Any, list_fields: list[str], request: HttpRequest) -> Any:
        if isinstance(data, QueryDict):
            for name, values in data.lists():
                if any("\x00" in value for value in values):
                    raise Invalid({name: [_("This holds a character that cannot be stored.")]})
        return super().parse_querydict(data, list_fields, request)


def _holds_nul(data: Any) -> bool:
    if isinstance(data, str):
        return "\x00" in data
    if isinstance(data, dict):
        return any(_holds_nul(key) or _holds_nul(value) for key, value in data.items())
    return isinstance(data, list) and any(_holds_nul(value) for value in data)


def register(api: NinjaAPI) -> None:
    api.add_exception_handler(Exception, _any)
    api.add_exception_handler(ValidationError, _invalid)
    api.add_exception_handler(HttpError, _unreadable)


def _any(request: HttpRequest, exception: Any) -> HttpResponse:
    return answer(request, named(exception))


def _unreadable(request: HttpRequest, exception: Any) -> HttpResponse:
    return answer(request, NotReadable(_("The body is not readable JSON. Send one JSON object in UTF-8.")))


def _invalid(request: HttpRequest, exception: Any) -> HttpResponse:
    return answer(request, invalid(exception.errors))


def invalid(found: list[Any]) -> StaffroomError:
    errors: dict[str, list[str]] = {}
    for one in found:
        errors.setdefault(_field(one["loc"]), []).append(_sentence(one))
    return Invalid(errors)


def _field(place: tuple[Any, ...]) -> str:
    """`("body", "new", "invitations", 3, "email")` → `invitations.3.email`: without source and argument."""
    inner = place[2:] if place[0] == "body" else place[1:]
    return ".".join(str(part) for part in inner) or "body"


def _sentence(error: Any) -> str:
    limits = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return _("This is needed.")
        case "string_too_long" | "too_long":
            return _("At most %(limit)s are allowed.") % {"limit": limits.get("max_length")}
        case "string_too_short" | "too_short":
            return _("At least %(limit)s are needed.") % {"limit": limits.get("min_length")}
        case "less_than_equal":
            return _("At most %(limit)s.") % {"limit": limits.get("le")}
        case "greater_than_equal":
            return _("At least %(limit)s.") % {"limit": limits.get("ge")}
        case "literal_error" | "enum":
            return _("One of: %(choices)s.") % {"choices": limits.get("expected")}
        case "value_error":
            return str(limits.get("error") or error["msg"])
    return str(error["msg"])
