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
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from staffroom.billing import ledger, queries, reports
from staffroom.billing.ledger import Rule
from tests.cast import Cast

from .purse import Purse

ORDER = ["plan", "bonus", "purchased"]
WHO: list[Any] = [UUID(int=1), UUID(int=2), None]  # two members, and a customer
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
    user: UUID | None = None
    delivered: int = 0


@dataclass
class Model:
    now: datetime
    lots: list[Lot] = field(default_factory=list)
    holds: dict[UUID, Hold] = field(default_factory=dict)
    charged: dict[UUID, tuple[int, int]] = field(default_factory=dict)
    debt: int = 0
    months: list[datetime] = field(default_factory=list)  # when each month of the plan begins
    rules: dict[UUID | None, Rule] = field(default_factory=dict)
    used: dict[tuple[UUID, int, int], int] = field(default_factory=dict)  # by member and month

    def copy(self) -> Model:
        return replace(
            self,
            lots=[replace(lot) for lot in self.lots],
            holds={turn: replace(hold) for turn, hold in self.holds.items()},
            charged=dict(self.charged),
            rules=dict(self.rules),
            used=dict(self.used),
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

    def find(self, source: str, reference: str) -> Any:
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

    def limit_of(self, user: UUID) -> int | None:
        own = self.rules.get(user)
        return (own if own and own.own else self.rules.get(None, Rule(True, None))).words

    def used_by(self, user: UUID) -> int:
        return self.used.get((user, self.now.year, self.now.month), 0)

    def room(self, user: UUID | None) -> int:
        """What the member may still ask for."""
        most = self.limit_of(user) if user else None
        if most is None:
            return 10**12
        return max(0, most - self.used_by(user) - sum(h.words for h in self.holds.values() if h.user == user))

    def limit(self, user: UUID | None, rule: Rule) -> Rule:
        before = self.rules.get(user, Rule(user is None, None))
        self.rules[user] = Rule(user is None or rule.own, rule.words if user is None or rule.own else None)
        return before

    def reserve(self, turn: UUID, words: int, until: datetime, user: UUID | None) -> tuple[bool, int]:
        if turn in self.holds:
            self.holds[turn].until = max(self.holds[turn].until, until)
            return True, self.holds[turn].words
        if turn in self.charged:
            return True, 0
        if words > min(self.free, self.room(user)):
            return False, 0
        self.holds[turn] = Hold(words, until, user)
        return True, words

    def extend(self, turn: UUID, words: int) -> tuple[bool, int]:
        if turn not in self.holds:
            return False, 0
        hold = self.holds[turn]
        hold.words += max(0, min(words - hold.words, self.free, self.room(hold.user)))
        return hold.words >= words, hold.words

    def settle(self, turn: UUID, words: int) -> tuple[int, int]:
        if turn not in self.charged:
            hold = self.holds.pop(turn, None)
            paid = min(words, hold.words if hold else self.free)
            self.spend(paid)
            self.charged[turn] = paid, words - paid
            if hold and hold.user:
                key = hold.user, self.now.year, self.now.month
                self.used[key] = self.used.get(key, 0) + paid
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


# How often each deed is tried; left to itself, the search plays with grants and hardly ever pays a reply.
DEEDS = (
    ["reserve", "settle"] * 4
    + ["pass_hours", "grant", "lease", "limit"] * 2
    + ["again", "extend", "release", "reap", "refund", "reverse", "expire", "begin", "pass_weeks", "fold"]
)


class TheLedger(RuleBasedStateMachine):
    cast: Cast

    @initialize()
    def founded(self) -> None:
        self.purse = Purse(self.cast)
        self.model = Model(self.purse.now)
        self.turns: list[UUID] = []
        self.users: dict[UUID, UUID | None] = {}
        self.lots: list[tuple[str, str]] = []
        self.looked = True
        for words, hours in ((300, 4), (401, 9), (602, 12)):
            self.grant(words, hours, 0)

    def both(self, verb: Callable[[], Any], model: Callable[[Model], Any]) -> None:
        """The same deed in both; when it is rolled back, it happened in neither, whatever it answered."""
        tried = self.model.copy()
        tried.fall_due()
        expected = model(tried)
        with self.purse.open(), transaction.atomic():
            answer = verb()
            transaction.set_rollback(self.rolled_back)
        if not self.rolled_back:
            self.model = tried
        assert answer == expected, (answer, expected)

    # --- deeds -------------------------------------------------------------------------------------

    @rule(
        deed=st.sampled_from(DEEDS),
        words=st.integers(0, 500),
        hours=st.integers(0, 12),
        recent=st.sampled_from([0, 0, 0, 1, 1, 2]),
        rolled_back=st.sampled_from([False] * 7 + [True]),
    )
    def step(self, deed: str, words: int, hours: int, recent: int, rolled_back: bool) -> None:
        """`recent`: which of the last turns or lots; older ones have mostly ended."""
        self.rolled_back = rolled_back
        getattr(self, deed)(words, hours, recent)

    def reserve(self, words: int, hours: int, recent: int) -> None:
        self.turns.append(uuid4())
        self.users[self.turns[-1]] = WHO[words % 3]
        self.again(words, hours, 0)

    def again(self, words: int, hours: int, recent: int) -> None:
        turn, words, lease = self.turn(recent), words + 1, hours * HOUR - HALF
        user = self.users.get(turn)
        self.both(
            lambda: (lambda r: (r.granted, r.held))(ledger.reserve(turn, words, lease=lease, user=user)),
            lambda model: model.reserve(turn, words, model.now + lease, user),
        )

    def limit(self, words: int, hours: int, recent: int) -> None:
        """Of a member or (None) of everybody: so many words, none of their own, or no limit."""
        user, rule = WHO[recent], Rule(words % 4 > 0, words if words % 4 > 1 else None)
        self.both(lambda: ledger.limit(user, rule), lambda model: model.limit(user, rule))

    def fold(self, words: int, hours: int, recent: int) -> None:
        with self.purse.open():
            reports.fold(words % 7 + 1)

    def extend(self, words: int, hours: int, recent: int) -> None:
        turn = self.turn(recent)
        self.both(
            lambda: (lambda r: (r.granted, r.held))(ledger.extend(turn, words)),
            lambda model: model.extend(turn, words),
        )

    def settle(self, words: int, hours: int, recent: int) -> None:
        turn = self.turn(recent)
        self.both(
            lambda: (lambda s: (s.charged, s.written_off))(ledger.settle(turn, words)),
            lambda model: model.settle(turn, words),
        )

    def release(self, words: int, hours: int, recent: int) -> None:
        turn = self.turn(recent)

        def in_model(model: Model) -> int:
            model.holds.pop(turn, None)
            return model.free

        self.both(lambda: ledger.release(turn), in_model)

    def lease(self, words: int, hours: int, recent: int) -> None:
        turn, lease = self.turn(recent), hours * HOUR - HALF

        def in_model(model: Model) -> int:
            if hold := model.holds.get(turn):
                hold.delivered = max(hold.delivered, words)
                hold.until = max(hold.until, model.now + lease)
            return int(turn in model.holds)

        self.both(lambda: ledger.lease({turn: words}, lease=lease), in_model)

    def reap(self, words: int, hours: int, recent: int) -> None:
        self.both(ledger.reap, Model.reap)

    def grant(self, words: int, hours: int, recent: int) -> None:
        lot = ORDER[words % 3], f"payment {words % 20}"
        expires = None if hours == 12 else self.model.now + 3 * hours * HOUR - HALF

        def in_model(model: Model) -> bool:
            if model.find(*lot):
                return False
            model.add(*lot, words + 1, expires)
            model.fall_due()
            return True

        self.rolled_back = False
        self.both(lambda: ledger.grant(*lot, words + 1, expires_at=expires, by="system").granted, in_model)
        self.lots.append(lot)

    def refund(self, words: int, hours: int, recent: int) -> None:
        lot = self.lots[-1 - recent % len(self.lots)]
        self.both(
            lambda: ledger.refund(*lot, words, by="system").words,
            lambda model: model.refund(model.find(*lot), words),
        )

    def reverse(self, words: int, hours: int, recent: int) -> None:
        lot = self.lots[-1 - recent % len(self.lots)]

        def in_model(model: Model) -> tuple[int, int]:
            reversed_ = model.reverse(model.find(*lot), words)
            model.fall_due()
            return reversed_, model.debt

        self.both(lambda: (lambda t: (t.words, t.debt))(ledger.reverse(*lot, words, by="system")), in_model)

    def begin(self, words: int, hours: int, recent: int) -> None:
        if self.model.months:
            return
        with self.purse.open():
            ledger.begin("free", 500)
        ((start,),) = self.purse.rows("SELECT started_at FROM billing_subscription")
        self.model.fall_due()
        self.model.months = [month(start, number) for number in range(60)]
        self.model.now = max(self.model.now, start)
        self.model.fall_due()

    def pass_hours(self, words: int, hours: int, recent: int) -> None:
        """Nobody looks at the balance now, so that the next verb is the first to meet the new time."""
        self.purse.passes(hours=hours)
        self.model.now += hours * HOUR
        self.looked = False

    def pass_weeks(self, words: int, hours: int, recent: int) -> None:
        self.pass_hours(words, 24 * 7 * (hours % 6), recent)

    def expire(self, words: int, hours: int, recent: int) -> None:
        self.both(ledger.expire, lambda model: model.free)

    def turn(self, recent: int) -> UUID:
        """One that was reserved, or one of which nobody has heard."""
        return self.turns[-1 - recent] if recent < len(self.turns) else uuid4()

    # --- what must hold ----------------------------------------------------------------------------

    @invariant()
    def agree(self) -> None:
        looked, self.looked = self.looked, True
        if not looked:
            return
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
        with self.purse.open():
            members = queries.member_words(WHO[:2])
        assert {user: (one.limit, one.used) for user, one in members.items()} == {
            user: (expected.limit_of(user), expected.used_by(user)) for user in WHO[:2]
        }
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
