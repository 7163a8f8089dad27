"""Buying with Stripe: the official client against a stand-in that speaks its HTTP, and events in every condition."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client, override_settings

from staffroom.billing import gateways, jobs, payments, plans, purchases
from staffroom.billing.gateways.stripe import gateway
from staffroom.billing.models import Payment
from staffroom.workspaces.members import SYSTEM
from tests import stripe_server
from tests.stripe_server import KEY, SECRET, Stripe

from .purse import Purse, as_owner

Event = dict[str, Any]


@pytest.fixture(scope="module")
def stripe() -> Iterator[Stripe]:
    with (
        stripe_server.running() as it,
        override_settings(STRIPE_SECRET_KEY=KEY, STRIPE_WEBHOOK_SECRET=SECRET, STRIPE_API_BASE=it.url),
    ):
        gateway.client.cache_clear()
        yield it
        gateway.client.cache_clear()


@pytest.fixture
def shop(purse: Purse, stripe: Stripe) -> Shop:
    return Shop(purse, stripe)


class Shop:
    def __init__(self, purse: Purse, stripe: Stripe) -> None:
        self.purse, self.stripe = purse, stripe

    def begun(self, **what: Any) -> UUID:
        with self.purse.open():
            return payments.begin(plans.order(**(what or {"amount": 5000})), "stripe", by=SYSTEM).id

    def open(self, payment_id: UUID) -> Payment:
        return purchases.check_out(
            self.purse.workspace_id, payment_id, email="alice@example.com", prefix="/o/purse"
        )

    def session(self, **what: Any) -> tuple[UUID, str]:
        """A purchase that waits on Stripe's page."""
        payment_id = self.begun(**what)
        return payment_id, str(self.open(payment_id).external)

    def events(self, since: int) -> list[Event]:
        return self.stripe.events[since:]

    def state(self, payment_id: UUID) -> Payment:
        return purchases.found(self.purse.workspace_id, payment_id)

    @property
    def words(self) -> int:
        return self.purse.balance().words_left

    def sound(self) -> None:
        self.purse.sound()
        assert self.purse.rows("SELECT what FROM payment_differences") == []


def knock(stripe: Stripe, event: Event, **how: Any) -> int:
    body, signature = stripe.signed(event, **how)
    return int(
        Client()
        .post(
            "/webhooks/stripe", body, content_type="application/json", headers={"Stripe-Signature": signature}
        )
        .status_code
    )


def kept(event: Event) -> list[tuple[str, str]]:
    return as_owner("SELECT state, note FROM billing_event WHERE id = %s", event["id"])


class TestOpening:
    def test_our_id_goes_along_and_one_purchase_is_one_session(self, shop: Shop) -> None:
        payment_id = shop.begun()
        first, second = shop.open(payment_id), shop.open(payment_id)
        assert first.checkout_url == second.checkout_url == f"{shop.stripe.url}/pay/{first.external}"
        session = shop.stripe.objects[str(first.external)]
        assert session["client_reference_id"] == str(payment_id)
        assert (session["amount_total"], session["currency"]) == (5000, "usd")

    def test_a_crash_before_the_session_was_noted_opens_the_same_one(self, shop: Shop) -> None:
        payment_id, session = shop.session()
        with shop.purse.open():
            Payment.objects.filter(id=payment_id).update(external=None, checkout_url="")
        assert shop.open(payment_id).external == session

    def test_nothing_is_paid_when_stripe_is_down(self, shop: Shop) -> None:
        shop.stripe.down = True
        try:
            payment_id = shop.begun()
            with pytest.raises(gateways.GatewayDown):
                shop.open(payment_id)
        finally:
            shop.stripe.down = False
        assert shop.open(payment_id).checkout_url

    def test_the_page_to_which_the_browser_returns_grants_nothing(self, shop: Shop) -> None:
        payment_id, session = shop.session()
        shop.stripe.pay(session)
        assert (shop.state(payment_id).state, shop.words) == ("pending", 0)

    def test_a_paid_purchase_is_not_opened_again(self, shop: Shop) -> None:
        payment_id, session = shop.session()
        since = len(shop.stripe.events)
        shop.stripe.pay(session)
        for event in shop.events(since):
            knock(shop.stripe, event)
        with pytest.raises(payments.NotPayable):
            shop.open(payment_id)


