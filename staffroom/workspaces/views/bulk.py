"""Inviting a pasted list of addresses, with a result for each."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from staffroom.core import mail
from staffroom.core.errors import Invalid, StaffroomError, TooMany

from .. import addressees, forms, invitations
from ..doors import door
from ..invitations import AlreadyMember, Done, Refused
from ..members import Member
from ..models import ORGANIZATION
from ..permissions import May

# What is said beside a line, and the kind of its badge.
_INVITED, _RENEWED = (gettext_lazy("Invited"), "ok"), (gettext_lazy("Renewed"), "info")
_MEMBER, _LIMIT = (gettext_lazy("Already a member"), ""), (gettext_lazy("Limit reached"), "warn")
_BAD = (gettext_lazy("Not invited"), "bad")


@require_http_methods(["GET", "POST"])
@door(May.MANAGE_MEMBERS, only=ORGANIZATION)
def bulk(request: HttpRequest, member: Member) -> HttpResponse:
    if request.method == "GET":
        return _page(request, forms.InviteMany())
    form = forms.InviteMany(request.POST)
    try:
        lines = _lines(form, member)
    except Invalid as refused:
        form.refuse(Invalid({"emails": [str(refused)]}))
        return _page(request, form, status=422)
    rest = [line["typed"] for line in lines if line["error"]]
    again = forms.InviteMany({"emails": "\n".join(rest), "role": form.text("role")})
    done = len(lines) - len(rest)
    return _page(request, again, status=200 if done else 422, lines=lines, done=done, rest=len(rest))


def _lines(form: forms.InviteMany, member: Member) -> list[dict[str, Any]]:
    typed = addressees.read(form.text("emails"))
    if not typed:
        raise Invalid({"emails": [_("Paste at least one e-mail address.")]})
    with transaction.atomic():
        answers = invitations.invite_many([(one.email, form.text("role")) for one in typed], by=member)
    return [
        _line(one.typed, answer) for one, answer in zip(typed, answers, strict=True) if not answer.repeated
    ]


def _line(typed: str, answer: Done | Refused) -> dict[str, Any]:
    if isinstance(answer, Done):
        said, kind = _RENEWED if answer.renewed else _INVITED
        return {
            "typed": answer.email,
            "said": said,
            "kind": kind,
            "error": None,
            "link": invitations.link(answer.token),
        }
    said, kind = _verdict(answer.error)
    return {"typed": typed, "said": said, "kind": kind, "error": answer.error}


def _verdict(error: StaffroomError) -> tuple[Any, str]:
    if isinstance(error, AlreadyMember):
        return _MEMBER
    return _LIMIT if isinstance(error, TooMany) else _BAD


def _page(request: HttpRequest, form: forms.InviteMany, *, status: int = 200, **more: Any) -> HttpResponse:
    shown = {"form": form, "delivers": mail.can_deliver(), "most": invitations.AT_ONCE, **more}
    return render(request, "workspaces/invite_many.html", shown, status=status)
