"""The library of a context."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from staffroom.core.errors import Invalid
from staffroom.core.typed import tell
from staffroom.employees import queries as employees
from staffroom.workspaces.doors import door
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

from . import forms, queries, sources

_PASSAGES = 20


@require_GET
@door(May.WORK)
def library(request: HttpRequest, member: Member) -> HttpResponse:
    page = queries.sources(member, cursor=request.GET.get("cursor"))
    use = employees.use(member, [row.id for row in page.items])
    rows = [(row, use.get(row.id, 0)) for row in page.items]
    return render(request, "knowledge/library.html", {"rows": rows, "page": page, "all_use": use})


@require_http_methods(["GET", "POST"])
@door(May.WORK)
def new(request: HttpRequest, member: Member) -> HttpResponse:
    form = forms.Text(request.POST or None)
    if request.method == "POST":
        try:
            source = sources.add(request.POST.get("title", ""), request.POST.get("text", ""), by=member)
        except Invalid as wrong:
            tell(form, wrong)
        else:
            messages.success(request, _("“%(title)s” is in the library.") % {"title": source.title})
            return redirect(member.url(f"knowledge/{source.id}"))
    return render(request, "knowledge/new.html", {"form": form}, status=422 if form.errors else 200)


@require_GET
@door(May.WORK)
def source(request: HttpRequest, member: Member, source_id: UUID) -> HttpResponse:
    row = queries.row(member, source_id)
    return render(
        request,
        "knowledge/source.html",
        {
            "row": row,
            "text": queries.text(member, source_id),
            "users": employees.users_of(member, source_id),
            "may_delete": member.may_delete(row.created_by_id),
            **_passages(member, source_id, -1),
        },
    )


@require_GET
@door(May.WORK)
def progress(request: HttpRequest, member: Member, source_id: UUID) -> HttpResponse:
    row = queries.row(member, source_id)
    if row.state != "pending" and "page" in request.GET:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "knowledge/library.html#state", {"row": row, "page_too": "page" in request.GET})


@require_GET
@door(May.WORK)
def passages(request: HttpRequest, member: Member, source_id: UUID) -> HttpResponse:
    after = request.GET.get("after", "")
    shown = _passages(member, source_id, int(after) if after.isdecimal() and len(after) < 9 else -1)
    return render(request, "knowledge/source.html#passages", {"row": queries.row(member, source_id)} | shown)


@require_POST
@door(May.WORK)
def deletion(request: HttpRequest, member: Member, source_id: UUID) -> HttpResponse:
    source = queries.source(member, source_id)
    sources.delete(source, by=member)
    messages.success(request, _("“%(title)s” is deleted.") % {"title": source.title})
    return redirect(member.url("knowledge"))


def _passages(member: Member, source_id: UUID, after: int) -> dict[str, Any]:
    found = queries.passages(member, source_id, _PASSAGES + 1, after)
    return {
        "passages": found[:_PASSAGES],
        "more_after": found[_PASSAGES - 1].number if len(found) > _PASSAGES else None,
    }
