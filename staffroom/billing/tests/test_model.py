"""The ledger against a plain model of it: any verbs, in any order, with time passing and parts rolled back.

The model keeps every lot up to date at every charge; the ledger works lots out only when it must. Both must agree
after each step, and nothing may differ in `ledger_differences`. `LEDGER_EXAMPLES=500` looks longer.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from staffroom.billing import ledger
from tests.cast import Cast

from .purse import Purse

ORDER = ["plan", "bonus", "purchased"]
HOUR, HALF = timedelta(hours=1), timedelta(minutes=30)


@dataclass
class Lot:
    source: str
    reference: str
    words: int
    remaining: int
    expires_at: datetime | None
    number: int
    expired: int = 0
    reversed: int = 0

    @property
    def rank(self) -> tuple[Any, ...]:
        return self.expires_at is None, self.expires_at or 0, self.number


@dataclass
class Hold:
    words: int
    until: datetime
    delivered: int = 0


@dataclass
class Model:
    now: datetime
    lots: list[Lot] = field(default_factory=list)
    holds: dict[UUID, Hold] = field(default_factory=dict)
    charged: dict[UUID, tuple[int, int]] = field(default_factory=dict)
    debt: int = 0
    months: list[datetime] = field(default_factory=list)  # when each month of the plan begins

    def copy(self) -> Model:
        return replace(
            self,
            lots=[replace(lot) for lot in self.lots],
            holds={turn: replace(hold) for turn, hold in self.holds.items()},
            charged=dict(self.charged),
        )

    @property
    def held(self) -> int:
        return sum(hold.words for hold in self.holds.values())

    @property
    def free(self) -> int:
        return sum(lot.remaining for lot in self.lots) - self.held

    def fall_due(self) -> None:
        for lot in sorted(self.lots, key=lambda lot: lot.rank):
            if lot.expires_at and lot.expires_at <= self.now:
                gone = min(lot.remaining, self.free)
                lot.remaining -= gone
                lot.expired += gone
        begun = [number for number, start in enumerate(self.months) if start <= self.now]
        if begun and not self.find("plan", f"month {begun[-1]}"):
            self.add("plan", f"month {begun[-1]}", 500, self.months[begun[-1] + 1])

    def find(self, source: str, reference: str) -> Lot | None:
        return next((lot for lot in self.lots if (lot.source, lot.reference) == (source, reference)), None)

    def add(self, source: str, reference: str, words: int, expires_at: datetime | None) -> None:
        owed = min(self.debt, words)
        self.debt -= owed
        self.lots.append(Lot(source, reference, words, words - owed, expires_at, len(self.lots)))

    def spend(self, words: int) -> None:
        for lot in sorted(self.lots, key=lambda lot: (ORDER.index(lot.source), *lot.rank)):
            taken = min(lot.remaining, words)
            lot.remaining -= taken
            words -= taken
        assert words == 0

    def reserve(self, turn: UUID, words: int, until: datetime) -> tuple[bool, int]:
        if turn in self.holds:
            self.holds[turn].until = max(self.holds[turn].until, until)
            return True, self.holds[turn].words
        if turn in self.charged:
            return True, 0
        if words > self.free:
            return False, 0
        self.holds[turn] = Hold(words, until)
        return True, words

    def extend(self, turn: UUID, words: int) -> tuple[bool, int]:
        if turn not in self.holds:
            return False, 0
        hold = self.holds[turn]
        hold.words += max(0, min(words - hold.words, self.free))
        return hold.words >= words, hold.words

    def settle(self, turn: UUID, words: int) -> tuple[int, int]:
        if turn not in self.charged:
            hold = self.holds.pop(turn, None)
            paid = min(words, hold.words if hold else self.free)
            self.spend(paid)
            self.charged[turn] = paid, words - paid
        return self.charged[turn]

    def reap(self) -> tuple[int, int]:
        dead = [turn for turn, hold in self.holds.items() if hold.until <= self.now]
        delivered = [turn for turn in dead if self.holds[turn].delivered]
        for turn in delivered:
            self.settle(turn, self.holds[turn].delivered)
        for turn in set(dead) - set(delivered):
            del self.holds[turn]
        return len(delivered), len(dead) - len(delivered)

    def refund(self, lot: Lot, words: int) -> int:
        taken = max(0, min(words, lot.words - lot.expired) - lot.reversed)
        taken = min(taken, lot.remaining, self.free)
        lot.remaining -= taken
        lot.reversed += taken
        return lot.reversed

    def reverse(self, lot: Lot, words: int) -> int:
        change = min(words, lot.words - lot.expired) - lot.reversed
        lot.reversed += change
        if change > 0:
            from_lot = min(change, lot.remaining, self.free)
            lot.remaining -= from_lot
            others = min(change - from_lot, self.free)
            self.spend(others)
            self.debt += change - from_lot - others
        else:
            paid = min(self.debt, -change)
            self.debt -= paid
            lot.remaining += -change - paid
        return lot.reversed


WORDS = st.one_of(st.integers(1, 60), st.integers(1, 2000))


class TheLedger(RuleBasedStateMachine):
    turns = Bundle("turns")
    lots = Bundle("lots")
    cast: Cast

    @initialize()
    def founded(self) -> None:
        self.purse = Purse(self.cast)
        self.born = self.purse.now
        self.model = Model(self.born)

    def both(self, verb: Callable[[], Any], model: Callable[[Model], Any], rolled_back: bool = False) -> Any:
        """The same deed in both; when it is rolled back, it happened in neither, whatever it answered."""
        tried = self.model.copy()
        tried.fall_due()
        expected = model(tried)
        with self.purse.open(), transaction.atomic():
            answer = verb()
            transaction.set_rollback(rolled_back)
        if not rolled_back:
            self.model = tried
        assert answer == expected, (answer, expected)

    # --- deeds -------------------------------------------------------------------------------------

    @rule(target=turns, words=WORDS, hours=st.integers(1, 60), back=st.booleans())
    def reserve(self, words: int, hours: int, back: bool) -> UUID:
        turn = uuid4()
        self.again(turn, words, hours, back and words % 4 == 0)
        return turn

    @rule(turn=turns, words=WORDS, hours=st.integers(1, 60), back=st.just(False))
    def again(self, turn: UUID, words: int, hours: int, back: bool) -> None:
        lease = hours * HOUR - HALF
        self.both(
            lambda: (lambda r: (r.granted, r.held))(ledger.reserve(turn, words, lease=lease)),
            lambda model: model.reserve(turn, words, model.now + lease),
            back,
        )

    @rule(turn=turns, words=WORDS, back=st.booleans())
    def extend(self, turn: UUID, words: int, back: bool) -> None:
        self.both(
            lambda: (lambda r: (r.granted, r.held))(ledger.extend(turn, words)),
            lambda model: model.extend(turn, words),
            back and words % 4 == 0,
        )

    @rule(turn=turns, words=st.integers(0, 2500), back=st.booleans())
    def settle(self, turn: UUID, words: int, back: bool) -> None:
        self.both(
            lambda: (lambda s: (s.charged, s.written_off))(ledger.settle(turn, words)),
            lambda model: model.settle(turn, words),
            back and words % 4 == 0,
        )

    @rule(turn=turns)
    def release(self, turn: UUID) -> None:
        def in_model(model: Model) -> int:
            model.holds.pop(turn, None)
            return model.free

        self.both(lambda: ledger.release(turn), in_model)

    @rule(turn=turns, delivered=st.integers(0, 500), hours=st.integers(1, 60))
    def lease(self, turn: UUID, delivered: int, hours: int) -> None:
        lease = hours * HOUR - HALF

        def in_model(model: Model) -> int:
            if hold := model.holds.get(turn):
                hold.delivered = max(hold.delivered, delivered)
                hold.until = max(hold.until, model.now + lease)
            return int(turn in model.holds)

        self.both(lambda: ledger.lease({turn: delivered}, lease=lease), in_model)

    @rule()
    def reap(self) -> None:
        self.both(ledger.reap, Model.reap)

    @rule(
        target=lots,
        source=st.sampled_from(ORDER),
        words=st.integers(1, 3000),
        hours=st.none() | st.integers(0, 100),
        reference=st.sampled_from([f"payment {n}" for n in range(12)]),
    )
    def grant(self, source: str, words: int, hours: int | None, reference: str) -> tuple[str, str]:
        expires = None if hours is None else self.model.now + hours * HOUR - HALF

        def in_model(model: Model) -> bool:
            if known := model.find(source, reference) is not None:
                return not known
            model.add(source, reference, words, expires)
            model.fall_due()
            return True

        self.both(
            lambda: ledger.grant(source, reference, words, expires_at=expires, by="system").granted, in_model
        )
        return source, reference

    @rule(lot=lots, words=st.integers(0, 3000))
    def refund(self, lot: tuple[str, str], words: int) -> None:
        self.both(
            lambda: ledger.refund(*lot, words, by="system").words,
            lambda model: model.refund(model.find(*lot), words),  # type: ignore[arg-type]
        )

    @rule(lot=lots, words=st.integers(0, 3000))
    def reverse(self, lot: tuple[str, str], words: int) -> None:
        def in_model(model: Model) -> tuple[int, int]:
            found = model.find(*lot)
            assert found
            reversed_ = model.reverse(found, words)
            model.fall_due()
            return reversed_, model.debt

        self.both(lambda: (lambda t: (t.words, t.debt))(ledger.reverse(*lot, words, by="system")), in_model)

    @precondition(lambda self: not self.model.months)
    @rule()
    def begin(self) -> None:
        with self.purse.open():
            ledger.begin("free", 500)
        ((start,),) = self.purse.rows("SELECT started_at FROM billing_subscription")
        self.model.months = [month(start, number) for number in range(40)]
        self.model.now = max(self.model.now, start)
        self.model.fall_due()

    @rule(hours=st.integers(1, 12) | st.integers(20, 24 * 70))
    def time_passes(self, hours: int) -> None:
        self.purse.passes(hours=hours)
        self.model.now += hours * HOUR

    @rule()
    def expire(self) -> None:
        self.both(ledger.expire, lambda model: model.free)

    # --- what must hold ----------------------------------------------------------------------------

    @invariant()
    def agree(self) -> None:
        expected = self.model.copy()
        expected.fall_due()
        balance = self.purse.balance()
        self.model = expected
        assert (balance.words_left, balance.reserved, balance.debt) == (
            expected.free,
            expected.held,
            expected.debt,
        )
        assert balance.words_left >= 0
        there = sorted((lot for lot in expected.lots if lot.remaining), key=lambda lot: lot.rank)
        there.sort(key=lambda lot: ORDER.index(lot.source))
        assert [(part.source, part.words) for part in balance.parts] == [
            (lot.source, lot.remaining) for lot in there
        ]
        self.purse.sound()


def month(start: datetime, number: int) -> datetime:
    year, index = divmod(start.month - 1 + number, 12)
    day = start.day
    while True:
        try:
            return start.replace(year=start.year + year, month=index + 1, day=day)
        except ValueError:
            day -= 1


EXAMPLES = int(os.environ.get("LEDGER_EXAMPLES", "25"))


def test_the_ledger_does_what_its_model_does(cast: Cast) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    TheLedger.cast = cast
    run_state_machine_as_test(
        TheLedger,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
