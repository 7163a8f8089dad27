"""The keys that thinking may use."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

SILENCE: Final = 120.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys and addresses of model providers, and how long to wait for them.

    `silence` is how many seconds a model may say nothing, before its first word and between two; `total` is for
    the whole reply.
    `base_url` is any endpoint that speaks the OpenAI protocol. It is trusted when the operator set it: then it
    may be on loopback or in a private network.
    """

    openai_key: str = field(default="", repr=False)
    base_url: str = ""
    base_url_trusted: bool = True
    anthropic_key: str = field(default="", repr=False)
    google_key: str = field(default="", repr=False)
    mistral_key: str = field(default="", repr=False)
    silence: float = SILENCE
    total: float = 900

    def key(self, kind: str) -> str:
        return str(getattr(self, f"{kind}_key"))


def of_installation(environment: Mapping[str, str] = os.environ) -> Credentials:
    """What the operator put into the environment."""
    return Credentials(
        openai_key=environment.get("OPENAI_API_KEY", ""),
        base_url=environment.get("OPENAI_BASE_URL", "").rstrip("/"),
        anthropic_key=environment.get("ANTHROPIC_API_KEY", ""),
        google_key=environment.get("GOOGLE_API_KEY", "") or environment.get("GEMINI_API_KEY", ""),
        mistral_key=environment.get("MISTRAL_API_KEY", ""),
        silence=float(environment.get("STAFFROOM_MODEL_SILENCE", "") or SILENCE),
    )


def default_model(environment: Mapping[str, str] = os.environ) -> str:
    """The model of new employees: the operator's, else one that the keys allow, else the one without a key."""
    if chosen := environment.get("STAFFROOM_MODEL", "").strip():
        return chosen
    keys = of_installation(environment)
    if keys.openai_key or keys.base_url:
        return "openai:gpt-5-mini"
    return next((name for kind, name in _USUAL.items() if keys.key(kind)), "extract")


_USUAL = {
    "anthropic": "anthropic:claude-sonnet-4-5",
    "google": "google:gemini-2.5-flash",
    "mistral": "mistral:mistral-small-latest",
}
