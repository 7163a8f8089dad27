"""The door of API routes: who calls was found by `DoorMiddleware`; here it is let in, or answered.

    router = Router(tags=["employees"])

    @router.get("{ctx:ctx}/employees", response=PageOf[Employee])
    @route(May.WORK)
    def employees(request, member, paging: Query[Paging]):
        return queries.page(member, paging.limit, paging.cursor)

- `@route(May.X)`: inside a context; the view gets the `member` and runs in its open scope, in one transaction.
  No key, dead key: 401. Stranger, former member, unknown place: 404. Role too low: 403. Former slug: 308.
- `@personal_route`: outside every context, for a signed-in person (`request.user`); no scope and no transaction.
  A key that is limited to some contexts opens only those marked `@within_limits`, which ask `request.key_only`.
- A view gives plain rows (dicts, dataclasses); they leave as JSON without passing pydantic. `answer(rows, 201)`
  for another status, None for 204. `response=` documents the shape, and a test holds the answers against it.
- Writes take `Idempotency-Key` without the view's doing. A view that streams, or whose answer is only true as long
  as something holds, gives its response an attribute `first` (a dict); a repeat then calls
  `replay(request, member, first, …)` (outside contexts: without the member) instead of the view.

Paths begin with `{ctx:ctx}` (both contexts) or `o/{slug:slug}` (organizations only); the view takes neither.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import msgspec
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.urls import register_converter
from django.utils.translation import gettext as _

from staffroom.core import idempotency
from staffroom.core.errors import Forbidden, Invalid, StaffroomError
from staffroom.core.scope import workspace_scope
from staffroom.workspaces.doors import enter, moved
from staffroom.workspaces.keys import KeyLimited
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

View = Callable[..., Any]
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_JSON = "application/json"
_TOLD = 0  # instead of a status: what is kept is `first`, for the route's `replay`

# Ninja misses the context in the view's arguments; the door has taken it from the address already.
warnings.filterwarnings("ignore", r"Field\(s\) \('(ctx|slug)',\) are in the view path", UserWarning)


class ContextConverter:
    """`me` or `o/<slug>`."""

    regex = r"me|o/[-a-zA-Z0-9_]+"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(ContextConverter, "ctx")


class NotSignedIn(StaffroomError):
    code, status, title = "unauthenticated", 401, "A valid key is needed"
    headers: Mapping[str, str] = {"WWW-Authenticate": "Bearer"}

    def default_sentence(self) -> str:
        return _("Send a valid API key as “Authorization: Bearer …”, or sign in.")


class PersonNeeded(Forbidden):
    code, title = "personal_key_needed", "Only for a person"

    def default_sentence(self) -> str:
        return _("An organization's key is nobody: use a personal key here.")


class CsrfFailed(Forbidden):
    code, title = "csrf_failed", "The request did not come from our own page"

    def default_sentence(self) -> str:
        return _("A browser's session needs the X-CSRFToken header. Programs use an API key instead.")


def route(
    deed: May,
    *,
    only: str | None = None,
    replay: View | None = None,
    closed: bool = False,
    apart: bool = False,
) -> Callable[[View], View]:
    """For a route inside a context. `only="organization"`: the route does not exist in a personal account.

    `closed`: it also exists for the owner of an organization in the grace time of its deletion. `apart`: the view
    opens scopes itself, for long work before the transaction, or for a second context after the first.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def entered(request: Any, **values: Any) -> HttpResponseBase:
            admit(request)
            if request.moved_to:
                return moved(request)
            member = enter(request, deed, only=only, closed=closed)
            if apart and _key(request) is None:
                return as_answer(view(request, member, **values))
            with transaction.atomic() if apart else workspace_scope(member.workspace_id):
                return _act(request, view, (member,), values, member, replay)

        entered.deed, entered.only = deed, only  # type: ignore[attr-defined]
        return _without(entered, "member")

    return decorate


