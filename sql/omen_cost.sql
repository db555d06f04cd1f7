--
-- What the planner makes of the costs.
--
-- For each query the way to the rows is printed: scans from the inside out.
-- It was the fastest, or as fast as the fastest, when all were timed.
--
SET max_parallel_workers_per_gather = 0;
SET random_page_cost = 4;
SET effective_cache_size = '4GB';
SET jit = off;

CREATE FUNCTION way(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan json;
	found text;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	WITH RECURSIVE nodes AS (
		SELECT plan->0->'Plan' AS node, '' AS path
		UNION ALL
		SELECT child, path || ordinality
			FROM nodes, json_array_elements(node->'Plans') WITH ORDINALITY AS x(child, ordinality)
	)
	SELECT string_agg(CASE
			WHEN node->>'Index Name' ~ '_v$' THEN 'omen'
			WHEN node->>'Node Type' ~ 'Index|Bitmap Heap' THEN 'btree'
			WHEN node->>'Node Type' = 'Seq Scan' THEN 'seq'
			ELSE 'sort' END, ', ' ORDER BY path DESC) INTO found
		FROM nodes WHERE node->>'Node Type' ~ 'Sort|Scan' AND node->>'Node Type' !~ 'Bitmap Index|Subquery|Values';
	RETURN found;
END $$;

-- the cost up to the last row
CREATE FUNCTION cost(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN plan->0->'Plan'->>'Total Cost';
END $$;

-- 20,000 vectors in the row, and 2,000 out of line
CREATE TABLE near (id int, c int, d int, v vector(3));
INSERT INTO near SELECT i, i % 100, i, ARRAY[sin(i), cos(i * 7), sin(i * 3)] FROM generate_series(1, 20000) i;
CREATE INDEX near_v ON near USING omen (v);
CREATE TABLE far (id int, c int, v vector(600));
INSERT INTO far SELECT i, i % 100, (SELECT array_agg(sin(i * j * 1e-6)) FROM generate_series(1, 600) j) FROM generate_series(1, 2000) i;
CREATE INDEX far_v ON far USING omen (v);
CREATE TABLE few (id int, c int, v vector(3));
INSERT INTO few SELECT id, c, v FROM near LIMIT 2000;
CREATE INDEX few_v ON few USING omen (v);
CREATE TABLE cat (c int PRIMARY KEY, name text);
INSERT INTO cat SELECT i, 'cat ' || i FROM generate_series(0, 99) i;
ANALYZE near, far, few, cat;

-- by the number of rows
SELECT way($$SELECT id FROM near ORDER BY v <-> '[1,2,3]' LIMIT 1$$);
SELECT way($$SELECT id FROM near ORDER BY v <-> '[1,2,3]' LIMIT 10$$);
SELECT way($$SELECT id FROM near ORDER BY v <-> '[1,2,3]' LIMIT 100$$);
SELECT way($$SELECT id FROM near ORDER BY v <-> '[1,2,3]' LIMIT 10000$$);
SELECT way($$SELECT id FROM near ORDER BY v <-> '[1,2,3]'$$);
SELECT way($$SELECT id FROM near ORDER BY v <-> '[1,2,3]' OFFSET 10000 LIMIT 10$$);

-- by filters, without another index
SELECT way($$SELECT id FROM near WHERE c <> 7 ORDER BY v <-> '[1,2,3]' LIMIT 10$$);
SELECT way($$SELECT id FROM near WHERE c < 50 ORDER BY v <-> '[1,2,3]' LIMIT 10$$);
SELECT way($$SELECT id FROM near WHERE c = 7 ORDER BY v <-> '[1,2,3]' LIMIT 10$$);

-- and with one
CREATE INDEX near_c ON near (c);
CREATE INDEX near_d ON near (d);
SELECT way($$SELECT id FROM near WHERE c <> 7 ORDER BY v <-> '[1,2,3]' LIMIT 10$$);
SELECT way($$SELECT id FROM near WHERE c < 50 ORDER BY v <-> '[1,2,3]' LIMIT 10$$);
SELECT way($$SELECT id FROM near WHERE c = 7 ORDER BY v <-> '[1,2,3]' LIMIT 10$$);
SELECT way($$SELECT id FROM near WHERE d = 7 ORDER BY v <-> '[1,2,3]' LIMIT 10$$);
CREATE INDEX near_c_v ON near USING omen (v) WHERE c = 7;
SELECT way($$SELECT id FROM near WHERE c = 7 ORDER BY v <-> '[1,2,3]' LIMIT 1$$);
DROP INDEX near_c_v;

-- by the distance
SELECT way($$SELECT id FROM near WHERE v <-> '[1,2,3]' < 2.5 ORDER BY v <-> '[1,2,3]' LIMIT 10$$);
SELECT way($$SELECT id FROM near WHERE v <-> '[1,2,3]' < 2.5 ORDER BY v <-> '[1,2,3]'$$);
SELECT way($$SELECT id FROM near WHERE v <-> '[1,2,3]' < 2.5$$);

-- vectors out of line make a scan of the table dear, but not the filter
SELECT way($$SELECT id FROM few ORDER BY v <-> '[1,2,3]' LIMIT 10$$);
SELECT way($$SELECT id FROM few ORDER BY v <-> '[1,2,3]' LIMIT 500$$);
SELECT way($$SELECT id FROM far ORDER BY v <-> (SELECT v FROM far LIMIT 1) LIMIT 100$$);
SELECT way($$SELECT id FROM far WHERE c = 7 ORDER BY v <-> (SELECT v FROM far LIMIT 1) LIMIT 10$$);
SELECT way($$SELECT id FROM far ORDER BY v <-> (SELECT v FROM far LIMIT 1)$$);

-- no order, or not that of the index
SELECT way('SELECT count(*) FROM few');
SELECT way('SELECT id FROM few LIMIT 10');
SELECT way($$SELECT id FROM near ORDER BY v <-> '[1,2,3]' DESC LIMIT 10$$);
SELECT way($$SELECT id FROM near ORDER BY v <=> '[1,2,3]' LIMIT 10$$);
SET enable_seqscan = off;
SELECT way('SELECT count(*) FROM few');
SELECT way($$SELECT id FROM few WHERE v <-> '[1,2,3]' < 1$$);
RESET enable_seqscan;

-- parts of larger queries
SELECT way($$SELECT name FROM near JOIN cat USING (c) ORDER BY v <-> '[1,2,3]' LIMIT 20$$);
SELECT way($$SELECT * FROM cat, LATERAL (SELECT id FROM near ORDER BY v <-> ARRAY[cat.c, 0, 0]::vector LIMIT 5) x$$);
SELECT way($$SELECT c, count(*) FROM (SELECT c FROM near ORDER BY v <-> '[1,2,3]' LIMIT 40) x GROUP BY c$$);
SELECT way($$SELECT id FROM (SELECT * FROM near UNION ALL SELECT id, c, id, v FROM few) x ORDER BY v <-> '[1,2,3]' LIMIT 10$$);
SET plan_cache_mode = force_generic_plan;
PREPARE nearest(vector) AS SELECT id FROM near ORDER BY v <-> $1 LIMIT 10;
SELECT way($$EXECUTE nearest('[1,2,3]')$$);
RESET plan_cache_mode;

-- a cursor, of which a tenth of the rows is taken to be read, or less
SELECT way($$DECLARE c CURSOR FOR SELECT id FROM near ORDER BY v <-> '[1,2,3]'$$);
SET cursor_tuple_fraction = 0.001;
SELECT way($$DECLARE c CURSOR FOR SELECT id FROM near ORDER BY v <-> '[1,2,3]'$$);
RESET cursor_tuple_fraction;

-- What makes a scan dearer: ef, a small cache, larger vectors, pending rows
SET enable_sort = off;
CREATE TABLE costs AS SELECT cost($$SELECT id FROM few ORDER BY v <-> '[1,2,3]' LIMIT 10$$) AS before;
SET omen.ef_search = 200;
SELECT cost($$SELECT id FROM few ORDER BY v <-> '[1,2,3]' LIMIT 10$$) > before + 20 AS dearer FROM costs;
RESET omen.ef_search;
SET effective_cache_size = '80kB';
SELECT cost($$SELECT id FROM few ORDER BY v <-> '[1,2,3]' LIMIT 10$$) > 2 * before AS dearer FROM costs;
SET effective_cache_size = '4GB';
SELECT cost($$SELECT id FROM far ORDER BY v <-> (SELECT v FROM far LIMIT 1) LIMIT 10$$) > 1.2 * before AS dearer FROM costs;
INSERT INTO few SELECT id, c, v FROM near LIMIT 500;
SELECT cost($$SELECT id FROM few ORDER BY v <-> '[1,2,3]' LIMIT 10$$) > before + 1 AS dearer FROM costs;
RESET enable_sort;

-- A distance of small vectors costs a few times as much as other operators do;
-- it costs more if vectors are large, and much more if they are out of line.
SELECT cost($$SELECT sum(v <-> '[1,2,3]') FROM few$$) < 2 * cost('SELECT sum(id + 0.5::float8) FROM few') AS cheap;
CREATE TABLE inline (LIKE far);
ALTER TABLE inline ALTER v SET STORAGE PLAIN;
INSERT INTO inline SELECT * FROM far;
ANALYZE inline;
SELECT cost('SELECT sum(v <-> v) FROM inline') > 1.1 * cost('SELECT sum(id + 0.5::float8) FROM inline') AS dear,
	cost('SELECT sum(v <-> v) FROM far') > 1.3 * cost('SELECT sum(v <-> v) FROM inline') AS dearer;

DROP TABLE near, far, few, cat, costs, inline;
DROP FUNCTION way, cost;
