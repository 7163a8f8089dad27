"""The operator's hand: plans and packages, and the word that an invoice was paid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from staffroom.billing import catalogue, ordered, payments, plans
from staffroom.billing.models import Package, Payment, Plan
from staffroom.core.errors import Invalid
from staffroom.workspaces.members import SYSTEM

from .purse import Purse, as_owner


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    yield
    as_owner("DELETE FROM billing_plan WHERE code = 'gold'")
    as_owner("UPDATE billing_plan SET offered = true")
    as_owner("DELETE FROM billing_package WHERE words = 77")


def test_a_new_plan_is_offered_and_a_hidden_one_is_not() -> None:
    catalogue.put("gold", name="Gold", words=5, price=700)
    assert plans.order(plan="gold").amount == 700
    catalogue.hide("gold")
    with pytest.raises(Invalid):
        plans.order(plan="gold")
    assert catalogue.put("gold", name=None, words=None, price=800).words == 5
    assert plans.order(plan="gold").amount == 800


@pytest.mark.parametrize(
    "wrong",
    [{"code": "gold", "name": "Gold", "words": None, "price": 5}, {"code": "gold", "name": "G", "words": 5, "price": 0},
     {"code": "free", "name": None, "words": None, "price": 5}],
    ids=str,
)  # fmt: skip
def test_what_makes_no_plan(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        catalogue.put(**wrong)
    assert not Plan.objects.filter(code="gold").exists()
    assert Plan.objects.get(code="free").price == 0


def test_the_free_plan_stays() -> None:
    with pytest.raises(Invalid):
        catalogue.hide("free")


def test_a_package_comes_and_goes() -> None:
    catalogue.package(77, 100)
    assert plans.order(words=77).amount == 100
    catalogue.package(77, 0)
    assert not Package.objects.filter(words=77).exists()


def test_an_invoice_is_found_by_its_number_and_paid(purse: Purse) -> None:
    with purse.open():
        begun = payments.begin(plans.order(plan="starter"), "invoice", by=SYSTEM, numbered=True)
    assert begun.number is not None
    assert begun.number in {one.number for one in ordered.latest()}
    found = ordered.numbered(begun.number)
    assert found is not None
    assert (found.id, found.workspace_id) == (begun.id, purse.workspace_id)
    with purse.open():
        payments.paid(begun.id, amount=begun.amount, currency=begun.currency, by=SYSTEM)
    assert begun.number not in {one.number for one in ordered.latest()}
    assert (begun.number, Payment.PAID) in {(one.number, one.state) for one in ordered.latest(every=True)}
    assert ordered.numbered(10**9) is None
