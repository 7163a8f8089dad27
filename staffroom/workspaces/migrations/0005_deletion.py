"""Deletion: who asked for it and until when, the certificate of what was erased, and the functions that erase."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import staffroom.core.ids
from staffroom.core.wall import Definer, Wall

# A batch after many others must not read from end to end what those have left dead.
KEYED = "plpgsql SET enable_seqscan = off"

# The operator's record: no policy lets the application's role at it.
CERTIFICATE_WALL = """
ALTER TABLE workspaces_certificate ENABLE ROW LEVEL SECURITY;
ALTER TABLE workspaces_certificate FORCE ROW LEVEL SECURITY;
"""

# Where a person has a place, closed organizations too, and what is theirs there.
PLACES = """
    SELECT w.id, w.kind, w.slug, w.name, w.avatar, w.owner_id = p_user, d.created_at, d.delete_after,
           d.begun_at IS NOT NULL OR coalesce(d.delete_after <= now(), false)
    FROM workspaces_membership m
    JOIN workspaces_workspace w ON w.id = m.workspace_id
    LEFT JOIN workspaces_deletion d ON d.workspace_id = w.id AND w.closed_at IS NOT NULL
    WHERE m.user_id = p_user AND m.status = 'active'
    ORDER BY w.id
"""

# Every table of tenants, read from the catalog: a new one needs no line anywhere to be erased.
TABLES = """
CREATE FUNCTION erasable_tables() RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT c.relname::text FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace_id' AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
$$;
"""

# What stays until the last step, because an organization that is still there must have it.
LAST = """
CREATE FUNCTION erased_before_the_end(p_table text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_table
        WHEN 'workspaces_deletion' THEN ' AND false'
        WHEN 'workspaces_slug' THEN ' AND held_until IS NOT NULL'
        WHEN 'workspaces_membership' THEN ' AND user_id <> (SELECT owner_id FROM workspaces_workspace WHERE id = $1)'
        ELSE '' END
$$;
"""

# Every step asks again: erasing has begun, and this is a table of tenants. False: another one has done it all.
CHECKED = """
CREATE FUNCTION must_be_erased(p_workspace uuid, p_table text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM workspaces_workspace WHERE id = p_workspace) THEN RETURN false; END IF;
    IF NOT EXISTS (SELECT FROM workspaces_workspace w JOIN workspaces_deletion d ON d.workspace_id = w.id
                   WHERE w.id = p_workspace AND w.closed_at IS NOT NULL AND d.begun_at IS NOT NULL) THEN
        RAISE EXCEPTION 'nothing of % is to be erased', p_workspace USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT EXISTS (SELECT FROM erasable_tables() t WHERE t = p_table) THEN
        RAISE EXCEPTION 'no table of tenants: %', p_table USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN true;
END $$;
REVOKE EXECUTE ON FUNCTION must_be_erased FROM PUBLIC;
"""

# From here on there is no way back. Waits for whoever still writes a row that refers to the workspace.
BEGIN = """
DECLARE
    w workspaces_workspace;
    d workspaces_deletion;
BEGIN
    SELECT * INTO w FROM workspaces_workspace WHERE id = p_workspace AND closed_at IS NOT NULL FOR UPDATE;
    IF NOT FOUND THEN RETURN false; END IF;
    UPDATE workspaces_deletion SET begun_at = coalesce(begun_at, now())
        WHERE workspace_id = p_workspace AND delete_after <= now() RETURNING * INTO d;
    IF NOT FOUND THEN RETURN false; END IF;
    INSERT INTO workspaces_certificate (id, workspace, kind, slug, asked_by, asked_at, begun_at, at_work_at,
                                        rows_before, rows_erased, rows_after, files_before, purchases)
        VALUES (gen_random_uuid(), w.id, w.kind, coalesce(w.slug, ''), d.asked_by_id, d.created_at, d.begun_at,
                clock_timestamp(), '{"workspaces_workspace": 1}', '{}', '{}', p_files, p_purchases)
        ON CONFLICT (workspace) DO NOTHING;
    RETURN true;
END
"""

# Before anything of any table is erased, all of them are counted. Whether it had not been counted before.
COUNT = """
DECLARE
    counted bigint;
BEGIN
    IF NOT must_be_erased(p_workspace, p_table) THEN RETURN false; END IF;
    IF EXISTS (SELECT FROM workspaces_certificate WHERE workspace = p_workspace AND rows_before ? p_table) THEN
        RETURN false;
    END IF;
    EXECUTE format('SELECT count(*) FROM %I WHERE workspace_id = $1', p_table) INTO counted USING p_workspace;
    UPDATE workspaces_certificate
        SET rows_before = rows_before || jsonb_build_object(p_table, counted), at_work_at = clock_timestamp()
        WHERE workspace = p_workspace AND NOT rows_before ? p_table;
    RETURN FOUND;
END
"""

# Two that erase at once share the rows: each takes those that the other has not locked.
BATCH = """
DECLARE
    gone bigint;
BEGIN
    IF NOT must_be_erased(p_workspace, p_table) THEN RETURN 0; END IF;
    IF NOT EXISTS (SELECT FROM workspaces_certificate WHERE workspace = p_workspace AND rows_before ? p_table) THEN
        RAISE EXCEPTION '% was not counted', p_table USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    EXECUTE format('DELETE FROM %I WHERE ctid = ANY (ARRAY(
                        SELECT ctid FROM %I WHERE workspace_id = $1%s LIMIT $2 FOR UPDATE SKIP LOCKED))',
                   p_table, p_table, erased_before_the_end(p_table))
        USING p_workspace, least(p_limit, 10000);
    GET DIAGNOSTICS gone = ROW_COUNT;
    IF gone > 0 THEN
        UPDATE workspaces_certificate SET at_work_at = clock_timestamp(), rows_erased = rows_erased
            || jsonb_build_object(p_table, coalesce((rows_erased ->> p_table)::bigint, 0) + gone)
            WHERE workspace = p_workspace;
    END IF;
    RETURN gone;
