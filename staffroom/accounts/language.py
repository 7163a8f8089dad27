"""The language of a page: the one a signed-in person chose, else what the browser asks for."""

from __future__ import annotations

from typing import Any

from django.middleware.locale import LocaleMiddleware
from django.utils import translation


class LanguageMiddleware(LocaleMiddleware):
    def process_request(self, request: Any) -> None:
        if not request.user.is_authenticated:
            super().process_request(request)
            return
        translation.activate(request.user.language)
        request.LANGUAGE_CODE = translation.get_language()
