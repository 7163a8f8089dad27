"""What buying needs in the database: the catalogue, the month that a payment brings, the gateways' mailbox."""

from django.db import migrations

from staffroom.core.wall import Definer, SameWorkspace, Wall

# Defaults of the operator's catalogue. $1 is 20,000 words, as in the smallest plan.
CATALOGUE = """
INSERT INTO billing_plan (code, name, words, price, offered) VALUES
    ('free', 'Free', 20000, 0, true),
    ('starter', 'Starter', 2000000, 10000, true),
    ('pro', 'Pro', 10000000, 50000, true),
    ('business', 'Business', 20000000, 100000, true);
INSERT INTO billing_package (words, price, offered) VALUES
    (200000, 1000, true), (1000000, 5000, true), (2000000, 10000, true), (10000000, 50000, true);
"""

# The application reads the catalogue; the operator's role writes it.
READ_ONLY = """
DO $$
DECLARE given record;
BEGIN
    FOR given IN
        SELECT DISTINCT c.relname, r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.relname IN ('billing_plan', 'billing_package') AND c.relnamespace = 'public'::regnamespace
            AND a.grantee <> c.relowner AND NOT r.rolbypassrls
    LOOP
        EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON %I FROM %I', given.relname, given.rolname);
    END LOOP;
END $$;
"""

# What was bought lasts for its month; after it comes what everybody has. The month that is running now, counted from
# the first day; months that nobody used are not made up for.
RENEW = """
CREATE OR REPLACE FUNCTION ledger_renew(w billing_wallet) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    s billing_subscription;
    starts timestamptz;
    ends timestamptz;
    month integer := 0;
    named text;
BEGIN
    SELECT * INTO s FROM billing_subscription WHERE workspace_id = w.workspace_id AND ends_at <= ledger_now();
    IF NOT FOUND THEN RETURN; END IF;
    IF s.reference <> '' THEN
        UPDATE billing_subscription SET plan = 'free', reference = '', started_at = s.ends_at,
            words = coalesce((SELECT words FROM billing_plan WHERE code = 'free'), 0)
            WHERE workspace_id = w.workspace_id RETURNING * INTO s;
    END IF;
    ends := s.started_at;
    WHILE ends <= ledger_now() LOOP
        month := month + 1;
        starts := ends;
        ends := (s.started_at AT TIME ZONE 'UTC' + month * interval '1 month') AT TIME ZONE 'UTC';
    END LOOP;
    UPDATE billing_subscription SET ends_at = ends WHERE workspace_id = w.workspace_id;
    named := s.plan || ' ' || to_char(starts AT TIME ZONE 'UTC', 'YYYY-MM-DD');
    IF s.words > 0 AND NOT EXISTS (SELECT FROM billing_lot
                   WHERE workspace_id = w.workspace_id AND source = 'plan' AND reference = named) THEN
        PERFORM ledger_add_lot(w, 'plan', named, s.words, ends, '', '{}');
    END IF;
END $$;
"""

# A payment brings a month of a plan. The plan that is running already is prolonged, another one begins now; in both
# cases words that are there stay until their own time is over.
SUBSCRIBE = """
#variable_conflict use_column
DECLARE
    w billing_wallet;
    s billing_subscription;
    first timestamptz := ledger_now();
    month integer := 0;
BEGIN
    IF (p_words > 0) IS NOT TRUE OR p_reference = '' THEN
        RAISE EXCEPTION 'a month of %: % words', p_plan, p_words USING ERRCODE = 'invalid_parameter_value';
    END IF;
    w := ledger_lock();
    SELECT id, expires_at INTO lot, ends FROM billing_lot
        WHERE workspace_id = w.workspace_id AND source = 'plan' AND reference = p_reference;
    granted := NOT FOUND;
    IF granted THEN
        SELECT * INTO s FROM billing_subscription WHERE workspace_id = w.workspace_id;
        starts := first;
        IF s.reference <> '' AND s.plan = p_plan THEN
            first := s.started_at;
            starts := s.ends_at;
        END IF;
        LOOP
            month := month + 1;
            ends := (first AT TIME ZONE 'UTC' + month * interval '1 month') AT TIME ZONE 'UTC';
            EXIT WHEN ends > starts;
        END LOOP;
        INSERT INTO billing_subscription (workspace_id, plan, words, started_at, ends_at, reference)
            VALUES (w.workspace_id, p_plan, p_words, first, ends, p_reference)
            ON CONFLICT (workspace_id) DO UPDATE SET plan = excluded.plan, words = excluded.words,
                started_at = excluded.started_at, ends_at = excluded.ends_at, reference = excluded.reference;
        lot := ledger_add_lot(w, 'plan', p_reference, p_words, ends, p_reason, p_details);
        w := ledger_lock();
    END IF;
    words_left := w.plan + w.bonus + w.purchased - w.held;
END
"""

# After money went back, or came back: the newest month that is paid for and not over is the one that runs.
REPLAN = """
DECLARE
    w billing_wallet := ledger_lock();
    s billing_subscription;
BEGIN
    SELECT p.workspace_id, p.plan, p.words, l.created_at, l.expires_at, l.reference INTO s
        FROM billing_lot l
        JOIN billing_payment p ON p.workspace_id = l.workspace_id AND p.id::text = l.reference
        WHERE l.workspace_id = w.workspace_id AND l.source = 'plan' AND l.reversed < l.words
            AND l.expires_at > ledger_now()
        ORDER BY l.created_at DESC, l.id DESC LIMIT 1;
    IF FOUND THEN
        UPDATE billing_subscription SET plan = s.plan, words = s.words, started_at = s.started_at, ends_at = s.ends_at,
            reference = s.reference WHERE workspace_id = w.workspace_id AND reference <> s.reference;
    ELSE
        UPDATE billing_subscription SET ends_at = ledger_now()
            WHERE workspace_id = w.workspace_id AND reference <> '';
    END IF;
    w := ledger_schedule(w.workspace_id);
    PERFORM ledger_fall_due(w);
END
"""

