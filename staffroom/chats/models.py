"""Conversations: chats, their messages, and the turns in which employees answer. See `docs/turns.md`."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from staffroom.accounts.models import User
from staffroom.core.tables import ScopedManager
from staffroom.employees.models import Employee
from staffroom.workspaces.models import Tenant, Workspace


class Chat(Tenant):
    """A customer and an employee. Whoever adds a message locks this row first: numbers have no gaps."""

    TEST, API = "test", "api"
    OPEN, CLOSED = "open", "closed"

    employee = models.ForeignKey(
        Employee, null=True, on_delete=models.SET_NULL, related_name="+", db_constraint=False, db_index=False
    )
    employee_name = models.CharField(max_length=80)  # stays when the employee is deleted
    channel = models.CharField(max_length=12, choices=[(TEST, TEST), (API, API)])
    customer_name = models.CharField(max_length=80, blank=True)
    external_id = models.CharField(max_length=200, blank=True)  # what the channel calls the customer
    created_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    state = models.CharField(max_length=6, default=OPEN, choices=[(OPEN, OPEN), (CLOSED, CLOSED)])
    last_number = models.IntegerField(default=0)  # of its messages
    answered = models.IntegerField(default=0)  # customers' messages up to this number need no answer any more
    last_message_at = models.DateTimeField()
    last_author = models.CharField(max_length=8, blank=True)
    last_line = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "id"], name="chats_of_workspace")]
        indexes = [
            models.Index(fields=["workspace", "-last_message_at", "-id"], name="chats_by_time"),
            models.Index(fields=["workspace", "employee", "-last_message_at"], name="chats_of_employee"),
        ]


class Pause(Tenant):
    """A person has stepped in: the employee keeps quiet in this chat until then."""

    chat = models.ForeignKey(
        Chat, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    by_name = models.CharField(max_length=254, blank=True)
    until = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "chat"], name="one_pause_of_a_chat")]


class Turn(Tenant):
    """One reply in the making. `attempt` rises with every claim; whoever finishes must still hold the last one."""

    QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"

    # The chat's key covers the workspace: its own would be checked a second time at every reply.
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    chat = models.ForeignKey(
        Chat, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    upto = models.IntegerField()  # the number of the last customer's message that it answers
    state = models.CharField(max_length=9)
    attempt = models.IntegerField(default=0)
    worker = models.IntegerField(null=True)
    lease_until = models.DateTimeField()  # while queued: not before
    draft = models.TextField(blank=True)  # of a running attempt, about a second old at most
    reply = models.IntegerField(null=True)  # the number of the message that it became
    failure = models.CharField(max_length=40, blank=True)  # a stable word
    detail = models.TextField(blank=True)  # what the provider said: for managers, never for customers
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "id"], name="turns_of_workspace"),
            models.UniqueConstraint(
                fields=["workspace", "chat"], condition=Q(state="queued"), name="one_turn_waits_in_a_chat"
            ),
            models.UniqueConstraint(
                fields=["workspace", "chat"], condition=Q(state="running"), name="one_turn_runs_in_a_chat"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running", "done", "failed", "cancelled"]), name="turn_state"
            ),
        ]
        indexes = [models.Index(fields=["workspace", "chat", "-created_at"], name="turns_of_chat")]


class Message(Tenant):
    """What was said. `words` counts the text, `charged` is what a reply has cost (`price` says why)."""

    CUSTOMER, EMPLOYEE, MANAGER = "customer", "employee", "manager"

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    chat = models.ForeignKey(
        Chat, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    number = models.IntegerField()  # from 1, without gaps
    author = models.CharField(max_length=8)
    text = models.TextField()
    words = models.IntegerField()
    user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    name = models.CharField(max_length=254, blank=True)  # whose it is, as it was then
    external_id = models.CharField(max_length=200, null=True)  # noqa: DJ001 - null: the channel gave none
    turn = models.ForeignKey(
        Turn, null=True, on_delete=models.SET_NULL, related_name="+", db_constraint=False, db_index=False
    )
    model = models.CharField(max_length=120, blank=True)
    charged = models.BigIntegerField(null=True)
    price: models.JSONField[Any, Any] = models.JSONField(null=True)
    citations: models.JSONField[Any, Any] = models.JSONField(null=True)
    cut = models.CharField(max_length=40, blank=True)  # why it ended before its end: a stable word

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "chat", "number"], name="messages_without_gaps"),
            models.UniqueConstraint(
                fields=["workspace", "chat", "external_id"],
                condition=Q(external_id__isnull=False),
                name="a_message_arrives_once",
            ),
            models.CheckConstraint(
                condition=Q(author__in=["customer", "employee", "manager"]), name="message_author"
            ),
        ]
        # A turn that is deleted looks for its reply: without this, among all messages of the workspace.
        indexes = [
            models.Index(
                fields=["workspace", "turn"], condition=Q(turn__isnull=False), name="replies_of_turn"
            )
        ]


class Hour(models.Model):
    """What was said in one hour, for one employee (of those who are gone: the id of zeros). A chat counts once a day,
    in the hour of its first message: as answered by the employee alone, or with a person who wrote on that day."""

    pk = models.CompositePrimaryKey("workspace_id", "hour", "employee_id")
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    hour = models.DateTimeField()
    employee_id = models.UUIDField()
    messages = models.IntegerField()
    chats = models.IntegerField()
    alone = models.IntegerField()
    helped = models.IntegerField()
    replies = models.IntegerField()  # that ended in this hour
    seconds = models.FloatField()  # from the question to the end of the reply, altogether

    objects = ScopedManager()


class Tally(models.Model):
    """Up to when the hours are told."""

    workspace = models.OneToOneField(Workspace, primary_key=True, on_delete=models.CASCADE, related_name="+")
    until = models.DateTimeField()

    objects = ScopedManager()
