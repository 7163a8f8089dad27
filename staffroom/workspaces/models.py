"""Workspaces (personal accounts and organizations), the people in them, what they may do, what they did."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Q
from django.utils import timezone

from staffroom.accounts.models import User
from staffroom.core.ids import new_id
from staffroom.core.tables import ScopedManager

PERSONAL, ORGANIZATION = "personal", "organization"


class Workspace(models.Model):
    """The isolation key. Exactly one owner is a column, so none or two cannot be written."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=12, choices=[(PERSONAL, PERSONAL), (ORGANIZATION, ORGANIZATION)])
    slug = models.CharField(max_length=40, null=True, unique=True)  # noqa: DJ001 - null: a personal account has none
    name = models.CharField(max_length=80)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    avatar = models.CharField(
        max_length=200, blank=True
    )  # a name that nobody guesses; `avatars` knows its files
    founding_key = models.UUIDField(null=True)  # the form's own id: a repeated submit founds nothing new
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True)  # deletion was asked for: gone for everyone but its owner
    requires_second_factor = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind=PERSONAL, slug__isnull=True) | Q(kind=ORGANIZATION, slug__isnull=False),
                name="an_organization_has_a_slug",
            ),
            models.UniqueConstraint(
                fields=["owner"], condition=Q(kind=PERSONAL), name="one_personal_account_each"
            ),
            models.UniqueConstraint(fields=["owner", "founding_key"], name="one_founding_for_a_form"),
            models.UniqueConstraint(
                fields=["avatar"], condition=~Q(avatar=""), name="one_workspace_of_an_avatar"
            ),
        ]

    def __str__(self) -> str:
        return self.slug or "personal"


class Tenant(models.Model):
    """Everything that belongs to one workspace. Its table stands behind the wall of `core.wall`."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+", db_index=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ScopedManager()

    class Meta:
        abstract = True


class Membership(Tenant):
    """A person's place in a workspace. Leaving and removal change the status; only `active` opens a door."""

    ADMIN, MEMBER = "admin", "member"
    ACTIVE, LEFT, REMOVED = "active", "left", "removed"

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    role = models.CharField(max_length=8, choices=[(ADMIN, ADMIN), (MEMBER, MEMBER)])
    status = models.CharField(
        max_length=8, default=ACTIVE, choices=[(ACTIVE, ACTIVE), (LEFT, LEFT), (REMOVED, REMOVED)]
    )
    joined_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(default=timezone.now)
    listed = models.TextField(default="", editable=False)  # name and address, folded; written by the database

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="one_membership_each")]
        indexes = [
            models.Index(fields=["user", "last_used_at"], name="memberships_of_user"),
            models.Index(
                fields=["workspace", "joined_at", "id"],
                condition=Q(status="active"),
                name="members_by_time",
            ),
            models.Index(
                fields=["workspace", "listed", "id"],
                condition=Q(status="active"),
                name="members_by_name",
            ),
        ]


class Invitation(Tenant):
    """The token is stored as its SHA-256 only; one pending invitation for an address."""

    PENDING, ACCEPTED, DECLINED, REVOKED = "pending", "accepted", "declined", "revoked"

    email = models.EmailField(max_length=254)  # as it was typed, for the mail and the page
    email_norm = models.CharField(max_length=254)
    role = models.CharField(max_length=8, choices=Membership._meta.get_field("role").choices)
    token_hash = models.BinaryField(max_length=32, unique=True)
    expires_at = models.DateTimeField()
    invited_by = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    state = models.CharField(max_length=8, default=PENDING)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )  # null: by a key, by somebody without an account, or by nobody yet

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "email_norm"],
                condition=Q(state="pending"),
                name="one_pending_invitation",
            )
        ]
        indexes = [
            models.Index(fields=["workspace", "state", "created_at", "id"], name="invitations_by_state"),
            models.Index(fields=["email_norm"], condition=Q(state="pending"), name="invitations_of_address"),
        ]


class Deletion(Tenant):
    """The owner has asked for it. Until `delete_after` it can be taken back; once it has begun, never."""

    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    delete_after = models.DateTimeField()
    begun_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace"], name="one_deletion_each")]

    @property
    def is_over(self) -> bool:
        """Nobody takes it back any more."""
        return self.begun_at is not None or self.delete_after <= timezone.now()


class Certificate(models.Model):
    """What the operator keeps of a workspace that was erased: counts, no content. See `docs/deletion.md`.

    `rows_*` are counts by table; `purchases` are accounting records. Only the functions that erase write here.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workspace = models.UUIDField(unique=True)  # its id; its row is gone
    kind = models.CharField(max_length=12)
    slug = models.CharField(max_length=40, blank=True)
    asked_by = models.UUIDField()
    asked_at = models.DateTimeField()
    begun_at = models.DateTimeField()
    at_work_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    rows_before: models.JSONField[dict[str, int], dict[str, int]] = models.JSONField(default=dict)
    rows_erased: models.JSONField[dict[str, int], dict[str, int]] = models.JSONField(default=dict)
    rows_after: models.JSONField[dict[str, int], dict[str, int]] = models.JSONField(default=dict)
    files_before = models.BigIntegerField()
    files_after = models.BigIntegerField(null=True)
    purchases: models.JSONField[list[Any], list[Any]] = models.JSONField(default=list)

    def __str__(self) -> str:
        return self.slug or str(self.workspace)


class Slug(models.Model):
    """Every slug, live and former, in one unique column: whose it is, is decided by one insert.

    A former slug (`held_until` set) leads to its organization and cannot be taken by another until then.
    """

    slug = models.CharField(primary_key=True, max_length=40)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    held_until = models.DateTimeField(null=True)

    objects = ScopedManager()


class AuditEntry(Tenant):
    """One row for each change, in the same transaction; each carries the hash of the one before it.

    PostgreSQL adds three columns that only searches read: `actor_id`, `target_id` (persons) and `said` (all words).
    """

    number = models.BigIntegerField()
    at = models.DateTimeField(db_default=TransactionNow())
    actor = models.JSONField()
    action = models.CharField(max_length=60)
    target = models.JSONField(default=dict)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    ip = models.GenericIPAddressField(null=True)
    hash = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "number"], name="audit_without_gaps")]
        indexes = [
            models.Index(fields=["workspace", "action", "number"], name="audit_by_action"),
            models.Index(fields=["workspace", "at"], name="audit_by_time"),
        ]


class ApiKey(Tenant):
    """A personal key (`user` set) lies in its user's personal account and acts as that user everywhere.

    An organization's key has a role of its own and outlives the person who made it: the name stays as it was then.
    Only the SHA-256 of what was shown once is stored.
    """

    hash = models.BinaryField(max_length=32, unique=True)
    prefix = models.CharField(max_length=16)
    name = models.CharField(max_length=80, blank=True)
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+", db_index=False)
    role = models.CharField(max_length=8, blank=True)
    made_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    made_by_name = models.CharField(max_length=254, blank=True, db_default="")
    # The only workspaces that a personal key opens; none at all where the list is empty, all of its user's where null.
    only_in = ArrayField(models.UUIDField(), null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=False, role="") | Q(user__isnull=True, role__in=["admin", "member"]),
                name="a_key_is_of_a_person_or_an_organization",
            )
        ]
        indexes = [models.Index(fields=["workspace", "created_at"], name="keys_of_workspace")]
