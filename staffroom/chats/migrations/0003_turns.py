"""The verbs of turns, each one round trip: what the web does at an arrival, and what the worker does.

Those with a workspace in their arguments open its scope themselves and run with the caller's rights, behind the
wall. Three cross workspaces with the owner's rights, and give away no more than identifiers: which turns a worker
may take, that it still holds them, that it hands them back. Everybody locks in the same order: the chat, the turn,
the wallet.
"""

from django.db import migrations

from staffroom.core.wall import Definer

# Every look-up here is by key: planning it again at each call would cost several times what it does. A plan that
# was made while the tables were still empty must not read them from end to end later.
GENERIC = "SET plan_cache_mode = force_generic_plan SET enable_seqscan = off"

# A customer's message (none: ask again for those that wait), and a turn that answers it together with whatever
# else waits. One turn waits in a chat: further messages join it, so that a burst is answered once.
ARRIVE = f"""
CREATE FUNCTION chats_arrive(
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
        SELECT * INTO m FROM chats_message
            WHERE workspace_id = here AND chat_id = p_chat AND external_id = p_external;
        IF FOUND THEN
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

# What waits; and in a sweep also what nobody works on any more: its lease is over, or the worker that had it is
# gone, which shows at once by the lock that it held as long as it lived.
CLAIM = """
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH free AS (
        SELECT t.workspace_id, t.id FROM chats_turn t
        WHERE t.state = 'queued' AND t.lease_until <= clock_timestamp() AND NOT EXISTS (
            SELECT FROM chats_turn r
            WHERE r.workspace_id = t.workspace_id AND r.chat_id = t.chat_id AND r.state = 'running')
        ORDER BY t.created_at LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE chats_turn t SET state = 'running', attempt = t.attempt + 1, worker = p_worker,
        lease_until = clock_timestamp() + p_lease
    FROM free f WHERE t.workspace_id = f.workspace_id AND t.id = f.id
    RETURNING t.workspace_id, t.id, t.chat_id, t.attempt;
    IF NOT p_sweep THEN RETURN; END IF;
    RETURN QUERY
    WITH alive AS MATERIALIZED (
        SELECT objid::bigint AS worker FROM pg_locks
        WHERE locktype = 'advisory' AND classid = p_class AND objsubid = 2 AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ), free AS (
        SELECT t.workspace_id, t.id FROM chats_turn t
        WHERE t.state = 'running' AND (t.lease_until <= clock_timestamp() OR (
            t.worker <> p_worker AND NOT EXISTS (SELECT FROM alive a WHERE a.worker = t.worker)))
        ORDER BY t.created_at LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE chats_turn t SET attempt = t.attempt + 1, worker = p_worker,
        lease_until = clock_timestamp() + p_lease, draft = ''
    FROM free f WHERE t.workspace_id = f.workspace_id AND t.id = f.id
    RETURNING t.workspace_id, t.id, t.chat_id, t.attempt;
END
"""

# Everything that a reply is made of, but the passages: those depend on the question. Step by step and by key:
# a join's plan would be a guess as long as the tables have no statistics.
BRIEF = f"""
CREATE FUNCTION turn_brief(p_workspace uuid, p_turn uuid, p_attempt int, p_window int) RETURNS TABLE (
    employee_id uuid, employee_name varchar, persona text, model varchar, settings jsonb, active boolean,
    held bigint, sources uuid[], lines jsonb) LANGUAGE plpgsql {GENERIC} AS $$
#variable_conflict use_column
DECLARE
    t chats_turn;
    c chats_chat;
    e employees_employee;
BEGIN
    PERFORM set_config('app.workspace_id', p_workspace::text, true);
    SELECT * INTO t FROM chats_turn
        WHERE workspace_id = p_workspace AND id = p_turn AND attempt = p_attempt AND state = 'running';
    IF NOT FOUND THEN RETURN; END IF;
    SELECT * INTO c FROM chats_chat WHERE workspace_id = p_workspace AND id = t.chat_id;
    SELECT * INTO e FROM employees_employee WHERE workspace_id = p_workspace AND id = c.employee_id;
    employee_id := e.id; employee_name := coalesce(e.name, c.employee_name);
    persona := e.persona; model := e.model; settings := e.settings; active := coalesce(e.active, false);
    SELECT words INTO held FROM billing_hold WHERE workspace_id = p_workspace AND turn = t.id;
    sources := ARRAY(SELECT source_id FROM employees_employeesource
                     WHERE workspace_id = p_workspace AND employee_id = e.id);
    SELECT jsonb_agg(jsonb_build_array(m.author, m.number > c.answered, m.words, m.text) ORDER BY m.number)
        INTO lines
        FROM (SELECT * FROM chats_message
              WHERE workspace_id = p_workspace AND chat_id = c.id
                  AND (number <= t.upto OR author <> 'customer')
              ORDER BY number DESC LIMIT p_window) m;
    RETURN NEXT;
END $$;
"""

# More words for a turn, or its first ones again when its hold was given back meanwhile.
HOLD = f"""
CREATE FUNCTION turn_hold(p_workspace uuid, p_turn uuid, p_words bigint) RETURNS bigint LANGUAGE plpgsql {GENERIC} AS $$
DECLARE
    r record;
    t chats_turn;
BEGIN
    PERFORM set_config('app.workspace_id', p_workspace::text, true);
    SELECT * INTO r FROM ledger_extend(p_turn, p_words);
    IF r.held = 0 THEN
        SELECT * INTO t FROM chats_turn WHERE workspace_id = p_workspace AND id = p_turn AND state = 'running';
        IF NOT FOUND THEN RETURN 0; END IF;
        SELECT * INTO r FROM ledger_reserve(p_turn, p_words, interval '1 hour',
            (SELECT employee_id FROM chats_chat WHERE workspace_id = p_workspace AND id = t.chat_id), t.chat_id);
    END IF;
    RETURN r.held;
END $$;
"""

# Once a second for everything that a worker is writing: drafts and leases. Answers which of them are not its own
# any more. A row that is locked is being finished or claimed: waiting for it could close a circle of waits.
CHECKPOINT = """
BEGIN
    WITH mine AS MATERIALIZED (
        SELECT r.workspace_id, r.id, r.attempt, g.draft
        FROM unnest(p_workspaces, p_turns, p_attempts, p_drafts) AS g (workspace_id, id, attempt, draft)
        JOIN chats_turn r ON r.workspace_id = g.workspace_id AND r.id = g.id AND r.attempt = g.attempt
        WHERE r.state = 'running' AND r.worker = p_worker FOR NO KEY UPDATE OF r SKIP LOCKED
    )
    UPDATE chats_turn t SET draft = m.draft, lease_until = clock_timestamp() + p_lease
        FROM mine m WHERE t.workspace_id = m.workspace_id AND t.id = m.id AND t.attempt = m.attempt;
    RETURN QUERY
        SELECT g.id FROM unnest(p_workspaces, p_turns, p_attempts) AS g (workspace_id, id, attempt)
        WHERE NOT EXISTS (SELECT FROM chats_turn t WHERE t.workspace_id = g.workspace_id AND t.id = g.id
                          AND t.attempt = g.attempt AND t.state = 'running');
END
"""

# Of the same attempt only: whoever has taken it over meanwhile is not disturbed.
HAND_BACK = """
    UPDATE chats_turn t SET lease_until = clock_timestamp()
    FROM unnest(p_workspaces, p_turns, p_attempts) AS g (workspace_id, id, attempt)
    WHERE t.workspace_id = g.workspace_id AND t.id = g.id AND t.attempt = g.attempt
        AND t.state = 'running' AND t.worker = p_worker
"""

# Ends turns of one workspace, all in one transaction: the reply's text and its charge, or neither. Each asks for
# its own attempt, still running; then once more whether a person has stepped in. May be repeated: what ended
# before answers how it ended.
FINISH = f"""
CREATE FUNCTION turns_finish(p_workspace uuid, p_finishes jsonb) RETURNS TABLE (
    turn uuid, verdict varchar, message uuid, number int, at timestamptz, charged bigint, words_left bigint,
    waiting boolean) LANGUAGE plpgsql {GENERIC} AS $$
#variable_conflict use_column
DECLARE
    ids uuid[];
    f record;
    t chats_turn;
    s record;
BEGIN
    PERFORM set_config('app.workspace_id', p_workspace::text, true);
    SELECT array_agg(g.turn) INTO ids FROM jsonb_to_recordset(p_finishes) AS g (turn uuid);
    SELECT array_agg(chat_id) INTO ids FROM chats_turn WHERE workspace_id = p_workspace AND id = ANY (ids);
    PERFORM FROM chats_chat WHERE workspace_id = p_workspace AND id = ANY (ids) ORDER BY id FOR NO KEY UPDATE;
    FOR f IN
        SELECT * FROM jsonb_to_recordset(p_finishes) AS g (
            turn uuid, attempt int, state varchar, message uuid, name varchar, text text, words int, cost bigint,
            cut varchar, model varchar, price jsonb, citations jsonb, failure varchar, detail text)
    LOOP
        turn := f.turn; message := NULL; number := NULL; charged := NULL; words_left := NULL;
        at := clock_timestamp();
        SELECT * INTO t FROM chats_turn WHERE workspace_id = p_workspace AND id = f.turn FOR NO KEY UPDATE;
        verdict := CASE WHEN t.id IS NULL OR t.attempt <> f.attempt THEN 'lost' ELSE t.state END;
        IF verdict = 'done' THEN
            SELECT m.id, m.number, m.created_at, m.charged INTO message, number, at, charged
                FROM chats_message m WHERE m.workspace_id = p_workspace AND m.id = f.message;
        ELSIF verdict = 'running' THEN
            verdict := CASE WHEN EXISTS (SELECT FROM chats_pause p WHERE p.workspace_id = p_workspace
                                         AND p.chat_id = t.chat_id AND p.until > at)
                       THEN 'cancelled' ELSE f.state END;
            UPDATE chats_turn SET state = verdict, ended_at = at, draft = '', failure = coalesce(f.failure, ''),
                detail = coalesce(f.detail, '')
                WHERE workspace_id = p_workspace AND id = f.turn;
            IF verdict = 'done' THEN
                message := f.message;
                UPDATE chats_chat SET last_number = last_number + 1, last_message_at = at,
                    last_author = 'employee', last_line = left(f.text, 120), answered = greatest(answered, t.upto)
                    WHERE workspace_id = p_workspace AND id = t.chat_id RETURNING last_number INTO number;
                UPDATE chats_turn SET reply = number WHERE workspace_id = p_workspace AND id = f.turn;
                INSERT INTO chats_message (id, workspace_id, created_at, chat_id, number, author, text, words,
                                           name, turn_id, model, charged, price, citations, cut)
                    VALUES (f.message, p_workspace, at, t.chat_id, number, 'employee', f.text, f.words,
                            f.name, f.turn, f.model, f.cost, f.price, f.citations, coalesce(f.cut, ''));
                SELECT * INTO s FROM ledger_settle(f.turn, f.cost, f.price);
                charged := s.charged; words_left := s.words_left;
                IF charged <> f.cost THEN
                    UPDATE chats_message SET charged = s.charged
                        WHERE workspace_id = p_workspace AND id = f.message;
                END IF;
            ELSE
                SELECT l.words_left INTO words_left FROM ledger_release(f.turn) l;
            END IF;
        END IF;
        waiting := EXISTS (SELECT FROM chats_turn w WHERE w.workspace_id = p_workspace
                           AND w.chat_id = t.chat_id AND w.state = 'queued');
        RETURN NEXT;
    END LOOP;
END $$;
"""

# For whoever watches a chat: what came after a message, and what is in the making, of one moment. With a turn:
# only that one and its reply, however many messages came in between.
WATCH = f"""
CREATE FUNCTION chat_watched(p_workspace uuid, p_chat uuid, p_after int, p_limit int, p_turn uuid) RETURNS TABLE (
    last_number int, messages jsonb, turns jsonb, paused_until timestamptz, paused_by varchar)
    LANGUAGE plpgsql {GENERIC} AS $$
#variable_conflict use_column
DECLARE
    c chats_chat;
    told int;
BEGIN
    PERFORM set_config('app.workspace_id', p_workspace::text, true);
    SELECT * INTO c FROM chats_chat WHERE workspace_id = p_workspace AND id = p_chat;
    IF NOT FOUND THEN RETURN; END IF;
    IF p_turn IS NOT NULL THEN
        told := (SELECT reply FROM chats_turn WHERE workspace_id = p_workspace AND id = p_turn AND chat_id = c.id);
        p_after := coalesce(told - 1, c.last_number);
        p_limit := 1;
    END IF;
    SELECT p.until, p.by_name INTO paused_until, paused_by FROM chats_pause p
        WHERE p.workspace_id = p_workspace AND p.chat_id = c.id AND p.until > clock_timestamp();
    RETURN QUERY
    SELECT c.last_number,
        (SELECT jsonb_agg(jsonb_build_object(
                'id', m.id, 'number', m.number, 'author', m.author, 'name', m.name, 'text', m.text,
                'created_at', m.created_at, 'words', m.charged, 'price', m.price, 'citations', m.citations,
                'model', m.model, 'cut', m.cut, 'turn', m.turn_id) ORDER BY m.number)
         FROM (SELECT * FROM chats_message WHERE workspace_id = p_workspace AND chat_id = c.id
               AND number > p_after ORDER BY number LIMIT p_limit) m),
        (SELECT jsonb_agg(jsonb_build_object('id', t.id, 'state', t.state, 'attempt', t.attempt,
                'draft', t.draft, 'upto', t.upto, 'failure', t.failure) ORDER BY t.created_at)
         FROM (SELECT * FROM chats_turn WHERE workspace_id = p_workspace AND chat_id = c.id
                   AND (p_turn IS NULL OR id = p_turn)
               ORDER BY created_at DESC LIMIT 3) t),
        paused_until, paused_by;
END $$;
"""

# For streams that stay open: who of these has no access any more.
LOST = """
    SELECT g.n FROM unnest(p_workspaces, p_users, p_keys) WITH ORDINALITY AS g (workspace_id, user_id, key_id, n)
    WHERE NOT EXISTS (SELECT FROM workspaces_workspace w WHERE w.id = g.workspace_id AND w.closed_at IS NULL)
        OR (g.user_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM workspaces_membership m JOIN accounts_user u ON u.id = m.user_id AND u.is_active
            WHERE m.workspace_id = g.workspace_id AND m.user_id = g.user_id AND m.status = 'active'))
        OR (g.key_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM workspaces_apikey k WHERE k.id = g.key_id AND k.revoked_at IS NULL))
"""


class Migration(migrations.Migration):
    dependencies = [("chats", "0002_wall"), ("billing", "0003_verbs"), ("knowledge", "0002_wall")]
    operations = [
        *[
            migrations.RunSQL(function, migrations.RunSQL.noop)
            for function in [ARRIVE, BRIEF, HOLD, FINISH, WATCH]
        ],
        Definer(
            "turns_claim(p_worker int, p_class bigint, p_limit int, p_lease interval, p_sweep boolean)",
            "TABLE (workspace_id uuid, id uuid, chat_id uuid, attempt int)",
            CLAIM,
            f"plpgsql {GENERIC}",
        ),
        Definer(
            "turns_checkpoint(p_worker int, p_lease interval, p_workspaces uuid[], p_turns uuid[],"
            " p_attempts int[], p_drafts text[])",
            "SETOF uuid",
            CHECKPOINT,
            f"plpgsql {GENERIC}",
        ),
        Definer(
            "turns_hand_back(p_worker int, p_workspaces uuid[], p_turns uuid[], p_attempts int[])",
            "void",
            HAND_BACK,
        ),
        Definer("access_lost(p_workspaces uuid[], p_users uuid[], p_keys uuid[])", "SETOF bigint", LOST),
    ]
