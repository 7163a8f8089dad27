"""What allauth asks of us."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from staffroom.core import mail
from staffroom.core.names import called

from . import browsers, invited
from .emails import normalised
from .models import User
from .people import born


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """The account and its personal workspace are born in the same transaction."""
        with transaction.atomic():
            user = super().save_user(request, user, form, commit=False)
            user.email = normalised(user.email)
            user.name = (form.cleaned_data.get("name") or "").strip()
            user.language = getattr(request, "LANGUAGE_CODE", "en")
            user.save()
            born(user)
        return user

    def is_email_verified(self, request: HttpRequest, email: str) -> bool:
        """Who opened an invitation out of the mail and signs up from there has shown that the address is theirs."""
        return invited.proves(request.session, email)

    def get_signup_redirect_url(self, request: HttpRequest) -> str:
        return self._arrival(request) or super().get_signup_redirect_url(request)

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        return self._arrival(request) or super().get_login_redirect_url(request)

    def _arrival(self, request: HttpRequest) -> str | None:
        """Where somebody lands who was on the way to an invitation."""
        if (on_the_way := invited.recall(request.session)) is None:
            return None
        invited.forget(request.session)
        places = (arrive(request.user, on_the_way.token) for arrive in called("ARRIVALS"))
        return next((place for place in places if place), None)

    def set_password(self, user: User, password: str) -> None:
        """A new password, however one came to it, signs every other browser out."""
        super().set_password(user, password)
        browsers.sign_out_all(user, but=self.request.session.session_key)

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("account_security")

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        said = {
            "reauthenticate": _("Use the password"),
            "mfa_reauthenticate": _("Use a code"),
            "mfa_reauthenticate:webauthn": _("Use a passkey"),
        }
        methods = super().get_reauthentication_methods(user)
        return [method | {"description": said[method["id"]]} for method in methods]

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        reader = context.get("user")
        links = {name: _public(context[name]) for name in _LINKS if context.get(name)}
        mail.send(template_prefix, email, context | links, language=getattr(reader, "language", ""))


_LINKS = ("activate_url", "password_reset_url", "signup_url")


def _public(link: str) -> str:
    """allauth makes links of the Host header, which whoever asks for somebody else's mail may choose."""
    _scheme, _host, path, query, _fragment = urlsplit(link)
    return f"{settings.PUBLIC_URL}{path}" + (f"?{query}" if query else "")
