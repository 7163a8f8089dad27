"""Which models an employee may be given, with the keys that the installation has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from django.conf import settings
from django.utils.translation import gettext as _

from staffroom.core.errors import Invalid

from . import minds
from .rates import rate

EXTRACT: Final = "extract"
_NAME: Final = re.compile(r"[\w.:/@+-]{1,100}", re.ASCII)
_PROVIDERS: Final = {
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "google": "Google",
    "mistral": "Mistral",
}


@dataclass(frozen=True, slots=True)
class Offer:
    name: str  # as it is stored
    title: str
    rate: Decimal


def offers() -> list[Offer]:
    """The default of the installation first, then what can be chosen by name, then the one without a key."""
    default = settings.DEFAULT_MODEL
    shown = [Offer("", _("Default: %(model)s") % {"model": title(default)}, rate(default))]
    named = {default, *settings.MODEL_RATES} - {EXTRACT}
    usable = sorted(name for name in named if not name.endswith("*") and _is_usable(name))
    shown += [Offer(name, title(name), rate(name)) for name in usable]
    return [*shown, Offer(EXTRACT, title(EXTRACT), rate(EXTRACT))]


def providers() -> list[str]:
    """Kinds whose models can be named freely, as `kind:name`."""
    return [kind for kind in minds.offered(minds.of_installation()) if kind != EXTRACT]


def title(model: str) -> str:
    if model == EXTRACT:
        return _("Extract (quotes knowledge)")
    kind, _colon, name = model.partition(":")
    if kind == "openai" and settings.OPENAI_BASE_URL:
        return name
    return f"{_PROVIDERS.get(kind, kind)} · {name}"


def chosen(model: str) -> str:
    """The name as it is stored; raises `Invalid` for one that does not exist or has no key here."""
    model = model.strip()
    if model in ("", EXTRACT) or _is_usable(model):
        return model
    kind, _colon, name = model.partition(":")
    if kind not in _PROVIDERS or not _NAME.fullmatch(name):
        raise Invalid({"model": [_("There is no such model. Write it as provider:name, or extract.")]})
    raise Invalid(
        {"model": [_("This installation has no key for %(provider)s.") % {"provider": _PROVIDERS[kind]}]}
    )


def actual(model: str) -> str:
    """What thinks for an employee whose choice is `model`."""
    return model or settings.DEFAULT_MODEL


def _is_usable(model: str) -> bool:
    kind, _colon, name = model.partition(":")
    return kind in providers() and bool(_NAME.fullmatch(name))
