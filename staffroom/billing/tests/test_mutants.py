"""The money code, broken on purpose: each mutant must be noticed by the scene that is named beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from _pytest.outcomes import Failed
from django.db import DatabaseError

from tests.cast import Cast

from . import test_ledger as scenes
from . import test_limits as limits
from .purse import Purse, as_owner

Scene = Callable[..., None]

# What is broken: a function (or the view) · its text · instead of it · who notices.
FUNCTIONS: list[tuple[str, str, str, str, Scene]] = [
    ("the lock is dropped", "ledger_lock", " FOR NO KEY UPDATE", "",
     scenes.test_one_waits_for_the_other_and_then_sees_what_it_left),
    ("the lock is dropped", "ledger_lock", " FOR NO KEY UPDATE", "",
     scenes.test_a_grant_waits_for_a_reply_that_is_being_paid),
    ("what is due is not done first", "ledger_lock", "w.due_at <= ledger_now()", "false",
     scenes.test_words_past_their_time_are_not_there_though_no_job_ran),
    ("a reservation does not look at the time", "ledger_reserve", "attempt = 2 OR", "true OR",
     scenes.test_words_past_their_time_are_not_there_though_no_job_ran),
    ("a reply adds words", "ledger_charge", "plan = plan - from_plan", "plan = plan + from_plan",
     scenes.test_plan_is_spent_before_bonus_and_bonus_before_what_was_bought),
    ("purchased words are not charged", "ledger_charge", "purchased = purchased - from_purchased", "purchased = purchased",
     scenes.test_a_reply_costs_what_it_cost_and_not_what_was_held),
    ("an entry has the wrong sign", "ledger_charge", "-from_purchased, 0", "from_purchased, 0",
     scenes.test_a_reply_costs_what_it_cost_and_not_what_was_held),
    ("bonus is spent first", "ledger_charge", "least(w.plan, paid)", "least(w.plan, paid - least(w.bonus, paid))",
     scenes.test_plan_is_spent_before_bonus_and_bonus_before_what_was_bought),
    ("purchased words are spent before bonus", "ledger_charge", "least(w.bonus, paid - from_plan)",
     "greatest(0, paid - from_plan - w.purchased)",
     scenes.test_plan_is_spent_before_bonus_and_bonus_before_what_was_bought),
    ("the whole hold is charged", "ledger_charge", "least(p_words, p_payable)", "p_payable",
     scenes.test_a_reply_costs_what_it_cost_and_not_what_was_held),
    ("more than the hold is charged", "ledger_charge", "least(p_words, p_payable)", "p_words",
     scenes.test_words_beyond_the_hold_are_written_off_visibly),
    ("the rest of a hold stays held", "ledger_charge", "held = held - h.words", "held = held - paid",
     scenes.test_a_reply_costs_what_it_cost_and_not_what_was_held),
    ("a write-off is not told", "ledger_charge", "p_words - paid, h.employee", "0, h.employee",
     scenes.test_words_beyond_the_hold_are_written_off_visibly),
    ("entries have gaps", "ledger_charge", "sequence + 1", "sequence + 2",
     scenes.test_a_reply_costs_what_it_cost_and_not_what_was_held),
    ("time runs backwards", "ledger_charge", "greatest(moved_at, ledger_now())", "ledger_now()",
     scenes.test_time_never_runs_backwards_along_the_sequence),
    ("held words are promised again", "ledger_reserve", "held + p_words <= plan", "p_words <= plan",
     scenes.test_what_is_held_cannot_be_promised_twice),
    ("held words are promised again", "ledger_reserve", "held + p_words <= plan", "p_words <= plan",
     scenes.test_of_sixteen_replies_at_once_only_those_start_that_can_be_paid),
    ("one word too few is enough", "ledger_reserve", "held + p_words <= plan", "held + p_words <= 1 + plan",
     scenes.test_what_is_held_cannot_be_promised_twice),
    ("a reservation holds nothing", "ledger_reserve", "held = held + p_words", "held = held",
     scenes.test_what_is_held_cannot_be_promised_twice),
    ("asked twice, held twice", "ledger_reserve", "held = held - p_words", "held = held",
     scenes.test_a_turn_is_held_once_however_often_it_is_reserved),
    ("a settled turn is held again", "ledger_reserve", "WHERE NOT EXISTS (", "WHERE true OR NOT EXISTS (",
     scenes.test_a_settled_turn_is_not_held_again),
    ("a lease is not renewed", "ledger_reserve", "greatest(lease_until, ledger_now() + p_lease)", "lease_until",
     scenes.test_a_lease_is_renewed_by_asking_again),
    ("a turn is charged again", "ledger_settle", "IF FOUND THEN RETURN; END IF;", "",
     scenes.test_a_settled_turn_is_charged_once_however_often_it_is_settled),
    ("a late reply takes held words", "ledger_settle", "payable := words_left", "payable := words_left + w.held",
     scenes.test_a_reply_stored_after_its_hold_was_reaped_is_paid_from_what_is_free),
    ("settling reaches into another workspace", "ledger_settle", "workspace_id = w.workspace_id AND turn", "turn",
     scenes.test_the_same_turn_in_another_workspace_is_another_turn),
    ("releasing reaches into another workspace", "ledger_release", "workspace_id = w.workspace_id AND turn", "turn",
     scenes.test_the_same_turn_in_another_workspace_is_another_turn),
    ("a released hold stays held", "ledger_release", "held = held - released", "held = held",
     scenes.test_a_released_hold_is_free_again),
    ("a release frees twice", "ledger_release", "held = held - released", "held = held - 2 * released",
     scenes.test_a_released_hold_is_free_again),
    ("more is extended than is there", "ledger_extend", "least(p_words - held, words_left)", "p_words - held",
     scenes.test_a_long_reply_asks_for_more_as_far_as_words_are_there),
    ("asked again, extended again", "ledger_extend", "least(p_words - held,", "least(p_words,",
     scenes.test_a_long_reply_asks_for_more_as_far_as_words_are_there),
    ("living holds are reaped", "ledger_reap", "lease_until <= ledger_now()", "true",
     scenes.test_a_dead_hold_is_settled_by_what_was_delivered_or_released),
    ("what a dead worker delivered is lost", "ledger_reap", "h.delivered > 0", "false",
     scenes.test_a_dead_hold_is_settled_by_what_was_delivered_or_released),
    ("a reaped hold stays held", "ledger_reap", "held = held - h.words", "held = held",
     scenes.test_a_dead_hold_is_settled_by_what_was_delivered_or_released),
    ("granted again", "ledger_grant", "granted := NOT FOUND", "granted := true",
     scenes.test_words_are_granted_once_for_each_reference),
    ("less than nothing is granted", "ledger_grant", "(p_words > 0) IS NOT TRUE", "false",
     scenes.test_a_reply_cannot_cost_less_than_nothing),
    ("a grant forgets the debt", "ledger_add_lot", "least(w.debt, p_words)", "0::bigint",
     scenes.test_a_reversed_payment_takes_what_is_there_and_the_rest_is_owed),
    ("a grant does not work out the lots", "ledger_add_lot", "PERFORM ledger_work_out(w.workspace_id);", "",
     scenes.test_a_grant_waits_for_a_reply_that_is_being_paid),
    ("nobody notes when a lot expires", "ledger_schedule", "min(expires_at)", "max(expires_at)",
     scenes.test_each_lot_goes_at_its_own_time),
    ("expiry takes used words", "ledger_fall_due", "PERFORM ledger_work_out(here);", "",
     scenes.test_the_lot_that_expires_first_is_spent_first),
    ("expiry takes held words", "ledger_fall_due", "- w.held)", ")",
     scenes.test_held_words_outlive_their_time_only_when_nothing_else_pays),
    ("living lots expire", "ledger_fall_due", "expires_at <= ledger_now()", "expires_at IS NOT NULL",
     scenes.test_each_lot_goes_at_its_own_time),
    ("a month is granted again", "ledger_renew", "SET ends_at = ends", "SET ends_at = ends_at",
     scenes.test_a_month_counts_from_the_first_day_of_the_plan),
    ("months slip", "ledger_renew", "month * interval '1 month'", "month * interval '30 days'",
     scenes.test_a_month_counts_from_the_first_day_of_the_plan),
    ("the last lot is spent first", "billing_lot_now", "ORDER BY l.expires_at,", "ORDER BY l.expires_at DESC,",
     scenes.test_the_lot_that_expires_first_is_spent_first),
    ("a refund takes used words", "ledger_take_back", "least(delta, lot.remaining, free));", "delta);",
     scenes.test_a_refund_takes_unused_words_and_no_others),
    ("a reversal repeats", "ledger_take_back", "- lot.reversed;", ";",
     scenes.test_a_reversed_payment_takes_what_is_there_and_the_rest_is_owed),
    ("a reversal owes nothing", "ledger_take_back", "e.debt := delta - from_lot - from_others", "e.debt := 0",
     scenes.test_a_reversed_payment_takes_what_is_there_and_the_rest_is_owed),
    ("a reversal takes held words", "ledger_take_back", "w.purchased - w.held;", "w.purchased;",
     scenes.test_a_reversal_never_takes_words_that_a_reply_holds),
    ("a reversal takes what it took already", "ledger_take_back", "free - from_lot)", "free)",
     scenes.test_a_reversal_never_takes_words_that_a_reply_holds),
    ("expired words are owed", "ledger_take_back", "lot.words - lot.expired", "lot.words",
     scenes.test_expired_words_are_never_owed),
    ("a won dispute forgets the debt", "ledger_take_back", "-least(w.debt, -delta)", "0",
     scenes.test_a_dispute_that_was_won_gives_the_words_back),
    ("a member's limit is not asked", "ledger_reserve", "IF member_left < 0 THEN", "IF false THEN",
     limits.test_a_member_gets_no_more_than_the_limit),
    ("one word above the limit", "ledger_reserve", "IF member_left < 0 THEN", "IF member_left < -1 THEN",
     limits.test_a_member_gets_no_more_than_the_limit),
    ("a refused member's hold stays", "ledger_reserve", "WHERE workspace_id = here AND turn = p_turn;", "WHERE false;",
     limits.test_what_a_member_holds_counts_like_what_was_used),
    ("a refused member's words stay held", "ledger_reserve", "held = held - p_words", "held = held",
     limits.test_what_a_member_holds_counts_like_what_was_used),
    ("what a member holds is not counted", "ledger_reserve", "PERFORM ledger_tally(w, p_user, p_words, 0, NULL);", "NULL;",
     limits.test_of_sixteen_replies_of_a_member_only_those_start_that_the_limit_allows),
    ("what a member holds has the wrong sign", "ledger_reserve", "p_user, p_words, 0", "p_user, -p_words, 0",
     limits.test_what_a_member_holds_counts_like_what_was_used),
    ("what is held is not looked at", "ledger_room", "most - coalesce(m.held, 0)", "most",
     limits.test_what_a_member_holds_counts_like_what_was_used),
    ("what was used is not looked at", "ledger_room", "most := most - m.used", "most := most",
     limits.test_a_member_gets_no_more_than_the_limit),
    ("what was used makes room", "ledger_room", "most - m.used", "most + m.used",
     limits.test_a_member_gets_no_more_than_the_limit),
    ("the former month counts", "ledger_room", "IF m.month = ledger_month(greatest(w.moved_at, ledger_now())) THEN", "IF m.month IS NOT NULL THEN",
     limits.test_a_new_month_begins_with_nothing_used),
    ("a month is thirty days", "ledger_month", "date_trunc('month', p_at AT TIME ZONE 'UTC')::date", "date_trunc('month', (p_at + interval '1 day') AT TIME ZONE 'UTC')::date",
     limits.test_a_new_month_begins_with_nothing_used),
    ("an own limit does not count", "ledger_room", "IF m.own THEN", "IF false THEN",
     limits.test_everybodys_limit_counts_for_whoever_has_no_own),
    ("everybody's limit counts for all", "ledger_room", "most := m.words_limit", "most := least(most, m.words_limit)",
     limits.test_everybodys_limit_counts_for_whoever_has_no_own),
    ("a counter reaches into another workspace", "ledger_tally", "workspace_id = w.workspace_id AND user_id", "user_id",
     limits.test_a_member_of_two_organizations_has_two_limits),
    ("the new month goes on with the former one's words", "ledger_tally", "p_at IS NULL OR month = this", "true",
     limits.test_a_new_month_begins_with_nothing_used),
    ("a new hold begins the month anew", "ledger_tally", "p_at IS NULL OR month = this", "p_at IS NOT NULL AND month = this",
     limits.test_what_a_member_holds_counts_like_what_was_used_after_a_reply),
    ("the month stays", "ledger_tally", "month = CASE WHEN p_at IS NULL THEN month ELSE this END", "month = month",
     limits.test_a_new_month_begins_with_nothing_used),
    ("a paid reply is not counted", "ledger_charge", "-h.words, paid, w.moved_at", "-h.words, 0, w.moved_at",
     limits.test_a_member_gets_no_more_than_the_limit),
    ("the hold is counted, not the reply", "ledger_charge", "-h.words, paid, w.moved_at", "-h.words, h.words, w.moved_at",
     limits.test_what_was_held_and_not_used_may_be_asked_for_again),
    ("a paid hold stays a member's", "ledger_charge", "-h.words, paid, w.moved_at", "0, paid, w.moved_at",
     limits.test_what_was_held_and_not_used_may_be_asked_for_again),
    ("a long reply passes the limit", "ledger_extend", "IF more > member_left THEN", "IF false THEN",
     limits.test_a_long_reply_gets_more_only_within_the_limit),
    ("more is held and not counted", "ledger_extend", "who, more, 0, NULL", "who, 0, 0, NULL",
     limits.test_a_long_reply_gets_more_only_within_the_limit),
    ("a lowered limit takes words back", "ledger_extend", "IF member_left < 0 THEN member_left := 0; END IF;", "",
     limits.test_a_limit_below_what_was_used_stops_and_takes_nothing_back),
    ("a released hold stays a member's", "ledger_release", "who, -released, 0", "who, 0, 0",
     limits.test_a_released_hold_is_free_for_its_member_again),
    ("a reaped hold stays a member's", "ledger_reap", "h.user_id, -h.words, 0", "h.user_id, 0, 0",
     limits.test_a_reaped_hold_is_free_for_its_member_again),
    ("counting begins at nothing", "ledger_limit", "PERFORM ledger_count(here, this);", "",
     limits.test_what_was_used_before_there_was_a_limit_counts),
    ("counting never begins", "ledger_limit", "SET counts_since = this", "SET counts_since = NULL",
     limits.test_a_member_gets_no_more_than_the_limit),
    ("counting never ends", "ledger_limit", "SET counts_since = NULL", "SET counts_since = counts_since",
     limits.test_where_nobody_is_limited_nothing_is_counted),
    ("any limit will do", "ledger_limit", "p_words < 0 OR", "",
     limits.test_nothing_at_all_is_a_limit_too),
    ("what is folded counts twice", "ledger_used", "f.sequence FROM", "0 FROM",
     limits.test_what_was_used_before_there_was_a_limit_counts),
    ("what is not folded yet is missed", "ledger_used", "e.kind = 'charge'", "e.kind = 'charge' AND false",
     limits.test_what_was_used_before_there_was_a_limit_counts),
    ("the former month was used in this one", "ledger_used", "ledger_sequence_at(p_month::timestamp AT TIME ZONE 'UTC')", "0",
     limits.test_a_limit_of_a_new_month_does_not_count_the_former_one),
    ("replies of one member do not wait", "ledger_lock", " FOR NO KEY UPDATE", "",
     limits.test_two_long_replies_of_a_member_share_what_is_left),
]  # fmt: skip

# What is taken away · the statement that does so · one that finds how to put it back · who notices.
CONSTRAINT = (
    "SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))"
    " FROM pg_constraint WHERE conname = '{}'"
)
INDEX = "SELECT pg_get_indexdef('{}'::regclass)"
TRIGGER = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = '{}' AND NOT tgisinternal"
GUARDS: list[tuple[str, str, str, Scene, tuple[str, ...]]] = [
    ("a balance may fall below zero", "ALTER TABLE billing_wallet DROP CONSTRAINT nothing_below_zero",
     CONSTRAINT.format("nothing_below_zero"), scenes.test_the_wallet_itself_refuses_what_must_not_be, ("held = 101",)),
    ("any sign will do", "ALTER TABLE billing_entry DROP CONSTRAINT signs_of_a_kind",
     CONSTRAINT.format("signs_of_a_kind"), scenes.test_the_entry_itself_refuses_a_wrong_sign, ("'charge', 5, 0",)),
    ("two charges for a turn", "DROP INDEX charged_once", INDEX.format("charged_once"),
     scenes.test_the_table_itself_refuses_a_second_charge_for_a_turn, ()),
    ("two lots for a payment", "ALTER TABLE billing_lot DROP CONSTRAINT granted_once",
     CONSTRAINT.format("granted_once"), scenes.test_the_table_itself_refuses_a_second_lot_for_a_payment, ()),
    ("entries may be changed", "DROP TRIGGER written_once ON billing_entry",
     TRIGGER.format("written_once"), scenes.test_entries_are_written_once_even_by_the_owner, ()),
    ("the application writes", "GRANT UPDATE ON billing_wallet TO staffroom_app",
     "SELECT 'REVOKE UPDATE ON billing_wallet FROM staffroom_app'",
     scenes.test_nobody_but_the_functions_writes, ("staffroom_app", "wallet")),
    ("anybody enters", "GRANT EXECUTE ON FUNCTION ledger_enter TO PUBLIC",
     "SELECT 'REVOKE EXECUTE ON FUNCTION ledger_enter FROM PUBLIC'",
     scenes.test_what_the_verbs_use_inside_nobody_may_call, ()),
    ("a counter may fall below zero", "ALTER TABLE billing_memberwords DROP CONSTRAINT member_words",
     CONSTRAINT.format("member_words"), limits.test_the_counter_itself_refuses_less_than_nothing, ()),
    ("the application counts", "GRANT UPDATE ON billing_memberwords TO staffroom_app",
     "SELECT 'REVOKE UPDATE ON billing_memberwords FROM staffroom_app'",
     limits.test_only_the_functions_write_what_members_have_used, ()),
    ("no wall", "ALTER TABLE billing_entry DISABLE ROW LEVEL SECURITY",
     "SELECT 'ALTER TABLE billing_entry ENABLE ROW LEVEL SECURITY'",
     scenes.test_another_workspace_sees_nothing, ()),
]  # fmt: skip


@contextmanager
def mutated(name: str, old: str, new: str) -> Iterator[None]:
    ((whole,),) = as_owner(
        "SELECT 'CREATE OR REPLACE VIEW ' || %s || ' WITH (security_invoker = true) AS ' || pg_get_viewdef(%s::regclass)"
        if name == "billing_lot_now"
        else "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = %s",
        *([name, name] if name == "billing_lot_now" else [name]),
    )
    assert old in whole, f"{name} has no {old!r} to break"
    as_owner(whole.replace(old, new))
    try:
        yield
    finally:
        as_owner(whole)


@contextmanager
def unguarded(taken: str, back: str) -> Iterator[None]:
    ((restore,),) = as_owner(back)
    as_owner(taken)
    try:
        yield
    finally:
        as_owner(restore)


def play(scene: Scene, cast: Cast, values: tuple[str, ...] = ()) -> None:
    """Call a test as pytest would, with a purse of its own."""
    needs = {"purse": lambda: Purse(cast), "cast": lambda: cast}
    named = scene.__code__.co_varnames[: scene.__code__.co_argcount]
    scene(*(needs[each]() for each in named if each in needs), *values)


@pytest.mark.parametrize(
    ("name", "old", "new", "scene"),
    [pytest.param(*row[1:], id=f"{row[0]}: {row[4].__name__}") for row in FUNCTIONS],
)
def test_a_broken_verb_is_noticed(name: str, old: str, new: str, scene: Scene, cast: Cast) -> None:
    with mutated(name, old, new), pytest.raises((AssertionError, DatabaseError, psycopg.Error)) as noticed:
        play(scene, cast)
    assert not re.search("syntax error|does not exist", str(noticed.value)), "the mutant does not even run"


@pytest.mark.parametrize(
    ("taken", "back", "scene", "values"),
    [pytest.param(*row[1:], id=f"{row[0]}: {row[3].__name__}") for row in GUARDS],
)
def test_a_missing_guard_is_noticed(
    taken: str, back: str, scene: Scene, values: tuple[str, ...], cast: Cast
) -> None:
    with unguarded(taken, back), pytest.raises((AssertionError, Failed)):
        play(scene, cast, values)