def personal_route(of: View | None = None, *, replay: View | None = None) -> Any:
    """For a route of somebody signed in, outside every context; `@personal_route` or `@personal_route(replay=…)`."""

    def decorate(view: View) -> View:
        @wraps(view)
        def entered(request: Any, **values: Any) -> HttpResponseBase:
            admit(request)
            if not request.user.is_authenticated:
                raise PersonNeeded
            if request.key_only is not None and not getattr(view, "within_limits", False):
                raise KeyLimited
            if _key(request) is None:
                return as_answer(view(request, **values))
            with transaction.atomic():
                return _act(request, view, (), values, None, replay)

        entered.personal = True  # type: ignore[attr-defined]
        return _without(entered)

    return decorate(of) if of else decorate


def within_limits(view: View) -> View:
    """For a personal route that tells a limited key no more than its contexts: `request.key_only`, None for all."""
    view.within_limits = True  # type: ignore[attr-defined]
    return view


def open_route(view: View) -> View:
    """For a route that anybody may call; says so for the test that walks every address."""

    @wraps(view)
    def entered(request: Any, **values: Any) -> HttpResponseBase:
        return as_answer(view(request, **values))

    entered.public = True  # type: ignore[attr-defined]
    return _without(entered)


def admit(request: Any) -> None:
    """A live key, or a browser's session that proves its origin; else 401."""
    if request.api_key in ("person", "organization"):
        return
    if request.api_key == "dead" or not request.user.is_authenticated:
        raise NotSignedIn
    if request.method not in _SAFE and _Csrf(_nothing).process_view(request, _nothing, (), {}):
        raise CsrfFailed


def answer(rows: Any, status: int = 200, **headers: str) -> HttpResponse:
    """Plain rows as JSON; header names are written with underscores."""
    response = HttpResponse(msgspec.json.encode(rows), content_type=_JSON, status=status)
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    return response


def as_answer(result: Any) -> HttpResponseBase:
    if isinstance(result, HttpResponseBase):
        return result
    return HttpResponse(status=204) if result is None else answer(result)


def _act(
    request: Any,
    view: View,
    leading: tuple[Any, ...],
    values: dict[str, Any],
    member: Member | None,
    replay: View | None,
) -> HttpResponseBase:
    """The view, or what it answered when the same write came with the same key before."""
    if (key := _key(request)) is None:
        return as_answer(view(request, *leading, **values))
    asked = idempotency.Asked(
        actor=f"key {member.key_id}" if member and not member.user_id else f"user {request.user.pk}",
        place=str(member.workspace_id) if member else "",
        key=key,
        request=b"\n".join((request.method.encode(), _path(request, member).encode(), _said(request))),
    )
    if first := idempotency.first_answer(asked):
        if first.status == _TOLD and replay:
            return as_answer(replay(request, *leading, msgspec.json.decode(first.body), **values))
        return HttpResponse(
            first.body,
            status=first.status,
            content_type=_JSON,
            headers={"Idempotency-Replayed": "true", "Cache-Control": "no-store"},
        )
    response = as_answer(view(request, *leading, **values))
    idempotency.keep(asked, _kept(response))
    return response


def _path(request: HttpRequest, member: Member | None) -> str:
    """Inside a context without its name, which may have changed between a write and its repetition."""
    path = request.get_full_path()
    return path.partition(member.prefix)[2] if member else path


def _kept(response: Any) -> idempotency.Answer:
    if hasattr(response, "first"):
        return idempotency.Answer(_TOLD, msgspec.json.encode(response.first))
    return idempotency.Answer(response.status_code, response.content)


def _key(request: HttpRequest) -> str | None:
    key: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None or request.method in _SAFE:
        return None
    if not 1 <= len(key) <= 255:
        raise Invalid({"Idempotency-Key": [_("Between 1 and 255 characters.")]})
    return key


def _said(request: HttpRequest) -> bytes:
    """The body, or what a form's parser has left of it."""
    if request.content_type != "multipart/form-data":
        return request.body
    files = [(name, file.name, file.size) for name, file in request.FILES.items()]  # type: ignore[union-attr]
    return msgspec.json.encode([sorted(request.POST.items()), files])


class _Csrf(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> Any:
        return reason


def _nothing(request: HttpRequest) -> Any:
    return None


def _without(entered: Any, *names: str) -> View:
    """Ninja reads the arguments of a route from its signature; what the door gives is not among them."""
    signature = inspect.signature(entered, eval_str=True)
    kept = [parameter for name, parameter in signature.parameters.items() if name not in names]
    entered.__signature__ = signature.replace(parameters=kept)
    view: View = entered
    return view
