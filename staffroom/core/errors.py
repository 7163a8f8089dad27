"""Errors are named by what went wrong; each says what to do next.

`code` is a stable word of the API, `status` its HTTP status, `str(error)` a sentence for a person.
One place (`staffroom.core.answers`) turns them into a page, a fragment or a problem document.
"""

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext as _


class StaffroomError(Exception):
    code = "error"
    status = 400
    title = "Something is wrong"

    def __init__(self, sentence: str | None = None, **extra: object) -> None:
        super().__init__(sentence or self.default_sentence())
        self.extra = extra

    def default_sentence(self) -> str:
        return self.title


class NotHere(StaffroomError):
    """Not there, or not yours: one and the same answer."""

    code, status, title = "not_found", 404, "Not found"

    def default_sentence(self) -> str:
        return _("There is nothing here, or it is not yours to see.")


class Forbidden(StaffroomError):
    code, status, title = "forbidden", 403, "Not allowed"


class Conflict(StaffroomError):
    code, status, title = "conflict", 409, "Not possible in this state"


class TooMany(StaffroomError):
    """A limit on how often; `retry_after` is in seconds."""

    code, status, title = "rate_limited", 429, "Too many attempts"

    def __init__(self, sentence: str | None = None, *, retry_after: int = 60) -> None:
        super().__init__(sentence, retry_after=retry_after)
        self.retry_after = retry_after

    def default_sentence(self) -> str:
        return _("That was too often. Please wait a little and try again.")


class Invalid(StaffroomError):
    """Bad input: field name → sentences. `code` is that of the first broken rule where the API names one."""

    code, status, title = "invalid", 422, "Some fields need attention"

    def __init__(
        self, errors: Mapping[str, Sequence[str]], *, code: str = "invalid", sentence: str | None = None
    ) -> None:
        first = next((lines[0] for lines in errors.values() if lines), None)
        super().__init__(sentence or first)
        self.errors = {field: list(lines) for field, lines in errors.items()}
        self.code = code
