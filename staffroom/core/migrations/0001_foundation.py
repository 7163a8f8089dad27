"""What the wall stands on: the extension for vectors and the function that every policy asks."""

from django.db import migrations

from staffroom.core.wall import CURRENT_WORKSPACE


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.RunSQL("CREATE EXTENSION IF NOT EXISTS vector", migrations.RunSQL.noop),
        migrations.RunSQL(CURRENT_WORKSPACE, "DROP FUNCTION current_workspace()"),
    ]
