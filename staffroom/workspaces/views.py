"""Pages that belong to no single organization."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET

from . import queries
from .doors import person


@require_GET
@person
def bare(request: Any, path: str = "") -> HttpResponse:
    """`/chats?…` → `/o/acme/chats?…`, the context last used."""
    context = queries.last_used(request.user.id)
    query = request.META.get("QUERY_STRING", "")
    return redirect(f"{context.prefix}/{path}" + (f"?{query}" if query else ""))
