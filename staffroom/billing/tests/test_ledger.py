"""What the verbs promise, one scene each. `test_mutants` breaks the verbs and expects these to notice."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from staffroom.billing import ledger
from staffroom.billing.ledger import OutOfWords
from staffroom.core.scope import ScopeMissing

from .purse import Purse, as_owner, refused_by, till, together, until_it_waits

DAY = timedelta(days=1)


# --- a reply -------------------------------------------------------------------------------------


def test_a_reply_costs_what_it_cost_and_not_what_was_held(purse: Purse) -> None:
    purse.given(1000)
    turn = purse.held(800)
    assert purse.balance().words_left == 200
    assert purse.settle(turn, 300) == ledger.Settlement(charged=300, written_off=0, words_left=700)
    assert (purse.balance().words_left, purse.balance().reserved) == (700, 0)
    purse.sound()


def test_an_entry_tells_who_and_what(purse: Purse) -> None:
    purse.given(1000)
    employee, chat, user = uuid4(), uuid4(), uuid4()
    turn = purse.held(100, employee=employee, chat=chat, user=user)
    purse.settle(turn, 90, {"sent": 60, "written": 30, "rate": 1})
    assert purse.rows(
        "SELECT reference, employee_id, chat_id, user_id, details->>'written' FROM billing_entry"
        " WHERE kind = 'charge'"
    ) == [(turn, employee, chat, user, "30")]


def test_a_settled_turn_is_charged_once_however_often_it_is_settled(purse: Purse) -> None:
    purse.given(1000)
    turn = purse.held(500)
    first = purse.settle(turn, 400)
    assert purse.settle(turn, 500) == first
    assert purse.kinds() == ["grant", "charge"]
    purse.sound()


def test_a_settled_turn_is_not_held_again(purse: Purse) -> None:
    purse.given(1000)
    turn = purse.paid(400)
    assert purse.reserve(turn, 500) == ledger.Reservation(granted=True, held=0, words_left=600)
    assert purse.release(turn) == 600
    purse.sound()


def test_a_turn_is_held_once_however_often_it_is_reserved(purse: Purse) -> None:
    purse.given(1000)
    turn = purse.held(700)
    assert purse.reserve(turn, 700) == ledger.Reservation(granted=True, held=700, words_left=300)
    assert purse.reserve(turn, 100).held == 700
    purse.sound()


def test_what_is_held_cannot_be_promised_twice(purse: Purse) -> None:
    purse.given(1000)
    purse.held(700)
    answer = purse.reserve(uuid4(), 301)
    assert answer == ledger.Reservation(granted=False, held=0, words_left=300)
    with pytest.raises(OutOfWords):
        answer.require()
    purse.held(300)
    purse.sound()


def test_a_released_hold_is_free_again(purse: Purse) -> None:
    purse.given(1000)
    turn = purse.held(700)
    assert purse.release(turn) == 1000
    assert purse.release(turn) == 1000
    assert purse.kinds() == ["grant"]
    purse.sound()


def test_words_beyond_the_hold_are_written_off_visibly(purse: Purse) -> None:
    purse.given(1000)
    assert purse.settle(purse.held(100), 130) == ledger.Settlement(100, 30, 900)
    assert purse.rows("SELECT purchased, written_off FROM billing_entry WHERE kind = 'charge'") == [
        (-100, 30)
    ]
    purse.sound()


def test_a_long_reply_asks_for_more_as_far_as_words_are_there(purse: Purse) -> None:
    purse.given(1000)
    turn = purse.held(400)
    assert purse.extend(turn, 600) == ledger.Reservation(granted=True, held=600, words_left=400)
    assert purse.extend(turn, 600) == ledger.Reservation(granted=True, held=600, words_left=400)
    purse.held(300)
    assert purse.extend(turn, 900) == ledger.Reservation(granted=False, held=700, words_left=0)
    assert purse.extend(turn, 100).held == 700
    assert purse.extend(uuid4(), 10) == ledger.Reservation(granted=False, held=0, words_left=0)
    purse.sound()


def test_plan_is_spent_before_bonus_and_bonus_before_what_was_bought(purse: Purse) -> None:
    for source in ("purchased", "bonus", "plan"):
        purse.given(100, source)
    purse.paid(150)
    assert purse.parts() == {"bonus": 50, "purchased": 100}
    purse.paid(60)
    assert purse.parts() == {"purchased": 90}
    purse.sound()


def test_the_lot_that_expires_first_is_spent_first(purse: Purse) -> None:
    for expires in (None, 9 * DAY, 3 * DAY):
        purse.given(100, "bonus", expires_at=expires and purse.now + expires)
    purse.paid(120)
    assert [part.words for part in purse.balance().parts] == [80, 100]
    purse.passes(days=10)
    assert purse.balance().words_left == 100
    assert -sum(n for (n,) in purse.rows("SELECT bonus FROM billing_entry WHERE kind = 'expiry'")) == 80
    purse.sound()


def test_each_lot_goes_at_its_own_time(purse: Purse) -> None:
    for expires in (1, 5, 9):
        purse.given(100, "bonus", expires_at=purse.now + expires * DAY)
    for days, left in ((0, 300), (2, 200), (4, 100), (4, 0)):
        purse.passes(days=days)
        assert purse.balance().words_left == left
    purse.sound()


def test_a_reply_cannot_cost_less_than_nothing(purse: Purse) -> None:
    purse.given(1000)
    turn = purse.held(10)
    for verb, words in (("reserve", 0), ("reserve", -5), ("settle", -1)):
        with pytest.raises(DatabaseError, match="words to"):
            getattr(purse, verb)(turn, words)
    with pytest.raises(DatabaseError, match="words to grant"):
        purse.given(-5)
    purse.sound()


# --- time ----------------------------------------------------------------------------------------


def test_words_past_their_time_are_not_there_though_no_job_ran(purse: Purse) -> None:
    purse.given(100, "plan", expires_at=purse.now + DAY)
    purse.given(50)
    purse.passes(days=2)
    assert purse.reserve(uuid4(), 51).words_left == 50
    assert purse.kinds() == ["grant", "grant", "expiry"]
    purse.sound()


def test_the_balance_shows_no_words_past_their_time(purse: Purse, cast) -> None:
    from staffroom.billing import queries

    purse.given(100, "plan", expires_at=purse.now + DAY)
    purse.given(50)
    purse.passes(days=2)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('app.ledger_shift', %s, true)", [str(purse.shift)])
        assert {c.id: left for c, left in queries.contexts(cast.alice.id)}[purse.workspace_id] == 50
    assert purse.balance().words_left == 50


def test_held_words_outlive_their_time_only_when_nothing_else_pays(purse: Purse) -> None:
    purse.given(100, "plan", expires_at=purse.now + DAY)
    turn = purse.held(60, lease=9 * DAY)
    purse.passes(days=2)
    assert (purse.balance().words_left, purse.balance().reserved) == (0, 60)
    assert purse.settle(turn, 40).charged == 40
    assert purse.balance().words_left == 0
    assert purse.rows("SELECT plan FROM billing_entry WHERE kind = 'expiry' ORDER BY sequence") == [
        (-40,),
        (-20,),
    ]
    purse.sound()


def test_a_dead_hold_is_settled_by_what_was_delivered_or_released(purse: Purse) -> None:
    purse.given(1000)
    alive = purse.held(100, lease=9 * DAY)
    wrote, silent = purse.held(200), purse.held(300)
    assert purse.lease({wrote: 80, uuid4(): 5}) == 1
    purse.passes(days=1)
    assert purse.reap() == (1, 1)
    assert purse.reap() == (0, 0)
    assert (purse.balance().words_left, purse.balance().reserved) == (820, 100)
    assert purse.settle(wrote, 90).charged == 80
    assert purse.settle(alive, 100).charged == 100
    assert purse.release(silent) == 820
    purse.sound()


def test_a_lease_is_renewed_by_asking_again(purse: Purse) -> None:
    purse.given(1000)
    turn = purse.held(100, lease=DAY)
    purse.passes(hours=20)
    purse.reserve(turn, 100, lease=DAY)
    purse.passes(hours=20)
    assert purse.reap() == (0, 0)


def test_a_reply_stored_after_its_hold_was_reaped_is_paid_from_what_is_free(purse: Purse) -> None:
    purse.given(1000)
    late, chat = purse.held(700), uuid4()
    purse.passes(days=1)
    purse.reap()
    purse.held(900)
    assert purse.settle(late, 700, {"chat": str(chat)}) == ledger.Settlement(100, 600, 0)
    assert purse.rows("SELECT chat_id FROM billing_entry WHERE kind = 'charge'") == [(chat,)]
    purse.sound()


def test_time_never_runs_backwards_along_the_sequence(purse: Purse) -> None:
    purse.given(100)
    purse.passes(hours=-5)
    purse.paid(10)
    purse.sound()


def test_a_plan_brings_its_words_every_month_and_lets_the_old_ones_go(purse: Purse) -> None:
    assert purse.begin("free", 500) == 500
    assert purse.begin("free", 500) == 500
    purse.paid(200)
    purse.passes(days=32)
    assert purse.balance().words_left == 500
    purse.passes(days=95)
    assert purse.expire() == 500
    assert purse.kinds() == ["grant", "charge", "expiry", "grant", "expiry", "grant"]
    assert purse.balance().plan == "free"
    purse.sound()


def test_a_month_counts_from_the_first_day_of_the_plan(purse: Purse) -> None:
    purse.begin("free", 500)
    for _ in range(26):
        purse.passes(days=15)
        purse.expire()
    ((months,),) = purse.rows("SELECT count(*) FROM billing_lot")
    assert months == 13
    assert purse.rows(
        "SELECT extract(day FROM ends_at AT TIME ZONE 'UTC') = least(extract(day FROM started_at AT TIME ZONE 'UTC'),"
        " extract(day FROM date_trunc('month', ends_at AT TIME ZONE 'UTC') + interval '1 month - 1 day')),"
        " ends_at > ledger_now() FROM billing_subscription"
    ) == [(True, True)]
    purse.sound()


# --- money ---------------------------------------------------------------------------------------


def test_words_are_granted_once_for_each_reference(purse: Purse) -> None:
    first = purse.grant("purchased", "payment 1", 500, by="system")
    again = purse.grant("purchased", "payment 1", 900, by="system")
    assert (first.granted, again.granted, first.lot) == (True, False, again.lot)
    assert purse.grant("bonus", "payment 1", 10, by="system").words_left == 510
    purse.sound()


def test_a_grant_in_the_past_is_gone_at_once(purse: Purse) -> None:
    assert purse.grant("bonus", "late", 10, by="system", expires_at=purse.now - DAY).words_left == 0
    purse.sound()


def test_a_refund_takes_unused_words_and_no_others(purse: Purse) -> None:
    payment = purse.given(500)
    purse.given(500)
    purse.paid(200)
    taken = purse.refund("purchased", payment, 400, by="system")
    assert taken == ledger.TakenBack(words=300, debt=0, words_left=500)
    assert purse.refund("purchased", payment, 400, by="system") == taken
    purse.sound()


def test_a_reversed_payment_takes_what_is_there_and_the_rest_is_owed(purse: Purse) -> None:
    payment = purse.given(500)
    purse.given(100, "bonus")
    purse.paid(300)
    assert purse.reverse("purchased", payment, 500, by="system") == ledger.TakenBack(500, 200, 0)
    assert purse.reverse("purchased", payment, 500, by="system") == ledger.TakenBack(500, 200, 0)
    assert purse.parts() == {}
    purse.given(1000)
    assert (purse.balance().words_left, purse.balance().debt) == (800, 0)
    purse.sound()


def test_a_dispute_that_was_won_gives_the_words_back(purse: Purse) -> None:
    payment = purse.given(500)
    purse.paid(300)
    purse.reverse("purchased", payment, 500, by="system")
    assert purse.reverse("purchased", payment, 100, by="system") == ledger.TakenBack(100, 0, 100)
    assert purse.kinds() == ["grant", "charge", "reversal", "reinstatement"]
    purse.sound()


def test_a_reversal_never_takes_words_that_a_reply_holds(purse: Purse) -> None:
    payment = purse.given(500)
    turn = purse.held(400)
    assert purse.reverse("purchased", payment, 500, by="system") == ledger.TakenBack(500, 400, 0)
    assert purse.settle(turn, 400).charged == 400
    purse.sound()


def test_expired_words_are_never_owed(purse: Purse) -> None:
    month = purse.given(500, "plan", expires_at=purse.now + DAY)
    purse.paid(100)
    purse.passes(days=2)
    assert purse.reverse("plan", month, 500, by="system").debt == 100
    purse.sound()


def test_what_was_never_granted_cannot_be_taken_back(purse: Purse) -> None:
    with pytest.raises(DatabaseError, match="no words were granted"):
        purse.refund("purchased", "unknown", 5, by="system")


# --- walls ---------------------------------------------------------------------------------------


def test_the_same_turn_in_another_workspace_is_another_turn(purse: Purse, cast) -> None:
    other = Purse(cast)
    for each in (purse, other):
        each.given(100)
    turn = purse.held(60)
    assert other.settle(turn, 10).charged == 10
    assert other.reserve(turn, 10).granted
    assert other.release(turn) == 90
    assert other.extend(turn, 100).held == 0
    assert (purse.balance().reserved, purse.balance().words_left) == (60, 40)
    assert purse.settle(turn, 60).charged == 60
    for each in (purse, other):
        each.sound()


def test_another_workspace_sees_nothing(purse: Purse, cast) -> None:
    purse.given(100)
    purse.held(10)
    other = Purse(cast)
    for table in ("wallet", "lot", "hold", "entry", "subscription"):
        assert other.rows(f"SELECT * FROM billing_{table}") == []
    assert other.balance().words_left == 0


def test_nothing_works_outside_a_scope() -> None:
    with transaction.atomic(), pytest.raises(ScopeMissing):
        ledger.reserve(uuid4(), 5)
    for call in (
        "ledger_reserve(gen_random_uuid(), 5, '1 hour')",
        "ledger_extend(gen_random_uuid(), 5)",
        "ledger_lease('{}', '{}', '1 hour')",
        "ledger_settle(gen_random_uuid(), 5)",
        "ledger_release(gen_random_uuid())",
        "ledger_reap()",
        "ledger_grant('bonus', 'x', 5, NULL, '')",
        "ledger_expire()",
        "ledger_begin('free', 5)",
        "ledger_refund('bonus', 'x', 5, '')",
        "ledger_reverse('bonus', 'x', 5, '')",
        "ledger_balance()",
    ):
        with connection.cursor() as cursor, pytest.raises(DatabaseError, match="no workspace scope is open"):
            cursor.execute(f"SELECT * FROM {call}")


def test_the_verbs_are_parts_of_a_transaction(purse: Purse) -> None:
    with pytest.raises(RuntimeError, match="part of a sentence"):
        ledger.release(uuid4())


def test_a_rolled_back_part_leaves_no_trace(purse: Purse) -> None:
    purse.given(1000)
    kept, lost = uuid4(), uuid4()
    with purse.open():
        ledger.reserve(kept, 100)
        with transaction.atomic():
            ledger.reserve(lost, 200)
            ledger.settle(kept, 50)
            transaction.set_rollback(True)
        assert ledger.settle(kept, 70).words_left == 930
    assert purse.release(lost) == 930
    purse.sound()


@pytest.mark.parametrize("table", ["wallet", "lot", "hold", "entry", "subscription"])
@pytest.mark.parametrize("role", ["staffroom_app", "staffroom_platform"])
def test_nobody_but_the_functions_writes(role: str, table: str) -> None:
    assert (
        as_owner(
            "SELECT privilege FROM unnest('{INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) privilege"
            " WHERE has_table_privilege(%s, %s, privilege)",
            role,
            f"billing_{table}",
        )
        == []
    )


def test_what_the_verbs_use_inside_nobody_may_call() -> None:
    open_to_all = as_owner(
        "SELECT proname, prosecdef FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        " AND proname LIKE 'ledger%%' AND has_function_privilege('staffroom_app', oid, 'EXECUTE')"
        " AND prorettype <> 'trigger'::regtype"
    )
    verbs = [
        "reserve",
        "extend",
        "lease",
        "settle",
        "release",
        "reap",
        "grant",
        "expire",
        "begin",
        "refund",
        "reverse",
        "balance",
        "subscribe",
        "replan",
        "limit",
    ]
    assert {name for name, definer in open_to_all if definer} == {f"ledger_{verb}" for verb in verbs}
    assert {name for name, definer in open_to_all if not definer} == {
        "ledger_now",
        "ledger_signs",
        "ledger_sequence_at",
        "ledger_month",
        "ledger_used",
    }


def test_entries_are_written_once_even_by_the_owner(purse: Purse) -> None:
    purse.given(100)
    for deed in ("UPDATE billing_entry SET reason = 'x'", "DELETE FROM billing_entry"):
        refused_by("written once", f"{deed} WHERE workspace_id = %s", purse.workspace_id)
    refused_by("written once", "TRUNCATE billing_entry")


@pytest.mark.parametrize(
    "change", ["purchased = -1", "held = 101", "held = -1", "debt = -1", "plan = -1, purchased = 200"]
)
def test_the_wallet_itself_refuses_what_must_not_be(purse: Purse, change: str) -> None:
    purse.given(100)
    refused_by(
        "nothing_below_zero",
        f"UPDATE billing_wallet SET {change} WHERE workspace_id = %s",
        purse.workspace_id,
    )


@pytest.mark.parametrize(
    "values",
    ["'charge', 5, 0", "'charge', -5, 1", "'grant', -5, 0", "'expiry', 5, 0", "'refund', 5, 0", "'refund', -5, 3",
     "'reversal', 5, 0", "'reversal', 0, -5", "'reinstatement', -5, 0", "'gift', 5, 0"],
)  # fmt: skip
def test_the_entry_itself_refuses_a_wrong_sign(purse: Purse, values: str) -> None:
    refused_by(
        "signs_of_a_kind",
        "INSERT INTO billing_entry (workspace_id, sequence, at, kind, plan, debt, reference, plan_after, bonus_after,"
        f" purchased_after, debt_after, details) VALUES (%s, 1, now(), {values}, gen_random_uuid(), 0, 0, 0, 0, '{{}}')",
        purse.workspace_id,
    )


def test_the_table_itself_refuses_a_second_charge_for_a_turn(purse: Purse) -> None:
    purse.given(100)
    purse.paid(10)
    refused_by(
        "charged_once",
        "INSERT INTO billing_entry (workspace_id, sequence, at, kind, reference, plan_after, bonus_after,"
        " purchased_after, debt_after, details) SELECT workspace_id, sequence + 1, at, kind, reference, plan_after,"
        " bonus_after, purchased_after, debt_after, details FROM billing_entry WHERE kind = 'charge'"
        " AND workspace_id = %s",
        purse.workspace_id,
    )


def test_the_table_itself_refuses_a_second_lot_for_a_payment(purse: Purse) -> None:
    purse.given(100)
    refused_by(
        "granted_once",
        "INSERT INTO billing_lot (workspace_id, source, reference, words, remaining, created_at)"
        " SELECT workspace_id, source, reference, words, remaining, created_at FROM billing_lot"
        " WHERE workspace_id = %s",
        purse.workspace_id,
    )


# --- races ---------------------------------------------------------------------------------------


def test_one_waits_for_the_other_and_then_sees_what_it_left(purse: Purse) -> None:
    """Two replies end at the same moment: the second finds what the first one left of each part."""
    purse.given(100, "plan")
    purse.given(100)
    turns = [purse.held(80), purse.held(80)]
    answers: list[object] = []

    def second() -> None:
        try:
            with till(purse) as ask:
                answers.append(ask("ledger_settle", turns[1], 80))
        except psycopg.Error as error:
            answers.append(error)

    with till(purse) as ask:
        ask("ledger_settle", turns[0], 80)
        other = threading.Thread(target=second)
        other.start()
        until_it_waits(other)
        assert answers == []
    other.join(timeout=10)
    assert answers == [(80, 0, 40)]
    assert purse.parts() == {"purchased": 40}
    purse.sound()


def test_a_grant_waits_for_a_reply_that_is_being_paid(purse: Purse) -> None:
    """A grant works out the lots: what a reply takes meanwhile must not come back with it."""
    purse.given(100, "plan", expires_at=purse.now + DAY)
    turn = purse.held(80)
    with till(purse) as ask:
        ask("ledger_settle", turn, 80)
        other = threading.Thread(target=lambda: purse.given(10, "plan", expires_at=purse.now + DAY / 2))
        other.start()
        until_it_waits(other)
    other.join(timeout=10)
    assert [part.words for part in purse.balance().parts] == [10, 20]
    purse.sound()


def test_of_sixteen_replies_at_once_only_those_start_that_can_be_paid(purse: Purse) -> None:
    purse.given(5500)
    answers = together(purse, [("ledger_reserve", uuid4(), 1000, "1 hour") for _ in range(16)])
    assert sorted(granted for granted, *_ in answers) == [False] * 11 + [True] * 5
    assert (purse.balance().words_left, purse.balance().reserved) == (500, 5000)
    purse.sound()


@pytest.mark.parametrize("connections", [2, 8, 16])
def test_one_turn_settled_by_many_is_charged_once(purse: Purse, connections: int) -> None:
    purse.given(1000)
    turn = purse.held(300)
    assert set(together(purse, [("ledger_settle", turn, 200)] * connections)) == {(200, 0, 800)}
    assert purse.kinds() == ["grant", "charge"]
    purse.sound()


def test_one_turn_reserved_by_many_is_held_once(purse: Purse) -> None:
    purse.given(1000)
    answers = together(purse, [("ledger_reserve", uuid4(), 600, "1 hour")] * 8)
    assert {answer[:2] for answer in answers} == {(True, 600)}
    assert purse.balance().reserved == 600
    purse.sound()


def test_one_payment_granted_by_many_is_granted_once(purse: Purse) -> None:
    answers = together(purse, [("ledger_grant", "purchased", "p", 500, None, "")] * 8)
    assert sum(granted for granted, _, _ in answers) == 1
    assert purse.balance().words_left == 500
    purse.sound()


@pytest.mark.parametrize("round", range(3))
def test_settled_released_reaped_at_once_a_turn_ends_once(purse: Purse, round: int) -> None:
    purse.given(1000)
    turn = purse.held(300, lease=-DAY)
    together(purse, [("ledger_settle", turn, 200), ("ledger_release", turn), ("ledger_reap",)] * 4)
    assert (purse.balance().words_left, purse.balance().reserved) == (800, 0)
    purse.sound()


@pytest.mark.parametrize("connections", [2, 16])
def test_under_load_nothing_is_lost_and_nothing_paid_twice(purse: Purse, connections: int) -> None:
    purse.given(3000, "plan", expires_at=purse.now + DAY)
    purse.given(4000)
    paid = together(purse, [("ledger_begin", "free", 1000)] + [("ledger_expire",)] * (connections - 1))
    assert len(paid) == connections
    charged: list[int] = []

    def works(number: int) -> None:
        for step in range(12):
            turn = uuid4()
            with till(purse) as ask:
                granted, *_ = ask("ledger_reserve", turn, 90, "1 hour")
            if granted:
                with till(purse) as ask:
                    charged.append(ask("ledger_settle", turn, (number * 7 + step * 13) % 91)[0])
            if step == number % 12:
                with till(purse) as ask:
                    ask("ledger_grant", "bonus", f"gift {number}", 50, None, "")

    threads = [threading.Thread(target=works, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert purse.balance().words_left == 8000 + 50 * connections - sum(charged)
    assert purse.kinds().count("charge") == len(charged)
    purse.sound()
