"""The pages of chats.

`stream.js` asks for what is new (`messages?after=<number>`) whenever the chat's events say that there is something,
and shows the answer of every deed in the same way.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages as notices
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from staffroom.billing import alerts
from staffroom.core.errors import StaffroomError
from staffroom.core.lines import storable
from staffroom.employees import queries as employees
from staffroom.employees.settings import Settings
from staffroom.workspaces.doors import door
from staffroom.workspaces.members import Member
from staffroom.workspaces.permissions import May

from . import arrivals, conversations, inbox, queries, showing, takeovers, waiting
from .models import Chat


@require_GET
@door(May.WORK)
def chats(request: HttpRequest, member: Member) -> HttpResponse:
    staff = employees.employees(member, limit=200).items
    chosen = next((one for one in staff if str(one.id) == request.GET.get("employee")), None)
    page = inbox.rows(member, employee_id=chosen.id if chosen else None, cursor=request.GET.get("cursor"))
    of = {"employee": chosen.id} if chosen else {}
    shown = {
        "rows": [(row, member.may_delete(row.created_by_id)) for row in page.items],
        "staff": staff,
        "chosen": chosen,
        "waiting": len(waiting.chats()),
        "many": waiting.AT_ONCE,
        "left": alerts.left(),
        "first_url": "cursor" in request.GET and _list(member, of),
        "next_url": page.next and _list(member, {**of, "cursor": page.next}),
        "try_url": member.url(f"employees/{(chosen or staff[0]).id}") if staff else "",
    }
    return render(request, "chats/chats.html", shown)


@require_POST
@door(May.WORK)
def answers(request: HttpRequest, member: Member) -> HttpResponse:
    """To everybody who has waited for less than a day."""
    asked, left = waiting.answer(by=member)
    if asked:
        text = ngettext("%(number)s chat is being answered.", "%(number)s chats are being answered.", asked)
        notices.success(request, text % {"number": asked})
    if left:
        text = ngettext("%(number)s chat still waits: the words do not suffice.",
                        "%(number)s chats still wait: the words do not suffice.", left)  # fmt: skip
        notices.warning(request, text % {"number": left})
    return redirect(member.url("chats"))


@require_GET
@door(May.WORK)
def chat(request: HttpRequest, member: Member, chat_id: UUID) -> HttpResponse:
    return render(request, "chats/chat.html", _shown(member, chat_id))


@require_http_methods(["GET", "POST"])
@door(May.WORK)
def messages(request: HttpRequest, member: Member, chat_id: UUID) -> HttpResponse:
    """What is new; or something is said: as oneself, in a test chat as the customer, too."""
    chat = queries.chat(member, chat_id)
    if request.method == "POST":
        try:
            _say(request, member, chat)
        except StaffroomError as refused:
            return _refused(request, refused)
        if not _by_script(request):
            return redirect(member.url(f"chats/{chat_id}"))
    return _news(request, member, chat_id)


@require_GET
@door(May.WORK)
def history(request: HttpRequest, member: Member, chat_id: UUID) -> HttpResponse:
    """Messages before the oldest that is shown."""
    older = showing.older(member, chat_id, _number(request, "before"))
    shown = {"bubbles": older, "oldest": older[0].number if older else 1, "chat_id": chat_id}
    return render(request, "chats/talk.html#history", shown)


@require_POST
@door(May.WORK)
def reply(request: HttpRequest, member: Member, chat_id: UUID) -> HttpResponse:
    """Ask for an answer to what waits."""
    if inbox.row(member, chat_id).waits:
        arrivals.ask_again(chat_id, by=member)
    return _news(request, member, chat_id)


@require_http_methods(["POST", "DELETE"])
@door(May.WORK)
def pause(request: HttpRequest, member: Member, chat_id: UUID) -> HttpResponse:
    """POST: the employee keeps quiet. DELETE: it answers again."""
    if request.method == "POST":
        takeovers.pause(chat_id, by=member)
    else:
        takeovers.resume(chat_id, by=member)
    return _news(request, member, chat_id)


@require_POST
@door(May.WORK)
def deletion(request: HttpRequest, member: Member, chat_id: UUID) -> HttpResponse:
    conversations.delete(queries.chat(member, chat_id), by=member)
    notices.success(request, _("The chat is deleted."))
    return redirect(member.url("chats"))


@require_GET
@door(May.WORK)
def test(request: HttpRequest, member: Member, employee_id: UUID) -> HttpResponse:
    """The panel beside the employee: the person's last test chat, or (`?new`) an empty one."""
    employee = employees.employee(member, employee_id)
    chat_id = None if "new" in request.GET else queries.test_chat(member, employee_id)
    if chat_id:
        return render(request, "chats/talk.html#talk", {**_shown(member, chat_id), "panel": True})
    shown = {"panel": True, "employee": employee, "greeting": Settings.of(employee.settings).greeting}
    return render(request, "chats/talk.html#talk", shown)


@require_POST
@door(May.WORK)
def test_messages(request: HttpRequest, member: Member, employee_id: UUID) -> HttpResponse:
    """The first message begins the test chat."""
    employee = employees.employee(member, employee_id)
    try:
        arrivals.checked(request.POST.get("text", ""))
        chat = conversations.start(employee.id, by=member, channel=Chat.TEST)
        _say(request, member, chat)
    except StaffroomError as refused:
        return _refused(request, refused)
    if not _by_script(request):
        return redirect(member.url(f"chats/{chat.id}"))
    return render(request, "chats/talk.html#talk", {**_shown(member, chat.id), "panel": True})


def _say(request: HttpRequest, member: Member, chat: Chat) -> None:
    text, key = request.POST.get("text", ""), storable(request.POST.get("key", ""))[:200] or None
    if chat.channel == Chat.TEST and request.POST.get("as") == "customer":
        arrivals.receive(chat.id, text, by=member, name=member.user_name, external_id=key)
    else:
        takeovers.write(chat.id, text, by=member, external_id=key)


def _news(request: HttpRequest, member: Member, chat_id: UUID) -> HttpResponse:
    """What came after the number that is shown; all of it when that is too long ago."""
    after = _number(request, "after")
    shown = _shown(member, chat_id)
    talk: showing.Talk = shown["talk"]
    if talk.oldest > after + 1:
        return render(request, "chats/talk.html#talk", {**shown, "panel": "panel" in request.GET})
    shown["bubbles"] = [bubble for bubble in talk.bubbles if bubble.number > after]
    return render(request, "chats/talk.html#news", shown)


def _shown(member: Member, chat_id: UUID) -> dict[str, Any]:
    talk = showing.talk(member, chat_id)
    return {"talk": talk, "bubbles": talk.bubbles, "left": talk.left}


def _refused(request: HttpRequest, refused: StaffroomError) -> HttpResponse:
    return render(request, "chats/talk.html#refused", {"refused": refused}, status=refused.status)


def _by_script(request: HttpRequest) -> bool:
    return "HX-Request" in request.headers


def _number(request: HttpRequest, name: str) -> int:
    given = request.GET.get(name, "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else 0


def _list(member: Member, chosen: dict[str, Any]) -> str:
    return f"{member.url('chats')}?{urlencode(chosen)}"
