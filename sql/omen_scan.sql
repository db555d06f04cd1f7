--
-- Index scans: what they return in which order, and what they refuse.
--
\pset null NULL
\i test/compare.sql
SELECT setseed(0.125);
SET omen.ef_search = 10000;
SET enable_seqscan = off;

CREATE TABLE ts (id serial, v vector(3), w vector(3));
INSERT INTO ts (v) SELECT pg_temp.vectors(3000, 3);
INSERT INTO ts (v) VALUES (NULL), ('[0,0,0]');
CREATE INDEX ix ON ts USING omen (v);
INSERT INTO ts (v) SELECT pg_temp.vectors(500, 3);
INSERT INTO ts (v) VALUES (NULL), ('[0,0,0]');

-- which queries it serves
SELECT query, pg_temp.uses_index('SELECT id FROM ts ' || query) FROM (VALUES
	('ORDER BY v <-> ''[1,2,3]'' LIMIT 3'), ('ORDER BY v <-> ''[1,2,3]'''),
	('WHERE id > 5 ORDER BY v <-> ''[1,2,3]'' LIMIT 3'),
	('ORDER BY ''[1,2,3]'' <-> v LIMIT 3'),
	('ORDER BY v <-> ''[1,2,3]'' DESC LIMIT 3'),
	('ORDER BY v <=> ''[1,2,3]'' LIMIT 3'),
	('ORDER BY v <+> ''[1,2,3]'' LIMIT 3'),
	('ORDER BY v <-> w LIMIT 3'), ('ORDER BY w <-> ''[1,2,3]'' LIMIT 3'),
	('ORDER BY id, v <-> ''[1,2,3]'' LIMIT 3'),
	('WHERE v <-> ''[1,2,3]'' < 1'), ('WHERE v = ''[1,2,3]'''), ('')) q(query);
SELECT count(*) FROM ts;
SELECT count(v) FROM ts;

-- LIMIT: none, zero, beyond what there is
SELECT pg_temp.compare('ts', 'v', '<->', '[1,2,3]', NULL);
SELECT count(*) FROM (SELECT * FROM ts ORDER BY v <-> '[1,2,3]' LIMIT 0) s;
SELECT pg_temp.compare('ts', 'v', '<->', '[0.1,0.2,0.3]', 5000);
SELECT pg_temp.compare('ts', 'v', '<->', '[0.1,0.2,0.3]', k) FROM (VALUES (1), (10), (100)) k(k);

-- LIMIT larger than ef_search: the scan goes on, in order
SET omen.ef_search = 10;
SELECT count(*), count(DISTINCT id), bool_and(d >= previous) AS ordered FROM (
	SELECT id, d, lag(d, 1, 0::float8) OVER (ORDER BY n) AS previous FROM (
		SELECT id, d, row_number() OVER () n FROM (
			SELECT id, v <-> '[1,2,3]' AS d FROM ts
			ORDER BY v <-> '[1,2,3]' LIMIT 200) a) b) c;
SET omen.iterative_scan = relaxed_order;
SELECT count(*), count(DISTINCT id) FROM (
	SELECT id FROM ts ORDER BY v <-> '[1,2,3]' LIMIT 5000) s;
SET omen.iterative_scan = off;
SELECT count(*) BETWEEN 10 AND 600 AS stops, count(*) = count(DISTINCT id) AS once FROM (
	SELECT id FROM ts ORDER BY v <-> '[1,2,3]' LIMIT 5000) s;
RESET omen.iterative_scan;
SET omen.max_scan_tuples = 100;
SELECT count(*) < 1500 AS stops FROM (
	SELECT id FROM ts ORDER BY v <-> '[1,2,3]' LIMIT 5000) s;
RESET omen.max_scan_tuples;

-- and no more memory than this
SET work_mem = '64kB';
SET omen.iterative_scan = relaxed_order;
SELECT count(*) < 1500 AS stops FROM (
	SELECT id FROM ts ORDER BY v <-> '[1,2,3]' LIMIT 5000) s;
