"""Pages for developers: every component on one page, and the mail that went nowhere. 404 outside development."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from . import mailbox
from .errors import NotHere

LETTER_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'self'; frame-ancestors 'self';"
    " sandbox allow-top-navigation-by-user-activation"
)


def development(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def entered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if settings.PRODUCTION:
            raise NotHere
        return view(request, *args, **kwargs)

    entered.public = True  # type: ignore[attr-defined]
    return require_GET(entered)


@development
def mails(request: HttpRequest) -> HttpResponse:
    return render(request, "dev/mails.html", {"letters": mailbox.letters(), "folder": settings.MAIL_FOLDER})


@development
def mail(request: HttpRequest, name: str) -> HttpResponse:
    return render(request, "dev/mail.html", {"letter": mailbox.letter(name)})


@development
def mail_html(request: HttpRequest, name: str) -> HttpResponse:
    """What the frame shows: no script, no cookie's power; a click on a link leaves the frame."""
    response = HttpResponse('<base target="_top">' + mailbox.letter(name).html)
    response["Content-Security-Policy"] = LETTER_POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response


@development
def gallery(request: HttpRequest) -> HttpResponse:
    return render(request, "dev/ui.html", _specimens())


@development
def gallery_contexts(request: HttpRequest) -> HttpResponse:
    return render(request, "workspaces/switcher.html", _specimens())


@development
def gallery_error(request: HttpRequest, status: int) -> HttpResponse:
    return render(request, [f"errors/{status}.html", "errors/error.html"], {"error": _Specimen(status)})


class _Specimen:
    title = "Something is wrong"

    def __init__(self, status: int) -> None:
        self.status = status

    def __str__(self) -> str:
        return "That was too often. Please wait a little and try again."


def _specimens() -> dict[str, Any]:
    names = [
        "Ada Lovelace",
        "Acme",
        "Northwind Traders",
        "Émile Zola",
        "Ольга Петрова",
        "山田 太郎",
        "مريم",
        "x",
        "🦊",
    ]
    contexts = [
        {
            "kind": "organization",
            "name": "Acme",
            "role": "owner",
            "url": "#acme",
            "current": True,
            "avatar": "",
        },
        {
            "kind": "personal",
            "name": "Ada Lovelace",
            "role": "owner",
            "url": "#me",
            "current": False,
            "avatar": "",
        },
    ]
    contexts += [
        {
            "kind": "organization",
            "name": name,
            "role": role,
            "url": f"#{name}",
            "current": False,
            "avatar": "",
        }
        for name, role in zip([*names[2:], "Lighthouse & Sons " * 4], ["admin", "member"] * 4, strict=True)
    ]
    price = {
        "words": 1284,
        "rate": "1.0",
        "parts": [
            {"label": "Your message", "words": 14},
            {"label": "Persona", "words": 120},
            {"label": "Knowledge passages", "words": 1_040},
            {"label": "Reply", "words": 110},
        ],
    }
    return {
        "names": names,
        "contexts": contexts,
        "invitations": [
            {"organization": "Harbour Café", "role": "admin", "accept_url": "#", "decline_url": "#"}
        ],
        "roles": ["owner", "admin", "member"],
        "kinds": ["info", "success", "warning", "danger"],
        "rows": [
            {"name": "Mara", "model": "extract", "chats": 128, "on": True},
            {"name": "Return desk of the northern warehouse", "model": "gpt-5-mini", "chats": 7, "on": False},
            {"name": "Ольга", "model": "claude", "chats": 20_431, "on": True},
        ],
        "cost": price,
        "sources": [
            {"url": "#", "title": "Returns and refunds"},
            {"url": "#", "title": "Shipping times for the whole of northern Europe, 2026 edition"},
        ],
        "now": timezone.now(),
        "form": _Form(),
        "bound": _Form({"name": "Ada", "mail": "ada at example", "terms": "on"}, auto_id="bound_%s"),
    }


from django import forms  # noqa: E402


class _Form(forms.Form):
    name = forms.CharField(help_text="As your colleagues know you.")
    mail = forms.EmailField(label="E-mail")
    secret = forms.CharField(label="Password", widget=forms.PasswordInput)
    role = forms.ChoiceField(choices=[("admin", "Admin"), ("member", "Member")])
    about = forms.CharField(widget=forms.Textarea, required=False)
    terms = forms.BooleanField(label="I have read this")
