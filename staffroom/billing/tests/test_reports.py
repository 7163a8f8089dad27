"""Days are what the entries say, however they are folded; a time is a place in the sequence."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from staffroom.billing import jobs, reports
from staffroom.billing.reports import NOBODY, Period

from .purse import Purse

WEEK = timedelta(days=7)
# What the days must be, straight from the entries.
TRUE = """
    SELECT (at AT TIME ZONE 'UTC')::date, coalesce(employee_id, %(nobody)s), coalesce(user_id, %(nobody)s), count(*),
           sum(-plan)::bigint, sum(-bonus)::bigint, sum(-purchased)::bigint
    FROM billing_entry WHERE kind = 'charge' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
FOLDED = """
    SELECT day, employee_id, user_id, replies, plan, bonus, purchased FROM billing_day
    WHERE replies > 0 ORDER BY 1, 2, 3
"""


def spend(purse: Purse, words: int, **whom: Any) -> None:
    turn = purse.held(words, **whom)
    purse.settle(turn, words)


def folded(purse: Purse, at_most: int = 1000) -> int:
    with purse.open():
        return reports.fold(at_most)


def days(purse: Purse, sql: str) -> list[tuple[Any, ...]]:
    with purse.open(), connection.cursor() as cursor:
        cursor.execute(sql, {"nobody": NOBODY} if "nobody" in sql else None)
        return list(cursor.fetchall())


def recent(purse: Purse, days: int = 400) -> Period:
    return Period.of_days(days, purse.now.date())


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_however_it_is_folded_it_is_what_the_entries_say(cast: Any, data: st.DataObject) -> None:
    purse = Purse(cast)
    purse.given(10_000, "bonus")
    purse.given(10**6)
    employees, users, chats = [uuid4(), None], [uuid4(), None], [uuid4(), uuid4(), None]
    for _ in range(data.draw(st.integers(1, 12))):
        whom = {"employee": data.draw(st.sampled_from(employees)), "user": data.draw(st.sampled_from(users)),
                "chat": data.draw(st.sampled_from(chats))}  # fmt: skip
        spend(purse, data.draw(st.integers(1, 9000)), **whom)
        if data.draw(st.booleans()):
            purse.passes(hours=data.draw(st.integers(1, 40)))
        if data.draw(st.booleans()):
            folded(purse, data.draw(st.integers(1, 5)))
    while folded(purse, 3):
        pass
    assert days(purse, FOLDED) == days(purse, TRUE)
    with purse.open():
        whole = reports.altogether(recent(purse))
    [(words, chats_seen)] = days(
        purse,
        "SELECT -sum(plan + bonus + purchased)::bigint,"
        " count(DISTINCT (chat_id, (at AT TIME ZONE 'UTC')::date)) FILTER (WHERE chat_id IS NOT NULL)"
        " FROM billing_entry WHERE kind = 'charge'",
    )
    assert (whole.words, whole.chats) == (words, chats_seen)


def test_folding_by_many_at_once_counts_once(purse: Purse) -> None:
    purse.given(10**6)
    for _ in range(30):
        spend(purse, 10, chat=uuid4())
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda _: _fold_and_leave(purse), range(12)))
    assert days(purse, FOLDED) == days(purse, TRUE)


def _fold_and_leave(purse: Purse) -> None:
    try:
        folded(purse, 7)
    finally:
        connection.close()


def test_the_job_folds_to_the_end(purse: Purse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "AT_ONCE", 4)
    purse.given(10**6)
    for _ in range(10):
        spend(purse, 10)
    jobs.fold()
    assert days(purse, FOLDED) == days(purse, TRUE)


def test_sums_by_day_employee_member_and_month(purse: Purse) -> None:
    mira, ann = uuid4(), uuid4()
    purse.given(1000, "bonus")
    purse.given(10**6)
    spend(purse, 600, employee=mira, user=ann, chat=uuid4())
    purse.passes(days=40)
    spend(purse, 900, employee=mira, chat=uuid4())
    folded(purse)
    with purse.open():
        assert [(one.words, one.bonus, one.replies) for one in reports.by_day(recent(purse))] == [
            (600, 600, 1), (900, 400, 1)]  # fmt: skip
        assert [(one.key, one.words, one.counted(bonus=False)) for one in reports.by_employee(recent(purse))] == [
            (mira, 1500, 500)]  # fmt: skip
        assert [(one.key, one.words) for one in reports.by_member(recent(purse))] == [
            (NOBODY, 900),
            (ann, 600),
        ]
        assert [one.words for one in reports.by_month(recent(purse))] == [600, 900]
        assert reports.altogether(recent(purse, 30)).words == 900
        assert reports.altogether(recent(purse, 30).before).words == 600


class TestAPlaceInTime:
    def test_a_statement_of_any_day(self, purse: Purse) -> None:
        purse.given(1000)
        first = purse.now
        purse.passes(days=3)
        spend(purse, 300)
        purse.passes(days=3)
        spend(purse, 200)
        with purse.open():
            assert reports.statement(first - WEEK) is None
            for later, left in ((timedelta(days=1), 1000), (timedelta(days=4), 700), (WEEK, 500)):
                found = reports.statement(first + later)
                assert found is not None
                assert found.purchased == left

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.integers(0, 5), min_size=1, max_size=9), st.integers(0, 60))
    def test_it_is_found_wherever_it_lies(self, cast: Any, pauses: list[int], hours: int) -> None:
        purse = Purse(cast)
        start = purse.now
        for pause in pauses:
            purse.passes(hours=pause)
            purse.given(10)
        at = start + timedelta(hours=hours, minutes=30)
        [(true,)] = purse.rows("SELECT count(*) FROM billing_entry WHERE at < %s", at)
        assert purse.rows("SELECT ledger_sequence_at(%s)", at) == [(true,)]

    def test_charges_of_a_day_in_pages(self, purse: Purse) -> None:
        purse.given(10**6)
        spend(purse, 1)
        purse.passes(days=1)
        for words in (10, 20, 30):
            spend(purse, words)
        today = Period(purse.now.date(), purse.now.date())
        with purse.open():
            first = reports.charges(limit=2, period=today)
            rest = reports.charges(first.next, 2, period=today)
        assert [one.words for one in [*first.items, *rest.items]] == [30, 20, 10]
        assert rest.next is None


def test_another_workspace_has_its_own_days(purse: Purse, cast: Any) -> None:
    other = Purse(cast)
    for one in (purse, other):
        one.given(1000)
    spend(purse, 5)
    for one in (purse, other):
        folded(one)
    with other.open():
        assert reports.altogether(recent(other)).words == 0
        assert reports.charges().items == []


def test_nobody_is_a_user_of_zeros() -> None:
    assert UUID(int=0) == NOBODY