class TestTheWholeWay:
    def test_buy_renew_refund_dispute(self, shop: Shop) -> None:
        since = len(shop.stripe.events)
        first, session = shop.session(plan="starter")
        shop.stripe.pay(session)
        self._tell(shop, since)
        assert (shop.purse.balance().plan, shop.words) == ("starter", 2_000_000)
        since = len(shop.stripe.events)
        _, again = shop.session(plan="starter")
        shop.stripe.pay(again)
        self._tell(shop, since)
        assert shop.words == 4_000_000
        since = len(shop.stripe.events)
        intent = shop.state(first).intent
        gateway.client().v1.refunds.create(params={"payment_intent": intent, "amount": 5000})
        dispute = shop.stripe.dispute(again)
        self._tell(shop, since)
        assert (shop.purse.balance().plan, shop.words) == ("starter", 1_000_000)
        since = len(shop.stripe.events)
        shop.stripe.close(dispute["id"], won=True)
        self._tell(shop, since)
        assert shop.words == 3_000_000
        shop.sound()

    def test_what_is_paid_later_comes_later_or_fails(self, shop: Shop) -> None:
        for succeeds, words, state in ((False, 0, "failed"), (True, 1_000_000, "paid")):
            since = len(shop.stripe.events)
            payment_id, session = shop.session()
            shop.stripe.pay(session, later=True)
            self._tell(shop, since)
            assert shop.state(payment_id).state == "pending"
            since = len(shop.stripe.events)
            shop.stripe.arrive(session, succeeds=succeeds)
            self._tell(shop, since)
            assert (shop.state(payment_id).state, shop.words) == (state, words)

    def test_a_page_that_nobody_paid_on_is_over(self, shop: Shop) -> None:
        payment_id, session = shop.session()
        shop.stripe.expire(session)
        knock(shop.stripe, shop.stripe.told("checkout.session.expired"))
        assert shop.state(payment_id).state == "cancelled"

    @staticmethod
    def _tell(shop: Shop, since: int) -> None:
        for event in shop.events(since):
            assert knock(shop.stripe, event) == 200


