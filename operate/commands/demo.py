"""`staffroom demo`: an example organization to look around in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from operate.commands import Commands


def register(commands: Commands) -> None:
    pass
