"""Reading the mail folder again, for the development page."""

from __future__ import annotations

import email
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from pathlib import Path

from django.conf import settings

from .errors import NotHere

_NAME = re.compile(r"^\d{20}-[0-9a-f]{8}$")


@dataclass(frozen=True, slots=True)
class Letter:
    name: str
    at: datetime
    to: str
    subject: str
    text: str
    html: str


def letters(limit: int = 100) -> list[Letter]:
    """The newest first."""
    files = sorted(settings.MAIL_FOLDER.glob("[0-9]*.eml"), reverse=True)
    return [_read(file) for file in files[:limit]]


def letter(name: str) -> Letter:
    file = settings.MAIL_FOLDER / f"{name}.eml"
    if not _NAME.match(name) or not file.exists():
        raise NotHere
    return _read(file)


def _read(file: Path) -> Letter:
    message = email.message_from_bytes(file.read_bytes(), policy=policy.default)
    at = datetime.fromtimestamp(int(file.stem[:20]) / 1e9, UTC)
    return Letter(
        file.stem,
        at,
        str(message["To"]),
        str(message["Subject"]),
        _body(message, "plain"),
        _body(message, "html"),
    )


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part else ""
