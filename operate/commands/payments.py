"""`staffroom payments`: what waits for money, and the word of the operator that an invoice was paid."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from operate import house
from operate.commands import verbs
from operate.refusals import Refusal

if TYPE_CHECKING:
    from operate.commands import Commands


def register(commands: Commands) -> None:
    nouns = verbs(commands, "payments", "purchases")
    waiting = nouns.add_parser("list", help="purchases that wait for their money, the oldest first")
    waiting.add_argument("--all", action="store_true", help="the latest of every state")
    waiting.set_defaults(run=show)
    confirm = nouns.add_parser("confirm", help="the money of an invoice is there: its words are granted")
    confirm.add_argument("number", metavar="NUMBER", type=int)
    confirm.set_defaults(run=confirmed)
    refund = nouns.add_parser("refund", help="money of an invoice went back: as many of its words go, too")
    refund.add_argument("number", metavar="NUMBER", type=int)
    refund.add_argument("--cents", type=int, help="altogether so far; all of it where nothing is said")
    refund.set_defaults(run=refunded)


def show(given: argparse.Namespace) -> None:
    with house.opened():
        from staffroom.billing import ordered

        for one in ordered.latest(every=given.all):
            print(
                f"{one.number or '-':>6}  {one.at:%Y-%m-%d %H:%M}  {one.state:<9}  {one.gateway:<7}"
                f"  {one.amount / 100:>10,.2f} {one.currency}  {one.words:>12,} words  {one.place}"
            )


def confirmed(given: argparse.Namespace) -> None:
    with house.opened():
        from staffroom.billing import payments
        from staffroom.workspaces.members import SYSTEM

        payment = _invoice(given.number)
        with _scope(payment):
            payments.paid(payment.id, amount=payment.amount, currency=payment.currency, by=SYSTEM)
    print(f"Invoice {given.number} is paid: {payment.words:,} words are granted.")


def refunded(given: argparse.Namespace) -> None:
    with house.opened():
        from staffroom.billing import payments
        from staffroom.workspaces.members import SYSTEM

        payment = _invoice(given.number)
        cents = payment.amount if given.cents is None else given.cents
        if not 0 < cents <= payment.amount:
            raise Refusal(f"Invoice {given.number} is about {payment.amount} cents.")
        with _scope(payment):
            payments.refunded(payment.id, cents, by=SYSTEM)
    print(f"{cents / 100:,.2f} {payment.currency} of invoice {given.number} went back.")


def _invoice(number: int) -> Any:
    from staffroom.billing import ordered

    payment = ordered.numbered(number)
    if payment is None or payment.gateway != "invoice":
        raise Refusal(f"There is no invoice {number}. `staffroom payments list` shows those that wait.")
    return payment


def _scope(payment: Any) -> Any:
    from staffroom.core.scope import workspace_scope

    return workspace_scope(payment.workspace_id)
