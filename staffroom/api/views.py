"""The API's own description, for programs and for people."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from staffroom.workspaces.doors import public

from . import description
from .reading import chapters


@require_GET
@public
def openapi(request: HttpRequest, api: Any) -> HttpResponse:
    return HttpResponse(description.document(api), content_type="application/json")


@require_GET
@public
def docs(request: HttpRequest, api: Any) -> HttpResponse:
    return render(request, "api/docs.html", {"api": api, "chapters": chapters(description.describe(api))})
