"""Founding once for each form, and the members' list in its order."""

from django.db import migrations, models

from staffroom.core.wall import Definer

# The lock lets the second of two identical submits wait for the first; the look-up then sees what it committed.
FOUNDED = """
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('founding ' || p_owner || ' ' || p_key, 0));
    RETURN (SELECT id FROM workspaces_workspace WHERE owner_id = p_owner AND founding_key = p_key);
END
"""


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0002_wall")]
    operations = [
        migrations.AddIndex(
            "membership",
            models.Index(
                fields=["workspace", "joined_at", "id"],
                condition=models.Q(status="active"),
                name="members_by_time",
            ),
        ),
        Definer("founded(p_owner uuid, p_key uuid)", "uuid", FOUNDED, "plpgsql"),
    ]
