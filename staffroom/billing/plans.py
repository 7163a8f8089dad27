"""The operator's catalogue: plans, packages, and what a sum of money buys."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from staffroom.core.errors import Invalid
from staffroom.core.scope import workspace_scope
from staffroom.core.sentences import part

from . import ledger
from .models import Package, Payment, Plan

LEAST, MOST = 500, 1_000_000
"""Cents of one purchase by amount."""
CURRENCY: Final = "USD"


@dataclass(frozen=True, slots=True)
class Order:
    """What is bought and what it costs, in cents; decided before one pays."""

    what: str
    words: int
    amount: int
    plan: str = ""
    currency: str = CURRENCY
    from_package: bool = False


@part
def begin_free(workspace_id: UUID) -> None:
    """The Free plan's first month, from the first moment. Later months begin by themselves: see `ledger.expire`."""
    with workspace_scope(workspace_id):
        ledger.begin_offered(Plan.FREE)


def offered() -> list[Plan]:
    """Plans that may be bought, the cheapest first."""
    return list(Plan.objects.filter(offered=True, price__gt=0, words__gt=0).order_by("price", "code"))


def packages() -> list[Package]:
    return list(Package.objects.filter(offered=True).order_by("price", "words"))


def named(code: str) -> Plan | None:
    return Plan.objects.filter(code=code).first()


def order(*, plan: str | None = None, words: int | None = None, amount: int | None = None) -> Order:
    """Exactly one of: a plan's code, a package's words, cents. Raises `Invalid` with the field that is wrong."""
    given = [one for one in (plan, words, amount) if one is not None]
    if len(given) != 1:
        raise Invalid({"plan": [_("Choose a plan, a package or an amount.")]})
    if plan is not None:
        return _plan(plan)
    return _package(words) if words is not None else by_amount(amount or 0)


def by_amount(cents: int) -> Order:
    """Words that do not expire, at the operator's rate."""
    if not LEAST <= cents <= MOST:
        least, most = LEAST // 100, f"{MOST // 100:,}"
        raise Invalid({"amount": [_("Between $%(least)s and $%(most)s.") % {"least": least, "most": most}]})
    return Order(Payment.WORDS, cents * settings.WORDS_FOR_A_DOLLAR // 100, cents)


def worth(words: int) -> Decimal:
    """Dollars that so many words cost at the operator's rate."""
    return Decimal(words) / settings.WORDS_FOR_A_DOLLAR


def _plan(code: str) -> Order:
    found = next((one for one in offered() if one.code == code), None)
    if found is None:
        raise Invalid({"plan": [_("There is no such plan. Choose one of those that are offered.")]})
    return Order(Payment.PLAN, found.words, found.price, found.code)


def _package(words: int) -> Order:
    found = next((one for one in packages() if one.words == words), None)
    if found is None:
        raise Invalid({"words": [_("There is no such package. Choose one that is offered, or an amount.")]})
    return Order(Payment.WORDS, found.words, found.price, from_package=True)
