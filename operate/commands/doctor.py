"""`staffroom doctor`: what works, what does not, what to do."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from operate import home, house
from operate.refusals import Refusal

if TYPE_CHECKING:
    from operate.commands import Commands


def register(commands: Commands) -> None:
    summary = "what works, what does not, what to do"
    commands.add_parser("doctor", help=summary, description=summary).set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    with house.opened():
        from operate import doctor

        bad = 0
        for finding in doctor.examine(home.folder()):
            print(finding)
            bad += finding.verdict == doctor.BAD
    if bad:
        raise Refusal(f"{bad} {'things need' if bad > 1 else 'thing needs'} attention.")
