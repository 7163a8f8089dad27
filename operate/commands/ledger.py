"""`staffroom ledger check`: every balance again, from its entries."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from operate import house
from operate.commands import verbs
from operate.refusals import Refusal

if TYPE_CHECKING:
    from operate.commands import Commands


def register(commands: Commands) -> None:
    check = verbs(commands, "ledger", "the books of all balances").add_parser(
        "check", help="recomputes every balance from its entries; exits 1 on any difference"
    )
    check.add_argument("--all", action="store_true", help="every difference, not only the first few")
    check.set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    with house.opened():
        from staffroom.billing import checks

        found = checks.problems(every=given.all)
    for difference in found:
        print(difference)
    if found:
        raise Refusal("The ledger has differences; nothing was changed.")
    print("The ledger is sound: every balance is what its entries say.")
