"""How low the words are is worked out where they lie: one statement looks, and says what is new."""

from django.db import migrations

from staffroom.core.wall import Wall

# `told` is the level that was told before; a level above it is news. Words that came begin everything anew.
WATCH = """
CREATE FUNCTION billing_watch(p_ran_out boolean, OUT level smallint, OUT told smallint, OUT words_left bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    here uuid := current_workspace();
    a billing_alert;
    w billing_wallet;
    came bigint;
BEGIN
    INSERT INTO billing_alert (workspace_id, sequence, base, level) VALUES (here, 0, 0, 0) ON CONFLICT DO NOTHING;
    SELECT * INTO a FROM billing_alert WHERE workspace_id = here FOR NO KEY UPDATE;
    SELECT * INTO w FROM billing_wallet WHERE workspace_id = here;
    SELECT plan_after + bonus_after + purchased_after INTO came FROM billing_entry
        WHERE workspace_id = here AND sequence > a.sequence AND kind IN ('grant', 'reinstatement')
        ORDER BY sequence DESC LIMIT 1;
    IF FOUND THEN
        a.base := came;
        a.level := 0;
    END IF;
    words_left := coalesce(w.plan + w.bonus + w.purchased, 0);
    told := a.level;
    level := billing_level(words_left, a.base);
    IF p_ran_out THEN level := 3; END IF;
    UPDATE billing_alert SET sequence = coalesce(w.sequence, 0), base = a.base, level = greatest(a.level, billing_watch.level)
        WHERE workspace_id = here;
END $$;
"""
# 1 below a fifth, 2 below a twentieth, 3 when it pays for no reply any more.
LEVEL = """
CREATE FUNCTION billing_level(words_left bigint, base bigint) RETURNS smallint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN words_left < 100 THEN 3 WHEN words_left * 20 < base THEN 2 WHEN words_left * 5 < base THEN 1
                ELSE 0 END::smallint
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0010_alerts")]
    operations = [
        Wall("billing_alert"),
        migrations.RunSQL(LEVEL, "DROP FUNCTION billing_level"),
        migrations.RunSQL(WATCH, "DROP FUNCTION billing_watch"),
    ]
