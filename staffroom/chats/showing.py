"""A conversation as a page shows it: messages as bubbles, what is in the making, and why nobody answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from staffroom.billing import alerts
from staffroom.billing import queries as billing
from staffroom.core import markdown, words
from staffroom.employees import catalogue
from staffroom.employees import queries as employees
from staffroom.employees.rates import price as in_words
from staffroom.employees.settings import Settings
from staffroom.workspaces import queries as workspaces
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

from . import briefs, failures, inbox, queries
from .queries import LastTurn, Said

AT_ONCE: Final = 50
"""Messages of a page; older ones are asked for."""

_PARTS: Final = {
    "message": gettext_lazy("Message"),
    "persona": gettext_lazy("Persona"),
    "history": gettext_lazy("Earlier messages"),
    "knowledge": gettext_lazy("Knowledge"),
    "reply": gettext_lazy("Reply"),
}


@dataclass(frozen=True, slots=True)
class Bubble:
    """`who` is customer, employee or person. `html` is there where the text was written as Markdown."""

    id: UUID
    number: int
    who: str
    name: str
    avatar: str
    at: datetime
    text: str
    html: SafeString | None
    price: dict[str, Any] | None
    citations: list[dict[str, str]]
    model: str
    cut: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Why nobody answers. `deed` is what a button offers: ask, switch, or nothing. `detail` is the provider's own."""

    kind: str
    title: str
    text: str
    deed: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Talk:
    row: inbox.Row
    bubbles: list[Bubble]
    whole: bool  # nothing is older than the first of the bubbles
    position: str  # where the stream goes on
    turn: str  # that is being written or waits for it, "" when there is none
    notice: Notice | None
    left: alerts.Left
    may_delete: bool

    @property
    def oldest(self) -> int:
        return self.bubbles[0].number if self.bubbles else 0


def talk(member: Member, chat_id: UUID) -> Talk:
    """The end of a conversation; the number of statements does not depend on its length."""
    row = inbox.row(member, chat_id)
    said = queries.latest(member, chat_id, AT_ONCE)
    # After the messages: a turn that ends between the two is told by the stream. The other way round, its reply
    # would be here and nobody would say that it is not being written any more.
    turns = queries.last_turns(member, chat_id)
    left = alerts.left()
    in_making = [turn for turn in turns if turn.state in ("queued", "running")]
    return Talk(
        row=row,
        bubbles=[bubble(member, one) for one in said],
        whole=not said or said[0].number == 1,
        position=queries.seen(said, turns),
        turn=in_making[-1].id.hex if in_making else "",
        notice=None if in_making else _notice(member, row, said, turns, left.words),
        left=left,
        may_delete=member.may_delete(row.created_by_id),
    )


def older(member: Member, chat_id: UUID, before: int) -> list[Bubble]:
    inbox.row(member, chat_id)
    return [bubble(member, one) for one in queries.latest(member, chat_id, AT_ONCE, before)]


def bubble(member: Member, said: Said) -> Bubble:
    by_employee = said.author == "employee"
    return Bubble(
        id=said.id,
        number=said.number,
        who="person" if said.author == "manager" else said.author,
        name=said.name or _("Customer"),
        avatar=said.avatar if said.author == "manager" else "",
        at=said.created_at,
        text=said.text,
        html=markdown.html(said.text) if by_employee else None,
        price=_price(said),
        citations=_citations(member, said.citations or []),
        model=catalogue.title(said.model) if said.model else "",
        cut=failures.sentence(said.cut) if said.cut else "",
    )


def _price(said: Said) -> dict[str, Any] | None:
    if said.words is None:
        return None
    details = said.price or {}
    parts = details.get("parts", {})
    rate = details.get("rate", 1)
    charged = ("reply",) if details.get("cut") else tuple(_PARTS)
    return {
        "words": said.words,
        "parts": [{"label": _PARTS[part], "words": parts[part]} for part in charged if parts.get(part)],
        "rate": f"{rate:g}" if rate != 1 else "",
    }


