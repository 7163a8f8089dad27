"""Buying, step by step: what is bought and what follows; the way to the gateway; what became of it; the receipt.

The gateway is asked after the transaction, while neither thread nor connection is held (`Later`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from staffroom.core.errors import Invalid, NotHere
from staffroom.core.server import Later
from staffroom.core.typed import tell
from staffroom.workspaces.doors import door
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

from .. import forms, gateways, payments, plans, purchases, queries
from ..gateways import GatewayDown
from ..models import Payment
from ..payments import NotPayable

ROWS = 50


@require_GET
@door(May.BILLING)
def history(request: HttpRequest, member: Member) -> HttpResponse:
    cursor = request.GET.get("cursor", "")
    shown = {"tab": "purchases", "page": queries.payments(cursor, ROWS), "cursor": cursor}
    return render(request, "billing/purchases.html", shown)


@require_http_methods(["GET", "POST"])
@door(May.BILLING)
def new(request: HttpRequest, member: Member) -> HttpResponse:
    """What is bought, what it costs and what follows, before one pays."""
    form = forms.Purchase(request.GET if request.method == "GET" else request.POST)
    try:
        order = plans.order(**form.wish)  # type: ignore[arg-type]
    except Invalid as wrong:
        tell(form, wrong)
        return _choose_again(request, form)
    if request.method == "GET":
        return _order(request, order)
    try:
        gateway = gateways.chosen(form.text("gateway"))
    except Invalid as wrong:
        tell(form, wrong)
        return _order(request, order, form, 422)
    payment = payments.begin(order, gateway.name, by=member, key=form.key, numbered=gateway.numbered)
    return _to_the_gateway(member, payment.id)


def _order(
    request: HttpRequest, order: plans.Order, form: forms.Purchase | None = None, status: int = 200
) -> HttpResponse:
    shown = {
        "order": order,
        "plan": plans.named(order.plan) if order.plan else None,
        "running": queries.plan(),
        "balance": queries.balance(),
        "payable": gateways.available(),
        "form_id": form.text("form_id") if form else uuid4(),
        "form": form,
    }
    return render(request, "billing/order.html", shown, status=status)


def _choose_again(request: HttpRequest, form: forms.Purchase) -> HttpResponse:
    shown = {"form": form, "plans": plans.offered(), "packages": plans.packages(), "running": queries.plan()}
    return render(request, "billing/choose.html", shown, status=422)


@require_GET
@door(May.BILLING)
def purchase(request: HttpRequest, member: Member, purchase_id: UUID) -> HttpResponse:
    """Also where the gateway sends the browser back to; that alone is no payment."""
    payment = queries.payment(purchase_id)
    back = "from" in request.GET and "cancelled" not in request.GET
    shown = {
        "payment": payment,
        "waiting": back and payment.state == Payment.PENDING,
        "payee": settings.INVOICES,
    }
    template = "billing/purchase.html#state" if "HX-Request" in request.headers else "billing/purchase.html"
    return render(request, template, shown)


@require_POST
@door(May.BILLING)
def checkout(request: HttpRequest, member: Member, purchase_id: UUID) -> HttpResponse:
    """Once more to the gateway, after it was down or the page was closed."""
    return _to_the_gateway(member, queries.payment(purchase_id).id)


@require_POST
@door(May.BILLING)
def cancellation(request: HttpRequest, member: Member, purchase_id: UUID) -> HttpResponse:
    payments.cancelled(purchase_id)
    messages.success(request, _("The purchase is cancelled. Nothing was paid."))
    return redirect(member.url("billing/purchases"))


@require_GET
@door(May.BILLING)
def receipt(request: HttpRequest, member: Member, purchase_id: UUID) -> HttpResponse:
    """To be printed: the invoice before it is paid, the receipt after."""
    payment = queries.payment(purchase_id)
    if payment.number is None:
        raise NotHere
    shown = {"payment": payment, "payee": settings.INVOICES, "address": settings.PUBLIC_URL}
    return render(request, "billing/receipt.html", shown)


def _for_tests(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Pages of the test gateway: not there where it is not."""

    def entered(request: HttpRequest, member: Member, test_purchase_id: UUID) -> HttpResponse:
        payment = queries.payment(test_purchase_id)
        if not settings.TEST_PAYMENTS or payment.gateway != "test":
            raise NotHere
        return view(request, member, payment)

    return entered


@require_GET
@door(May.BILLING)
@_for_tests
def test(request: HttpRequest, member: Member, payment: Payment) -> HttpResponse:
    return render(request, "billing/test.html", {"payment": payment})


@require_POST
@door(May.BILLING)
@_for_tests
def test_payment(request: HttpRequest, member: Member, payment: Payment) -> HttpResponse:
    payments.paid(payment.id, amount=payment.amount, currency=payment.currency, by=member)
    return redirect(member.url(f"billing/purchases/{payment.id}"))


@require_POST
@door(May.BILLING)
@_for_tests
def test_failure(request: HttpRequest, member: Member, payment: Payment) -> HttpResponse:
    payments.failed(payment.id)
    return redirect(member.url(f"billing/purchases/{payment.id}"))


def _to_the_gateway(member: Member, payment_id: UUID) -> HttpResponse:
    """The policy of our pages lets no form lead elsewhere, so the purchase's own page leads on."""
    here = member.url(f"billing/purchases/{payment_id}")

    def check_out() -> str:
        try:
            purchases.check_out(
                member.workspace_id, payment_id, email=member.user_email, prefix=member.prefix
            )
        except (GatewayDown, NotPayable) as refused:
            return f"{here}?down=1" if isinstance(refused, GatewayDown) else here
        finally:
            connection.close()
        return f"{here}?go=1"

    async def complete() -> Any:
        return redirect(await sync_to_async(check_out, thread_sensitive=False)())

    promise = Later(complete)
    promise.status_code = 302
    return promise
