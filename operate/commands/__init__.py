"""One module for each noun of the command line: what it accepts, and which rule of a heart it calls."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def verbs(commands: Commands, noun: str, summary: str) -> Commands:
    """`staffroom NOUN VERB`."""
    return commands.add_parser(noun, help=summary, description=summary).add_subparsers(
        metavar="VERB", required=True
    )
