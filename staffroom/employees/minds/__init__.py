"""How an employee thinks: a brief goes in, the reply comes out in pieces of text.

    async with aclosing(minds.stream(brief)) as pieces:
        async for piece in pieces: ...

A model is named `kind:name`; the kinds are in MINDS. A new provider is one module with a `stream` of the same
shape and one line there. Nothing here knows a table: whoever asks has read the brief before and stores the reply.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Final, Protocol

from staffroom.core.words import Counter
from staffroom.employees.minds.brief import Brief, Line, Passage, Sent
from staffroom.employees.minds.credentials import Credentials, default_model, of_installation
from staffroom.employees.minds.failures import FAILURES, ModelFailed

__all__ = [
    "FAILURES",
    "Brief",
    "Credentials",
    "Line",
    "ModelFailed",
    "Passage",
    "Sent",
    "default_model",
    "mind_for",
    "of_installation",
    "offered",
    "stream",
    "warm_up",
]

ALLOW_MODEL_REQUESTS = True
"""Off in tests, so that no test can ask a paid model by mistake; `extract` always works."""

MINDS: Final = {
    "extract": "extract",
    "compatible": "lean",
    "openai": "providers",
    "anthropic": "providers",
    "google": "providers",
    "mistral": "providers",
}


class Mind(Protocol):
    def __call__(self, brief: Brief) -> AsyncGenerator[str, None]: ...


async def stream(brief: Brief, keys: Credentials | None = None) -> AsyncGenerator[str, None]:
    """The reply in pieces, ended by the model or after `brief.max_words` words, whichever comes first.

    Raises ModelFailed, also after some pieces. Closing the generator ends the work of the model.
    """
    mind = mind_for(brief.model, keys or of_installation())
    counter, room = Counter(), _characters(brief.max_words)
    async with aclosing(mind(brief)) as pieces:
        async for piece in pieces:
            allowed = counter.cut(piece[:room], brief.max_words)
            if allowed:
                yield allowed
            if len(allowed) < len(piece):
                return
            counter.feed(piece)
            room -= len(piece)


def _characters(max_words: int) -> int:
    """A model that never writes a blank would never reach its limit of words."""
    return 500 + 40 * max_words


def mind_for(model: str, keys: Credentials) -> Mind:
    """Who thinks under that name; raises ModelFailed for unknown names and missing keys."""
    kind, _, name = model.partition(":")
    if kind not in MINDS or kind == "compatible" or (kind != "extract" and not name):
        raise ModelFailed("model_unknown", detail=model)
    if kind == "openai" and keys.base_url:
        kind = "compatible"
    elif kind != "extract" and not keys.key(kind):
        raise ModelFailed("model_without_key", detail=model)
    if kind != "extract" and not ALLOW_MODEL_REQUESTS:
        raise RuntimeError(f"Tests may not ask {model}: give the employee the model extract, or script it.")
    return partial(_module(kind).stream, kind, name, keys=keys)


def offered(keys: Credentials) -> list[str]:
    """The kinds of models that can be used with these keys."""
    usable = [kind for kind in MINDS if kind != "compatible" and (kind == "extract" or keys.key(kind))]
    return sorted({*usable, "openai"} if keys.base_url else usable, key=list(MINDS).index)


def warm_up(keys: Credentials) -> None:
    """Loads what the keys may need, so that the first reply of a worker does not wait for imports."""
    for kind in offered(keys):
        _module("compatible" if kind == "openai" and keys.base_url else kind)


def _module(kind: str) -> ModuleType:
    return import_module(f"{__name__}.{MINDS[kind]}")
