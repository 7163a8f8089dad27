"""The wall around sources and passages, the full-text index, and the one function that may use it."""

from django.db import migrations

from staffroom.core.wall import Definer, SameWorkspace, Wall

# A GIN index over words cannot begin with the workspace. Each passage carries the ids of its source and its workspace
# as words of its own, so the index intersects the words asked for with a few sources, or with the workspace when they
# are many, and never visits the rows of others. The pending list is off: searching must not pay for what was added
# lately. Rows stay whole and uncompressed: ranking reads hundreds of them.
INDEX = """
ALTER TABLE knowledge_passage SET (toast_tuple_target = 8160);
ALTER TABLE knowledge_passage ALTER COLUMN tsv SET STORAGE EXTERNAL;
CREATE INDEX passages_by_word ON knowledge_passage USING gin (tsv) WITH (fastupdate = off);
"""

# OFFSET 0 keeps the planner from reading a second index for the sources.
# Three steps: which words are rare in these sources (counted up to a limit); the passages that share a rare one;
# the best of those by BM25's weights, where ts_rank of one word is its damped frequency.
SEARCH = """
DECLARE
    counted_to CONSTANT int := 1000;
    enough CONSTANT int := 300;
    few CONSTANT int := 16;
    weights CONSTANT real[] := '{0.6, 0.2, 0.3, 0.5}';  -- text, -, title, heading
    scope tsquery; sources uuid[]; languages regconfig[]; passages float; word tsquery; df int; had int := 0;
    words tsquery[]; dfs int[] := '{}'; idfs float[] := '{}'; wanted tsquery; at int;
BEGIN
    IF p_workspace IS DISTINCT FROM current_workspace() THEN
        RAISE EXCEPTION 'another workspace is open' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT CASE WHEN count(*) > few THEN quote_literal('§' || p_workspace)::tsquery
                ELSE string_agg(quote_literal('§' || s.id), ' | ')::tsquery END,
           array_agg(s.id), array_agg(DISTINCT s.language::regconfig), sum(s.cut_into)
        INTO scope, sources, languages, passages
        FROM knowledge_source s
        WHERE s.workspace_id = p_workspace AND s.id = ANY (p_sources) AND s.state = 'ready' AND s.cut_into > 0;
    IF scope IS NULL THEN RETURN; END IF;

    SELECT array_agg(quote_literal(lexeme)::tsquery) INTO words FROM (
        SELECT v.lexeme FROM unnest(languages) l, unnest(to_tsvector(l, p_query)) v
        GROUP BY v.lexeme ORDER BY min(v.positions[1]) LIMIT 64) asked;
    IF words IS NULL THEN RETURN; END IF;

    FOREACH word IN ARRAY words LOOP
        SELECT count(*) INTO df FROM (
            SELECT FROM (SELECT p.source_id FROM knowledge_passage p WHERE p.tsv @@ (scope && word) OFFSET 0) p
            WHERE p.source_id = ANY (sources) LIMIT counted_to) counted;
        dfs := dfs || df;
        idfs := idfs || ln(1 + (passages - df + 0.5) / (df + 0.5));
    END LOOP;

    FOR at IN SELECT ordinality FROM unnest(dfs) WITH ORDINALITY d(df, ordinality) WHERE d.df > 0 ORDER BY d.df LOOP
        EXIT WHEN had >= enough;
        wanted := CASE WHEN wanted IS NULL THEN words[at] ELSE wanted || words[at] END;
        had := had + dfs[at];
    END LOOP;
    IF wanted IS NULL THEN RETURN; END IF;

    RETURN QUERY
    WITH candidate AS MATERIALIZED (
        SELECT p.id, p.tsv FROM (SELECT * FROM knowledge_passage p WHERE p.tsv @@ (scope && wanted) OFFSET 0) p
        WHERE p.source_id = ANY (sources) LIMIT counted_to
    ), scored AS (
        SELECT c.id, (SELECT sum(w.idf * ts_rank(weights, c.tsv, w.word))
                      FROM unnest(words, idfs) w(word, idf)) AS score
        FROM candidate c
    ), best AS (
        SELECT s.id, s.score FROM (SELECT *, max(scored.score) OVER () AS top FROM scored) s
        WHERE s.score >= s.top / 4 ORDER BY s.score DESC, s.id LIMIT p_limit
    )
    SELECT p.id, p.source_id, o.title, p.heading, p.text, p.number, b.score::real
    FROM best b
    JOIN knowledge_passage p ON p.id = b.id
    JOIN knowledge_source o ON o.workspace_id = p.workspace_id AND o.id = p.source_id
    ORDER BY b.score DESC, p.id;
END
"""


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0001_initial"), ("workspaces", "0002_wall")]
    operations = [
        Wall("knowledge_source"),
        Wall("knowledge_passage"),
        SameWorkspace("knowledge_passage", "source_id", "knowledge_source"),
        migrations.RunSQL(INDEX, migrations.RunSQL.noop),
        Definer(
            "knowledge_search(p_workspace uuid, p_sources uuid[], p_query text, p_limit int)",
            "TABLE (id uuid, source_id uuid, title varchar, heading text, text text, number int, rank real)",
            SEARCH,
            "plpgsql",
        ),
    ]
