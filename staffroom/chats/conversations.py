"""Chats begin and are deleted."""

from __future__ import annotations

from uuid import UUID

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from staffroom.core.errors import Invalid
from staffroom.core.lines import one_line
from staffroom.core.sentences import part
from staffroom.employees.models import Employee
from staffroom.workspaces.members import By, Member
from staffroom.workspaces.permissions import RoleForbids

from . import takeovers
from .models import Chat


@part
def start(
    employee_id: UUID, *, by: By, channel: str = Chat.API, customer_name: str = "", external_id: str = ""
) -> Chat:
    name = one_line(customer_name)
    if len(name) > 80:
        raise Invalid({"customer.name": [_("Use at most %(longest)s characters.") % {"longest": 80}]})
    employee_name = Employee.objects.filter(id=employee_id).values_list("name", flat=True).first()
    if employee_name is None:
        raise Invalid({"employee": [_("There is no such AI employee here.")]})
    return Chat.objects.create(
        employee_id=employee_id,
        employee_name=employee_name,
        channel=channel,
        customer_name=name,
        external_id=external_id.replace("\0", "")[:200],
        created_by_id=by.user_id if isinstance(by, Member) else None,
        last_message_at=timezone.now(),
    )


@part
def delete(chat: Chat, *, by: Member) -> None:
    """With everything that was said. What was paid stays in the ledger."""
    if not by.may_delete(chat.created_by_id):
        raise RoleForbids
    takeovers.break_off(chat.id)
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM chats_chat WHERE workspace_id = %s AND id = %s", [chat.workspace_id, chat.id]
        )
