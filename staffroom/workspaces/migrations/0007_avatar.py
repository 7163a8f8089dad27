"""Whose an avatar is, before any workspace is open: its name is in its address, and nobody guesses it."""

from django.db import migrations, models
from django.db.models import Q

from staffroom.core.wall import Definer

WORKSPACE_OF_AVATAR = """
    SELECT w.id FROM workspaces_workspace w
    WHERE w.avatar = p_avatar AND w.avatar <> '' AND w.closed_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0006_people"), ("accounts", "0004_avatar")]
    operations = [
        migrations.AddConstraint(
            "workspace",
            models.UniqueConstraint(
                fields=["avatar"], condition=~Q(avatar=""), name="one_workspace_of_an_avatar"
            ),
        ),
        Definer("workspace_of_avatar(p_avatar varchar)", "uuid", WORKSPACE_OF_AVATAR),
    ]