# Numbers of invoices and receipts, without gaps: the row is locked until the number is committed.
NUMBERS = """
CREATE TABLE billing_number (single boolean PRIMARY KEY DEFAULT true CHECK (single), last bigint NOT NULL);
INSERT INTO billing_number (last) VALUES (0);
ALTER TABLE billing_number ENABLE ROW LEVEL SECURITY;
ALTER TABLE billing_number FORCE ROW LEVEL SECURITY;
"""
NEXT_NUMBER = "UPDATE billing_number SET last = last + 1 RETURNING last"

# A gateway's word comes before its workspace is known. What it says of a customer is shown to nobody but the operator.
MAILBOX = """
ALTER TABLE billing_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE billing_event FORCE ROW LEVEL SECURITY;
CREATE INDEX events_left ON billing_event (received_at) WHERE state = 'received';
"""
KEEP_EVENT = """
    WITH kept AS (
        INSERT INTO billing_event (gateway, id, kind, payload, received_at, state, note)
        VALUES (p_gateway, p_id, p_kind, p_payload, clock_timestamp(), 'received', '')
        ON CONFLICT DO NOTHING RETURNING state)
    SELECT coalesce((SELECT state FROM kept),
                    (SELECT state FROM billing_event WHERE gateway = p_gateway AND id = p_id), 'received')
"""
END_EVENT = """
    UPDATE billing_event SET state = p_state, note = p_note WHERE gateway = p_gateway AND id = p_id
"""
PLACE = """
    SELECT workspace_id, id FROM billing_payment
    WHERE gateway = p_gateway AND CASE WHEN p_payment IS NULL THEN intent = p_intent AND intent <> '' ELSE id = p_payment END
"""
INTENT = "CREATE INDEX payments_by_intent ON billing_payment (intent) WHERE intent <> ''"

# What must hold between purchases and the ledger; read together with `ledger_differences`.
DIFFERENCES = """
CREATE VIEW payment_differences WITH (security_invoker = true) AS
    SELECT p.workspace_id, 'payment ' || p.id || ' is paid and has brought nothing' AS what
    FROM billing_payment p
    WHERE p.state = 'paid' AND NOT EXISTS (
        SELECT FROM billing_lot l WHERE l.workspace_id = p.workspace_id AND l.reference = p.id::text
            AND l.source = CASE p.what WHEN 'plan' THEN 'plan' ELSE 'purchased' END AND l.words = p.words)
    UNION ALL
    SELECT p.workspace_id, 'payment ' || p.id || ' is not paid and has brought words'
    FROM billing_payment p JOIN billing_lot l ON l.workspace_id = p.workspace_id AND l.reference = p.id::text
    WHERE p.state <> 'paid'
    UNION ALL
    SELECT b.workspace_id, 'payment ' || b.id || ' and its words went back in different parts'
    FROM (
        SELECT p.workspace_id, p.id, l.words - l.expired AS most, l.reversed,
               p.words * least(p.amount, p.refunded + coalesce((
                   SELECT sum(d.amount) FROM billing_dispute d
                   WHERE d.workspace_id = p.workspace_id AND d.payment_id = p.id AND d.state <> 2), 0)) / p.amount
                   AS target
        FROM billing_payment p
        JOIN billing_lot l ON l.workspace_id = p.workspace_id AND l.reference = p.id::text
        WHERE p.state = 'paid'
    ) b
    WHERE b.reversed NOT BETWEEN least(b.target, b.most) AND b.target;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_payments")]
    operations = [
        Wall("billing_payment"),
        Wall("billing_dispute"),
        SameWorkspace("billing_dispute", "payment_id", "billing_payment"),
        migrations.RunSQL(CATALOGUE, migrations.RunSQL.noop),
        migrations.RunSQL(READ_ONLY, migrations.RunSQL.noop),
        migrations.RunSQL(RENEW, migrations.RunSQL.noop),
        Definer(
            "ledger_subscribe(p_plan text, p_words bigint, p_reference text, p_reason text, p_details jsonb DEFAULT '{}',"
            " OUT granted boolean, OUT lot uuid, OUT words_left bigint, OUT starts timestamptz, OUT ends timestamptz)",
            "record",
            SUBSCRIBE,
            "plpgsql",
        ),
        Definer("ledger_replan()", "void", REPLAN, "plpgsql"),
        migrations.RunSQL(NUMBERS, "DROP TABLE billing_number"),
        Definer("next_payment_number()", "bigint", NEXT_NUMBER),
        migrations.RunSQL(MAILBOX, migrations.RunSQL.noop),
        Definer(
            "keep_event(p_gateway varchar, p_id varchar, p_kind varchar, p_payload jsonb)",
            "varchar",
            KEEP_EVENT,
        ),
        Definer(
            "end_event(p_gateway varchar, p_id varchar, p_state varchar, p_note text)", "void", END_EVENT
        ),
        migrations.RunSQL(INTENT, "DROP INDEX payments_by_intent"),
        Definer(
            "payment_place(p_payment uuid, p_intent varchar, p_gateway varchar)",
            "TABLE (workspace_id uuid, id uuid)",
            PLACE,
        ),
        migrations.RunSQL(DIFFERENCES, "DROP VIEW payment_differences"),
    ]
