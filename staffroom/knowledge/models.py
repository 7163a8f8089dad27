"""Sources, and the passages that they are cut into."""

from __future__ import annotations

from django.contrib.postgres.search import SearchVectorField
from django.db import models

from staffroom.accounts.models import User
from staffroom.workspaces.models import Tenant


class Source(Tenant):
    """One text of a context's library. Linked to any number of employees."""

    TEXT = "text"
    PENDING, READY, FAILED = "pending", "ready", "failed"

    title = models.CharField(max_length=200)
    kind = models.CharField(max_length=8, default=TEXT, choices=[(TEXT, TEXT)])
    text = models.TextField()
    words = models.IntegerField(default=0)
    cut_into = models.IntegerField(default=0)  # passages so far
    language = models.CharField(max_length=20, default="simple")  # a text search configuration of PostgreSQL
    state = models.CharField(
        max_length=8, default=PENDING, choices=[(PENDING, PENDING), (READY, READY), (FAILED, FAILED)]
    )
    progress = models.SmallIntegerField(default=0)  # percent
    error = models.TextField(blank=True)
    attempt = models.IntegerField(default=0)
    lease_until = models.DateTimeField(null=True)  # until then nobody else may cut it up
    created_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "id"], name="sources_of_workspace")]


class Passage(Tenant):
    """A part of a source, about 200 words; `number` counts from 0. `tsv` also holds the ids of its source and
    its workspace as words, so that the index itself keeps to what is asked for."""

    source = models.ForeignKey(
        Source, on_delete=models.CASCADE, related_name="passages", db_constraint=False, db_index=False
    )
    number = models.IntegerField()
    heading = models.TextField(blank=True)  # the path of headings above it
    text = models.TextField()
    language = models.CharField(max_length=20)
    tsv = SearchVectorField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "source", "number"], name="passages_of_source")
        ]
