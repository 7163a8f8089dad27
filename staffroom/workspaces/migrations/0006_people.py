"""Lists of people, invitations and the audit log that stay quick: what is searched and sorted lies in the row."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Without case and without accents, so that “muller” finds “Müller”. The same on both sides of every comparison.
FOLDED = """
CREATE FUNCTION folded(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(regexp_replace(normalize(said, NFKD), '[\u0300-\u036f]+', '', 'g'))
$$;
"""

# How a person is listed: as the page shows the name, then the address. 500 characters fit into an index.
# The lock makes somebody who joins wait for the change of a name that is under way, and the other way round.
LISTED = """
CREATE FUNCTION membership_listed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM FROM accounts_user WHERE id = NEW.user_id FOR SHARE;
    END IF;
    SELECT left(folded(coalesce(nullif(name, ''), split_part(email, '@', 1)) || ' ' || email), 500)
        INTO NEW.listed FROM accounts_user WHERE id = NEW.user_id;
    NEW.listed := coalesce(NEW.listed, '');
    RETURN NEW;
END $$;
CREATE TRIGGER listed BEFORE INSERT OR UPDATE OF listed, user_id ON workspaces_membership
    FOR EACH ROW EXECUTE FUNCTION membership_listed();

CREATE FUNCTION person_listed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    UPDATE workspaces_membership SET listed = '' WHERE user_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER listed AFTER UPDATE OF name, email ON accounts_user
    FOR EACH ROW WHEN ((OLD.name, OLD.email) IS DISTINCT FROM (NEW.name, NEW.email))
    EXECUTE FUNCTION person_listed();

UPDATE workspaces_membership SET listed = '';
"""

# Whose deed an entry tells of, and who it happened to; and every word in it but the identifiers. PostgreSQL keeps
# them, so they are no part of what the chain is computed over. As plain columns because operators of JSON are not
# leakproof and can use no index under a policy.
SAID = """
CREATE FUNCTION audit_said(VARIADIC places jsonb[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(coalesce(folded(string_agg(word #>> '{}', ' ')), ''), 1000)
    FROM unnest(places) place, jsonb_path_query(place, '$.** ? (@.type() == "string")') word
    WHERE word #>> '{}' !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
$$;
ALTER TABLE workspaces_auditentry
    ADD COLUMN actor_id text GENERATED ALWAYS AS (actor ->> 'user') STORED,
    ADD COLUMN target_id text GENERATED ALWAYS AS (target ->> 'user') STORED,
    ADD COLUMN said text GENERATED ALWAYS AS (audit_said(actor, target, before, after)) STORED;
CREATE INDEX audit_by_actor ON workspaces_auditentry (workspace_id, actor_id, number);
CREATE INDEX audit_by_target ON workspaces_auditentry (workspace_id, target_id, number);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("workspaces", "0005_deletion"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AddField("membership", "listed", models.TextField(default="", editable=False)),
        migrations.AddField(
            "invitation",
            "decided_by",
            models.ForeignKey(
                settings.AUTH_USER_MODEL,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                db_index=False,
            ),
        ),
        migrations.RunSQL(FOLDED, "DROP FUNCTION folded;"),
        migrations.RunSQL(LISTED, migrations.RunSQL.noop),
        migrations.RunSQL(SAID, migrations.RunSQL.noop),
        migrations.AddIndex(
            "membership",
            models.Index(
                fields=["workspace", "listed", "id"],
                condition=models.Q(status="active"),
                name="members_by_name",
            ),
        ),
        migrations.RemoveIndex("invitation", "invitations_by_time"),
        migrations.AddIndex(
            "invitation",
            models.Index(fields=["workspace", "state", "created_at", "id"], name="invitations_by_state"),
        ),
        migrations.AddIndex(
            "auditentry", models.Index(fields=["workspace", "action", "number"], name="audit_by_action")
        ),
        migrations.AddIndex("auditentry", models.Index(fields=["workspace", "at"], name="audit_by_time")),
    ]
