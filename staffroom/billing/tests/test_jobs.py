"""What happens by itself: sweeping, checking, the Free plan of a new workspace."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django import app

from staffroom.billing import checks, jobs, ledger, plans, queries
from staffroom.core.scope import ScopeMissing, ScopeNested
from tests.cast import Cast

from .purse import Purse, as_owner

HOUR = timedelta(hours=1)


def test_a_new_workspace_begins_with_the_free_plan(cast: Cast) -> None:
    for context, words_left in queries.contexts(cast.alice.id)[:2]:
        assert words_left == 20_000, context
    balance = Purse(cast, plan=True).balance()
    assert (balance.plan, balance.words_left, balance.reserved, balance.debt) == ("free", 20_000, 0, 0)
    (part,) = balance.parts
    assert (part.source, part.words) == ("plan", 20_000)


def test_the_free_plan_begins_once(purse: Purse) -> None:
    with purse.open():
        plans.begin_free(purse.workspace_id)
        plans.begin_free(purse.workspace_id)
    assert purse.kinds() == ["grant"]


def test_the_balance_needs_a_scope() -> None:
    with pytest.raises(ScopeMissing):
        queries.balance()


def test_the_sweep_finds_what_is_due_and_does_it_once(purse: Purse) -> None:
    purse.given(100, "bonus", expires_at=purse.now - HOUR)  # gone at once: nothing is due
    purse.given(100)
    purse.held(30, lease=-HOUR)
    assert purse.workspace_id in jobs.waiting()
    jobs.sweep(0)
    assert purse.workspace_id not in jobs.waiting()
    jobs.sweep(0)
    assert (purse.balance().words_left, purse.balance().reserved) == (100, 0)
    purse.sound()


def test_one_workspace_in_trouble_does_not_stop_the_sweep(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    purses = [Purse(cast), Purse(cast)]
    for purse in purses:
        purse.given(10)
        purse.held(10, lease=-HOUR)
    tidy = jobs.tidy

    def troubled(workspace_id: object) -> None:
        if workspace_id == purses[0].workspace_id:
            raise DatabaseError("trouble")
        tidy(workspace_id)  # type: ignore[arg-type]

    monkeypatch.setattr(jobs, "tidy", troubled)
    jobs.sweep(0)
    assert [purse.balance().reserved for purse in purses] == [10, 0]
    assert str(purses[0].workspace_id) in caplog.text
    tidy(purses[0].workspace_id)


def test_jobs_open_their_scope_themselves(purse: Purse) -> None:
    with purse.open(), pytest.raises(ScopeNested):
        jobs.waiting()


def test_a_difference_is_named(
    purse: Purse, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "FEW", 10_000)  # the mutants leave differences of their own in this database
    purse.given(100)
    assert not [found for found in checks.problems(every=True) if found.workspace_id == purse.workspace_id]
    as_owner("UPDATE billing_wallet SET bonus = 7 WHERE workspace_id = %s", purse.workspace_id)
    try:
        found = [each for each in checks.problems(every=True) if each.workspace_id == purse.workspace_id]
        assert {each.what for each in found} == {
            "the wallet is not the sum of its entries",
            "the lots of source bonus hold less than the wallet",
        }
        assert found[0].name.startswith("purse-")
        assert str(purse.workspace_id) in str(found[0])
        with caplog.at_level(logging.ERROR):
            jobs.check(0)
        assert found[0].name in caplog.text
    finally:
        as_owner("UPDATE billing_wallet SET bonus = 0 WHERE workspace_id = %s", purse.workspace_id)


@pytest.mark.parametrize(
    ("damage", "repair", "what"),
    [
        ("UPDATE billing_wallet SET held = 5 WHERE workspace_id = %s",
         "UPDATE billing_wallet SET held = 0 WHERE workspace_id = %s", "held is not the sum of the holds"),
        ("UPDATE billing_lot SET expired = 5 WHERE workspace_id = %s",
         "UPDATE billing_lot SET expired = 0 WHERE workspace_id = %s", "is not what its entries say"),
        ("INSERT INTO billing_hold (workspace_id, turn, words, lease_until) SELECT workspace_id, reference, 1, now()"
         " FROM billing_entry WHERE kind = 'charge' AND workspace_id = %s",
         "DELETE FROM billing_hold WHERE workspace_id = %s", "is settled and still holds words"),
        ("UPDATE billing_wallet SET sequence = 9 WHERE workspace_id = %s",
         "UPDATE billing_wallet SET sequence = 2 WHERE workspace_id = %s", "not the sum of its entries"),
    ],
)  # fmt: skip
def test_every_kind_of_difference_is_found(purse: Purse, damage: str, repair: str, what: str) -> None:
    purse.given(100)
    purse.paid(10)
    as_owner(damage, purse.workspace_id)
    try:
        assert any(what in each for (each,) in purse.rows("SELECT what FROM ledger_differences"))
    finally:
        as_owner(repair, purse.workspace_id)
    purse.sound()


def test_a_broken_chain_is_found(purse: Purse) -> None:
    purse.given(100)
    as_owner(
        "INSERT INTO billing_entry (workspace_id, sequence, at, kind, reference, plan_after, bonus_after,"
        " purchased_after, debt_after, details) VALUES (%s, 3, now(), 'charge', gen_random_uuid(), 0, 0, 100, 0, '{}')",
        purse.workspace_id,
    )
    whats = {what for (what,) in purse.rows("SELECT what FROM ledger_differences")}
    assert "the chain of balances breaks at entry 3" in whats
    # entries cannot be taken out again: the workspace is closed and erased, as a deleted one is
    as_owner("UPDATE workspaces_workspace SET closed_at = now() WHERE id = %s", purse.workspace_id)
    as_owner("DELETE FROM billing_entry WHERE workspace_id = %s AND sequence = 3", purse.workspace_id)
    purse.sound()


def test_the_contexts_of_a_person_cost_one_statement(cast: Cast) -> None:
    with CaptureQueriesContext(connection) as queried:
        found = queries.contexts(cast.alice.id)
    assert len(queried) == 1
    assert found[0][0].slug is None


def test_the_schedule_rings_both_jobs() -> None:
    rings = {recurring.task.name for recurring in app.periodic_registry.periodic_tasks.values()}
    assert {jobs.sweep.name, jobs.check.name} <= rings


def test_a_grant_says_who_gave_it(purse: Purse, cast: Cast) -> None:
    ann = cast.member(cast.alice)
    with purse.open():
        ledger.grant("bonus", "thanks", 5, by=ann, reason="for the report")
    assert purse.rows("SELECT reason, details->'by'->>'email' FROM billing_entry") == [
        ("for the report", cast.alice.email)
    ]
