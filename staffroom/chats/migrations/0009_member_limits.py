"""A member's words of the month can be used up, too: who is refused for it, and a reply that is cut for it."""

from importlib import import_module

from django.db import migrations

GENERIC = import_module("staffroom.chats.migrations.0003_turns").GENERIC

# As before; where the member's words are what is short, fewer are tried as with the balance's.
ARRIVE = f"""
CREATE OR REPLACE FUNCTION chats_arrive(
    p_chat uuid, p_message uuid, p_text text, p_words int, p_external varchar, p_user uuid, p_name varchar,
    p_ask boolean, p_turn uuid, p_most bigint, p_least bigint, p_lazy boolean,
    OUT verdict varchar, OUT message uuid, OUT number int, OUT at timestamptz, OUT turn uuid,
    OUT words_left bigint, OUT until timestamptz) LANGUAGE plpgsql {GENERIC} AS $$
#variable_conflict use_column
DECLARE
    here uuid := current_workspace();
    c chats_chat;
    m chats_message;
    r record;
    fits bigint;
BEGIN
    SELECT * INTO c FROM chats_chat WHERE workspace_id = here AND id = p_chat FOR NO KEY UPDATE;
    IF NOT FOUND THEN verdict := 'gone'; RETURN; END IF;
    at := clock_timestamp();
    IF p_message IS NULL THEN
        number := c.last_number;
    ELSE
        SELECT * INTO m FROM chats_message WHERE id = p_message AND workspace_id = here AND chat_id = p_chat;
        IF m.id IS NULL AND p_external IS NOT NULL THEN
            SELECT * INTO m FROM chats_message
                WHERE workspace_id = here AND chat_id = p_chat AND external_id = p_external;
        END IF;
        IF m.author <> 'customer' THEN verdict := 'taken'; RETURN; END IF;  -- the key of another one's message
        IF m.id IS NOT NULL THEN
            message := m.id; number := m.number; at := m.created_at;
            turn := (SELECT id FROM chats_turn WHERE workspace_id = here AND chat_id = p_chat
                     AND upto >= m.number ORDER BY upto, created_at DESC LIMIT 1);
            IF turn IS NOT NULL THEN verdict := 'duplicate'; RETURN; END IF;
        ELSE
            UPDATE chats_chat SET last_number = last_number + 1, last_message_at = at, last_author = 'customer',
                last_line = left(p_text, 120), state = 'open'
                WHERE workspace_id = here AND id = p_chat RETURNING last_number INTO number;
            INSERT INTO chats_message (id, workspace_id, created_at, chat_id, number, author, text, words, user_id,
                                       name, external_id, model, cut)
                VALUES (p_message, here, at, p_chat, number, 'customer', p_text, p_words, p_user,
                        p_name, p_external, '', '');
            message := p_message;
        END IF;
    END IF;

    SELECT p.until INTO until FROM chats_pause p
        WHERE p.workspace_id = here AND p.chat_id = p_chat AND p.until > clock_timestamp();
    IF FOUND THEN verdict := 'paused'; RETURN; END IF;
    IF NOT p_ask THEN verdict := 'kept'; RETURN; END IF;

    SELECT id INTO turn FROM chats_turn
        WHERE workspace_id = here AND chat_id = p_chat AND state = 'queued' FOR NO KEY UPDATE;
    IF FOUND THEN
        SELECT * INTO r FROM ledger_extend(turn, p_most);
        IF r.held = 0 THEN  -- it waited for so long that its hold was given back
            SELECT * INTO r FROM ledger_reserve(turn, p_most, interval '1 hour', c.employee_id, p_chat, p_user);
        END IF;
        IF r.held >= p_least THEN
            UPDATE chats_turn SET upto = greatest(upto, number) WHERE workspace_id = here AND id = turn;
            verdict := 'asked';
        END IF;
    ELSE
        SELECT * INTO r FROM ledger_reserve(p_turn, p_most, interval '1 hour', c.employee_id, p_chat, p_user);
        fits := least(r.words_left, coalesce(r.member_left, r.words_left));
        IF NOT r.granted AND fits >= p_least THEN
            SELECT * INTO r FROM ledger_reserve(p_turn, fits, interval '1 hour', c.employee_id, p_chat, p_user);
        END IF;
        IF r.granted THEN
            INSERT INTO chats_turn (id, workspace_id, created_at, chat_id, upto, state, attempt, lease_until,
                                    draft, failure, detail)
                VALUES (p_turn, here, clock_timestamp(), p_chat, number, 'queued', 0, clock_timestamp(), '', '', '');
            turn := p_turn; verdict := 'asked';
        END IF;
    END IF;
    words_left := r.words_left;
    IF verdict = 'asked' AND p_lazy THEN
        -- Whoever acknowledges the message waits for the disk without holding the wallet: see core/durable.py.
        PERFORM set_config('synchronous_commit', 'off', true);
    END IF;
    IF verdict IS NULL THEN
        verdict := CASE WHEN r.member_left < r.words_left THEN 'member_limit_reached' ELSE 'out_of_words' END;
        turn := NULL;
    END IF;
END $$;
"""

