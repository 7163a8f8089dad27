"""Many at once: the arrivals of a workspace in one transaction, and a worker's turns together with their briefs.

All of them run with the caller's rights, behind the wall; those with a workspace in their arguments open its scope.
"""

from importlib import import_module

from django.db import migrations

GENERIC = import_module("staffroom.chats.migrations.0003_turns").GENERIC

# What is known of a chat before a message comes in; a chat without a row is not there, and in a closed organization
# none is. Step by step and by key: a
# join's plan would be a guess as long as the tables have no statistics.
FACTS = f"""
CREATE FUNCTION chats_facts(p_workspace uuid, p_chats uuid[], p_window int) RETURNS TABLE (
    chat uuid, customer varchar, employee varchar, persona text, model varchar, settings jsonb, active boolean,
    knows boolean, history bigint, is_replying boolean) LANGUAGE plpgsql {GENERIC} AS $$
#variable_conflict use_column
DECLARE
    c chats_chat;
    e employees_employee;
BEGIN
    PERFORM set_config('app.workspace_id', p_workspace::text, true);
    IF NOT EXISTS (SELECT FROM workspaces_workspace WHERE id = p_workspace AND closed_at IS NULL) THEN
        RETURN;
    END IF;
    FOR c IN SELECT * FROM chats_chat WHERE workspace_id = p_workspace AND id = ANY (p_chats) LOOP
        IF e.id IS DISTINCT FROM c.employee_id THEN
            SELECT * INTO e FROM employees_employee WHERE workspace_id = p_workspace AND id = c.employee_id;
            knows := EXISTS (SELECT FROM employees_employeesource
                             WHERE workspace_id = p_workspace AND employee_id = e.id);
        END IF;
        chat := c.id; customer := c.customer_name; employee := e.name; persona := e.persona; model := e.model;
        settings := e.settings; active := coalesce(e.active, false);
        SELECT coalesce(sum(m.words), 0) INTO history FROM (
            SELECT words FROM chats_message WHERE workspace_id = p_workspace AND chat_id = c.id
            ORDER BY number DESC LIMIT p_window) m;
        is_replying := EXISTS (SELECT FROM chats_turn
                               WHERE workspace_id = p_workspace AND chat_id = c.id AND state = 'running');
        RETURN NEXT;
    END LOOP;
END $$;
"""

# As before, but the same message again is the same one also by its own key: whoever does not know whether the
# statement came through may send it again.
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
        IF NOT r.granted AND r.words_left >= p_least THEN
            SELECT * INTO r FROM ledger_reserve(
                p_turn, r.words_left, interval '1 hour', c.employee_id, p_chat, p_user);
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
    IF verdict IS NULL THEN verdict := 'out_of_words'; turn := NULL; END IF;
END $$;
"""

# Arrivals of one workspace, in their order. All chats are locked first, by key: the wallet comes last for everybody.
# `text` and `name` are those that stand there.
TOGETHER = f"""
CREATE FUNCTION chats_arrive_together(p_workspace uuid, p_arrivals jsonb, p_lazy boolean) RETURNS TABLE (
    verdict varchar, message uuid, number int, at timestamptz, turn uuid, text text, name varchar)
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
        text := a.text; name := a.name;
        SELECT r.verdict, r.message, r.number, r.at, r.turn INTO verdict, message, number, at, turn
            FROM chats_arrive(a.chat, a.message, a.text, a.words, a.external, a."user", a.name, a.ask, a.turn,
                              a.most, a.least, p_lazy) r;
        IF message <> a.message THEN
            SELECT m.text, m.name INTO text, name FROM chats_message m
                WHERE m.workspace_id = p_workspace AND m.id = message;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
"""

# What a worker takes, and what its replies are made of: a claim is short, but its round trips were not.
TAKE = f"""
CREATE FUNCTION turns_take(p_worker int, p_class bigint, p_limit int, p_lease interval, p_sweep boolean,
    p_window int) RETURNS TABLE (
    workspace_id uuid, id uuid, chat_id uuid, attempt int, employee_id uuid, employee_name varchar, persona text,
    model varchar, settings jsonb, active boolean, held bigint, sources uuid[], lines jsonb)
    LANGUAGE plpgsql {GENERIC} AS $$
#variable_conflict use_column
DECLARE
    t record;
BEGIN
    FOR t IN SELECT * FROM turns_claim(p_worker, p_class, p_limit, p_lease, p_sweep) LOOP
        RETURN QUERY SELECT t.workspace_id, t.id, t.chat_id, t.attempt, b.*
            FROM turn_brief(t.workspace_id, t.id, t.attempt, p_window) b;
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("chats", "0007_tally")]
    operations = [
        migrations.RunSQL(function, migrations.RunSQL.noop) for function in (FACTS, ARRIVE, TOGETHER, TAKE)
    ]
