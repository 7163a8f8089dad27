"""What is left, and buying more, by API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import connection
from django.http import HttpResponse
from django.utils.translation import gettext as _
from ninja import Query, Router, Schema
from pydantic import Field

from staffroom.api.doors import answer, route
from staffroom.api.shapes import In, PageOf, Paging
from staffroom.core.answers import problem
from staffroom.core.errors import Forbidden, Invalid, StaffroomError
from staffroom.core.server import Later
from staffroom.employees import queries as employees
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

from . import gateways, limits, payments, plans, purchases, queries, reports
from .forms import cents
from .models import Payment

router = Router(tags=["balance"])


class Part(Schema):
    source: Literal["plan", "bonus", "purchased"]
    words: int
    expires_at: datetime | None


class Balance(Schema):
    words_left: int
    reserved: int
    parts: list[Part]
    plan: str | None


class WordsLimit(In):
    """Words a month for each member without a limit of their own; null: no limit."""

    words_limit: int | None


class WordsLimitNow(Schema):
    words_limit: int | None


@router.get(
    "o/{slug:slug}/words-limit", response=WordsLimitNow, tags=["members"], summary="Everybody's word limit"
)
@route(May.SEE_MEMBERS)
def words_limit(request: Any, member: Member) -> Any:
    return {"words_limit": queries.everybodys_limit()}


@router.put(
    "o/{slug:slug}/words-limit", response=WordsLimitNow, tags=["members"], summary="Limit everybody's words"
)
@route(May.SETTINGS)
def limit_everybody(request: Any, member: Member, new: WordsLimit) -> Any:
    """For each member without a limit of their own; `PATCH …/members/{user_id}` sets those."""
    limits.limit_everybody(new.words_limit, by=member)
    return {"words_limit": queries.everybodys_limit()}


@router.get("{ctx:ctx}/balance", response=Balance, summary="Words left")
@route(May.SEE_BALANCE)
def balance(request: Any, member: Member) -> Any:
    """Of this context; `reserved` words belong to replies that are being written. Members may see it too."""
    found = queries.balance()
    return {
        "words_left": found.words_left,
        "reserved": found.reserved,
        "parts": [
            {"source": part.source, "words": part.words, "expires_at": part.expires_at}
            for part in found.parts
        ],
        "plan": found.plan,
    }


class Usage(Schema):
    day: date | None = None
    employee: UUID | None = None
    member: UUID | None = None
    words: int
    bonus: int
    replies: int
    chats: int


class Charged(Schema):
    at: datetime
    employee: dict[str, Any] | None
    chat: UUID | None
    words: int
    parts: dict[str, Any]


class Span(Schema):
    """Days, both included; the last thirty where nothing is said."""

    from_: date | None = Field(None, alias="from")
    to: date | None = None
    by: Literal["day", "employee", "member"] = "day"

    @property
    def period(self) -> reports.Period:
        last = self.to or datetime.now(UTC).date()
        first = self.from_ or last - timedelta(days=29)
        if not timedelta(0) <= last - first <= timedelta(days=3660):
            raise Invalid({"from": [_("It must be before “to”, and not more than ten years.")]})
        return reports.Period(first, last)


class HiddenInOrganization(Forbidden):
    code, title = "hidden_in_organization", "Not shown in an organization"

    def default_sentence(self) -> str:
        return _("An organization's spending is shown as sums in Billing, never reply by reply.")


@router.get("{ctx:ctx}/usage", response=PageOf[Usage], tags=["billing"], summary="What was spent")
@route(May.BILLING)
def usage(request: Any, member: Member, span: Query[Span]) -> Any:
    """Sums `by` day, employee or member. Where a customer asked, `member` is null."""
    reports.fold()
    rows = [
        {
            span.by: None if one.key == reports.NOBODY else one.key,
            "words": one.words,
            "bonus": one.bonus,
            "replies": one.replies,
            "chats": one.chats,
        }
        for one in _READERS[span.by](span.period)
    ]
    return {"items": rows, "next": None}


_READERS: dict[str, Callable[[reports.Period], list[reports.Spent]]] = {
    "day": reports.by_day,
    "employee": reports.by_employee,
    "member": reports.by_member,
}


@router.get(
    "{ctx:ctx}/charges", response=PageOf[Charged], tags=["billing"], summary="Charges, reply by reply"
)
@route(May.SEE_BALANCE)
def charges(request: Any, member: Member, paging: Query[Paging]) -> Any:
    """Of the personal account, the newest first; hidden in organizations."""
    if not member.is_personal:
        raise HiddenInOrganization
    found = reports.charges(paging.cursor, paging.limit)
    names = employees.names([one.employee_id for one in found.items if one.employee_id])
    return {"items": [_charge(one, names) for one in found.items], "next": found.next}


def _charge(one: reports.Charge, names: dict[UUID, str]) -> dict[str, Any]:
    """`name` is null for an employee who is gone."""
    employee = {"id": one.employee_id, "name": names.get(one.employee_id)} if one.employee_id else None
    return {
        "at": one.at,
        "employee": employee,
        "chat": one.chat_id,
        "words": one.words,
        "parts": one.parts,
    }


class Money(Schema):
    amount: str
    currency: str


class Purchase(Schema):
    id: UUID
    status: Literal["pending", "paid", "failed", "cancelled"]
    what: Literal["plan", "words"]
    plan: str | None
    words: int
    price: Money
    refunded: Money
    gateway: str
    number: int | None
    created_at: datetime
    paid_at: datetime | None
    checkout_url: str | None


class NewPurchase(In):
    plan: str | None = None
    words: int | None = None
    amount: str | None = None
    gateway: str = ""


@router.get("{ctx:ctx}/purchases", response=PageOf[Purchase], tags=["billing"], summary="Purchases")
@route(May.BILLING)
def history(request: Any, member: Member, paging: Query[Paging]) -> Any:
    """The newest first."""
    found = queries.payments(paging.cursor, paging.limit)
    return {"items": [_purchase(one) for one in found.items], "next": found.next}


@router.get(
    "{ctx:ctx}/purchases/{uuid:purchase_id}", response=Purchase, tags=["billing"], summary="A purchase"
)
@route(May.BILLING)
def purchase(request: Any, member: Member, purchase_id: UUID) -> Any:
    return _purchase(queries.payment(purchase_id))


def again(request: Any, member: Member, first: dict[str, Any], new: NewPurchase) -> Any:
    """The same purchase with the same Idempotency-Key, as it is by now."""
    return _opened(request, member, UUID(first["purchase"]))


@router.post("{ctx:ctx}/purchases", response={201: Purchase}, tags=["billing"], summary="Buy")
@route(May.BILLING, replay=again)
def buy(request: Any, member: Member, new: NewPurchase) -> Any:
    """Exactly one of a `plan`, `words` of a package, or an `amount` such as `"25.00"`. One pays at `checkout_url`;
    the words come when the gateway has told that the money is there."""
    gateway = gateways.chosen(new.gateway)
    order = plans.order(plan=new.plan, words=new.words, amount=cents(new.amount))
    payment = payments.begin(order, gateway.name, by=member, numbered=gateway.numbered)
    response = _opened(request, member, payment.id)
    response.first = {"purchase": str(payment.id)}
    return response


def _opened(request: Any, member: Member, payment_id: UUID) -> Any:
    email = member.user_email

    def check_out() -> HttpResponse:
        try:
            made = purchases.check_out(member.workspace_id, payment_id, email=email, prefix=member.prefix)
        except payments.NotPayable:  # paid, or over, by now
            made = purchases.found(member.workspace_id, payment_id)
        except StaffroomError as error:
            return problem(error)
        finally:
            connection.close()
        return answer(_purchase(made), 201)

    async def complete() -> HttpResponse:
        return await sync_to_async(check_out, thread_sensitive=False)()

    promise = Later(complete)
    promise.status_code = 201
    return promise


def _purchase(one: Payment) -> dict[str, Any]:
    return {
        "id": one.id,
        "status": one.state,
        "what": one.what,
        "plan": one.plan or None,
        "words": one.words,
        "price": _money(one.amount, one.currency),
        "refunded": _money(one.refunded, one.currency),
        "gateway": one.gateway,
        "number": one.number,
        "created_at": one.created_at,
        "paid_at": one.paid_at,
        "checkout_url": (one.checkout_url or None) if one.state == Payment.PENDING else None,
    }


def _money(cents: int, currency: str) -> dict[str, str]:
    return {"amount": f"{cents // 100}.{cents % 100:02}", "currency": currency}
