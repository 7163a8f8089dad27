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

# What each kind may do to the parts and to the debt. A function, because PostgreSQL parses the text of a CHECK
# again for every statement that writes, and this one was a fifth of the cost of a charge.
SIGNS = """
CREATE FUNCTION ledger_signs(kind text, plan bigint, bonus bigint, purchased bigint, debt bigint,
    written_off bigint) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    CASE kind
        WHEN 'charge' THEN
            RETURN greatest(plan, bonus, purchased) <= 0 AND debt = 0 AND written_off >= 0;
        WHEN 'expiry', 'refund' THEN
            RETURN greatest(plan, bonus, purchased) <= 0 AND debt = 0 AND written_off = 0;
        WHEN 'grant', 'reinstatement' THEN
            RETURN least(plan, bonus, purchased) >= 0 AND debt <= 0 AND written_off = 0;
        WHEN 'reversal' THEN
            RETURN greatest(plan, bonus, purchased) <= 0 AND debt >= 0 AND written_off = 0;
        ELSE
            RETURN false;
    END CASE;
END $$;
ALTER TABLE billing_entry ADD CONSTRAINT signs_of_a_kind
    CHECK (ledger_signs(kind, plan, bonus, purchased, debt, written_off));
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
        migrations.RunSQL(SIGNS, migrations.RunSQL.noop),
        migrations.RunSQL(WRITTEN_ONCE, migrations.RunSQL.noop),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
    ]
