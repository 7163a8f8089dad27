"""The data folder, STAFFROOM_HOME, and the installation's key in it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from operate.refusals import plain_words

CHECKOUT = Path(__file__).resolve().parent.parent


def folder() -> Path:
    return Path(os.environ.get("STAFFROOM_HOME") or CHECKOUT / "var").resolve()


def prepare(home: Path) -> Path:
    """Others may pass through a new folder but not look around: below root the database's user has to
    reach its own part of it."""
    with plain_words(home):
        home.mkdir(parents=True, exist_ok=True, mode=0o711)
        os.listdir(home)
        if not os.access(home, os.W_OK | os.X_OK, effective_ids=True):
            raise PermissionError(13, "Permission denied")
    return home


def secret_key(home: Path) -> str:
    """From the environment, else from the folder, where it is made once. `config.settings` reads the same."""
    if given := os.environ.get("STAFFROOM_SECRET_KEY"):
        return given
    file = home / "secret.key"
    with plain_words(home):
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return file.read_text().strip()
        with os.fdopen(descriptor, "w") as handle:
            handle.write(secrets.token_urlsafe(48))
        return file.read_text().strip()
