"""Middlewares that only pages need: a call of the API does not pay for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.module_loading import import_string

from .answers import wants_problem

Handler = Callable[[HttpRequest], HttpResponseBase]


class PageMiddleware:
    """Runs `settings.PAGE_MIDDLEWARE`, in its order, around pages alone."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self.chain: Any = get_response
        self.on_exception: list[Callable[[HttpRequest, Exception], HttpResponse | None]] = []
        for name in reversed(settings.PAGE_MIDDLEWARE):
            self.chain = import_string(name)(self.chain)
            if hasattr(self.chain, "process_view") or hasattr(self.chain, "process_template_response"):
                raise TypeError(f"{name} has a hook that only settings.MIDDLEWARE serves.")
            if hook := getattr(self.chain, "process_exception", None):
                self.on_exception.append(hook)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not wants_problem(request):
            response: HttpResponseBase = self.chain(request)
            return response
        # The thread still speaks the language of the page before.
        translation.activate(getattr(request.user, "language", settings.LANGUAGE_CODE))
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if wants_problem(request):
            return None
        answers = (hook(request, exception) for hook in self.on_exception)
        return next((answer for answer in answers if answer is not None), None)
