"""The verbs of the ledger. Each is one function of the database and one round trip; see `docs/ledger.md`.

They work in the open workspace, lock its wallet until the transaction ends, and may be repeated at any time.
`settle` is the last statement of the transaction that stores the reply.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext as _
from psycopg.types.json import Jsonb

from staffroom.core.errors import StaffroomError
from staffroom.core.scope import current_workspace_id
from staffroom.core.sentences import part
from staffroom.workspaces.members import By, Member

LEASE = timedelta(hours=1)


class OutOfWords(StaffroomError):
    """`words_left` is in `extra`: what is free, and less than what was asked for."""

    code, status, title = "out_of_words", 402, "Out of words"

    def default_sentence(self) -> str:
        return _("There are not enough words left for this. Top up the balance, then send it again.")


class MemberLimitReached(StaffroomError):
    code, status, title = "member_limit_reached", 402, "The member's words of this month are used up"

    def default_sentence(self) -> str:
        return _("Your words of this month are used up. The owner or an admin can raise the limit.")


@dataclass(frozen=True, slots=True)
class Reservation:
    """`held` words are promised to the turn; 0 with `granted` means that the turn had been settled before.

    `member_left`: what the member who asks may still use this month; None where that is not limited.
    """

    granted: bool
    held: int
    words_left: int
    member_left: int | None = None

    def require(self) -> Reservation:
        if self.granted:
            return self
        if self.member_left is not None and self.member_left < self.words_left:
            raise MemberLimitReached
        raise OutOfWords(words_left=self.words_left)


@dataclass(frozen=True, slots=True)
class Settlement:
    """`written_off` words were delivered beyond what was held: nobody pays them."""

    charged: int
    written_off: int
    words_left: int


@dataclass(frozen=True, slots=True)
class Grant:
    """`granted` is false when these words had been granted before."""

    granted: bool
    lot: UUID
    words_left: int


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Of the lot, altogether; `debt` is what the whole workspace owes now."""

    words: int
    debt: int
    words_left: int


@part
def reserve(
    turn: UUID,
    words: int,
    *,
    lease: timedelta = LEASE,
    employee: UUID | None = None,
    chat: UUID | None = None,
    user: UUID | None = None,
) -> Reservation:
    """Promise `words` to the turn, all or none; again: renew its lease. Raises nothing when there are too few."""
    return Reservation(
        *_row("ledger_reserve(%s, %s, %s, %s, %s, %s)", turn, words, lease, employee, chat, user)
    )


@part
def extend(turn: UUID, words: int) -> Reservation:
    """Raise the hold to `words` altogether, or as far as words are there."""
    return Reservation(*_row("ledger_extend(%s, %s)", turn, words))


@dataclass(frozen=True, slots=True)
class Rule:
    """How many words a month; None is no limit. Without one of their `own`, everybody's counts for a member."""

    own: bool
    words: int | None


@part
def limit(user: UUID | None, rule: Rule) -> Rule:
    """Limit a member, or (None) everybody who has no rule of their own; the rule that stood there before."""
    return Rule(*_row("ledger_limit(%s, %s, %s)", user, rule.own, rule.words))


@part
def lease(delivered: dict[UUID, int], *, lease: timedelta = LEASE) -> int:
    """Note how many words each turn has cost so far, and renew its lease; how many holds are alive."""
    return int(_row("ledger_lease(%s, %s, %s)", list(delivered), list(delivered.values()), lease)[0])


@part
def settle(turn: UUID, words: int, details: dict[str, Any] | None = None) -> Settlement:
    """Charge what the reply did cost, once, and free the rest of its hold. `details` is the breakdown."""
    return Settlement(*_row("ledger_settle(%s, %s, %s)", turn, words, Jsonb(details or {})))


@part
def release(turn: UUID) -> int:
    """Give the hold back uncharged; the words that are left now."""
    return int(_row("ledger_release(%s)", turn)[1])


@part
def grant(
    source: str,
    reference: str,
    words: int,
    *,
    by: By,
    expires_at: datetime | None = None,
    reason: str = "",
) -> Grant:
    """Add words, once for each source and reference. What is owed is paid from them first."""
    return Grant(
        *_row(
            "ledger_grant(%s, %s, %s, %s, %s, %s)",
            source, reference, words, expires_at, reason, Jsonb(_who(by)),
        )
    )  # fmt: skip


@part
def begin(plan: str, words: int) -> int:
    """Start a plan that brings `words` now and every month; the words that are left."""
    return int(_row("ledger_begin(%s, %s)", plan, words)[0])


@part
def begin_offered(plan: str) -> None:
    """As `begin`, with the words that the catalogue gives to the plan; nothing where it gives none."""
    current_workspace_id()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_begin(code, words) FROM billing_plan WHERE code = %s AND words > 0", [plan]
        )


@dataclass(frozen=True, slots=True)
class Month:
    """Of a plan, brought by one payment; `granted` is false when it had been brought before."""

    granted: bool
    lot: UUID
    words_left: int
    starts: datetime | None
    ends: datetime


@part
def subscribe(plan: str, words: int, reference: str, *, by: By, reason: str = "") -> Month:
    """A month of a plan, once for each reference. The running plan is prolonged, another one begins now."""
    return Month(
        *_row("ledger_subscribe(%s, %s, %s, %s, %s)", plan, words, reference, reason, Jsonb(_who(by)))
    )


@part
def replan() -> None:
    """After money went back or came back: the newest month that is paid for is the one that runs."""
    _row("ledger_replan()")


@part
def refund(source: str, reference: str, words: int, *, by: By, reason: str = "") -> TakenBack:
    """Take unused words of a grant back, up to `words` altogether; never more than are left of it."""
    return TakenBack(
        *_row("ledger_refund(%s, %s, %s, %s, %s)", source, reference, words, reason, Jsonb(_who(by)))
    )


@part
def reverse(source: str, reference: str, words: int, *, by: By, reason: str = "") -> TakenBack:
    """Make `words` altogether the part of a grant that was taken back: more, less or again the same.

    What the grant has paid for already is taken from other words, and the rest becomes a debt.
    """
    return TakenBack(
        *_row("ledger_reverse(%s, %s, %s, %s, %s)", source, reference, words, reason, Jsonb(_who(by)))
    )


@part
def expire() -> int:
    """Let go what is past its time and begin the plan's next month; the words that are left."""
    return int(_row("ledger_expire()")[0])


@part
def reap() -> tuple[int, int]:
    """End holds whose lease ran out: how many were settled by what was delivered, how many released."""
    settled, released = _row("ledger_reap()")
    return settled, released


def _row(call: str, *values: Any) -> tuple[Any, ...]:
    current_workspace_id()  # a forgotten scope shows here, with a name
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {call}", values)  # noqa: S608 - a constant of this module
        row: tuple[Any, ...] = cursor.fetchone()
    return row


def _who(by: By) -> dict[str, Any]:
    return {"by": by.as_actor if isinstance(by, Member) else {"system": by}}
