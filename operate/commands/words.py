"""`staffroom words grant`: an operator's grant, in the ledger."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from operate import house
from operate.commands import people, verbs

if TYPE_CHECKING:
    from operate.commands import Commands

MOST = 10**12


def register(commands: Commands) -> None:
    grant = verbs(commands, "words", "balances").add_parser(
        "grant", help="an operator's grant, in the ledger"
    )
    whom = grant.add_mutually_exclusive_group(required=True)
    whom.add_argument("--user", metavar="EMAIL", help="the personal account of this person")
    whom.add_argument("--organization", metavar="SLUG")
    grant.add_argument("words", metavar="N", type=_words)
    grant.add_argument("--source", choices=["bonus", "purchased"], default="bonus")
    grant.add_argument(
        "--expires", metavar="DATE", type=_date, help="YYYY-MM-DD; the last day on which they count"
    )
    grant.add_argument("--reason", metavar="TEXT", required=True)
    grant.set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    with house.opened():
        from staffroom.billing import ledger
        from staffroom.core.ids import new_id
        from staffroom.core.scope import workspace_scope
        from staffroom.workspaces.members import SYSTEM

        if given.organization:
            workspace_id = people.organization(given.organization)
        else:
            workspace_id = people.place(people.user(given.user), None).id
        with workspace_scope(workspace_id):
            # Every call is a grant of its own, so it needs a reference that no other has.
            granted = ledger.grant(
                given.source,
                f"command {new_id()}",
                given.words,
                by=SYSTEM,
                expires_at=given.expires,
                reason=given.reason,
            )
        print(f"Granted {given.words:,} words; {granted.words_left:,} are left now.")


def _words(text: str) -> int:
    digits = text.replace("_", "").replace(",", "")
    if not digits.isdecimal() or not 0 < int(digits) <= MOST:
        raise argparse.ArgumentTypeError(f"must be a number of words from 1 to {MOST:,}")
    return int(digits)


def _date(text: str) -> datetime:
    """The end of that day, UTC."""
    try:
        end = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a day like 2027-12-31") from None
    if end <= datetime.now(UTC):
        raise argparse.ArgumentTypeError("must not have passed")
    return end
