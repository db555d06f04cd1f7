-- what goes wrong must not spread
SET client_min_messages = warning;
SET omen.compaction_workers = 0;

-- A flush that fails in a subtransaction whose memory lives on: its temporary
-- files are closed by then, and their numbers may belong to other files.
CREATE TABLE tf (id int, v vector(300)) WITH (autovacuum_enabled = off);
ALTER TABLE tf ALTER v SET STORAGE plain;
CREATE INDEX tf_i ON tf USING omen (v);
CREATE TABLE other1 (i int);
CREATE TABLE other2 (i int);
INSERT INTO other2 SELECT generate_series(1, 10000);
CREATE FUNCTION fill(a int, b int) RETURNS bigint LANGUAGE sql AS $$
	WITH x AS (INSERT INTO tf
		SELECT i, (SELECT array_agg(sin(i * j)) FROM generate_series(1, 300) j)::vector
		FROM generate_series(a, b) i RETURNING 1)
	SELECT count(*) FROM x
$$;
SET maintenance_work_mem = '1MB';
SET omen.pending_limit = 3000;
SET temp_file_limit = '100kB';
DO $$
DECLARE
	n bigint;
BEGIN
	BEGIN
		n := fill(1, 4000);
		RAISE WARNING 'the flush should have failed';
	EXCEPTION WHEN configuration_limit_exceeded THEN
		NULL;
	END;
	PERFORM count(*) FROM other1;
	INSERT INTO other1 VALUES (-1);
END
$$;
RESET temp_file_limit;
SELECT count(*) FROM other2;
INSERT INTO other1 SELECT generate_series(1, 3000);
SELECT count(*), min(i), max(i) FROM other1;
SELECT count(*), min(i), max(i) FROM other2;
SELECT count(*) FROM tf;
SELECT * FROM omen_check('tf_i', true);

-- After a failure this session leaves flushing alone for a while; VACUUM does it.
SELECT fill(1, 3500);
SELECT count(*) FROM omen_index_info('tf_i') WHERE kind = 'segment';
VACUUM tf;
SELECT count(*) FROM omen_index_info('tf_i') WHERE kind = 'segment';
SELECT * FROM omen_check('tf_i', true);
RESET maintenance_work_mem;
RESET omen.pending_limit;

-- several distances in one ORDER BY
CREATE TABLE tt (id int, v vector(3)) WITH (autovacuum_enabled = off);
INSERT INTO tt SELECT i, ARRAY[i % 10, i % 7, i]::vector FROM generate_series(1, 2000) i;
CREATE INDEX tt_i ON tt USING omen (v);
SET enable_seqscan = off;
SET omen.ef_search = 2000;
CREATE TABLE by_index AS
	SELECT row_number() OVER () AS n, d1, d2 FROM (
		SELECT v <-> '[5,5,1000]' AS d1, v <-> '[0,0,1000]' AS d2 FROM tt
		ORDER BY v <-> '[5,5,1000]', v <-> '[0,0,1000]' LIMIT 500) x;
EXPLAIN (COSTS OFF) SELECT id FROM tt
	ORDER BY v <-> '[5,5,1000]', v <-> '[0,0,1000]' LIMIT 500;
RESET enable_seqscan;
SET enable_indexscan = off;
CREATE TABLE by_sort AS
	SELECT row_number() OVER () AS n, d1, d2 FROM (
		SELECT v <-> '[5,5,1000]' AS d1, v <-> '[0,0,1000]' AS d2 FROM tt
		ORDER BY v <-> '[5,5,1000]', v <-> '[0,0,1000]' LIMIT 500) x;
SELECT count(*) FROM by_index JOIN by_sort USING (n, d1, d2);
RESET enable_indexscan;
RESET omen.ef_search;

-- few rows of a large table: no space is taken for the others
CREATE TABLE tp (v vector(300));
INSERT INTO tp SELECT CASE WHEN i % 100 = 0 THEN
		(SELECT array_agg(sin(i * j)) FROM generate_series(1, 300) j)::vector END
	FROM generate_series(1, 200000) i;
ANALYZE tp;
SET maintenance_work_mem = '1MB';
SET temp_file_limit = '20MB';
CREATE INDEX tp_i ON tp USING omen (v);
RESET temp_file_limit;
RESET maintenance_work_mem;
SELECT sum(rows) FROM omen_index_info('tp_i');
SELECT * FROM omen_check('tp_i', true);

DROP TABLE tf, tt, tp, other1, other2, by_index, by_sort;
DROP FUNCTION fill;
