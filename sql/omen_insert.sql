--
-- INSERT, COPY and UPDATE: the pending list, flushes and merges.
--
\i test/compare.sql
\i test/settle.sql
SET omen.ef_search = 10000;
SET omen.pending_limit = 1000;
SELECT setseed(0.5);

CREATE TABLE ti (id serial, note int, v vector(6)) WITH (autovacuum_enabled = off);
CREATE INDEX ii ON ti USING omen (v);

-- one by one into an empty index
DO $$
BEGIN
	FOR i IN 1 .. 30 LOOP
		INSERT INTO ti (v) SELECT pg_temp.vectors(1, 6);
	END LOOP;
END
$$;
SELECT kind, rows, dead FROM omen_index_info('ii');
SELECT * FROM omen_check('ii', true);
SELECT pg_temp.compare('ti', 'v', '<->', '[1,1,1,1,1,1]', 100);

-- the first flush, and what comes after it
INSERT INTO ti (v) SELECT pg_temp.vectors(1500, 6);
SELECT count(*) FILTER (WHERE kind = 'segment') > 0 AS flushed, sum(rows) AS rows
	FROM omen_index_info('ii');
SELECT * FROM omen_check('ii', true);
SELECT pg_temp.compare('ti', 'v', '<->', '[1,1,1,1,1,1]', 2000);

-- merges: few segments stay, however many flushes there were
INSERT INTO ti (v) SELECT pg_temp.vectors(8000, 6);
SELECT count(*) FILTER (WHERE kind = 'segment') <= 3 AS merged, sum(rows) AS rows,
	sum(rows) FILTER (WHERE kind = 'pending') < 1200 AS bounded
	FROM omen_index_info('ii');
SELECT * FROM omen_check('ii', true);
SELECT pg_temp.compare('ti', 'v', '<->', '[0,0,0,0,0,0]', 10000);
SELECT pg_temp.compare('ti', 'v', '<->', '[5,0,0,0,0,0]', 3);

-- rows of an aborted transaction are in the index, but nobody sees them
BEGIN;
INSERT INTO ti (v) SELECT '[9,9,9,9,9,9]' FROM generate_series(1, 1500);
SAVEPOINT s;
INSERT INTO ti (v) SELECT '[9,9,9,9,9,8]' FROM generate_series(1, 1500);
SELECT pg_temp.compare('ti', 'v', '<->', '[9,9,9,9,9,8]', 20000);
ROLLBACK TO s;
SELECT pg_temp.compare('ti', 'v', '<->', '[9,9,9,9,9,8]', 20000);
SELECT * FROM omen_check('ii', true);
ROLLBACK;
SET omen.max_scan_tuples = 100000;
SELECT pg_temp.compare('ti', 'v', '<->', '[9,9,9,9,9,8]', 20000);
RESET omen.max_scan_tuples;
SELECT * FROM omen_check('ii', true);

-- UPDATE of the vector, and of another column
UPDATE ti SET v = '[7,7,7,7,7,7]' WHERE id % 100 = 0;
UPDATE ti SET note = id WHERE id % 50 = 1;
SELECT * FROM omen_check('ii', true);
SET omen.max_scan_tuples = 100000;
SELECT pg_temp.compare('ti', 'v', '<->', '[7,7,7,7,7,7]', 20000);
RESET omen.max_scan_tuples;

-- COPY
COPY ti (v) FROM stdin;
[1,2,3,4,5,6]
\N
[6,5,4,3,2,1]
\.
SELECT * FROM omen_check('ii', true);
SELECT v FROM ti ORDER BY v <-> '[6,5,4,3,2,1]' LIMIT 1;

-- what is refused
INSERT INTO ti (v) VALUES ('[1,2]');
DROP TABLE ti;

-- NULL, the zero vector and cosine distance; inner product beyond the norms
-- that the quantizer has seen
CREATE TABLE ti (v halfvec(3)) WITH (autovacuum_enabled = off);
CREATE INDEX ii ON ti USING omen (v halfvec_cosine_ops);
CREATE INDEX ii2 ON ti USING omen (v halfvec_ip_ops);
INSERT INTO ti SELECT CASE WHEN i % 5 = 0 THEN NULL WHEN i % 7 = 0 THEN '[0,-0,0]'
	ELSE ARRAY[i % 17, i % 13, i % 3]::halfvec END
	FROM generate_series(1, 1500) i;
INSERT INTO ti SELECT ARRAY[i, 2 * i, 20000]::halfvec FROM generate_series(1, 1500) i;
SELECT * FROM omen_check('ii', true);
SELECT * FROM omen_check('ii2', true);
SELECT pg_temp.compare('ti', 'v', '<=>', '[1,2,3]', 3000);
SELECT pg_temp.compare('ti', 'v', '<#>', '[1,2,3]', 3000);
SELECT pg_temp.compare('ti', 'v', '<#>', '[-1,2,0.001]', 3000);
DROP TABLE ti;

