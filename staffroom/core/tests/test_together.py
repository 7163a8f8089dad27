"""Calls that are joined while the last statement is on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import psycopg
import pytest

from staffroom.core.together import Together


class Store:
    """Notes its batches; the first one waits until it is let go. Answers each number with its double."""

    def __init__(self, *, refuses: int | None = None, gone: bool = False) -> None:
        self.refuses, self.gone = refuses, gone
        self.batches: list[list[int]] = []
        self.go = asyncio.Event()

    async def __call__(self, key: str, items: list[int]) -> Sequence[int | Exception]:
        self.batches.append(items)
        await self.go.wait()
        if self.gone:
            raise psycopg.OperationalError("away")
        if self.refuses in items:
            raise ValueError(self.refuses)
        return [2 * item for item in items]


def together(store: Store, numbers: Sequence[int], at_once: int = 10) -> list[int | BaseException]:
    """The first comes alone, the others while it is on its way."""

    async def play() -> list[int | BaseException]:
        store.go = asyncio.Event()
        joined = Together(store, at_once)
        first = asyncio.create_task(joined.do("a", numbers[0]))
        while not store.batches:
            await asyncio.sleep(0)
        others = [asyncio.create_task(joined.do("a", number)) for number in numbers[1:]]
        await asyncio.sleep(0)
        store.go.set()
        answers = await asyncio.gather(first, *others, return_exceptions=True)
        await joined.drain()
        return answers

    return asyncio.run(play())


def test_what_comes_meanwhile_goes_into_the_next_one_in_its_order() -> None:
    store = Store()
    assert together(store, [1, 2, 3, 4]) == [2, 4, 6, 8]
    assert store.batches == [[1], [2, 3, 4]]


def test_a_batch_is_no_larger_than_it_may_be() -> None:
    store = Store()
    assert together(store, [1, 2, 3, 4, 5, 6], at_once=2) == [2, 4, 6, 8, 10, 12]
    assert store.batches == [[1], [2, 3], [4, 5], [6]]


def test_one_that_cannot_be_stored_takes_no_other_with_it() -> None:
    store = Store(refuses=3)
    *_, refused, last = together(store, [1, 2, 3, 4])
    assert isinstance(refused, ValueError)
    assert last == 8
    assert store.batches == [[1], [2, 3, 4], [2], [3], [4]]


def test_a_database_that_is_away_is_told_to_all_at_once() -> None:
    store = Store(gone=True)
    answers = together(store, [1, 2, 3])
    assert [type(answer) for answer in answers] == [psycopg.OperationalError] * 3
    assert store.batches == [[1], [2, 3]]


def test_one_workspace_does_not_wait_for_another() -> None:
    async def play() -> None:
        store = Store()
        joined = Together(store, 10)
        tasks = [asyncio.create_task(joined.do(key, number)) for number, key in enumerate("ab")]
        async with asyncio.timeout(1):
            while len(store.batches) < 2:
                await asyncio.sleep(0)
        store.go.set()
        assert await asyncio.gather(*tasks) == [0, 2]

    asyncio.run(play())


def test_whoever_leaves_takes_nobody_along() -> None:
    async def play() -> None:
        store = Store()
        joined = Together(store, 10)
        leaving = asyncio.create_task(joined.do("a", 1))
        staying = asyncio.create_task(joined.do("a", 2))
        while not store.batches:
            await asyncio.sleep(0)
        leaving.cancel()
        store.go.set()
        assert await staying == 4
        with pytest.raises(asyncio.CancelledError):
            await leaving

    asyncio.run(play())
