"""One database behind three roles; see `docs/tenancy.md`."""

from typing import Any

from django.db import models


class OneDatabase:
    """Relations always follow the application's role.

    An object that an operator's job read with the platform role would otherwise lead every relation of it
    back to that role, past row-level security.
    """

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str:
        return "default"

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str:
        return "default"

    def allow_relation(self, obj1: models.Model, obj2: models.Model, **hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "owner"
