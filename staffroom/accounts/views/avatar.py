"""A person's own picture, in the settings of the account."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from staffroom.core import images
from staffroom.core.errors import Invalid, StaffroomError, TooMany
from staffroom.core.scope import workspace_scope
from staffroom.workspaces import avatars

from ..forms import Settings


@require_POST
@login_required
def change(request: Any) -> HttpResponse:
    me = avatars.at_home(request.user)
    try:
        content = images.uploaded(request.FILES.get("avatar"), "avatar")
        pictures = avatars.drawn(content, request.POST.get("crop", ""), by=me)
    except (Invalid, TooMany) as refused:
        return _refused(request, refused)
    with workspace_scope(me.workspace_id):
        avatars.change(pictures, by=me)
    messages.success(request, _("The picture is saved."))
    if "HX-Request" in request.headers:
        return HttpResponse(status=204, headers={"HX-Redirect": reverse("account_settings")})
    return redirect("account_settings")


def _refused(request: Any, refused: StaffroomError) -> HttpResponse:
    said = {"avatar_errors": [str(refused)]}
    if "HX-Request" in request.headers:
        return render(request, "components/avatar_form.html#errors", said, status=422)
    shown = {"form": Settings(instance=request.user), **said}
    return render(request, "account/settings.html", shown, status=refused.status)


@require_POST
@login_required
def remove(request: Any) -> HttpResponse:
    me = avatars.at_home(request.user)
    with workspace_scope(me.workspace_id):
        avatars.remove(by=me)
    messages.success(request, _("The picture is removed."))
    return redirect("account_settings")
