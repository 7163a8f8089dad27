"""The wall around the ledger, and the rights: everybody reads, only the functions of the owner write."""

from django.db import migrations

from staffroom.core.wall import Wall

LEDGER = ["billing_wallet", "billing_lot", "billing_hold", "billing_entry", "billing_subscription"]

# Whoever was given rights on new tables: the application, the platform, an operator's own roles.
ONLY_FUNCTIONS_WRITE = f"""
DO $$
DECLARE given record;
BEGIN
    FOR given IN
        SELECT DISTINCT c.relname, r.rolname FROM pg_class c, aclexplode(c.relacl) a
        JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.relname = ANY ('{{{",".join(LEDGER)}}}') AND c.relnamespace = 'public'::regnamespace AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON %I FROM %I', given.relname, given.rolname);
    END LOOP;
END $$;
"""

# Also for the owner, that is for the functions themselves. Erasing a closed workspace is the one exception.
WRITTEN_ONCE = """
CREATE FUNCTION ledger_written_once() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (
        SELECT FROM workspaces_workspace WHERE id = OLD.workspace_id AND closed_at IS NOT NULL)
    THEN RETURN OLD; END IF;
    RAISE EXCEPTION 'entries of the ledger are written once' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER written_once BEFORE UPDATE OR DELETE ON billing_entry
    FOR EACH ROW EXECUTE FUNCTION ledger_written_once();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON billing_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_written_once();
"""

# A wallet changes with every reply: leave room on its page, so that the new version lands beside the old one
# and no index is touched. Holds come and go all the time: vacuum them by number, not by share.
STORAGE = """
ALTER TABLE billing_wallet SET (fillfactor = 30, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE billing_hold SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE billing_lot ALTER id SET DEFAULT gen_random_uuid();
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial"), ("workspaces", "0002_wall"), ("core", "0001_foundation")]
    operations = [
        *[Wall(table) for table in LEDGER],
        migrations.RunSQL(ONLY_FUNCTIONS_WRITE, migrations.RunSQL.noop),
        migrations.RunSQL(WRITTEN_ONCE, migrations.RunSQL.noop),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
    ]
