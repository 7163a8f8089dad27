"""The operator's hand in the catalogue. The application's own role only reads it."""

from __future__ import annotations

from django.utils.translation import gettext as _

from staffroom.core.errors import Invalid

from .models import Package, Plan

_OPERATOR = "platform"


def plans() -> list[Plan]:
    return list(Plan.objects.order_by("price", "code"))


def packages() -> list[Package]:
    return list(Package.objects.filter(offered=True).order_by("words"))


def put(code: str, *, name: str | None, words: int | None, price: int | None) -> Plan:
    """A new plan, or another price, name or number of words for whoever buys it from now on."""
    plan = Plan.objects.using(_OPERATOR).filter(code=code).first()
    if plan is None:
        if name is None or words is None or price is None:
            raise Invalid({"code": [_("There is no such plan. A new one needs a name, words and a price.")]})
        plan = Plan(code=code, name=name, words=words, price=price)
    plan.name = plan.name if name is None else name
    plan.words = plan.words if words is None else words
    plan.price = plan.price if price is None else price
    plan.offered = True
    if (plan.code == Plan.FREE) != (plan.price == 0):
        raise Invalid({"price": [_("“free” alone costs nothing; every other plan has a price.")]})
    plan.save(using=_OPERATOR)
    return plan


def hide(code: str) -> None:
    """Offered no longer; months that were bought go on."""
    if code == Plan.FREE or not Plan.objects.using(_OPERATOR).filter(code=code).update(offered=False):
        raise Invalid({"code": [_("There is no such plan that could be taken away.")]})


def package(words: int, price: int) -> None:
    """Words that are sold at once; a price of 0 takes the package away."""
    if price:
        Package.objects.using(_OPERATOR).update_or_create(
            words=words, defaults={"price": price, "offered": True}
        )
    else:
        Package.objects.using(_OPERATOR).filter(words=words).delete()
