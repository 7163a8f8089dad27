"""Chats, messages and their streams by API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from ninja import Field, Query, Router, Schema

from staffroom.api.doors import answer, route
from staffroom.api.shapes import In, PageOf, Paging, Problem
from staffroom.core.answers import Unreachable, named, problem
from staffroom.core.bus import Subscription
from staffroom.core.durable import Lost
from staffroom.core.errors import NotHere
from staffroom.core.pools import GONE
from staffroom.core.scope import workspace_scope
from staffroom.core.server import Later
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

from . import arrivals, conversations, queries, takeovers
from .arrivals import Arrival
from .failures import EmployeePaused
from .streams import shown, streams
from .watching import Event, Position, Watch

router = Router(tags=["chats"])


class Employee(Schema):
    id: str | None
    name: str


class Customer(Schema):
    name: str
    external_id: str


class Chat(Schema):
    id: str
    employee: Employee
    channel: str
    customer: Customer
    state: Literal["open", "closed"]
    paused_until: datetime | None
    last_message: str
    last_author: str
    last_message_at: datetime
    created_at: datetime


class Citation(Schema):
    passage: str
    source: str
    title: str
    heading: str
    number: int


class Message(Schema):
    """`words` is what a reply has cost; `cut` says why it ended before its end."""

    id: str
    number: int
    author: Literal["customer", "employee", "manager"]
    name: str
    text: str
    created_at: datetime
    words: int | None = None
    price: dict[str, Any] | None = None
    citations: list[Citation] | None = None
    model: str = ""
    cut: str = ""


class Messages(Schema):
    messages: list[Message]


class Paused(Schema):
    paused_until: datetime


class NewCustomer(In):
    name: Annotated[str, Field(max_length=1000)] = ""
    external_id: Annotated[str, Field(max_length=200)] = ""


class NewChat(In):
    employee: UUID
    customer: NewCustomer = NewCustomer()
    test: bool = False


class NewMessage(In):
    """`external_id`: the channel's own name of the message; the same one again is the same message."""

    text: str
    speaker: Literal["customer", "manager"] = Field("customer", alias="as")
    external_id: str | None = Field(None, min_length=1, max_length=200)


@router.get("{ctx:ctx}/chats", response=PageOf[Chat], summary="List chats, latest message first")
@route(May.WORK)
def chats(request: Any, member: Member, paging: Query[Paging], employee: UUID | None = None) -> Any:
    page = queries.chats(member, paging.limit, paging.cursor, employee_id=employee)
    return {"items": [_chat(row) for row in page.items], "next": page.next}


@router.post("{ctx:ctx}/chats", response={201: Chat}, summary="Start a chat")
@route(May.WORK)
def start(request: Any, member: Member, new: NewChat) -> Any:
    chat = conversations.start(
        new.employee,
        by=member,
        channel="test" if new.test else "api",
        customer_name=new.customer.name,
        external_id=new.customer.external_id,
    )
    return answer(_chat(queries.row(member, chat.id)), 201)


@router.get("{ctx:ctx}/chats/{uuid:chat_id}", response=Chat, summary="Read a chat")
@route(May.WORK)
def chat(request: Any, member: Member, chat_id: UUID) -> Any:
    return _chat(queries.row(member, chat_id))


@router.delete("{ctx:ctx}/chats/{uuid:chat_id}", response={204: None}, summary="Delete a chat")
@route(May.WORK)
def delete(request: Any, member: Member, chat_id: UUID) -> Any:
    conversations.delete(queries.chat(member, chat_id), by=member)


@router.get(
    "{ctx:ctx}/chats/{uuid:chat_id}/messages", response=PageOf[Message], summary="List messages, oldest first"
)
@route(May.WORK)
def messages(request: Any, member: Member, chat_id: UUID, paging: Query[Paging]) -> Any:
    queries.row(member, chat_id)
    return queries.messages(member, chat_id, paging.limit, paging.cursor)


def again(request: Any, member: Member, first: dict[str, Any], chat_id: UUID, new: NewMessage) -> Any:
    """The same message with the same Idempotency-Key: its reply, as it is by now."""
    if "problem" in first:
        return HttpResponse(
            msgspec.json.encode(first["problem"]),
            status=first["status"],
            content_type="application/problem+json",
        )
    with workspace_scope(member.workspace_id):
        queries.row(member, chat_id)
    told = Event("message", first["message"], first["position"])
    watch = Watch(Position(first["message"]["number"]), only=first["turn"])
    return _followed(request, member, chat_id, watch, told)


@router.post(
    "{ctx:ctx}/chats/{uuid:chat_id}/messages",
    response={200: Messages, 402: Problem, 409: Problem, 502: Problem},
    summary="Say something",
)
@route(May.WORK, replay=again, apart=True)
def say(request: Any, member: Member, chat_id: UUID, new: NewMessage) -> Any:
    """As the customer; the answer comes when the reply is complete, or as a stream of server-sent events with
    `Accept: text/event-stream`: `message`, `delta`…, `done` or `error`. `restart` takes back what was told so
    far (the reply is written anew after a crash). As `manager`, as oneself: that pauses the employee.
    With 402 and 409 the message was kept."""
    if new.speaker == "manager":
        with workspace_scope(member.workspace_id):
            written = takeovers.write(chat_id, new.text, by=member, external_id=new.external_id)
        return {"messages": [_message(written.message, written, "manager")]}
    subscription = streams.subscribe(chat_id)  # before the commit: the first words cannot be missed
    if connection.in_atomic_block:  # the answer is kept for the same Idempotency-Key, in the same transaction
        promise = streams.disk.promise()
        with workspace_scope(member.workspace_id):
            arrival = arrivals.receive(
                chat_id, new.text, by=member, external_id=new.external_id, lazy=promise is not None
            )
        return _told(request, member, chat_id, arrival, subscription, promise)
    one = arrivals.incoming(chat_id, new.text, by=member, external_id=new.external_id)

    async def received() -> HttpResponseBase:
        try:
            arrival = await streams.desk.receive(member.workspace_id, one)
        except (*GONE, Lost):
            return problem(Unreachable())
        except Exception as error:
            return problem(named(error))
        return _told(request, member, chat_id, arrival, subscription)

    return Later(received)


