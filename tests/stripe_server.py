"""A small stateful stand-in of Stripe: Checkout, payment intents, saved cards, refunds, disputes, signed events.

It speaks Stripe's HTTP (form-encoded bodies, `Idempotency-Key`, its errors and objects), so the official client
talks to it. Events are collected in `events`; nothing is delivered before a test asks for it.

    with stripe_server.running() as stripe:
        ...                                    # STRIPE_API_BASE=stripe.url
        stripe.pay(session_id)                 # as the customer on Stripe's page, which GET stripe.url/pay/<id> shows
        body, signature = stripe.signed(event) # or stripe.deliver(event, url)
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

SECRET = "whsec_of_the_stand_in"
KEY = "sk_test_of_the_stand_in"


class Stripe:
    """What Stripe knows. `url` is its API and also the place of the page where one pays."""

    def __init__(self) -> None:
        self.url = ""
        self.webhook = ""  # where events go by themselves; empty: nowhere
        self.lock = threading.RLock()
        self.objects: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, tuple[bytes, int, dict[str, Any]]] = {}
        self.events: list[dict[str, Any]] = []
        self.calls: list[tuple[str, str]] = []
        self.down = False
        self.declines = False  # whether saved cards are refused

    # --- what the API does -----------------------------------------------------------------------

    def create(self, kind: str, given: dict[str, Any]) -> dict[str, Any]:
        return getattr(self, f"_create_{kind}")(given)

    def _create_customers(self, given: dict[str, Any]) -> dict[str, Any]:
        return self._new("cus", "customer", email=given.get("email"), metadata=given.get("metadata", {}))

    def _create_sessions(self, given: dict[str, Any]) -> dict[str, Any]:
        items = given["line_items"]
        total = sum(int(item["price_data"]["unit_amount"]) * int(item["quantity"]) for item in items.values())
        session = self._new(
            "cs_test", "checkout.session",
            amount_total=total, currency=items["0"]["price_data"]["currency"], mode=given["mode"],
            client_reference_id=given.get("client_reference_id"), customer=given.get("customer"),
            metadata=given.get("metadata", {}), payment_intent=None, payment_status="unpaid", status="open",
            success_url=given["success_url"], cancel_url=given.get("cancel_url"),
        )  # fmt: skip
        session["url"] = f"{self.url}/pay/{session['id']}"
        session["_intent"] = given.get("payment_intent_data", {})
        return session

    def _create_payment_intents(self, given: dict[str, Any]) -> dict[str, Any]:
        intent = self._intent(
            int(given["amount"]), given["currency"], given.get("metadata", {}),
            customer=given.get("customer"), payment_method=given.get("payment_method"),
        )  # fmt: skip
        if given.get("confirm") != "true":
            return intent
        if self.declines:
            intent["status"] = "requires_payment_method"
            self._tell("payment_intent.payment_failed", intent)
            raise Refused(
                402, "card_error", "Your card was declined.", code="card_declined", payment_intent=intent
            )
        self._succeed(intent)
        return intent

    def _create_refunds(self, given: dict[str, Any]) -> dict[str, Any]:
        intent = self.objects[given["payment_intent"]]
        charge = self.objects[intent["latest_charge"]]
        left = charge["amount"] - charge["amount_refunded"]
        amount = int(given.get("amount") or left)
        if amount > left:
            raise Refused(400, "invalid_request_error", "Refund amount is greater than unrefunded amount.")
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        refund = self._new(
            "re",
            "refund",
            amount=amount,
            charge=charge["id"],
            payment_intent=intent["id"],
            status="succeeded",
        )
        self._tell("charge.refunded", charge)
        return refund

    # --- what customers and banks do -------------------------------------------------------------

    def pay(self, session_id: str, *, amount: int | None = None, later: bool = False) -> dict[str, Any]:
        """The customer pays; `later`: by a way that takes days. `amount` is another one than was asked for."""
        with self.lock:
            session = self.objects[session_id]
            session["amount_total"] = amount or session["amount_total"]
            intent = self._intent(
                session["amount_total"], session["currency"], session["_intent"].get("metadata", {}),
                customer=session["customer"], payment_method=self._new("pm", "payment_method")["id"],
            )  # fmt: skip
            session |= {"payment_intent": intent["id"], "status": "complete"}
            session["payment_status"] = "unpaid" if later else "paid"
            self._tell("checkout.session.completed", session)
            if not later:
                self._succeed(intent)
            return session

    def arrive(self, session_id: str, *, succeeds: bool = True) -> None:
        """What was paid `later` comes, or does not."""
        with self.lock:
            session = self.objects[session_id]
            if succeeds:
                session["payment_status"] = "paid"
                self._succeed(self.objects[session["payment_intent"]])
            name = "succeeded" if succeeds else "failed"
            self._tell(f"checkout.session.async_payment_{name}", session)

    def expire(self, session_id: str) -> None:
        with self.lock:
            session = self.objects[session_id]
            session["status"] = "expired"
            self._tell("checkout.session.expired", session)

    def dispute(self, session_id: str, amount: int | None = None) -> dict[str, Any]:
        with self.lock:
            intent = self.objects[self.objects[session_id]["payment_intent"]]
            dispute = self._new(
                "dp", "dispute",
                amount=amount or intent["amount"], charge=intent["latest_charge"], payment_intent=intent["id"],
                status="needs_response", metadata={}, reason="fraudulent",
            )  # fmt: skip
            self._tell("charge.dispute.created", dispute)
            return dispute

    def close(self, dispute_id: str, *, won: bool) -> None:
        with self.lock:
            dispute = self.objects[dispute_id]
            dispute["status"] = "won" if won else "lost"
            self._tell("charge.dispute.closed", dispute)

    # --- events ----------------------------------------------------------------------------------

    def told(self, kind: str) -> dict[str, Any]:
        """The last event of a kind."""
        return next(event for event in reversed(self.events) if event["type"] == kind)

    def signed(
        self, event: dict[str, Any], *, secret: str = SECRET, at: float | None = None
    ) -> tuple[bytes, str]:
        """The body and the header that proves it."""
        body, stamp = json.dumps(event).encode(), int(at or time.time())
        proof = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        return body, f"t={stamp},v1={proof}"

    def deliver(self, event: dict[str, Any], url: str, **how: Any) -> int:
        """The status that the receiver answered."""
        body, signature = self.signed(event, **how)
        headers = {"Content-Type": "application/json", "Stripe-Signature": signature}
        request = urllib.request.Request(url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def _tell(self, kind: str, about: dict[str, Any]) -> None:
        shown = json.loads(json.dumps(_shown(about)))
        event = self._new(
            "evt", "event", type=kind, api_version="2026-01-01", livemode=False, data={"object": shown}
        )
        self.events.append(event)
        if self.webhook:
            threading.Thread(target=self._push, args=(event, self.webhook)).start()

    def _push(self, event: dict[str, Any], url: str) -> None:
        with contextlib.suppress(OSError):
            self.deliver(event, url)

    # --- objects ---------------------------------------------------------------------------------

    def _intent(self, amount: int, currency: str, metadata: dict[str, Any], **more: Any) -> dict[str, Any]:
        return self._new(
            "pi", "payment_intent",
            amount=amount, amount_received=0, currency=currency, metadata=dict(metadata), latest_charge=None,
            status="requires_confirmation", **more,
        )  # fmt: skip

    def _succeed(self, intent: dict[str, Any]) -> None:
        charge = self._new(
            "ch", "charge",
            amount=intent["amount"], amount_refunded=0, currency=intent["currency"], refunded=False,
            metadata=dict(intent["metadata"]), payment_intent=intent["id"], paid=True,
        )  # fmt: skip
        intent |= {"status": "succeeded", "amount_received": intent["amount"], "latest_charge": charge["id"]}
        self._tell("payment_intent.succeeded", intent)

    def _new(self, prefix: str, kind: str, **fields: Any) -> dict[str, Any]:
        made = {
            "id": f"{prefix}_{len(self.objects) + 1:06}",
            "object": kind,
            "created": int(time.time()),
            **fields,
        }
        self.objects[made["id"]] = made
        return made


class Refused(Exception):
    def __init__(self, status: int, kind: str, sentence: str, **more: Any) -> None:
        super().__init__(sentence)
        self.status = status
        self.body = {"error": {"type": kind, "message": sentence, **more}}


def _shown(thing: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in thing.items() if not key.startswith("_")}


def nested(body: str) -> dict[str, Any]:
    """`a[b][0]=c` → {"a": {"b": {"0": "c"}}}, as Stripe reads forms."""
    found: dict[str, Any] = {}
    for key, value in parse_qsl(body, keep_blank_values=True):
        first, *rest = re.findall(r"[^\[\]]+", key)
        place = found
        for one in [first, *rest][:-1]:
            place = place.setdefault(one, {})
        place[[first, *rest][-1]] = value
    return found


PAGE = """<!doctype html><title>Pay</title><h1>Pay {amount:.2f} {currency}</h1>
<form method="post"><button name="do" value="pay">Pay</button><button name="do" value="cancel">Cancel</button></form>"""


def _handler(stripe: Stripe) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.startswith("/pay/"):
                session = stripe.objects[self.path[5:]]
                amount, currency = session["amount_total"] / 100, session["currency"].upper()
                self._say(200, PAGE.format(amount=amount, currency=currency).encode(), "text/html")
                return
            found = stripe.objects.get(self.path.partition("?")[0].rpartition("/")[2])
            if found is None:
                self._json(404, {"error": {"type": "invalid_request_error", "message": "No such object."}})
            else:
                self._json(200, _shown(found))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            if self.path.startswith("/pay/"):
                self._on_the_page(self.path[5:], body)
                return
            stripe.calls.append(("POST", self.path))
            if stripe.down:
                self._json(503, {"error": {"type": "api_error", "message": "Down."}})
            elif self.headers.get("Authorization") != f"Bearer {KEY}":
                self._json(401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key."}})
            else:
                self._json(*self._once(body))

        def _once(self, body: str) -> tuple[int, dict[str, Any]]:
            """The same key with the same body: the same answer; with another body: refused."""
            key, digest = self.headers.get("Idempotency-Key", ""), f"{self.path}\n{body}".encode()
            with stripe.lock:
                if key in stripe.answers:
                    former, status, answer = stripe.answers[key]
                    if former != digest:
                        sentence = "Keys for idempotent requests can only be used with the same parameters."
                        return 400, {"error": {"type": "idempotency_error", "message": sentence}}
                    return status, answer
                try:
                    made = stripe.create(self.path.split("?")[0].rpartition("/")[2], nested(body))
                    status, answer = 200, _shown(made)
                except Refused as refused:
                    status, answer = refused.status, refused.body
                if key:
                    stripe.answers[key] = (digest, status, json.loads(json.dumps(answer)))
                return status, answer

        def _on_the_page(self, session_id: str, body: str) -> None:
            session = stripe.objects[session_id]
            if "do=pay" in body:
                stripe.pay(session_id)
            self._say(303, b"", "text/html", session["success_url" if "do=pay" in body else "cancel_url"])

        def _json(self, status: int, answer: dict[str, Any]) -> None:
            self._say(status, json.dumps(answer).encode(), "application/json")

        def _say(self, status: int, body: bytes, kind: str, to: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if to:
                self.send_header("Location", to)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    return Handler


@contextlib.contextmanager
def running() -> Iterator[Stripe]:
    stripe = Stripe()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(stripe))
    stripe.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stripe
    finally:
        server.shutdown()
        server.server_close()