TOGETHER = f"""
CREATE FUNCTION chats_arrive_together(p_workspace uuid, p_arrivals jsonb, p_lazy boolean) RETURNS TABLE (
    verdict varchar, message uuid, number int, at timestamptz, turn uuid, text text, name varchar,
    member_limit bigint)
    LANGUAGE plpgsql {GENERIC} AS $$
#variable_conflict use_column
DECLARE
    ids uuid[];
    a record;
BEGIN
    PERFORM set_config('app.workspace_id', p_workspace::text, true);
    SELECT array_agg(g.chat) INTO ids FROM jsonb_to_recordset(p_arrivals) AS g (chat uuid);
    PERFORM FROM chats_chat WHERE workspace_id = p_workspace AND id = ANY (ids) ORDER BY id FOR NO KEY UPDATE;
    FOR a IN
        SELECT * FROM jsonb_to_recordset(p_arrivals) AS g (
            chat uuid, message uuid, text text, words int, external varchar, "user" uuid, name varchar,
            ask boolean, turn uuid, most bigint, least bigint)
    LOOP
        text := a.text; name := a.name; member_limit := NULL;
        SELECT r.verdict, r.message, r.number, r.at, r.turn INTO verdict, message, number, at, turn
            FROM chats_arrive(a.chat, a.message, a.text, a.words, a.external, a."user", a.name, a.ask, a.turn,
                              a.most, a.least, p_lazy) r;
        IF verdict = 'member_limit_reached' THEN
            SELECT CASE WHEN m.own THEN m.words_limit ELSE w.member_limit END INTO member_limit
                FROM billing_wallet w LEFT JOIN billing_memberwords m
                    ON m.workspace_id = w.workspace_id AND m.user_id = a."user"
                WHERE w.workspace_id = p_workspace;
        END IF;
        IF message <> a.message THEN
            SELECT m.text, m.name INTO text, name FROM chats_message m
                WHERE m.workspace_id = p_workspace AND m.id = message;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
"""

# `short` says what there was too little of. A hold that is made anew belongs to whoever asked last.
HOLD = f"""
CREATE FUNCTION turn_hold(p_workspace uuid, p_turn uuid, p_words bigint, OUT held bigint, OUT short varchar)
    LANGUAGE plpgsql {GENERIC} AS $$
#variable_conflict use_column
DECLARE
    r record;
    t chats_turn;
BEGIN
    PERFORM set_config('app.workspace_id', p_workspace::text, true);
    SELECT * INTO r FROM ledger_extend(p_turn, p_words);
    IF r.held = 0 THEN
        SELECT * INTO t FROM chats_turn WHERE workspace_id = p_workspace AND id = p_turn AND state = 'running';
        IF FOUND THEN
            SELECT * INTO r FROM ledger_reserve(p_turn, p_words, interval '1 hour',
                (SELECT employee_id FROM chats_chat WHERE workspace_id = p_workspace AND id = t.chat_id), t.chat_id,
                (SELECT user_id FROM chats_message WHERE workspace_id = p_workspace AND chat_id = t.chat_id
                    AND author = 'customer' AND number <= t.upto ORDER BY number DESC LIMIT 1));
        END IF;
    END IF;
    held := r.held;
    short := CASE WHEN r.held >= p_words THEN ''
        WHEN r.member_left < r.words_left THEN 'member_limit_reached' ELSE 'out_of_words' END;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("chats", "0008_together"), ("billing", "0012_member_limits")]
    operations = [
        migrations.RunSQL("DROP FUNCTION chats_arrive_together, turn_hold", migrations.RunSQL.noop),
        *[migrations.RunSQL(function, migrations.RunSQL.noop) for function in (ARRIVE, TOGETHER, HOLD)],
    ]
