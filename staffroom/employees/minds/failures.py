"""How thinking fails: each way with a code, a sentence for a person and whether another try may help."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class ModelFailed(Exception):
    """The model gave no reply, or only the beginning of one: what was delivered before stays valid.

    `sentence` is for a person (FAILURES gives it in the reader's language from the stored code), `detail` is what the provider said (for managers and logs, not for customers),
    `retry_after` are seconds that the provider asked to wait.
    """

    def __init__(
        self, code: str, *, detail: str = "", retryable: bool | None = None, retry_after: float | None = None
    ) -> None:
        self.code = code
        sentence, usually = FAILURES[code]
        self.sentence = str(sentence)
        self.retryable = usually if retryable is None else retryable
        self.retry_after = retry_after
        self.detail = detail[:500]
        super().__init__(f"{self.sentence} {self.detail}".strip())


FAILURES: Final[Mapping[str, tuple[Promise, bool]]] = {
    "model_unknown": (
        _("This AI employee's model does not exist. Choose another one in its settings."),
        False,
    ),
    "model_without_key": (_("No key is set for this model. Choose another one or ask the operator."), False),
    "model_unreachable": (_("The model server cannot be reached. Please try again in a moment."), True),
    "model_busy": (_("The model has too much to do right now. Please try again in a moment."), True),
    "model_key_refused": (_("The model provider refuses the key. Its owner has to renew it."), False),
    "model_rejected": (_("The model provider does not accept this request."), False),
    "model_down": (_("The model server has a problem. Please try again in a moment."), True),
    "model_slow": (_("The model took too long. Please try again in a moment."), True),
    "model_cut": (_("The connection to the model broke in the middle of the reply."), True),
    "model_nonsense": (_("The model server answered with something that is no reply."), False),
    "model_withheld": (_("The model provider withheld the rest of the reply."), False),
}


def of_status(status: int, *, detail: str = "", retry_after: float | None = None) -> ModelFailed:
    """The failure that an HTTP status of a provider means."""
    code = _BY_STATUS.get(status) or ("model_down" if status >= 500 else "model_rejected")
    if 300 <= status < 400:
        code = "model_nonsense"
    return ModelFailed(code, detail=detail or f"HTTP {status}", retry_after=retry_after)


_BY_STATUS: Final = {
    401: "model_key_refused",
    403: "model_key_refused",
    404: "model_unknown",
    408: "model_slow",
    429: "model_busy",
    504: "model_slow",
    529: "model_busy",
}


def seconds_to_wait(retry_after: str | None) -> float | None:
    """Of a Retry-After header; its form with a date is not used by model providers."""
    try:
        seconds = float(retry_after or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds <= 86_400 else None
