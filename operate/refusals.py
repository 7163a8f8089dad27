"""What the operator's commands say when they cannot do their work: one sentence and an exit code."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FAILED = 1  # the work could not be done
USAGE = 2  # the command line was wrong (argparse uses the same)
TAKEN = 3  # somebody else has it: the port, the data folder
DATABASE = 4  # the database cannot be used


class Refusal(Exception):
    """Printed as it stands, without a traceback; `code` is what the process exits with."""

    def __init__(self, sentence: str, code: int = FAILED) -> None:
        super().__init__(sentence)
        self.code = code


@contextmanager
def plain_words(folder: Path) -> Iterator[None]:
    """Turns what the operating system says about `folder` into a sentence that says what to do."""
    try:
        yield
    except OSError as error:
        raise Refusal(_sentence(folder, error), DATABASE) from error


def _sentence(folder: Path, error: OSError) -> str:
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return (
            f"The data folder {folder} cannot be read and written by user {os.geteuid()}; "
            "start Staffroom as the user who owns it, or point STAFFROOM_HOME to another folder."
        )
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"The disk of the data folder {folder} is full; free some space and start again."
    return f"The data folder {folder} cannot be used: {error.strerror or error}."