class TestEvents:
    @pytest.mark.parametrize("times", [0, 1, 2, 5])
    def test_however_often_and_in_whatever_order(self, shop: Shop, times: int) -> None:
        dice = random.Random(times)
        for _ in range(6):
            before, since = shop.words, len(shop.stripe.events)
            payment_id, session = shop.session()
            shop.stripe.pay(session)
            intent = shop.stripe.objects[session]["payment_intent"]
            gateway.client().v1.refunds.create(params={"payment_intent": intent, "amount": 1000})
            gateway.client().v1.refunds.create(params={"payment_intent": intent, "amount": 1500})
            dispute = shop.stripe.dispute(session, 500)
            shop.stripe.close(dispute["id"], won=False)
            told = shop.events(since) * times
            dice.shuffle(told)
            assert [knock(shop.stripe, event) for event in told] == [200] * len(told)
            for left in jobs.left_over(patience=jobs.timedelta(0)):
                jobs.hearing.act(left)
            assert shop.words == before + (400_000 if times else 0)
            assert shop.state(payment_id).state == ("paid" if times else "pending")
            shop.sound()

    def test_a_dispute_that_is_told_before_the_payment_waits_for_it(self, shop: Shop) -> None:
        since = len(shop.stripe.events)
        _, session = shop.session()
        shop.stripe.pay(session)
        shop.stripe.dispute(session, 2500)
        *paid, disputed = shop.events(since)
        assert knock(shop.stripe, disputed) == 200
        assert kept(disputed) == [("received", "")]
        for event in paid:
            knock(shop.stripe, event)
        assert shop.words == 1_000_000
        for left in jobs.left_over(patience=jobs.timedelta(0)):
            jobs.hearing.act(left)
        assert (shop.words, kept(disputed)) == (500_000, [("done", "")])

    def test_a_wrong_signature_is_refused_and_leaves_nothing(self, shop: Shop, caplog: Any) -> None:
        event, payment_id = self._paid(shop)
        with caplog.at_level(logging.WARNING):
            assert knock(shop.stripe, event, secret="whsec_of_somebody_else") == 400
        assert "refused" in caplog.text
        assert (kept(event), shop.state(payment_id).state) == ([], "pending")

    def test_a_recorded_event_is_refused_when_it_is_old(self, shop: Shop) -> None:
        event, payment_id = self._paid(shop)
        assert knock(shop.stripe, event, at=time.time() - 3600) == 400
        assert shop.state(payment_id).state == "pending"

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"id": 5}'])
    def test_rubbish_is_refused(self, stripe: Stripe, body: bytes) -> None:
        answer = Client().post("/webhooks/stripe", body, content_type="application/json")
        assert answer.status_code == 400

    def test_another_amount_brings_nothing_and_a_line_for_the_operator(self, shop: Shop, caplog: Any) -> None:
        payment_id, session = shop.session()
        since = len(shop.stripe.events)
        shop.stripe.pay(session, amount=1)
        for event in shop.events(since):
            assert knock(shop.stripe, event) == 200
            assert kept(event)[0][0] == "ignored"
        assert (shop.state(payment_id).state, shop.words) == ("pending", 0)
        assert str(payment_id) in caplog.text

    def test_a_payment_that_is_not_ours_is_a_line_for_the_operator(self, shop: Shop, caplog: Any) -> None:
        event, _ = self._paid(shop)
        event = json.loads(
            json.dumps(event).replace(event["data"]["object"]["client_reference_id"], str(uuid4()))
        )
        assert knock(shop.stripe, event) == 200
        assert "not known here" in caplog.text
        assert shop.words == 0

    def test_words_go_where_they_were_ordered_whatever_the_event_says(self, shop: Shop, cast: Any) -> None:
        other = Purse(cast)
        event, _ = self._paid(shop)
        event["data"]["object"]["metadata"] = {"workspace": str(other.workspace_id), "organization": "rival"}
        assert knock(shop.stripe, event) == 200
        assert (shop.words, other.balance().words_left) == (1_000_000, 0)

    def test_an_event_about_something_else_is_kept_and_left_alone(self, shop: Shop) -> None:
        event = {
            "id": f"evt_{uuid4().hex}",
            "object": "event",
            "type": "customer.created",
            "data": {"object": {}},
        }
        assert knock(shop.stripe, event) == 200
        assert kept(event) == [("ignored", "does not concern a purchase")]

    def test_an_event_whose_process_died_is_done_by_the_job(self, shop: Shop) -> None:
        event, payment_id = self._paid(shop)
        jobs.hearing.keep(gateway_told(event))
        assert shop.state(payment_id).state == "pending"
        as_owner(
            "UPDATE billing_event SET received_at = received_at - interval '2 minutes' WHERE id = %s",
            event["id"],
        )
        jobs.hear_again()
        assert (shop.state(payment_id).state, kept(event)) == ("paid", [("done", "")])

    @staticmethod
    def _paid(shop: Shop) -> tuple[Event, UUID]:
        payment_id, session = shop.session()
        shop.stripe.pay(session)
        return json.loads(json.dumps(shop.stripe.told("checkout.session.completed"))), payment_id


def gateway_told(event: Event) -> Any:
    return jobs.Told(event["id"], event["type"], event)


@override_settings(STRIPE_WEBHOOK_SECRET="")
def test_without_a_secret_nobody_listens() -> None:
    assert Client().post("/webhooks/stripe", b"{}", content_type="application/json").status_code == 404
