"""The page behind an invitation's link. It shows, and changes nothing; each answer is a POST of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from staffroom.accounts import invited, people
from staffroom.accounts.emails import normalised
from staffroom.accounts.models import User
from staffroom.accounts.security import has_second_factor
from staffroom.core import answers
from staffroom.core.errors import StaffroomError

from .. import invitations
from ..audit import came_from
from ..doors import person, public
from ..factors import SecondFactorRequired
from ..invitations import InvitationGone, Offer, WrongAccount
from .security import set_up

View = Callable[..., HttpResponseBase]


class ByTokenAlone(CsrfViewMiddleware):
    """A page with `no-referrer` posts its own forms with `Origin: null`; the token in the form decides alone."""

    def _origin_verified(self, request: HttpRequest) -> bool:
        return request.META["HTTP_ORIGIN"] == "null" or super()._origin_verified(request)  # type: ignore[misc]


def quiet(view: View) -> View:
    """The address holds a secret: it is neither kept by anybody on the way nor told to where one goes next."""

    @wraps(view)
    def entered(request: HttpRequest, **values: Any) -> HttpResponseBase:
        try:
            check = ByTokenAlone(lambda _request: HttpResponse())
            response = check.process_view(request, view, (), values) or view(request, **values)
        except InvitationGone as gone:
            response = render(request, "workspaces/invitation_gone.html", {"error": gone}, status=gone.status)
        except StaffroomError as error:
            response = answers.answer(request, error)
        response["Cache-Control"], response["Referrer-Policy"] = "no-store", "no-referrer"
        return response

    return public(csrf_exempt(entered))


@require_GET
@quiet
def invitation(request: Any, token: str) -> HttpResponse:
    offer = invitations.offer(token, came_from=came_from.get())
    return render(
        request, "workspaces/invitation.html", {"token": token, "offer": offer, **_who(request, offer, token)}
    )


def _who(request: Any, offer: Offer, token: str) -> dict[str, Any]:
    """Whose account looks at the page, and what this person can do next."""
    if not request.user.is_authenticated:
        proved = invitations.is_mailed(token)
        return {"state": "known" if proved and people.is_known(offer.email_norm) else "stranger"}
    if normalised(request.user.email) != offer.email_norm:
        return {"state": "other"}
    if offer.requires_second_factor and not has_second_factor(request.user):
        return {"state": "without", "set_up": set_up(_here(token))}
    return {"state": "invited" if people.verified_address(request.user) else "unverified"}


@require_POST
@quiet
def accept(request: Any, token: str) -> HttpResponse:
    if not request.user.is_authenticated:
        return redirect(_here(token))
    try:
        member = invitations.accept(token, user=request.user, came_from=came_from.get())
    except (WrongAccount, SecondFactorRequired):
        return redirect(_here(token))  # the page says it, with both addresses and the way out
    return _welcome(request, member)


@require_POST
@quiet
def decline(request: Any, token: str) -> HttpResponse:
    user = request.user if request.user.is_authenticated else None
    invitations.decline(token, user=user, came_from=came_from.get())
    return render(request, "workspaces/invitation_declined.html")


@require_POST
@quiet
def sign_up(request: Any, token: str) -> HttpResponse:
    """To the sign-up page, with the address filled in; from there inside the organization."""
    offer = invitations.offer(token, came_from=came_from.get())
    if request.user.is_authenticated:
        return redirect(_here(token))
    proved = invitations.is_mailed(token)
    invited.remember(request.session, invited.Invited(offer.email, token, offer.organization, proved))
    return redirect("account_signup")


@require_POST
@quiet
def switch(request: Any, token: str) -> HttpResponse:
    """Sign out, sign in as the one who was invited, come back."""
    invitations.offer(token, came_from=came_from.get())
    logout(request)
    return redirect(f"/accounts/login/?next={quote(_here(token), safe='')}")


def _here(token: str) -> str:
    return f"/invitations/{quote(token, safe='')}"


@require_POST
@person
def accept_mine(request: Any, invitation_id: UUID) -> HttpResponse:
    """Out of the switcher, which shows what was sent to one's own verified address."""
    try:
        return _welcome(request, invitations.accept(invitation_id, user=request.user))
    except SecondFactorRequired:
        return redirect(_page_of(request.user, invitation_id))
    except StaffroomError as refused:
        messages.error(request, str(refused))
        return redirect("/")


def _page_of(user: User, invitation_id: UUID) -> str:
    """The invitation's own page, which says what is missing and leads through it."""
    pages = (invitations.page_of(one) for one in invitations.offers_to(user) if one.id == invitation_id)
    return next(pages, "/")


@require_POST
@person
def decline_mine(request: Any, invitation_id: UUID) -> HttpResponse:
    try:
        invitations.decline(invitation_id, user=request.user)
    except StaffroomError as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, _("The invitation is declined."))
    return redirect("/")


def _welcome(request: Any, member: Any) -> HttpResponse:
    messages.success(request, _("Welcome to %(organization)s.") % {"organization": member.name})
    return redirect(member.url())
