"""Exports and imports of a context, for its owner alone."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.files.base import File
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from staffroom.core import files
from staffroom.core.errors import Invalid, StaffroomError
from staffroom.core.typed import tell
from staffroom.workspaces.doors import DoorMiddleware, door, enter
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

from . import delivery, exports, forms, imports, links, problems, queries
from .models import OPEN, Export, Import

_UPLOADS: Final = re.compile(r"(?:/api/v1)?/(?:me|o/[-a-zA-Z0-9_]+)/imports")
_AROUND: Final = 64 * 1024  # bytes of a form around its file


@require_http_methods(["GET", "POST"])
@door(May.OWN, closed=True)
def exports_(request: HttpRequest, member: Member) -> HttpResponse:
    if request.method == "POST":
        try:
            exports.start(by=member)
        except exports.ExportRunning as refused:
            messages.warning(request, str(refused))
        return redirect(member.url("exports"))
    rows = [_export(member, row) for row in queries.exports(member)]
    return render(request, "archives/exports.html", {"rows": rows, "at_work": _at_work(rows)})


@require_GET
@door(May.OWN, closed=True)
def export(request: HttpRequest, member: Member, export_id: UUID) -> HttpResponse:
    """The row while it changes; the whole page once it has, so that its deeds are there."""
    row = _export(member, queries.export(member, export_id))
    if row["row"].state not in OPEN and "was" in request.GET:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "archives/exports.html#state", {"one": row})


@require_POST
@door(May.OWN, closed=True)
def link(request: HttpRequest, member: Member, export_id: UUID) -> HttpResponse:
    links.renew(queries.export(member, export_id), by=member)
    messages.success(request, _("Here is a new link. It works once."))
    return redirect(member.url("exports"))


@require_GET
@door(May.OWN, closed=True)
def file(request: HttpRequest, member: Member, export_id: UUID, token: str) -> StreamingHttpResponse:
    return sent(member, links.use(queries.export(member, export_id), token, by=member))


@require_http_methods(["GET", "POST"])
@door(May.OWN)
def imports_(request: HttpRequest, member: Member) -> HttpResponse:
    form = forms.Upload(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            imports.start(form.cleaned_data["archive"], by=member)
        except imports.ImportRunning as refused:
            messages.warning(request, str(refused))
        except Invalid as wrong:
            tell(form, wrong)
        if not form.errors:
            return redirect(member.url("imports"))
    elif request.method == "POST":
        form = forms.Upload({})
    rows = [_import(row) for row in queries.imports(member)]
    shown = {
        "form": form,
        "rows": rows,
        "at_work": _at_work(rows),
        "most": settings.IMPORT_LIMIT // 1024**2,
    }
    return render(request, "archives/imports.html", shown, status=422 if form.errors else 200)


@require_GET
@door(May.OWN)
def import_(request: HttpRequest, member: Member, import_id: UUID) -> HttpResponse:
    row = _import(queries.import_(member, import_id))
    if row["row"].state not in OPEN and "was" in request.GET:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "archives/imports.html#state", {"one": row})


def largest_body(request: HttpRequest) -> int:
    """For the server, before it reads on: what the owner may send to the imports of a context, and nobody else."""
    if _UPLOADS.fullmatch(request.path_info):
        DoorMiddleware(_nothing).process_request(request)
        with suppress(StaffroomError):
            enter(request, May.OWN)
            return int(settings.IMPORT_LIMIT) + _AROUND
    return int(settings.BODY_LIMIT)


def _nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def sent(member: Member, export: Export) -> StreamingHttpResponse:
    content: File[bytes] = files.opened(export.file)
    response = StreamingHttpResponse(
        delivery.Pieces(content, partial(queries.still_owns, member)), content_type="application/zip"
    )
    name = f"staffroom-{slugify(member.slug or 'personal')}-{export.created_at:%Y-%m-%d}.zip"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Content-Length"] = str(export.size)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _export(member: Member, row: Export) -> dict[str, Any]:
    token = links.token(row)
    return {
        "row": row,
        "url": member.url(f"exports/{row.id}/file/{token}") if token else "",
        "problem": problems.sentence(row.problem) if row.problem else "",
        "counts": counted(row.counts),
    }


def _import(row: Import) -> dict[str, Any]:
    return {
        "row": row,
        "problem": problems.sentence(row.problem) if row.problem else "",
        "counts": counted(row.counts),
    }


def _at_work(rows: list[dict[str, Any]]) -> bool:
    return any(one["row"].state in OPEN for one in rows)


def counted(counts: dict[str, int]) -> list[tuple[str, int]]:
    nouns = {
        "employees": _("AI employees"),
        "sources": _("Knowledge sources"),
        "chats": _("Chats"),
        "messages": _("Messages"),
    }
    return [(name, counts[noun]) for noun, name in nouns.items() if counts.get(noun)]
