"""Where an error becomes an answer: a page, a fragment for htmx, or a problem document (RFC 9457)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import msgspec
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.template.loader import select_template
from django.utils.translation import gettext as _

from .errors import Forbidden, NotHere, StaffroomError, TooMany

log = logging.getLogger(__name__)


class Broken(StaffroomError):
    code, status, title = "internal", 500, "Something went wrong on our side"

    def default_sentence(self) -> str:
        return _("Something went wrong on our side. Nothing was charged for it; please try again.")


class Unreachable(StaffroomError):
    code, status, title = "unavailable", 503, "The database does not answer"

    def default_sentence(self) -> str:
        return _("The database does not answer at the moment. Please try again in a few seconds.")


class Busy(StaffroomError):
    """Waited for in vain, or given up so that another could go on: nothing was done."""

    code, status, title = "busy", 503, "Somebody else is changing this"
    retry_after = 1

    def default_sentence(self) -> str:
        return _(
            "Somebody else is changing the same thing at this moment. Nothing was done; please try again."
        )


class TooLarge(StaffroomError):
    code, status, title = "too_large", 413, "Too large"

    def default_sentence(self) -> str:
        return _("That is larger than this address accepts.")


class NotReadable(StaffroomError):
    code, status, title = "malformed", 400, "The request cannot be read"


class FormExpired(Forbidden):
    title = "This form has expired"


class MethodNotAllowed(StaffroomError):
    code, status, title = "method_not_allowed", 405, "This address does not do that"

    def __init__(self, allowed: str) -> None:
        super().__init__(_("This address answers to %(allowed)s only.") % {"allowed": allowed})
        self.headers = {"Allow": allowed}


class ErrorMiddleware:
    """The innermost middleware: what a view raises is answered here, the same way everywhere."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed):
            return answer(request, MethodNotAllowed(response["Allow"]))
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse:
        return answer(request, named(exception))


def named(exception: Exception) -> StaffroomError:
    """The error of ours that stands for whatever was raised; only surprises are logged."""
    if isinstance(exception, StaffroomError):
        return exception
    if isinstance(exception, Http404):
        return NotHere()
    if isinstance(exception, PermissionDenied):
        return Forbidden()
    if isinstance(exception, RequestDataTooBig):
        return TooLarge()
    if isinstance(exception, BadRequest | SuspiciousOperation | UnicodeDecodeError):
        return NotReadable(_("The request cannot be read."))
    if isinstance(exception, DatabaseError) and _is_connection(exception):
        log.warning("database unreachable: %s", type(exception).__name__)
        return Unreachable()
    if isinstance(exception, DatabaseError) and _state(exception) in _WAITED_IN_VAIN:
        log.warning("gave up on a lock: %s", _state(exception))
        return Busy()
    log.error("unexpected error", exc_info=exception)
    return Broken()


def _is_connection(exception: DatabaseError) -> bool:
    """psycopg has no SQLSTATE, or one of class 08 and 57P, where the server went away."""
    state = _state(exception)
    from django.db import InterfaceError, OperationalError

    return isinstance(exception, OperationalError | InterfaceError) and (
        not state or state.startswith(("08", "57P"))
    )


_WAITED_IN_VAIN = {"55P03", "40P01", "40001"}  # no lock in time, a deadlock, a serialization failure


def _state(exception: DatabaseError) -> str:
    return getattr(exception.__cause__, "sqlstate", None) or ""


def answer(request: HttpRequest, error: StaffroomError) -> HttpResponse:
    response = problem(error) if wants_problem(request) else page(request, error)
    if retry_after := getattr(error, "retry_after", None):
        response["Retry-After"] = str(retry_after)
    for name, value in getattr(error, "headers", {}).items():
        response[name] = value
    return response


def wants_problem(request: HttpRequest) -> bool:
    return request.path_info.startswith(("/api/", "/v1/", "/healthz", "/readyz", "/metrics"))


def problem(error: StaffroomError) -> HttpResponse:
    return HttpResponse(
        msgspec.json.encode(document(error)), status=error.status, content_type="application/problem+json"
    )


def document(error: StaffroomError) -> dict[str, Any]:
    """RFC 9457; `extra` holds members of ours beside the standard ones."""
    body: dict[str, Any] = {
        "type": f"urn:staffroom:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": str(error),
        "code": error.code,
    }
    if errors := getattr(error, "errors", None):
        body["errors"] = errors
    body.update({key: value for key, value in error.extra.items() if key not in body})
    return body


def page(request: HttpRequest, error: StaffroomError) -> HttpResponse:
    template = select_template([f"errors/{error.status}.html", "errors/error.html"])
    return HttpResponse(template.render({"error": error}, request), status=error.status)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answer(request, NotHere())


def broken(request: HttpRequest) -> HttpResponse:
    return answer(request, Broken())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return answer(
        request,
        FormExpired(
            _(
                "This form had been open for too long, or cookies are switched off. Reload the page and send it again."
            )
        ),
    )


def too_often(request: HttpRequest) -> HttpResponse:
    """allauth's limits on sign-in, sign-up and the like; their windows are one to five minutes."""
    return answer(request, TooMany(retry_after=60))
