"""How an employee works, beside its persona: stored as JSON with each version, read as this class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from django.utils.translation import gettext as _

from staffroom.core.errors import Invalid
from staffroom.core.lines import storable

ANSWER, PHRASE = "answer", "phrase"
_REPLY_LIMIT: Final = (20, 4_000)  # words
_TEMPERATURE: Final = (0.0, 2.0)
_LETTERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Settings:
    """`temperature` None leaves it to the model. `no_answer` says what happens when the knowledge holds none."""

    reply_limit: int = 400  # words
    temperature: float | None = None
    greeting: str = ""
    no_answer: str = ANSWER
    no_answer_phrase: str = ""

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Settings:
        return cls(**{field.name: stored[field.name] for field in fields(cls) if field.name in stored})

    def changed(self, given: Mapping[str, Any]) -> Settings:
        """With what was typed; raises `Invalid` with `settings.<field>` for each wrong value."""
        errors: dict[str, list[str]] = {}
        values = asdict(self)
        for field in fields(self):
            if field.name in given:
                try:
                    values[field.name] = _READ[field.name](given[field.name])
                except ValueError as wrong:
                    errors[f"settings.{field.name}"] = [str(wrong)]
        if values["no_answer"] == PHRASE and not values["no_answer_phrase"]:
            errors.setdefault("settings.no_answer_phrase", [_("Write the phrase.")])
        if errors:
            raise Invalid(errors)
        return Settings(**values)

    @property
    def stored(self) -> dict[str, Any]:
        return asdict(self)


def _reply_limit(value: Any) -> int:
    lowest, highest = _REPLY_LIMIT
    if isinstance(value, bool) or not str(value).strip().isdecimal() or not lowest <= int(value) <= highest:
        raise ValueError(
            _("A number of words between %(from)s and %(to)s.") % {"from": lowest, "to": highest}
        )
    return int(value)


def _temperature(value: Any) -> float | None:
    if value is None or value == "":
        return None
    wrong = ValueError(_("A number between %(from)s and %(to)s, or nothing.") % {"from": "0", "to": "2"})
    try:
        number = float(str(value).replace(",", "."))
    except ValueError:
        raise wrong from None
    if not _TEMPERATURE[0] <= number <= _TEMPERATURE[1]:
        raise wrong
    return number


def _text(value: Any) -> str:
    text = storable(str(value or "")).strip()
    if len(text) > _LETTERS:
        raise ValueError(_("Use at most %(longest)s characters.") % {"longest": _LETTERS})
    return text


def _no_answer(value: Any) -> str:
    if value not in (ANSWER, PHRASE):
        raise ValueError(_("Choose one of the two."))
    return str(value)


_READ: Final = {
    "reply_limit": _reply_limit,
    "temperature": _temperature,
    "greeting": _text,
    "no_answer": _no_answer,
    "no_answer_phrase": _text,
}
