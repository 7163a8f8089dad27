"""The picture of an organization, and the address under which every avatar is seen."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from staffroom.core import images
from staffroom.core.errors import Invalid, StaffroomError, TooMany
from staffroom.core.scope import workspace_scope

from .. import avatars
from ..doors import door, public
from ..members import Member
from ..models import ORGANIZATION
from ..permissions import May
from .organizations import GENERAL, show

# Nothing that is drawn from an upload gets the power of a page, and an address never shows anything else.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "public, max-age=31536000, immutable",
}


@require_GET
@public
def picture(request: Any, name: str) -> HttpResponse:
    return HttpResponse(avatars.picture(name), content_type="image/webp", headers=HEADERS)


@require_POST
@door(May.SETTINGS, only=ORGANIZATION, apart=True)
def change(request: Any, member: Member) -> HttpResponse:
    try:
        content = images.uploaded(request.FILES.get("avatar"), "avatar")
        pictures = avatars.drawn(content, request.POST.get("crop", ""), by=member)
    except (Invalid, TooMany) as refused:
        return _refused(request, member, refused)
    with workspace_scope(member.workspace_id):
        avatars.change(pictures, by=member)
    messages.success(request, _("The picture is saved."))
    settings = member.url("organization?tab=general")
    if "HX-Request" in request.headers:
        return HttpResponse(status=204, headers={"HX-Redirect": settings})
    return redirect(settings)


def _refused(request: Any, member: Member, refused: StaffroomError) -> HttpResponse:
    """With htmx the form stays as it is, with its file and the part that was chosen."""
    said = {"avatar_errors": [str(refused)]}
    if "HX-Request" in request.headers:
        return render(request, "components/avatar_form.html#errors", said, status=422)
    with workspace_scope(member.workspace_id):
        return show(request, member, GENERAL, refused.status, **said)


@require_POST
@door(May.SETTINGS, only=ORGANIZATION)
def remove(request: Any, member: Member) -> HttpResponse:
    avatars.remove(by=member)
    messages.success(request, _("The picture is removed."))
    return redirect(member.url("organization?tab=general"))
