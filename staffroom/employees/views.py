"""The pages of employees."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from staffroom.chats import queries as chats
from staffroom.core.errors import Invalid
from staffroom.core.scope import workspace_scope
from staffroom.core.typed import tell
from staffroom.workspaces.doors import door, elsewhere
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May
from staffroom.workspaces.queries import contexts

from . import catalogue, copies, forms, links, personas, queries, roster
from .models import Employee
from .templates import TEMPLATES


@require_GET
@door(May.WORK)
def employees(request: HttpRequest, member: Member) -> HttpResponse:
    page = queries.employees(member, cursor=request.GET.get("cursor"))
    active_at = chats.last_messages(member, [row.id for row in page.items])
    rows = [
        (
            row,
            catalogue.title(catalogue.actual(row.model)),
            active_at[row.id],
            member.may_delete(row.created_by_id),
        )
        for row in page.items
    ]
    return render(request, "employees/employees.html", {"rows": rows, "page": page})


@require_http_methods(["GET", "POST"])
@door(May.WORK)
def new(request: HttpRequest, member: Member) -> HttpResponse:
    form = forms.Hire(request.POST or None)
    if request.method == "POST":
        given = {field: request.POST.get(field, "") for field in ("name", "template")}
        try:
            employee = roster.hire(**given, by=member)
        except Invalid as wrong:
            tell(form, wrong)
        else:
            return redirect(member.url(f"employees/{employee.id}"))
    return render(
        request,
        "employees/new.html",
        {"form": form, "templates": TEMPLATES},
        status=422 if form.errors else 200,
    )


@require_GET
@door(May.WORK)
def employee(request: HttpRequest, member: Member, employee_id: UUID) -> HttpResponse:
    employee = queries.employee(member, employee_id)
    return _page(request, member, employee, forms.Persona.of(employee))


@require_POST
@door(May.WORK)
def persona(request: HttpRequest, member: Member, employee_id: UUID) -> HttpResponse:
    """Name, persona, model and settings, as one version."""
    employee = queries.employee(member, employee_id)
    form = forms.Persona(request.POST.copy(), current=employee.model)
    try:
        personas.save(employee, by=member, **form.values)
    except Invalid as wrong:
        tell(form, wrong)
        return _page(request, member, employee, form, status=422)
    except personas.EditedMeanwhile as wrong:
        form.data["edited"] = wrong.theirs.number  # type: ignore[index]  # the copy from above
        tell(form, Invalid({}))
        return _page(request, member, employee, form, status=409, conflict=wrong)
    messages.success(request, _("Saved."))
    return redirect(member.url(f"employees/{employee.id}"))


@require_http_methods(["POST", "DELETE"])
@door(May.WORK)
def shift(request: HttpRequest, member: Member, employee_id: UUID) -> HttpResponse:
    """POST: it begins to answer. DELETE: it stops."""
    employee = queries.employee(member, employee_id)
    roster.switch(employee, request.method == "POST", by=member)
    return render(request, "employees/employees.html#shift", {"row": employee})


@require_POST
@door(May.WORK)
def knowledge(request: HttpRequest, member: Member, employee_id: UUID) -> HttpResponse:
    employee = queries.employee(member, employee_id)
    links.choose(
        employee, _ids(request.POST.getlist("shown")), _ids(request.POST.getlist("source")), by=member
    )
    response = render(
        request,
        "employees/employee.html#knowledge",
        {"employee": employee, "library": queries.library(employee)},
    )
    response["HX-Trigger"] = json.dumps({"toast": {"text": _("Saved."), "kind": "success"}})
    return response


@require_http_methods(["GET", "POST"])
@door(May.WORK, apart=True)
def copy(request: Any, member: Member, employee_id: UUID) -> HttpResponse:
    """GET: where to. POST: one lands on the copy, wherever it is."""
    if request.method == "GET":
        return _where_to(request, member, employee_id, forms.Copy())
    form = forms.Copy(request.POST)
    try:
        there = elsewhere(request, form.slug)
        made = copies.copy(employee_id, by=member, to=there, name=request.POST.get("name", ""))
    except Invalid as wrong:
        tell(form, wrong)
        return _where_to(request, member, employee_id, form, status=422)
    back = format_html(
        '<a href="{}">{}</a>', member.url(f"employees/{employee_id}"), _("Back to the original")
    )
    messages.success(request, format_html("{} {}", _("This is the copy."), back))
    return redirect(there.url(f"employees/{made.id}"))


def _where_to(
    request: Any, member: Member, employee_id: UUID, form: forms.Copy, status: int = 200
) -> HttpResponse:
    with workspace_scope(member.workspace_id):
        employee = queries.employee(member, employee_id)
        shown = {
            "employee": employee,
            "form": form,
            "knowledge": len(queries.source_ids(employee.id)),
            "contexts": [one for one in contexts(request.user.id) if one.id != member.workspace_id],
        }
        return render(request, "employees/copy.html", shown, status=status)


@require_GET
@door(May.WORK)
def versions(request: HttpRequest, member: Member, employee_id: UUID) -> HttpResponse:
    employee = queries.employee(member, employee_id)
    page = queries.versions(employee, cursor=request.GET.get("cursor"))
    return render(
        request,
        "employees/versions.html",
        {"employee": employee, "page": page, "page_of": f"employees/{employee.id}"},
    )


@require_POST
@door(May.WORK)
def restoration(request: HttpRequest, member: Member, employee_id: UUID, number: int) -> HttpResponse:
    employee = queries.employee(member, employee_id)
    now = personas.restore(employee, number, by=member)
    messages.success(
        request, _("Version %(number)s is back, as version %(now)s.") % {"number": number, "now": now.version}
    )
    return redirect(member.url(f"employees/{employee.id}"))


@require_POST
@door(May.WORK)
def dismissal(request: HttpRequest, member: Member, employee_id: UUID) -> HttpResponse:
    employee = queries.employee(member, employee_id)
    roster.dismiss(employee, by=member)
    messages.success(request, _("%(name)s is deleted.") % {"name": employee.name})
    return redirect(member.url("employees"))


def _page(
    request: HttpRequest,
    member: Member,
    employee: Employee,
    form: forms.Persona,
    *,
    status: int = 200,
    conflict: personas.EditedMeanwhile | None = None,
) -> HttpResponse:
    shown: dict[str, Any] = {
        "employee": employee,
        "form": form,
        "conflict": conflict,
        "library": queries.library(employee),
        "may_dismiss": member.may_delete(employee.created_by_id),
        "test_url": member.url(f"chats/test/{employee.id}"),
    }
    return render(request, "employees/employee.html", shown, status=status)


def _ids(values: list[str]) -> set[UUID]:
    """The ones that are ids; a page of ours sends no others."""
    found = set()
    for value in values:
        try:
            found.add(UUID(value))
        except ValueError:
            continue
    return found
