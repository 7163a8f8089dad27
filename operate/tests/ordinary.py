"""Becoming an ordinary user, for tests that root runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

NOBODY = 65534

# The interpreter of these tests may lie below a closed folder: the right to pass through folders lets
# nobody start it, and gives no right to write.
AS_NOBODY = [
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
]

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def reachable(path: Path) -> Path:
    """pytest's folders are closed to other users; the database's has to pass."""
    for part in (path, path.parent, path.parent.parent):
        if part.stat().st_uid == os.geteuid():
            part.chmod(0o711)
    return path


def nobodys(path: Path) -> Path:
    path.mkdir()
    os.chown(path, NOBODY, NOBODY)
    return path
