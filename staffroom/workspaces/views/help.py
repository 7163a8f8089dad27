"""Pages that explain, drawn from the data that they explain."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from ..doors import public
from ..permissions import NOTES, ROLES, SENTENCES, May, Role


@require_GET
@public
def roles(request: HttpRequest) -> HttpResponse:
    deeds = [
        {
            "sentence": SENTENCES[deed],
            "cells": [
                {"role": role, "may": deed in ROLES[role], "note": NOTES.get((role, deed), "")}
                for role in Role
            ],
        }
        for deed in May
    ]
    return render(request, "workspaces/help_roles.html", {"roles": list(Role), "deeds": deeds})
