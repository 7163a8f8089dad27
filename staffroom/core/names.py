"""Functions named in the settings: how a lower floor rings a higher one without knowing it."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string


def called(setting: str) -> list[Callable[..., Any]]:
    """The functions that a setting names, in its order."""
    return [import_string(name) for name in getattr(settings, setting)]
