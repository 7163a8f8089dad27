"""`staffroom plans`: the catalogue of what can be bought."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from operate import house
from operate.commands import verbs
from operate.refusals import Refusal

if TYPE_CHECKING:
    from operate.commands import Commands


def register(commands: Commands) -> None:
    nouns = verbs(commands, "plans", "the catalogue of plans and packages")
    nouns.add_parser("list", help="plans and packages").set_defaults(run=show)
    put = nouns.add_parser("set", help="a plan: new, or changed for whoever buys it from now on")
    put.add_argument("code", metavar="CODE")
    put.add_argument("--name")
    put.add_argument("--words", type=_count, help="a month")
    put.add_argument("--price", type=_count, metavar="CENTS", help="cents a month")
    put.set_defaults(run=change)
    hide = nouns.add_parser("hide", help="a plan is offered no longer; months that were bought go on")
    hide.add_argument("code", metavar="CODE")
    hide.set_defaults(run=hidden)
    package = nouns.add_parser("package", help="words at a price; a price of 0 takes the package away")
    package.add_argument("words", metavar="WORDS", type=_count)
    package.add_argument("price", metavar="CENTS", type=_count)
    package.set_defaults(run=packed)


def show(given: argparse.Namespace) -> None:
    with house.opened():
        from staffroom.billing import catalogue

        for plan in catalogue.plans():
            offered = "" if plan.offered else "  (not offered)"
            print(
                f"{plan.code:<12} {plan.name:<16} {plan.words:>12,} words  {plan.price / 100:>10,.2f} USD{offered}"
            )
        for package in catalogue.packages():
            print(f"{'package':<12} {'':<16} {package.words:>12,} words  {package.price / 100:>10,.2f} USD")


def change(given: argparse.Namespace) -> None:
    with house.opened():
        from staffroom.billing import catalogue
        from staffroom.core.errors import Invalid

        try:
            plan = catalogue.put(given.code, name=given.name, words=given.words, price=given.price)
        except Invalid as wrong:
            raise Refusal(str(wrong)) from wrong
    print(f"{plan.name}: {plan.words:,} words a month for {plan.price / 100:,.2f} USD.")


def hidden(given: argparse.Namespace) -> None:
    with house.opened():
        from staffroom.billing import catalogue
        from staffroom.core.errors import Invalid

        try:
            catalogue.hide(given.code)
        except Invalid as wrong:
            raise Refusal(str(wrong)) from wrong
    print(f"{given.code} is offered no longer.")


def packed(given: argparse.Namespace) -> None:
    with house.opened():
        from staffroom.billing import catalogue

        catalogue.package(given.words, given.price)
    print(
        "The packages are changed." if given.price else f"{given.words:,} words are sold at once no longer."
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) > 10**12:
        raise argparse.ArgumentTypeError("must be a whole number")
    return int(text)
