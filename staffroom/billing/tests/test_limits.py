"""Words a month for each member, one scene each. `test_mutants` breaks the verbs and expects these to notice."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import DatabaseError

from staffroom.billing import ledger, queries, reports
from staffroom.billing.ledger import MemberLimitReached, OutOfWords, Rule

from .purse import Purse, as_owner, refused_by, till, together, until_it_waits

BOB, ANN = UUID(int=1), UUID(int=2)
NO_LIMIT, LIKE_ALL = Rule(True, None), Rule(False, None)
DAY = timedelta(days=1)


def limited(purse: Purse, words: int, given: int = 10_000) -> None:
    purse.given(given)
    purse.limit(BOB, Rule(True, words))


def asks(purse: Purse, words: int, user: UUID | None = BOB) -> bool:
    """Whether a reply that may cost so many words may begin; it goes on holding them."""
    return bool(purse.reserve(uuid4(), words, user=user).granted)


def used(purse: Purse, *users: UUID) -> Any:
    with purse.open():
        found = queries.member_words(list(users) or [BOB])
    return [found[user].used for user in users] if users else found[BOB].used


def to_next_month(purse: Purse, before: timedelta = timedelta(0)) -> None:
    """To the first moment of the next month (UTC), or somewhat before it."""
    now = purse.now
    first = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    purse.shift += first - now + timedelta(seconds=1) - before


# --- the limit itself ----------------------------------------------------------------------------


def test_a_member_gets_no_more_than_the_limit(purse: Purse) -> None:
    limited(purse, 1000)
    purse.paid(600, user=BOB)
    assert not asks(purse, 401)
    assert asks(purse, 400)
    purse.sound()


def test_what_a_member_holds_counts_like_what_was_used(purse: Purse) -> None:
    limited(purse, 1000)
    purse.held(700, user=BOB)
    refused = purse.reserve(uuid4(), 301, user=BOB)
    assert refused == ledger.Reservation(granted=False, held=0, words_left=9300, member_left=300)
    assert purse.balance().reserved == 700
    purse.sound()


def test_what_a_member_holds_counts_like_what_was_used_after_a_reply(purse: Purse) -> None:
    limited(purse, 1000)
    purse.paid(500, user=BOB)
    purse.held(300, user=BOB)
    assert (used(purse), asks(purse, 201), asks(purse, 200)) == (500, False, True)
    purse.sound()


def test_what_was_held_and_not_used_may_be_asked_for_again(purse: Purse) -> None:
    limited(purse, 1000)
    turn = purse.held(1000, user=BOB)
    purse.settle(turn, 100)
    assert asks(purse, 900)
    assert not asks(purse, 1)
    purse.sound()


def test_a_released_hold_is_free_for_its_member_again(purse: Purse) -> None:
    limited(purse, 1000)
    turn = purse.held(1000, user=BOB)
    purse.release(turn)
    assert asks(purse, 1000)
    purse.sound()


def test_a_reaped_hold_is_free_for_its_member_again(purse: Purse) -> None:
    limited(purse, 1000)
    purse.held(600, user=BOB, lease=-DAY)
    turn = purse.held(400, user=BOB, lease=-DAY)
    purse.lease({turn: 100}, lease=-DAY)
    assert purse.reap() == (1, 1)
    assert (used(purse), asks(purse, 900), asks(purse, 1)) == (100, True, False)
    purse.sound()


def test_a_long_reply_gets_more_only_within_the_limit(purse: Purse) -> None:
    limited(purse, 1000)
    turn = purse.held(300, user=BOB)
    assert purse.extend(turn, 800) == ledger.Reservation(True, 800, 9200, 200)
    assert purse.extend(turn, 1500) == ledger.Reservation(False, 1000, 9000, 0)
    assert not asks(purse, 1)
    purse.settle(turn, 1000)
    assert used(purse) == 1000
    purse.sound()


def test_a_turn_of_a_member_is_held_once_however_often_it_is_reserved(purse: Purse) -> None:
    limited(purse, 1000)
    turn = purse.held(600, user=BOB)
    assert purse.reserve(turn, 600, user=BOB).granted
    purse.settle(turn, 600)
    assert purse.reserve(turn, 600, user=BOB).granted
    assert (used(purse), asks(purse, 400)) == (600, True)
    purse.sound()


def test_the_others_and_customers_go_on(purse: Purse) -> None:
    limited(purse, 100)
    purse.paid(100, user=BOB)
    assert not asks(purse, 1)
    assert asks(purse, 5000, ANN)
    assert asks(purse, 1000, None)
    purse.sound()


def test_a_refusal_says_which_of_the_two_it_is(purse: Purse) -> None:
    limited(purse, 1000, given=500)
    with purse.open(), pytest.raises(OutOfWords):
        ledger.reserve(uuid4(), 600, user=BOB).require()
    purse.limit(BOB, Rule(True, 200))
    with purse.open(), pytest.raises(MemberLimitReached) as refused:
        ledger.reserve(uuid4(), 300, user=BOB).require()
    assert (refused.value.code, refused.value.status) == ("member_limit_reached", 402)


# --- whose limit ---------------------------------------------------------------------------------


def test_everybodys_limit_counts_for_whoever_has_no_own(purse: Purse) -> None:
    purse.given(10_000)
    assert purse.limit(None, Rule(True, 500)) == NO_LIMIT
    assert purse.limit(ANN, Rule(True, 700)) == LIKE_ALL
    assert (asks(purse, 501), asks(purse, 500)) == (False, True)
    assert (asks(purse, 701, ANN), asks(purse, 700, ANN)) == (False, True)
    assert purse.limit(ANN, NO_LIMIT) == Rule(True, 700)
    assert asks(purse, 5000, ANN)
    purse.sound()


def test_without_an_own_limit_everybodys_counts_again(purse: Purse) -> None:
    purse.given(10_000)
    purse.limit(None, Rule(True, 100))
    purse.limit(BOB, NO_LIMIT)
    purse.paid(50, user=BOB)
    assert purse.limit(BOB, LIKE_ALL) == NO_LIMIT
    assert (asks(purse, 51), asks(purse, 50)) == (False, True)
    purse.sound()


def test_nothing_at_all_is_a_limit_too(purse: Purse) -> None:
    limited(purse, 0)
    assert not asks(purse, 1)
    with pytest.raises(DatabaseError, match="words a month"):
        purse.limit(BOB, Rule(True, -1))


def test_a_limit_below_what_was_used_stops_and_takes_nothing_back(purse: Purse) -> None:
    purse.given(10_000)
    turn = purse.held(500, user=BOB)
    purse.paid(300, user=BOB)
    purse.limit(BOB, Rule(True, 100))
    assert purse.reserve(uuid4(), 1, user=BOB).member_left == 0
    assert purse.extend(turn, 600) == ledger.Reservation(False, 500, 9200, 0)
    assert purse.settle(turn, 500).charged == 500
    assert used(purse) == 800
    purse.sound()


# --- what was before -----------------------------------------------------------------------------


def test_what_was_used_before_there_was_a_limit_counts(purse: Purse) -> None:
    purse.given(10_000)
    purse.paid(300, user=BOB)
    purse.paid(90, user=ANN)
    with purse.open():
        reports.fold()
    purse.paid(200, user=BOB)
    purse.held(100, user=BOB)
    purse.paid(77)
    assert used(purse, BOB, ANN) == [500, 90]
    purse.limit(None, Rule(True, 1000))
    assert (asks(purse, 401), asks(purse, 400)) == (False, True)
    assert used(purse, BOB, ANN) == [500, 90]
    purse.sound()


def test_where_nobody_is_limited_nothing_is_counted(purse: Purse) -> None:
    limited(purse, 1000)
    purse.paid(100, user=BOB)
    purse.held(50, user=ANN)
    purse.limit(BOB, NO_LIMIT)
    assert purse.rows("SELECT user_id, used, held FROM billing_memberwords") == [(BOB, 0, 0)]
    purse.paid(30, user=BOB)
    purse.sound()
    purse.limit(None, Rule(True, 200))
    assert purse.reserve(uuid4(), 151, user=ANN).member_left == 150
    assert used(purse) == 130
    purse.sound()


# --- the month -----------------------------------------------------------------------------------


def test_a_new_month_begins_with_nothing_used(purse: Purse) -> None:
    limited(purse, 1000)
    purse.paid(1000, user=BOB)
    to_next_month(purse, before=timedelta(minutes=1))
    assert not asks(purse, 1)
    to_next_month(purse)
    assert used(purse) == 0
    purse.paid(600, user=BOB)
    assert (used(purse), asks(purse, 401), asks(purse, 400)) == (600, False, True)
    purse.sound()


def test_a_reply_over_midnight_counts_for_the_month_in_which_it_ends(purse: Purse) -> None:
    limited(purse, 1000)
    purse.paid(500, user=BOB)
    turn = purse.held(400, user=BOB)
    to_next_month(purse)
    assert not asks(purse, 601)
    purse.settle(turn, 300)
    assert used(purse) == 300
    assert (asks(purse, 701), asks(purse, 700)) == (False, True)
    purse.sound()


def test_a_limit_of_a_new_month_does_not_count_the_former_one(purse: Purse) -> None:
    purse.given(10_000)
    purse.paid(900, user=BOB)
    to_next_month(purse)
    purse.limit(BOB, Rule(True, 1000))
    assert asks(purse, 1000)
    purse.sound()


# --- at the same moment --------------------------------------------------------------------------


def test_of_sixteen_replies_of_a_member_only_those_start_that_the_limit_allows(purse: Purse) -> None:
    limited(purse, 5500, given=100_000)
    calls = [("ledger_reserve", uuid4(), 1000, "1 hour", None, None, BOB) for _ in range(16)]
    answers = together(purse, calls)
    assert sorted(granted for granted, *_ in answers) == [False] * 11 + [True] * 5
    assert purse.balance().reserved == 5000
    purse.sound()


def test_sixteen_replies_at_once_are_all_counted(purse: Purse) -> None:
    limited(purse, 5000)
    turns = [purse.held(300, user=BOB) for _ in range(16)]
    together(purse, [("ledger_settle", turn, 200) for turn in turns])
    assert (used(purse), asks(purse, 1801), asks(purse, 1800)) == (3200, False, True)
    purse.sound()


def test_two_long_replies_of_a_member_share_what_is_left(purse: Purse) -> None:
    """The second waits for the first, and then sees what it left of the limit."""
    limited(purse, 1000)
    turns = [purse.held(300, user=BOB), purse.held(300, user=BOB)]
    with till(purse) as ask:
        assert ask("ledger_extend", turns[0], 600)[1] == 600
        other = threading.Thread(target=lambda: purse.extend(turns[1], 600))
        other.start()
        until_it_waits(other)
    other.join(timeout=10)
    assert purse.balance().reserved == 1000
    purse.sound()


def test_a_limit_waits_for_a_reply_that_is_being_paid(purse: Purse) -> None:
    """Counting begins with what is there: what a reply takes meanwhile must not be missed."""
    purse.given(10_000)
    turn = purse.held(500, user=BOB)
    with till(purse) as ask:
        ask("ledger_settle", turn, 400)
        other = threading.Thread(target=lambda: purse.limit(BOB, Rule(True, 1000)))
        other.start()
        until_it_waits(other)
    other.join(timeout=10)
    assert (asks(purse, 601), asks(purse, 600)) == (False, True)
    purse.sound()


# --- whose place ---------------------------------------------------------------------------------


def test_a_member_of_two_organizations_has_two_limits(purse: Purse, cast: Any) -> None:
    other = Purse(cast)
    limited(purse, 100)
    limited(other, 300)
    purse.paid(100, user=BOB)
    assert (asks(purse, 1), asks(other, 300)) == (False, True)
    assert (used(purse), used(other)) == (100, 0)
    purse.sound()
    other.sound()


def test_the_counter_itself_refuses_less_than_nothing(purse: Purse) -> None:
    limited(purse, 100)
    for change in ("used = -1", "held = -1", "words_limit = -1"):
        refused_by(
            "member_words",
            f"UPDATE billing_memberwords SET {change} WHERE workspace_id = %s",
            purse.workspace_id,
        )


def test_a_difference_of_a_counter_shows(purse: Purse) -> None:
    limited(purse, 1000)
    purse.paid(100, user=BOB)
    purse.held(70, user=BOB)
    for column in ("used", "held"):
        change = f"UPDATE billing_memberwords SET {column} = {column} + %s WHERE workspace_id = %s"
        as_owner(change, 1, purse.workspace_id)
        [(what,)] = purse.rows("SELECT what FROM ledger_differences")
        assert what.startswith(f"what member {BOB} {'has used' if column == 'used' else 'holds'}")
        as_owner(change, -1, purse.workspace_id)
    purse.sound()


def test_only_the_functions_write_what_members_have_used(purse: Purse) -> None:
    limited(purse, 100)
    with till(purse) as ask, pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask("ledger_tally", None, BOB, -10, 0, None)
    with pytest.raises(DatabaseError, match="permission denied"):
        purse.rows("UPDATE billing_memberwords SET used = 0 RETURNING 1")
