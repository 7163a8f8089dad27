"""Why there is no reply, or only the beginning of one: a stable word, a status, a sentence for a person."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from staffroom.billing.ledger import MemberLimitReached
from staffroom.billing.limits import next_month
from staffroom.core.errors import Conflict, StaffroomError
from staffroom.employees.minds.failures import FAILURES

OUT_OF_WORDS = "out_of_words"
MEMBER_LIMIT = "member_limit_reached"
EMPLOYEE_OFF = "employee_off"
INTERRUPTED = "interrupted"
TAKEN_OVER = "taken_over"
CHAT_GONE = "chat_gone"


class EmployeePaused(Conflict):
    """The customer's message was kept; a person answers."""

    code, title = "employee_paused", "A person has taken over"

    def default_sentence(self) -> str:
        return _(
            "A person has taken over this chat, so the AI employee keeps quiet. The message was kept for them."
        )


class EmployeeOff(Conflict):
    code, title = EMPLOYEE_OFF, "This AI employee is switched off"

    def default_sentence(self) -> str:
        return _("This AI employee is switched off. The message was kept; nobody answers it until then.")


class TakenOver(Conflict):
    code, title = TAKEN_OVER, "A person has taken over"

    def default_sentence(self) -> str:
        return _(
            "A person has taken over this chat, so the AI employee's reply was withdrawn. It cost nothing."
        )


class ChatGone(StaffroomError):
    code, status, title = CHAT_GONE, 404, "This chat was deleted"

    def default_sentence(self) -> str:
        return _("This chat was deleted while the reply was being written. It cost nothing.")


class NoReply(StaffroomError):
    """The model failed before its first word: nothing was charged."""

    code, status, title = "model_failed", 502, "The AI employee could not answer"


class OutOfWordsNow(StaffroomError):
    code, status, title = OUT_OF_WORDS, 402, "Out of words"

    def default_sentence(self) -> str:
        return _("There are not enough words left for this. Top up the balance, then ask again.")


class MemberLimitNow(MemberLimitReached):
    """`words` are what the member has in a month; None where only the reply's turn remembers it."""

    def __init__(self, words: int | None = None) -> None:
        self.words = words
        super().__init__()

    def default_sentence(self) -> str:
        if self.words is None:
            return _(
                "Your words of this month are used up. New ones come on %(day)s; the owner or an admin can raise the"
                " limit."
            ) % {"day": _day(next_month())}
        return _(
            "Your %(words)s words of this month are used up. The message was kept. New ones come on %(day)s; the"
            " owner or an admin can raise the limit."
        ) % {"words": f"{self.words:,}", "day": _day(next_month())}


def _day(day: date) -> str:
    return date_format(day, "j F")


def error(state: str, failure: str) -> StaffroomError:
    """What a turn that ended without a reply answers."""
    if failure == CHAT_GONE:
        return ChatGone()
    if state == "cancelled":
        return TakenOver()
    if failure == OUT_OF_WORDS:
        return OutOfWordsNow()
    if failure == MEMBER_LIMIT:
        return MemberLimitNow()
    if failure == EMPLOYEE_OFF:
        return EmployeeOff()
    found = NoReply(sentence(failure))
    found.code = failure or NoReply.code
    return found


def sentence(failure: str) -> str:
    if failure in FAILURES:
        return str(FAILURES[failure][0])
    if failure == OUT_OF_WORDS:
        return _("The words ran out here. After a top-up, ask for the rest.")
    if failure == MEMBER_LIMIT:
        return _(
            "A member's words of the month ran out here. Next month, or with a higher limit, ask for the rest."
        )
    if failure == INTERRUPTED:
        return _("The reply was interrupted several times. Please ask again.")
    return _("The AI employee could not answer. Please ask again in a moment.")


def problem(state: str, failure: str) -> dict[str, Any]:
    """As a problem document (RFC 9457)."""
    found = error(state, failure)
    return {
        "type": f"urn:staffroom:problem:{found.code}",
        "title": found.title,
        "status": found.status,
        "detail": str(found),
        "code": found.code,
    }
