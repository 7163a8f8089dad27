"""The wall around exports and imports."""

from django.db import migrations

from staffroom.core.wall import Wall


class Migration(migrations.Migration):
    dependencies = [("archives", "0001_initial"), ("workspaces", "0002_wall")]
    operations = [Wall("archives_export"), Wall("archives_import")]
