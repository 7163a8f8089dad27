"""The pages' files as the web processes serve them: named by content and compressed, made when they changed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from operate import processes, stamps
from operate.refusals import Refusal


@dataclass(frozen=True)
class Pressing:
    process: subprocess.Popen[bytes]
    note: Path
    stamp: str


def prepare(environment: Mapping[str, str]) -> None:
    finish(begin(environment))


def begin(environment: Mapping[str, str]) -> Pressing | None:
    note = Path(environment["STAFFROOM_HOME"]) / "static" / ".stamp"
    stamp = stamps.of_static()
    if note.exists() and note.read_text() == stamp:
        return None
    command = [sys.executable, "-m", "django", "collectstatic", "--noinput", "--verbosity", "0"]
    return Pressing(processes.spawn(command, env=environment, output=sys.stderr.fileno()), note, stamp)


def finish(pressing: Pressing | None) -> None:
    if pressing is None:
        return
    if pressing.process.wait() != 0:
        raise Refusal("The pages' files could not be prepared; the lines above say why.")
    pressing.note.parent.mkdir(parents=True, exist_ok=True)
    pressing.note.write_text(pressing.stamp)