-- rows that wait as codes, once there is a quantizer, by every distance; some
-- of them equal, and some dead
CREATE TABLE ti (id serial, v vector(40), h halfvec(80)) WITH (autovacuum_enabled = off);
INSERT INTO ti (v, h) SELECT v, v::real[]::halfvec || v::real[]::halfvec FROM pg_temp.vectors(1200, 40) v;
CREATE INDEX ii ON ti USING omen (v);
CREATE INDEX ii2 ON ti USING omen (v vector_ip_ops);
CREATE INDEX ii3 ON ti USING omen (v vector_cosine_ops);
CREATE INDEX ii4 ON ti USING omen (v vector_l1_ops);
CREATE INDEX ii5 ON ti USING omen (h halfvec_cosine_ops);
INSERT INTO ti (v, h) SELECT v, v::real[]::halfvec || v::real[]::halfvec FROM pg_temp.vectors(700, 40) v;
INSERT INTO ti (v, h) SELECT v, h FROM ti WHERE id = 1500;
INSERT INTO ti (v, h) SELECT v, h FROM ti, generate_series(1, 100) WHERE id = 1700;
INSERT INTO ti (v) SELECT array_fill(0, ARRAY[40])::vector UNION ALL SELECT NULL;
DELETE FROM ti WHERE id % 9 = 0;
CREATE FUNCTION pg_temp.all_equal(k int) RETURNS TABLE (op text, equal text)
LANGUAGE sql AS $$
	SELECT c.op, pg_temp.compare('ti', col, c.op, query, k)
		FROM (SELECT v::text AS v, h::text AS h FROM ti WHERE id = 1702) q,
			LATERAL (VALUES ('v', '<->', v), ('v', '<#>', v), ('v', '<=>', v),
				('v', '<+>', v), ('h', '<=>', h)) c(col, op, query)
$$;
CREATE FUNCTION pg_temp.findings() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM unnest('{ii,ii2,ii3,ii4,ii5}'::regclass[]) i,
		LATERAL omen_check(i, true)
$$;
SET omen.max_scan_tuples = 100000;
SELECT * FROM pg_temp.all_equal(10);
SELECT * FROM pg_temp.all_equal(3000);
SELECT pg_temp.findings();
CALL pg_temp.settle();
VACUUM ti;
SELECT indexname, segments, pending > 500 AS pending, dead FROM omen_indexes WHERE tablename = 'ti' ORDER BY 1;
SELECT * FROM pg_temp.all_equal(3000);
SELECT pg_temp.findings();

-- with a small ef_search rounds go on over all of them, each row once; and only
-- the nearest are handed out if there is to be one round
SET omen.ef_search = 5;
SET omen.iterative_scan = relaxed_order;
SET enable_seqscan = off;
SET enable_sort = off;
SELECT count(*), count(DISTINCT id), count(*) = (SELECT count(*) FROM ti WHERE v IS NOT NULL) AS whole
	FROM (SELECT id FROM ti ORDER BY v <-> array_fill(0.5, ARRAY[40])::vector LIMIT 10000) s;
SELECT pending_rows / rounds > 500 AS read_again, rounds > 5 AS rounds FROM omen_last_scan();
SET omen.iterative_scan = off;
SELECT count(*) < 100 AS few
	FROM (SELECT id FROM ti ORDER BY v <-> array_fill(0.5, ARRAY[40])::vector LIMIT 10000) s;
RESET omen.iterative_scan;
RESET enable_seqscan;
RESET enable_sort;
SET omen.ef_search = 10000;

-- a flush takes the codes over
SELECT omen_compact('ii'), omen_compact('ii2'), omen_compact('ii3'), omen_compact('ii4'), omen_compact('ii5');
SELECT indexname, segments, pending FROM omen_indexes WHERE tablename = 'ti' ORDER BY 1;
SELECT * FROM pg_temp.all_equal(3000);
SELECT pg_temp.findings();
RESET omen.max_scan_tuples;
DROP TABLE ti;

-- TOASTed vectors
CREATE TABLE ti (v vector(2000)) WITH (autovacuum_enabled = off);
ALTER TABLE ti ALTER v SET STORAGE EXTERNAL;
CREATE INDEX ii ON ti USING omen (v);
INSERT INTO ti SELECT pg_temp.vectors(30, 2000);
SELECT * FROM omen_check('ii', true);
SELECT pg_temp.compare('ti', 'v', '<->', (SELECT v::text FROM ti LIMIT 1), 30);
DROP TABLE ti;
