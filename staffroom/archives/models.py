"""Exports and imports: each is a row that somebody asked for and that a job works on. See `docs/export-format.md`."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q

from staffroom.accounts.models import User
from staffroom.workspaces.models import Tenant

PENDING, RUNNING, READY, FAILED, EXPIRED = "pending", "running", "ready", "failed", "expired"
OPEN = [PENDING, RUNNING]


class Undertaking(Tenant):
    """The row is the message: whoever takes it raises `attempt` and leases it; who lost the lease writes nothing."""

    IN_CLOSED: ClassVar[bool]  # whether it is worked on in an organization that was closed

    asked_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    state = models.CharField(max_length=8, default=PENDING)
    progress = models.SmallIntegerField(default=0)  # percent
    problem: models.JSONField[Any, Any] = models.JSONField(null=True)  # why it failed: `problems.Problem`
    counts: models.JSONField[dict[str, int], dict[str, int]] = models.JSONField(
        default=dict
    )  # noun → how many
    attempt = models.IntegerField(default=0)
    lease_until = models.DateTimeField(null=True)  # until then nobody else may take it
    ended_at = models.DateTimeField(null=True)
    file = models.CharField(max_length=255, blank=True)  # written here before the file itself is there
    size = models.BigIntegerField(default=0)  # bytes of the file

    class Meta:
        abstract = True


class Export(Undertaking):
    """The token of the link is stored as its SHA-256 only; `link` counts the links that were made."""

    IN_CLOSED = True  # what its owner takes along while the organization is being deleted

    link = models.IntegerField(default=0)
    link_hash = models.BinaryField(max_length=32, null=True)
    link_used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"], condition=Q(state__in=OPEN), name="one_export_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(state__in=[PENDING, RUNNING, READY, FAILED, EXPIRED]), name="export_state"
            ),
        ]
        indexes = [models.Index(fields=["workspace", "asked_by", "-created_at"], name="exports_of_person")]


class Import(Undertaking):
    """`checked`: the whole archive was found good. `step` and `line` say how far it has been written."""

    IN_CLOSED = False

    name = models.CharField(max_length=200, blank=True)  # of the file, as it was called
    checked = models.BooleanField(default=False)
    step = models.IntegerField(default=0)
    line = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"], condition=Q(state__in=OPEN), name="one_import_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(state__in=[PENDING, RUNNING, READY, FAILED]), name="import_state"
            ),
        ]
        indexes = [models.Index(fields=["workspace", "asked_by", "-created_at"], name="imports_of_person")]
