--
-- INSERT, COPY and UPDATE: the pending list, flushes and merges.
--
\i test/compare.sql
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

-- TOASTed vectors
CREATE TABLE ti (v vector(2000)) WITH (autovacuum_enabled = off);
ALTER TABLE ti ALTER v SET STORAGE EXTERNAL;
CREATE INDEX ii ON ti USING omen (v);
INSERT INTO ti SELECT pg_temp.vectors(30, 2000);
SELECT * FROM omen_check('ii', true);
SELECT pg_temp.compare('ti', 'v', '<->', (SELECT v::text FROM ti LIMIT 1), 30);
DROP TABLE ti;
