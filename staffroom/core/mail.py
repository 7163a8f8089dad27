"""Mail: rendered from templates, sent after the commit, kept in a folder when no server is set up."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import translation
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from .lines import one_line


def send(template: str, to: str, context: Mapping[str, Any], *, language: str = "") -> None:
    """Sends `<template>_subject.txt`, `_message.txt` and `_message.html` once the transaction is committed."""
    message = compose(template, to, context, language=language)
    if settings.EMAIL_URL:
        with_retries(message)
    else:
        message.connection = FolderBackend()
        transaction.on_commit(message.send)


def post(template: str, to: str, facts: Mapping[str, Any], *, language: str = "") -> None:
    """As `send`, of strings and times alone, from which the worker writes the letter: the request need not."""
    if not settings.EMAIL_URL:
        send(template, to, facts, language=language)
        return
    plain = {name: fact.isoformat() if isinstance(fact, datetime) else fact for name, fact in facts.items()}
    write.defer(template=template, to=to, facts=plain, language=language or translation.get_language() or "")


def compose(
    template: str, to: str, context: Mapping[str, Any], *, language: str = ""
) -> EmailMultiAlternatives:
    """`language` is the reader's; without one it is that of the request at hand."""
    everything = {"public_url": settings.PUBLIC_URL, "to": to, **context}
    with translation.override(language or translation.get_language()):
        subject = one_line(render_to_string(f"{template}_subject.txt", everything))[:200]
        text = render_to_string(f"{template}_message.txt", everything).strip() + "\n"
        html = render_to_string(f"{template}_message.html", everything | {"subject": subject})
    message = EmailMultiAlternatives(subject, text, settings.DEFAULT_FROM_EMAIL, [to])
    message.attach_alternative(html, "text/html")
    message.extra_headers["Auto-Submitted"] = "auto-generated"
    return message


def with_retries(message: EmailMultiAlternatives) -> None:
    """Enqueued with the transaction's rows: rolled back with them, sent once they are there."""
    html = str(message.alternatives[0][0])
    deliver.defer(subject=str(message.subject), text=str(message.body), html=html, to=message.to)


@app.task(name="core.mail.deliver", queue="mail", retry=RetryStrategy(max_attempts=8, exponential_wait=4))
def deliver(subject: str, text: str, html: str, to: list[str]) -> None:
    message = EmailMultiAlternatives(subject, text, settings.DEFAULT_FROM_EMAIL, to)
    message.attach_alternative(html, "text/html")
    message.extra_headers["Auto-Submitted"] = "auto-generated"
    message.send()


@app.task(name="core.mail.write", queue="mail", retry=RetryStrategy(max_attempts=8, exponential_wait=4))
def write(template: str, to: str, facts: dict[str, str], language: str) -> None:
    """Names that end in `_at` are of times."""
    context = {
        name: datetime.fromisoformat(fact) if name.endswith("_at") else fact for name, fact in facts.items()
    }
    compose(template, to, context, language=language).send()


class FolderBackend(BaseEmailBackend):
    """One `.eml` file for each message, named so that the newest sorts last."""

    def send_messages(self, email_messages: Iterable[EmailMessage]) -> int:
        settings.MAIL_FOLDER.mkdir(parents=True, exist_ok=True)
        return sum(self._write(message) for message in email_messages)

    def _write(self, message: EmailMessage) -> int:
        name = f"{time.time_ns():020d}-{uuid4().hex[:8]}"
        draft: Path = settings.MAIL_FOLDER / f".{name}.part"
        draft.write_bytes(message.message().as_bytes())
        draft.rename(settings.MAIL_FOLDER / f"{name}.eml")
        return 1


def can_deliver() -> bool:
    """Whether mail leaves this installation, or only reaches the folder."""
    return bool(settings.EMAIL_URL)
