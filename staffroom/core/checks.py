"""Several checks of one form, whose complaints are shown together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import Invalid


def together(*checks: Callable[[], Any]) -> list[Any]:
    """What each check gives; or one `Invalid` with the sentences of all that complained, and the first named code."""
    given, errors, codes = [], {}, []
    for check in checks:
        try:
            given.append(check())
        except Invalid as complaint:
            errors.update(complaint.errors)
            codes.append(complaint.code)
    if errors:
        raise Invalid(errors, code=next((code for code in codes if code != "invalid"), "invalid"))
    return given
