"""So often and no more."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction

from staffroom.core import ratelimits
from staffroom.core.errors import Conflict, NotHere, TooMany
from staffroom.core.ratelimits import Limit

THREE = Limit("test", 3, timedelta(minutes=1))


def test_so_often_and_no_more_each_for_itself() -> None:
    who, other = uuid4(), uuid4()
    for _ in range(3):
        THREE.count(who)
    with pytest.raises(TooMany) as refused:
        THREE.count(who)
    assert (refused.value.status, refused.value.code) == (429, "rate_limited")
    assert 55 <= refused.value.retry_after <= 60
    THREE.count(other)
    Limit("another", 3, timedelta(minutes=1)).count(who)


def test_a_new_window_begins_when_the_old_is_over() -> None:
    short, who = Limit("short", 1, timedelta(milliseconds=80)), uuid4()
    short.count(who)
    with pytest.raises(TooMany):
        short.count(who)
    time.sleep(0.1)
    short.look(who)
    short.count(who)


def test_callers_at_the_same_moment_are_counted_one_by_one() -> None:
    who = uuid4()

    def call(_: int) -> bool:
        try:
            THREE.count(who)
        except TooMany:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(call, range(24))) == 3


def test_what_was_rolled_back_did_not_happen() -> None:
    who = uuid4()
    for _ in range(5):
        with transaction.atomic():
            THREE.count(who)
            transaction.set_rollback(True)
    THREE.count(who)


def test_only_failures_of_the_named_kind_count() -> None:
    who = uuid4()
    for _ in range(5):
        with THREE.failures(NotHere, who):
            pass
        with pytest.raises(Conflict), THREE.failures(NotHere, who):
            raise Conflict
    for _ in range(3):
        with pytest.raises(NotHere), THREE.failures(NotHere, who):
            raise NotHere
    with pytest.raises(TooMany), THREE.failures(NotHere, who):
        raise AssertionError("not reached")


def test_the_table_holds_no_address_and_windows_that_are_over_go() -> None:
    Limit("gone", 1, timedelta(0)).count("alice@example.com")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM core_ratelimit WHERE encode(key, 'escape') LIKE '%alice%'")
        assert cursor.fetchone() == (0,)
    assert ratelimits.forget_old() >= 1