END
"""

# The last few rows, the workspace itself and the end of the certificate; null when something is left. The lock
# lets nobody write a row that refers to the workspace; what has no such key hangs on a row that has one.
END = """
DECLARE
    name text;
    found_one boolean;
    gone bigint;
    erased jsonb;
    after jsonb := '{"workspaces_workspace": 0}';
BEGIN
    PERFORM FROM workspaces_workspace WHERE id = p_workspace FOR UPDATE;
    IF NOT FOUND THEN RETURN (SELECT to_jsonb(c) FROM workspaces_certificate c WHERE workspace = p_workspace); END IF;
    PERFORM must_be_erased(p_workspace, 'workspaces_deletion');
    FOR name IN SELECT erasable_tables() LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE workspace_id = $1%s)', name, erased_before_the_end(name))
            INTO found_one USING p_workspace;
        IF found_one THEN RETURN NULL; END IF;
    END LOOP;
    SELECT rows_erased INTO erased FROM workspaces_certificate WHERE workspace = p_workspace;
    FOREACH name IN ARRAY '{workspaces_slug,workspaces_membership,workspaces_deletion}'::text[] LOOP
        EXECUTE format('DELETE FROM %I WHERE workspace_id = $1', name) USING p_workspace;
        GET DIAGNOSTICS gone = ROW_COUNT;
        erased := erased || jsonb_build_object(name, coalesce((erased ->> name)::bigint, 0) + gone);
    END LOOP;
    DELETE FROM workspaces_workspace WHERE id = p_workspace;
    FOR name IN SELECT erasable_tables() LOOP
        EXECUTE format('SELECT count(*) FROM %I WHERE workspace_id = $1', name) INTO gone USING p_workspace;
        after := after || jsonb_build_object(name, gone);
    END LOOP;
    UPDATE workspaces_certificate SET finished_at = clock_timestamp(), at_work_at = clock_timestamp(),
        rows_erased = erased || '{"workspaces_workspace": 1}', rows_after = after, files_after = p_files
        WHERE workspace = p_workspace;
    RETURN (SELECT to_jsonb(c) FROM workspaces_certificate c WHERE workspace = p_workspace);
END
"""


class Migration(migrations.Migration):
    dependencies = [
        ("workspaces", "0004_organizations_of"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="Deletion",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=staffroom.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("delete_after", models.DateTimeField()),
                ("begun_at", models.DateTimeField(null=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="workspaces.workspace",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("workspace",), name="one_deletion_each")]
            },
        ),
        migrations.CreateModel(
            name="Certificate",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=staffroom.core.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("workspace", models.UUIDField(unique=True)),
                ("kind", models.CharField(max_length=12)),
                ("slug", models.CharField(blank=True, max_length=40)),
                ("asked_by", models.UUIDField()),
                ("asked_at", models.DateTimeField()),
                ("begun_at", models.DateTimeField()),
                ("at_work_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("rows_before", models.JSONField(default=dict)),
                ("rows_erased", models.JSONField(default=dict)),
                ("rows_after", models.JSONField(default=dict)),
                ("files_before", models.BigIntegerField()),
                ("files_after", models.BigIntegerField(null=True)),
                ("purchases", models.JSONField(default=list)),
            ],
        ),
        Wall("workspaces_deletion"),
        *[
            migrations.RunSQL(statement, migrations.RunSQL.noop)
            for statement in (CERTIFICATE_WALL, TABLES, LAST, CHECKED)
        ],
        Definer(
            "places_of(p_user uuid)",
            "TABLE (id uuid, kind varchar, slug varchar, name varchar, avatar varchar, owned boolean,"
            " asked_at timestamptz, delete_after timestamptz, over boolean)",
            PLACES,
        ),
        Definer("erase_begin(p_workspace uuid, p_files bigint, p_purchases jsonb)", "boolean", BEGIN, KEYED),
        Definer("erase_count(p_workspace uuid, p_table text)", "boolean", COUNT, KEYED),
        Definer("erase_batch(p_workspace uuid, p_table text, p_limit int)", "bigint", BATCH, KEYED),
        Definer("erase_end(p_workspace uuid, p_files bigint)", "jsonb", END, KEYED),
    ]
