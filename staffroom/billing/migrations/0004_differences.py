"""What must always hold, as a view that must be empty."""

from django.db import migrations

# Balances from nothing, entry by entry, without a gap and without time running backwards.
CHAIN = """
    SELECT workspace_id, 'the chain of balances breaks at entry ' || sequence AS what
    FROM (
        SELECT *, lag(sequence, 1, 0::bigint) OVER chain AS sequence_before,
               lag(plan_after, 1, 0::bigint) OVER chain AS plan_before,
               lag(bonus_after, 1, 0::bigint) OVER chain AS bonus_before,
               lag(purchased_after, 1, 0::bigint) OVER chain AS purchased_before,
               lag(debt_after, 1, 0::bigint) OVER chain AS debt_before,
               lag(at, 1, at) OVER chain AS at_before
        FROM billing_entry WINDOW chain AS (PARTITION BY workspace_id ORDER BY sequence)
    ) e
    WHERE sequence <> sequence_before + 1 OR at < at_before
       OR plan_after <> plan_before + plan OR bonus_after <> bonus_before + bonus
       OR purchased_after <> purchased_before + purchased OR debt_after <> debt_before + debt
"""

WALLET = """
    SELECT w.workspace_id, 'the wallet is not the sum of its entries'
    FROM billing_wallet w
    LEFT JOIN (
        SELECT workspace_id, count(*) AS entries, sum(plan) AS plan, sum(bonus) AS bonus,
               sum(purchased) AS purchased, sum(debt) AS debt, max(at) AS at
        FROM billing_entry GROUP BY workspace_id
    ) e ON e.workspace_id = w.workspace_id
    WHERE (w.plan, w.bonus, w.purchased, w.debt, w.sequence) IS DISTINCT FROM
          (coalesce(e.plan, 0), coalesce(e.bonus, 0), coalesce(e.purchased, 0), coalesce(e.debt, 0),
           coalesce(e.entries, 0)) OR w.moved_at < e.at
"""

HELD = """
    SELECT w.workspace_id, 'held is not the sum of the holds'
    FROM billing_wallet w
    LEFT JOIN (SELECT workspace_id, sum(words) AS words FROM billing_hold GROUP BY workspace_id) h
        ON h.workspace_id = w.workspace_id
    WHERE w.held <> coalesce(h.words, 0)
"""

LOTS = """
    SELECT p.workspace_id, 'the lots of source ' || p.source || ' hold less than the wallet'
    FROM (
        SELECT w.workspace_id, s.source, s.words FROM billing_wallet w,
            LATERAL (VALUES ('plan', w.plan), ('bonus', w.bonus), ('purchased', w.purchased)) s (source, words)
    ) p
    LEFT JOIN (
        SELECT workspace_id, source, sum(remaining) AS words FROM billing_lot GROUP BY workspace_id, source
    ) l ON l.workspace_id = p.workspace_id AND l.source = p.source
    WHERE p.words > coalesce(l.words, 0)
"""

# A lot, and the entries that granted it, let it expire, took it back.
LOT_STORY = """
    SELECT coalesce(l.workspace_id, e.workspace_id), 'lot ' || coalesce(l.id, e.reference) || ' is not what its entries say'
    FROM billing_lot l
    FULL JOIN (
        SELECT workspace_id, reference, count(*) FILTER (WHERE kind = 'grant') AS grants,
               sum(plan + bonus + purchased - debt) FILTER (WHERE kind = 'grant') AS words,
               coalesce(-sum(plan + bonus + purchased) FILTER (WHERE kind = 'expiry'), 0) AS expired,
               coalesce(sum(debt - plan - bonus - purchased)
                        FILTER (WHERE kind IN ('refund', 'reversal', 'reinstatement')), 0) AS reversed
        FROM billing_entry WHERE kind <> 'charge' GROUP BY workspace_id, reference
    ) e ON e.workspace_id = l.workspace_id AND e.reference = l.id
    WHERE (l.words, l.expired, l.reversed, 1) IS DISTINCT FROM (e.words, e.expired, e.reversed, e.grants)
"""

ENDED = """
    SELECT h.workspace_id, 'turn ' || h.turn || ' is settled and still holds words'
    FROM billing_hold h
    JOIN billing_entry e ON e.workspace_id = h.workspace_id AND e.reference = h.turn AND e.kind = 'charge'
"""

LOST = """
    SELECT o.workspace_id, 'there is no wallet for ' || o.what
    FROM (SELECT workspace_id, 'a hold' AS what FROM billing_hold
          UNION ALL SELECT workspace_id, 'an entry' FROM billing_entry WHERE sequence = 1) o
    WHERE NOT EXISTS (SELECT FROM billing_wallet w WHERE w.workspace_id = o.workspace_id)
"""

VIEW = "CREATE VIEW ledger_differences WITH (security_invoker = true) AS " + " UNION ALL ".join(
    [CHAIN, WALLET, HELD, LOTS, LOT_STORY, ENDED, LOST]
)


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_verbs")]
    operations = [migrations.RunSQL(VIEW, "DROP VIEW ledger_differences")]
