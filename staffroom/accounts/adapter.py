"""What allauth asks of us."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.db import transaction
from django.http import HttpRequest

from staffroom.core import mail

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

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        reader = context.get("user")
        mail.send(template_prefix, email, context, language=getattr(reader, "language", ""))
