"""The shared memory of limits on sign-in and the like; unlogged, because it may be lost with the power."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0002_answers")]
    operations = [
        migrations.RunSQL(
            """
            CREATE UNLOGGED TABLE core_cache (
                cache_key varchar(255) PRIMARY KEY,
                value text NOT NULL,
                expires timestamptz NOT NULL
            );
            CREATE INDEX core_cache_expires ON core_cache (expires);
            """,
            "DROP TABLE core_cache",
        )
    ]
