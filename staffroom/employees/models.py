"""AI employees, the versions of their personas, and the knowledge that they may answer from."""

from __future__ import annotations

from typing import Any

from django.db import models

from staffroom.accounts.models import User
from staffroom.knowledge.models import Source
from staffroom.workspaces.models import Tenant


class Employee(Tenant):
    name = models.CharField(max_length=80)
    handle = models.CharField(max_length=60)  # the name for programs: Latin letters, digits, hyphens
    persona = models.TextField(blank=True)  # Markdown
    model = models.CharField(max_length=120, blank=True)  # "" is the installation's default
    settings: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    active = models.BooleanField(default=True)
    version = models.IntegerField(default=1)  # the number of the newest Version
    created_by = models.ForeignKey(
        User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "id"], name="employees_of_workspace"),
            models.UniqueConstraint(fields=["workspace", "handle"], name="one_employee_of_a_handle"),
        ]


class Version(Tenant):
    """What an employee was told after each save: who and when come with the row."""

    employee = models.ForeignKey(
        Employee, on_delete=models.CASCADE, related_name="versions", db_constraint=False, db_index=False
    )
    number = models.IntegerField()
    persona = models.TextField(blank=True)
    model = models.CharField(max_length=120, blank=True)
    settings: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    author = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    author_name = models.CharField(max_length=254, blank=True)  # as it was then; of a key its prefix

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "employee", "number"], name="versions_of_employee")
        ]


class EmployeeSource(Tenant):
    """An employee may answer from a source."""

    employee = models.ForeignKey(
        Employee, on_delete=models.CASCADE, related_name="links", db_constraint=False, db_index=False
    )
    source = models.ForeignKey(
        Source, on_delete=models.CASCADE, related_name="links", db_constraint=False, db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "employee", "source"], name="one_link_each")
        ]
        indexes = [models.Index(fields=["workspace", "source"], name="links_of_source")]