SET omen.scan_mem_multiplier = 100;
SELECT count(*) FROM (
	SELECT id FROM ts ORDER BY v <-> '[1,2,3]' LIMIT 5000) s;
RESET omen.scan_mem_multiplier;
RESET omen.iterative_scan;
RESET work_mem;

-- a filter
SET omen.ef_search = 10000;
SELECT id FROM ts WHERE id % 1000 = 7 ORDER BY v <-> '[1,2,3]' LIMIT 1
\gset a_
SET enable_indexscan = off;
SELECT id = :a_id AS same FROM ts WHERE id % 1000 = 7 ORDER BY v <-> '[1,2,3]' LIMIT 1;
RESET enable_indexscan;
SELECT array_agg(id ORDER BY id) FROM (
	SELECT id FROM ts WHERE id % 1000 = 7 ORDER BY v <-> '[1,2,3]' LIMIT 10) s;
SET omen.ef_search = 1;
SET omen.iterative_scan = relaxed_order;
SELECT array_agg(id ORDER BY id) FROM (
	SELECT id FROM ts WHERE id % 1000 = 7 ORDER BY v <-> '[1,2,3]' LIMIT 10) s;
RESET omen.iterative_scan;
SELECT array_agg(id ORDER BY id) FROM (
	SELECT id FROM ts WHERE id % 1000 = 7 ORDER BY v <-> '[1,2,3]' LIMIT 10) s;
SELECT count(*) FROM (SELECT id FROM ts WHERE id < 0 ORDER BY v <-> '[1,2,3]' LIMIT 10) s;
SET omen.ef_search = 10000;

-- the query: NULL, from a parameter, a subquery, a function; toasted
SELECT count(*), count(DISTINCT id), count(v <-> NULL) FROM (
	SELECT id, v FROM ts ORDER BY v <-> NULL LIMIT 5000) s;
PREPARE nearest(vector) AS SELECT v FROM ts ORDER BY v <-> $1 LIMIT 1;
EXECUTE nearest('[0,0,0]');
EXECUTE nearest('[1,2]');
SET plan_cache_mode = force_generic_plan;
EXECUTE nearest('[0,0,0]');
SELECT pg_temp.uses_index('EXECUTE nearest(''[0,0,0]'')');
RESET plan_cache_mode;
SELECT v FROM ts ORDER BY v <-> (SELECT '[0,0,0]'::vector OFFSET 0) LIMIT 1;
SELECT v FROM ts ORDER BY v <-> '[1,2,3,4]' LIMIT 1;

-- ties and the same expression twice
SELECT count(*) FROM (SELECT id FROM ts ORDER BY v <-> '[0,0,0]', id LIMIT 2) s;
SELECT id FROM ts ORDER BY v <-> '[0,0,0]', v <-> '[0,0,0]', id LIMIT 2;

-- rescans
SELECT q.n, (SELECT v <-> q.v FROM ts WHERE ts.v IS NOT NULL ORDER BY ts.v <-> q.v LIMIT 1) AS d
	FROM (SELECT id AS n, v FROM ts WHERE id IN (5, 100, 3005, 3400)) q ORDER BY n;
SELECT q.n, count(*), count(DISTINCT r.id)
	FROM (VALUES (1, '[1,1,1]'::vector), (2, NULL), (3, '[0,0,0]')) q(n, v),
	LATERAL (SELECT id FROM ts ORDER BY ts.v <-> q.v LIMIT 25) r
	GROUP BY q.n ORDER BY q.n;

