"""The door: who comes, where to, and in which role, found in one statement.

The address names the context (`/me/…`, `/o/<slug>/…`, and both below `/api/v1`). Whoever does not belong there
gets the same 404 as for a place that does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from staffroom.accounts.models import User
from staffroom.accounts.sessions import SessionStore
from staffroom.core import proxies
from staffroom.core.answers import wants_problem
from staffroom.core.errors import NotHere
from staffroom.core.scope import workspace_scope

from . import deletion
from .audit import came_from
from .factors import SecondFactorRequired, satisfies
from .keys import hashed
from .members import Member
from .models import Membership, Workspace
from .permissions import May, Role

ALIVE = "/healthz"  # says that the process answers, whatever the database does
_SLUG = re.compile(r"[-a-zA-Z0-9_]{1,100}")
_ADDRESS = re.compile(r"^(?:/api/v1)?/(?:(me)|o/([-a-zA-Z0-9_]+))(?:/|$)")


@dataclass(frozen=True, slots=True)
class Address:
    """The context that a path names; neither for a page outside every context."""

    me: bool = False
    slug: str | None = None

    @classmethod
    def of(cls, path: str) -> Address:
        found = _ADDRESS.match(path)
        return cls(bool(found[1]), found[2]) if found else cls()


class Visitor(HttpRequest):
    """What the middleware adds to a request (for the type checker and the reader)."""

    member: Member | None
    barred: (
        Member | None
    )  # whom the organization turns away for want of a second factor; `member` is None then
    api_key: str | None  # "person" or "organization" when a key was shown, "dead" for one that opens nothing
    key_only: frozenset[UUID] | None  # the workspaces to which a personal key is limited
    moved_to: str | None


class DoorMiddleware(SessionMiddleware):
    """Session, user, context and membership in one statement; sets `request.user` and `request.member`."""

    def process_request(self, request: Any) -> None:
        """Keys are for programs: a page does not look at them."""
        request.META["REMOTE_ADDR"] = proxies.client(
            request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
        )
        request.session = _session(request, request.COOKIES.get(settings.SESSION_COOKIE_NAME))
        request.user, request.member = AnonymousUser(), None
        request.api_key = request.moved_to = request.barred = request.key_only = None
        if request.path_info == ALIVE:
            return
        came_from.set(request.META.get("REMOTE_ADDR") or None)
        address = Address.of(request.path_info)
        if wants_problem(request) and (token := _bearer(request)):
            _enter_by_key(request, token, address)
        elif request.session.session_key:
            _enter_by_session(request, address)

    def process_response(self, request: Any, response: HttpResponse) -> HttpResponse:
        if request.api_key:
            return response  # a key neither reads nor writes a browser's session
        return super().process_response(request, response)


def _bearer(request: HttpRequest) -> str | None:
    scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _session(request: HttpRequest, key: str | None) -> SessionStore:
    session = SessionStore(key)
    agent = request.META.get("HTTP_USER_AGENT", "").replace("\0", "")
    session.seen_from = request.META.get("REMOTE_ADDR", "")[:45], agent[:255]  # as long as their columns are
    return session


def _enter_by_session(request: Any, address: Address) -> None:
    key = request.session.session_key
    row = _row(_BY_SESSION, [*request.session.seen_from, key, key, address.me, address.slug])
    if row is None:
        request.session = _session(request, None)
        return
    data = request.session.preload(row["session_data"])
    if row["user_id"] is None:
        return
    user = _user(row)
    if not constant_time_compare(data.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()):
        request.session.flush()  # the password was changed elsewhere
        return
    request.user = request._cached_user = user
    _place(request, row, user)


def _enter_by_key(request: Any, token: str, address: Address) -> None:
    row = _row(_BY_KEY, [hashed(token), address.me, address.slug])
    if row is None:
        request.api_key = "dead"
        return
    request.api_key = "person" if row["user_id"] else "organization"
    request.key_only = None if row["key_only"] is None else frozenset(row["key_only"])
    user = None
    if row["user_id"]:
        request.user = request._cached_user = user = _user(row)
    _place(request, row, user)


def _place(request: Any, row: Mapping[str, Any], user: User | None) -> None:
    if row["workspace_id"] is None:
        return
    if row["moved"]:
        request.moved_to = row["slug"]
        return
    member = Member(
        workspace_id=row["workspace_id"],
        kind=row["kind"],
        slug=row["slug"],
        name=row["workspace_name"],
        role=Role(row["role"]),
        user_id=user.id if user else None,
        user_email=user.email if user else "",
        user_name=user.shown_name if user else "",
        key_id=row["key_id"],
        avatar=row["avatar"],
        last_used=row["last_used"],
        session=None if request.api_key else request.session.session_key,
    )
    if row["barred"]:
        request.barred = member
    else:
        request.member = member


def _user(row: Mapping[str, Any]) -> User:
    user = User(
        id=row["user_id"],
        email=row["email"],
        password=row["password"],
        name=row["user_name"],
        language=row["language"],
        theme=row["theme"],
        is_active=True,
        is_staff=row["is_staff"],
        is_superuser=row["is_staff"],
        last_login=row["last_login"],
        created_at=row["user_created_at"],
    )
    user._state.adding, user._state.db = False, "default"
    # Not asked for here: it is read where it is shown, and a save leaves it alone.
    del user.__dict__["avatar"]
    return user


def _row(sql: str, values: list[Any]) -> dict[str, Any] | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row = cursor.fetchone()
        return dict(zip(_COLUMNS, row, strict=True)) if row else None


_COLUMNS = (
    "user_id", "email", "password", "user_name", "language", "theme", "is_staff", "last_login",
    "user_created_at", "workspace_id", "kind", "slug", "workspace_name", "avatar", "role", "moved",
    "last_used", "key_id", "barred", "key_only", "session_data",
)  # fmt: skip
_FOUND = ", ".join(_COLUMNS[:-1])
# Where a session was last seen is noted once a minute, so that a busy browser does not write at every page.
_SEEN = """WITH seen AS (
    UPDATE accounts_session SET seen_at = now(), address = %s, agent = %s
    WHERE session_key = %s AND seen_at < now() - interval '1 minute')"""
_BY_SESSION = f"{_SEEN} SELECT {_FOUND}, session_data FROM door_by_session(%s, %s, %s)"  # noqa: S608 - our own names
_BY_KEY = f"SELECT {_FOUND}, NULL FROM door_by_key(%s, %s, %s)"  # noqa: S608


View = Callable[..., HttpResponseBase]


def door(
    deed: May, *, only: str | None = None, closed: bool = False, apart: bool = False
) -> Callable[[View], View]:
    """For a page inside a context: `view(request, member, …)` runs in the member's open scope.

    `only="organization"`: the page does not exist in a personal account. `closed`: it is also there for the owner
    of an organization in the grace time of its deletion. `apart`: the view opens scopes itself, for long work before
    the transaction, or because it needs a second context after the first.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def entered(request: Any, *args: Any, slug: str | None = None, **kwargs: Any) -> HttpResponseBase:
            if request.moved_to:
                return moved(request)
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if request.barred:
                return turned_away(request)
            member = enter(request, deed, only=only, closed=closed)
            if apart:
                return view(request, member, *args, **kwargs)
            with workspace_scope(member.workspace_id):
                if request.method == "GET" and not member.last_used and "HX-Request" not in request.headers:
                    remember(member)
                return view(request, member, *args, **kwargs)

        entered.deed, entered.only = deed, only  # type: ignore[attr-defined]
        return entered

    return decorate