def _told(
    request: Any,
    member: Member,
    chat_id: UUID,
    arrival: Arrival,
    subscription: Subscription,
    promise: int | None = None,
) -> Any:
    message = _message(arrival.message, arrival, "customer")
    if arrival.turn is None:
        return _refused(arrival, message)
    watch = Watch(Position(arrival.number), only=arrival.turn.hex)
    if arrival.fresh:
        watch.expect_nothing_stored()
    told = Event("message", message, str(Position(arrival.number)))
    response = _followed(request, member, chat_id, watch, told, subscription, promise)
    response.first = {"message": message, "turn": arrival.turn.hex, "position": told.position}
    return response


@router.get("{ctx:ctx}/chats/{uuid:chat_id}/events", response={200: None}, summary="Follow a chat")
@route(May.WORK)
def events(request: Any, member: Member, chat_id: UUID, after: str = "") -> Any:
    """Server-sent events: `message` (of customers and managers), `delta`, `restart`, `done`, `error`, and `state`
    when something else has changed (a pause). Without
    `Last-Event-ID` (or `after`: the same as a parameter, or the number of a message) it begins now, with a reply
    in the making from its beginning."""
    return event_stream(request, member, chat_id, after)


def event_stream(request: Any, member: Member, chat_id: UUID, after: str = "") -> StreamingHttpResponse:
    """Also the page's own stream."""
    queries.row(member, chat_id)
    position = Position.of(request.headers.get("Last-Event-ID") or after)
    return _streaming(streams.chat(member, chat_id, position, streams.subscribe(chat_id)))


@router.post("{ctx:ctx}/chats/{uuid:chat_id}/pause", response=Paused, summary="Pause the employee in a chat")
@route(May.WORK)
def pause(request: Any, member: Member, chat_id: UUID) -> Any:
    """A reply that is being written is withdrawn. The employee resumes after 15 quiet minutes."""
    return {"paused_until": takeovers.pause(chat_id, by=member)}


@router.delete(
    "{ctx:ctx}/chats/{uuid:chat_id}/pause", response={204: None}, summary="Let the employee answer again"
)
@route(May.WORK)
def resume(request: Any, member: Member, chat_id: UUID) -> Any:
    takeovers.resume(chat_id, by=member)


def _followed(
    request: Any,
    member: Member,
    chat_id: UUID,
    watch: Watch,
    told: Event,
    subscription: Subscription | None = None,
    promise: int | None = None,
) -> Any:
    subscription = subscription or streams.subscribe(chat_id)
    if "text/event-stream" in request.headers.get("Accept", ""):
        return _streaming(streams.turn(member, chat_id, watch, subscription, told, promise))

    async def complete() -> HttpResponse:
        try:
            await streams.disk.kept(promise)
            end = await streams.reply(member, chat_id, watch, subscription)
        except Lost:
            return problem(Unreachable())
        except NotHere as gone:  # deleted meanwhile, or not ours to see any more
            return problem(gone)
        if end.name == "done":
            return answer({"messages": [told.data, shown("done", end.data)]})
        return _problem({**end.data, "message": told.data})

    return Later(complete)


def _streaming(parts: Any) -> StreamingHttpResponse:
    response = StreamingHttpResponse(parts, content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


def _refused(arrival: Arrival, message: dict[str, Any]) -> HttpResponse:
    """Nobody answers, but the message is there: nothing is rolled back."""
    refusal = arrival.refusal or EmployeePaused()
    refusal.extra["message"] = message
    response = problem(refusal)
    response.first = {"problem": msgspec.json.decode(response.content), "status": response.status_code}  # type: ignore[attr-defined]
    return response


def _problem(body: dict[str, Any]) -> HttpResponse:
    return HttpResponse(
        msgspec.json.encode(body), status=body["status"], content_type="application/problem+json"
    )


def _message(id_: UUID | None, said: Any, author: str) -> dict[str, Any]:
    return {
        "id": id_,
        "number": said.number,
        "author": author,
        "name": said.name,
        "text": said.text,
        "created_at": said.at,
        "words": None,
        "price": None,
        "citations": None,
        "model": "",
        "cut": "",
    }


def _chat(row: queries.Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "employee": {"id": row.employee_id, "name": row.employee_name},
        "channel": row.channel,
        "customer": {"name": row.customer_name, "external_id": row.external_id},
        "state": row.state,
        "paused_until": row.paused_until,
        "last_message": row.last_line,
        "last_author": row.last_author,
        "last_message_at": row.last_message_at,
        "created_at": row.created_at,
    }
