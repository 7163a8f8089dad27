"""`staffroom words grant`: an operator's grant, in the ledger."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from operate.commands import verbs

if TYPE_CHECKING:
    from operate.commands import Commands


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
    grant.set_defaults(run=None)


def _words(text: str) -> int:
    words = int(text.replace("_", "").replace(",", ""))
    if not 0 < words <= 10**12:
        raise argparse.ArgumentTypeError("must be a number of words, at least 1")
    return words


def _date(text: str) -> datetime:
    """The end of that day, UTC."""
    day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    return day.replace(hour=23, minute=59, second=59)
