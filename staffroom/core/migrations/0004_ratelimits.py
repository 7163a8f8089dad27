"""Rate limits. No tenant's table: a key is a keyed hash of whatever is counted, often before a workspace is known.

Unlogged: after a crash of the database every window begins anew, which is cheaper than writing each hit twice.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("core", "0003_cache")]
    operations = [
        migrations.RunSQL(
            """
            CREATE UNLOGGED TABLE core_ratelimit (
                key bytea PRIMARY KEY, hits integer NOT NULL, until timestamptz NOT NULL);
            CREATE INDEX core_ratelimit_over ON core_ratelimit (until);
            """,
            "DROP TABLE core_ratelimit",
        ),
    ]
