"""The providers that pydantic-ai knows.

Imported only when a reply needs it: pydantic-ai and a provider's SDK cost a second and a hundred megabytes, so
the web processes never load them and the worker loads the ones that are used.
"""

import asyncio
from collections.abc import AsyncGenerator
from functools import lru_cache
from importlib import import_module
from typing import Final

from pydantic_ai import exceptions, messages
from pydantic_ai.direct import model_request_stream
from pydantic_ai.models import Model, StreamedResponse
from pydantic_ai.settings import ModelSettings

from staffroom.employees.minds.brief import Brief, Line
from staffroom.employees.minds.credentials import Credentials
from staffroom.employees.minds.failures import ModelFailed, of_status

CLASSES: Final = {
    "openai": ("openai.OpenAIChatModel", "openai.OpenAIProvider"),
    "anthropic": ("anthropic.AnthropicModel", "anthropic.AnthropicProvider"),
    "google": ("google.GoogleModel", "google.GoogleProvider"),
    "mistral": ("mistral.MistralModel", "mistral.MistralProvider"),
}
PROFILES: Final = {"openai": {"openai_chat_streaming_requires_finish_reason": True}}
"""Without it a stream of OpenAI's that ends too early passes for a whole reply."""


async def stream(kind: str, name: str, brief: Brief, keys: Credentials) -> AsyncGenerator[str, None]:
    model = _model(
        asyncio.get_running_loop(), kind, name, keys.key(kind), keys.base_url if kind == "openai" else ""
    )
    begun = False
    try:
        async with model_request_stream(
            model, _messages(brief), model_settings=_settings(brief, keys)
        ) as response:
            async for text in _texts(response):
                begun = True
                yield text
        if response.finish_reason is None:
            raise ModelFailed("model_cut", detail="The stream ended without its end mark.")
        if response.finish_reason == "content_filter":
            raise ModelFailed("model_withheld")
    except (exceptions.AgentRunError, exceptions.UserError) as error:
        raise _failure(error, begun) from error


async def _texts(response: StreamedResponse) -> AsyncGenerator[str, None]:
    async for event in response:
        match event:
            case messages.PartStartEvent(part=messages.TextPart(content=text)) if text:
                yield text
            case messages.PartDeltaEvent(delta=messages.TextPartDelta(content_delta=text)) if text:
                yield text


@lru_cache(maxsize=64)
def _model(loop: asyncio.AbstractEventLoop, kind: str, name: str, key: str, base_url: str) -> Model:
    """Kept, since building a client reads the certificates. Its connections belong to one event loop."""
    model, provider = (
        getattr(import_module(f"pydantic_ai.{package}.{path.partition('.')[0]}"), path.partition(".")[2])
        for package, path in zip(("models", "providers"), CLASSES[kind], strict=True)
    )
    place = {"base_url": base_url} if base_url else {}
    made: Model = model(name, provider=provider(api_key=key, **place), profile=PROFILES.get(kind))
    return made


def _messages(brief: Brief) -> list[messages.ModelMessage]:
    """The instructions stand in the last request, where pydantic-ai looks for them."""
    history: list[messages.ModelMessage] = [_message(line) for line in brief.lines]
    for message in history:
        if isinstance(message, messages.ModelRequest):
            message.instructions = brief.instructions() or None
    return history


def _message(line: Line) -> messages.ModelMessage:
    if line.role == "user":
        return messages.ModelRequest(parts=[messages.UserPromptPart(content=line.text)])
    return messages.ModelResponse(parts=[messages.TextPart(content=line.text)])


def _settings(brief: Brief, keys: Credentials) -> ModelSettings:
    """Trying again is decided by whoever asked: it knows what was delivered and what is reserved."""
    settings = ModelSettings(
        timeout=keys.silence, first_event_timeout=keys.silence, request_timeout=keys.total, max_retries=0
    )
    if brief.temperature is not None:
        settings["temperature"] = brief.temperature
    return settings


def _failure(error: Exception, begun: bool) -> ModelFailed:
    detail = str(getattr(error, "message", error))
    match error:
        case exceptions.ModelHTTPError():
            return of_status(error.status_code, detail=_said(error), retry_after=error.retry_after)
        case exceptions.ModelRequestTimeout() | exceptions.ModelTimeoutError():
            return ModelFailed("model_slow", detail=detail)
        case exceptions.ContentFilterError():
            return ModelFailed("model_withheld", detail=detail)
        case exceptions.ModelConnectionError():
            return ModelFailed("model_cut" if begun else "model_unreachable", detail=detail)
        case exceptions.ModelAPIError() if not isinstance(error.__cause__, ValueError):
            return ModelFailed("model_cut" if begun else "model_down", detail=detail)
    return ModelFailed("model_nonsense", detail=detail)


def _said(error: exceptions.ModelHTTPError) -> str:
    body = error.body
    return str(body.get("message", body)) if isinstance(body, dict) else str(body or "")
