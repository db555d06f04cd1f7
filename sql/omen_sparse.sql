-- A table of which CREATE INDEX samples some blocks only, and indexed rows in
-- few of them: whatever the sample says, there is a graph, and no row is lost.
\i test/settle.sql
SELECT setseed(0.25);
-- One row of filler takes a block; 4,000 blocks are sampled at most.
CREATE UNLOGGED TABLE sparse (id serial, place text, v vector(4),
	filler text) WITH (autovacuum_enabled = off);
ALTER TABLE sparse ALTER filler SET STORAGE PLAIN;
CREATE FUNCTION fill(rows int) RETURNS void LANGUAGE sql AS
$$
	INSERT INTO sparse (filler)
	SELECT repeat('x', 6000) FROM generate_series(1, rows)
$$;
CREATE FUNCTION put(where_to text, rows int) RETURNS void LANGUAGE sql AS
$$
	INSERT INTO sparse (place, v)
	SELECT where_to, array_agg(random() * 2 - 1)::vector(4)
	FROM generate_series(1, rows) i, generate_series(1, 4) GROUP BY i
$$;
-- At the beginning, at the end, and 200 rows now and then.
SELECT put('head', 1500);
DO $$
BEGIN
	FOR i IN 1 .. 12 LOOP
		PERFORM fill(500);
		PERFORM put('between', 200);
	END LOOP;
END $$;
SELECT put('tail', 1500);
SELECT pg_relation_size('sparse') / current_setting('block_size')::int > 6000
	AS more_than_sampled;
CREATE INDEX sparse_head ON sparse USING omen (v) WHERE place = 'head';
CREATE INDEX sparse_between ON sparse USING omen (v) WHERE place = 'between';
CREATE INDEX sparse_tail ON sparse USING omen (v) WHERE place = 'tail';
-- No indexed row at all, where the sample looks or elsewhere.
CREATE INDEX sparse_none ON sparse USING omen (v) WHERE place = 'nowhere';
SELECT name, info.kind, info.rows
FROM unnest(ARRAY['head', 'between', 'tail', 'none']) name,
	LATERAL omen_index_info(('sparse_' || name)::regclass) info
WHERE kind = 'segment' ORDER BY 1;
SELECT name, c.* FROM unnest(ARRAY['head', 'between', 'tail', 'none']) name,
	LATERAL omen_check(('sparse_' || name)::regclass, true) c;
-- All are found, and no other.
SET enable_seqscan = off;
SET omen.ef_search = 2000;
SET omen.iterative_scan = relaxed_order;
SELECT place, count(*), count(DISTINCT id) FROM (
	SELECT place, id FROM sparse WHERE place = 'head'
	ORDER BY v <-> '[1,0,0,0]' LIMIT 5000) s GROUP BY 1;
SELECT place, count(*), count(DISTINCT id) FROM (
	SELECT place, id FROM sparse WHERE place = 'between'
	ORDER BY v <-> '[1,0,0,0]' LIMIT 5000) s GROUP BY 1;
SELECT place, count(*), count(DISTINCT id) FROM (
	SELECT place, id FROM sparse WHERE place = 'tail'
	ORDER BY v <-> '[1,0,0,0]' LIMIT 5000) s GROUP BY 1;
SELECT count(*) FROM (
	SELECT id FROM sparse WHERE place = 'nowhere'
	ORDER BY v <-> '[1,0,0,0]' LIMIT 5000) s;
-- Fewer rows than make a graph, where the sample hardly sees one.
DELETE FROM sparse WHERE place = 'tail' AND id % 2 = 0;
CALL pg_temp.settle();
VACUUM sparse;
REINDEX INDEX sparse_tail;
SELECT kind, rows FROM omen_index_info('sparse_tail') WHERE rows > 0;
SELECT * FROM omen_check('sparse_tail', true);
DROP TABLE sparse;
DROP FUNCTION fill, put;
