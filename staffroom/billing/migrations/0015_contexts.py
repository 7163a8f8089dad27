"""The contexts of a person with their words: a wallet in which nothing falls due is read where it lies.

Only the others need `ledger_words_left`, a call for each row, which cost more than all the rest of the list.
"""

from django.db import migrations

from staffroom.core.wall import Definer

CONTEXTS = """
    SELECT c.*, coalesce((
        SELECT CASE WHEN w.due_at IS NULL OR w.due_at > ledger_now()
            THEN w.plan + w.bonus + w.purchased - w.held ELSE ledger_words_left(c.id) END
        FROM billing_wallet w WHERE w.workspace_id = c.id), 0)
    FROM contexts_of(p_user) c
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0012_member_limits"), ("workspaces", "0009_speed")]
    operations = [
        migrations.RunSQL("DROP FUNCTION contexts_with_words", migrations.RunSQL.noop),
        Definer(
            "contexts_with_words(p_user uuid)",
            "TABLE (id uuid, kind varchar, slug varchar, name varchar, avatar varchar, role varchar,"
            " last_used_at timestamptz, words_left bigint)",
            CONTEXTS,
        ),
    ]