-- cursors: what is inserted, deleted or moved after it was opened changes
-- nothing, nor do flushes and VACUUM
CREATE TABLE tc (id int, v vector(3)) WITH (autovacuum_enabled = off);
CREATE INDEX ic ON tc USING omen (v);
INSERT INTO tc SELECT i, ARRAY[i, 0, 0]::vector FROM generate_series(1, 1800) i;
SELECT kind, rows FROM omen_index_info('ic');
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM tc ORDER BY v <-> '[0,0,0]';
FETCH 3 FROM c;
INSERT INTO tc SELECT -i, ARRAY[i + 3.5, 0, 0]::vector FROM generate_series(1, 2500) i;
SELECT count(*) FILTER (WHERE kind = 'segment') > 0 AS flushed FROM omen_index_info('ic');
FETCH 3 FROM c;
DELETE FROM tc WHERE id BETWEEN 1 AND 20;
FETCH 3 FROM c;
MOVE 1780 IN c;
FETCH 20 FROM c;
CLOSE c;
DECLARE c CURSOR FOR SELECT id FROM tc ORDER BY v <-> '[0,0,0]';
FETCH 3 FROM c;
COMMIT;
SELECT id FROM tc ORDER BY v <-> '[0,0,0]' LIMIT 3;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM tc ORDER BY v <-> '[0,0,0]' LIMIT 5;
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
FETCH ALL FROM c;
COMMIT;
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT id FROM tc ORDER BY v <-> '[0,0,0]' LIMIT 5;
COMMIT;
DELETE FROM tc WHERE id < 0;
VACUUM tc;
FETCH ALL FROM c;
CLOSE c;
SELECT * FROM omen_check('ic', true);

DROP TABLE tc;

-- a scan that has to start over returns rows of nodes that are nearer now,
-- because others with the same code have joined them
CREATE TABLE te (id int, v vector(4)) WITH (autovacuum_enabled = off);
CREATE FUNCTION pg_temp.arc(sign int, radius float8, height float8, n int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO te SELECT sign * i, ARRAY[radius * cos(i / 700.0), radius * sin(i / 700.0), height, i % 3 * 0.05]::vector
		FROM generate_series(1, n) i $$;
CREATE FUNCTION pg_temp.rest(c refcursor) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	n int;
BEGIN
	MOVE FORWARD ALL FROM c;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;
SET omen.compaction_workers = 0;
SET omen.ef_search = 2000;
SELECT pg_temp.arc(1, 10, 3, 1900);
CREATE INDEX ie ON te USING omen (v vector_ip_ops);
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM te ORDER BY v <#> '[1,0.2,0.3,0.1]';
MOVE 700 IN c;
SELECT pg_temp.arc(-1, 10.02, 3.006, 1900), pg_temp.arc(-1, 10.03, 3.009, 1900);
SELECT omen_compact('ie');
SELECT pg_temp.arc(-1, 10, -3, 1500), omen_compact('ie');
SELECT pg_temp.arc(-1, 10, -3.1, 3000), omen_compact('ie');
SELECT rows > nodes AS joined FROM omen_index_info('ie') WHERE kind = 'segment';
SELECT pg_temp.rest('c');
CLOSE c;
SELECT restarts FROM omen_last_scan();
COMMIT;
DROP TABLE te;
RESET omen.compaction_workers;
SET omen.ef_search = 10000;

-- inner product and cosine distance; zero vector as the query
CREATE INDEX ix2 ON ts USING omen (v vector_cosine_ops);
CREATE INDEX ix3 ON ts USING omen (v vector_ip_ops);
SELECT pg_temp.compare('ts', 'v', '<=>', '[1,2,3]', 5000);
SELECT pg_temp.compare('ts', 'v', '<#>', '[1,2,3]', 5000);
SELECT pg_temp.compare('ts', 'v', '<#>', '[0,0,0]', 5000);
SELECT count(*), count(DISTINCT id), bool_and(d = 'NaN') FROM (
	SELECT id, v <=> '[0,0,0]' AS d FROM ts
	ORDER BY v <=> '[0,0,0]' LIMIT 5000) s;
SELECT count(*) FROM (SELECT id FROM ts ORDER BY v <#> NULL LIMIT 5000) s;
DROP TABLE ts;