def enter(request: Any, deed: May, *, only: str | None = None, closed: bool = False) -> Member:
    """The member at this request's address, or the 404 that strangers and unknown places share."""
    member: Member | None = request.member
    if request.barred:
        raise SecondFactorRequired
    if member is None and closed and request.user.is_authenticated:
        member = request.member = _of_closed(request)
    if member is None or (only and member.kind != only):
        raise NotHere
    if member.is_personal and not member.may(deed):
        raise NotHere
    member.require(deed)
    return member


def _of_closed(request: Any) -> Member | None:
    """Statements of its own: the few pages that a closed organization still has must cost the others nothing."""
    slug = Address.of(request.path_info).slug
    with suppress(NotHere):
        found = deletion.closed(request.user, slug=slug).member if slug else None
        if found and (request.key_only is None or found.workspace_id in request.key_only):
            with workspace_scope(found.workspace_id):
                if not satisfies(request.user, Workspace.objects.get(id=found.workspace_id)):
                    raise SecondFactorRequired
            return found
    return None


def elsewhere(request: Any, slug: str | None) -> Member:
    """The caller's place in another context (None: the personal account), asked of the door with the same session or
    key, so that whatever limits these holds there too. No scope may be open."""
    if slug is not None and not _SLUG.fullmatch(slug):
        raise NotHere
    visitor = copy(request)
    visitor.member = visitor.moved_to = visitor.barred = None
    address = Address(me=slug is None, slug=slug)
    if request.api_key and (token := _bearer(request)):
        _enter_by_key(visitor, token, address)
    else:
        _enter_by_session(visitor, address)
    if visitor.moved_to:
        return elsewhere(request, visitor.moved_to)
    return enter(visitor, May.WORK)


def person(view: View) -> View:
    """For a page of somebody signed in, outside every context: `view(request, …)`."""

    @wraps(view)
    def entered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        return view(request, *args, **kwargs)

    entered.person = True  # type: ignore[attr-defined]
    return entered


def public(view: View) -> View:
    """For a page that anybody may open; says so for the test that walks every address."""
    view.public = True  # type: ignore[attr-defined]
    return view


def remember(member: Member) -> None:
    """This is now the context last used: bare addresses lead here."""
    if member.user_id:
        Membership.objects.filter(user_id=member.user_id).update(last_used_at=timezone.now())


def moved(request: Any) -> HttpResponse:
    """A former slug leads to the same place under the new one, with the same method and body."""
    former = Address.of(request.path_info).slug
    target = request.get_full_path().replace(f"/o/{former}", f"/o/{request.moved_to}", 1)
    return HttpResponse(status=308, headers={"Location": target})


def turned_away(request: Any) -> HttpResponse:
    """To the page that explains why, from where the way leads on to this one; after a POST, to the first page."""
    at = request.get_full_path() if request.method == "GET" else request.barred.url()
    if "HX-Request" in request.headers:
        at = request.barred.url()  # a fragment is no place to come back to
    explained = f"/organizations/second-factor?{urlencode({'at': at})}"
    if "HX-Request" in request.headers:
        return HttpResponse(status=204, headers={"HX-Redirect": explained})
    return HttpResponseRedirect(explained)


def context(request: Any) -> dict[str, object]:
    """For every template: who looks, and where."""
    return {"member": getattr(request, "member", None), "viewer": getattr(request, "user", None)}