def _citations(member: Member, cited: list[dict[str, Any]]) -> list[dict[str, str]]:
    """One for each source, at the first of its passages that was used."""
    first: dict[str, dict[str, str]] = {}
    for one in cited:
        place = member.url(f"knowledge/{one['source']}#passage-{one['number']}")
        first.setdefault(one["source"], {"title": one["title"], "url": place})
    return list(first.values())


def _notice(
    member: Member, row: inbox.Row, said: Sequence[Said], turns: Sequence[LastTurn], left: int
) -> Notice | None:
    """What stands at the end of a conversation in which nothing is being written."""
    if said and said[-1].cut == failures.OUT_OF_WORDS:
        return out_of_words(member, "")
    if said and said[-1].cut == failures.MEMBER_LIMIT:
        return Notice("warning", _("The month’s words of a member ran out"), failures.sentence(said[-1].cut))
    waiting = [one for one in said if one.author == "customer" and one.number > row.answered]
    if not waiting or row.paused_until:
        return None
    if not row.active:
        return _nobody(row)
    failed = next((turn for turn in turns if turn.state == "failed" and turn.upto >= waiting[0].number), None)
    if failed and failed.failure not in _NOT_THE_MODEL:
        title = _("%(name)s could not answer") % {"name": row.employee_name}
        return Notice("danger", title, failures.sentence(failed.failure), "ask", failed.detail)
    if (failed and failed.failure == failures.OUT_OF_WORDS) or left < _needed(member, row, waiting):
        return out_of_words(member, "ask")
    if _is_limited(member, _needed(member, row, waiting)):
        return Notice(
            "warning", _("Your words of this month are used up"), str(failures.MemberLimitNow()), "ask"
        )
    return Notice("info", _("Not answered yet"), _("Nothing was charged for this message so far."), "ask")


_NOT_THE_MODEL = (failures.OUT_OF_WORDS, failures.MEMBER_LIMIT, failures.EMPLOYEE_OFF)


def _is_limited(member: Member, needed: int) -> bool:
    """Whether the one who looks would be refused, too: an answer that is asked for again counts for who asks."""
    if member.user_id is None:
        return False
    mine = billing.member_words([member.user_id])[member.user_id]
    return mine.limit is not None and mine.limit - mine.used < needed


def _nobody(row: inbox.Row) -> Notice:
    if row.active is None:
        return Notice(
            "warning",
            _("%(name)s does not work here any more") % {"name": row.employee_name},
            _("The message is kept. You can answer it yourself."),
        )
    return Notice(
        "warning",
        _("%(name)s is switched off") % {"name": row.employee_name},
        _("The message is kept, but nobody answers it. Switch the employee on, or answer it yourself."),
        "switch",
    )


def out_of_words(member: Member, deed: str) -> Notice:
    """What to do depends on who reads it."""
    if member.may(May.BILLING):
        text = _("The message is kept. Top up the balance, then ask again.")
    else:
        organization = workspaces.organization(member)
        text = _(
            "The message is kept. %(owner)s, the owner of %(organization)s, or an admin can top up; then ask again."
        ) % {"owner": organization.owner_name, "organization": organization.name}
    return Notice("warning", _("The words have run out"), text, deed)


def _needed(member: Member, row: inbox.Row, waiting: Sequence[Said]) -> int:
    """The words that a reply takes to begin."""
    if row.employee_id is None:
        return 0
    found = employees.employee(member, row.employee_id)
    who = briefs.Employee(
        found.name, found.persona, catalogue.actual(found.model), Settings.of(found.settings), knows=False
    )
    asked = sum(words.count(one.text) for one in waiting)
    today = datetime.now(UTC).date()
    least = briefs.estimate(who, today=today, message=asked, history=0, is_replying=False).least
    return in_words(least, who.model)
