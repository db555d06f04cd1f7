-- an index is the same whatever the number of workers that built it
SET client_min_messages = warning;
CREATE TABLE tp (id int, v vector(24)) WITH (autovacuum_enabled = off, fillfactor = 50);
INSERT INTO tp SELECT i, array_agg(sin(i % 24000 * j) * (1 + i % 7))::vector
	FROM generate_series(1, 25000) i, generate_series(1, 24) j GROUP BY i ORDER BY i;
-- chains of versions, so that rows do not come in the order of TIDs
UPDATE tp SET id = -id WHERE id % 10 = 0;
CREATE FUNCTION differences(a regclass, b regclass)
RETURNS TABLE (same_length boolean, pages bigint, different bigint) LANGUAGE sql AS $$
	SELECT length(a) = length(b), count(*), count(*) FILTER
		(WHERE substr(a, block * 8192 + 11, 8182) <> substr(b, block * 8192 + 11, 8182))
	FROM pg_read_binary_file(pg_relation_filepath($1)) a,
		pg_read_binary_file(pg_relation_filepath($2)) b,
		generate_series(1, length(a) / 8192 - 1) block
	GROUP BY 1
$$;
SET max_parallel_maintenance_workers = 0;
CREATE INDEX tp_0 ON tp USING omen (v);
ALTER TABLE tp SET (parallel_workers = 8);
SET max_parallel_maintenance_workers = 1;
CREATE INDEX tp_1 ON tp USING omen (v);
SET max_parallel_maintenance_workers = 2;
CREATE INDEX tp_2 ON tp USING omen (v);
SET max_parallel_maintenance_workers = 4;
CREATE INDEX tp_4 ON tp USING omen (v);
SET max_parallel_maintenance_workers = 8;
CREATE INDEX tp_8 ON tp USING omen (v);
SET maintenance_work_mem = '1MB';
CREATE INDEX tp_small ON tp USING omen (v);
RESET maintenance_work_mem;
CHECKPOINT;
SELECT same_length, pages > 1500 AS pages, different FROM differences('tp_0', 'tp_1');
SELECT same_length, pages > 1500 AS pages, different FROM differences('tp_0', 'tp_2');
SELECT same_length, pages > 1500 AS pages, different FROM differences('tp_0', 'tp_4');
SELECT same_length, pages > 1500 AS pages, different FROM differences('tp_0', 'tp_8');
SELECT same_length, pages > 1500 AS pages, different FROM differences('tp_0', 'tp_small');
SELECT omen_check('tp_8');
DROP INDEX tp_1, tp_2, tp_4, tp_8, tp_small;

-- so with L1 distance, whose codes have a layout that follows from the table
CREATE INDEX tp_l1_8 ON tp USING omen (v vector_l1_ops);
SET max_parallel_maintenance_workers = 0;
CREATE INDEX tp_l1_0 ON tp USING omen (v vector_l1_ops);
SET max_parallel_maintenance_workers = 8;
CHECKPOINT;
SELECT same_length, pages > 500 AS pages, different FROM differences('tp_l1_0', 'tp_l1_8');
SELECT omen_check('tp_l1_8');
DROP INDEX tp_l1_0, tp_l1_8;

-- the counts are those of all members
CREATE INDEX CONCURRENTLY tp_concurrently ON tp USING omen (v);
SELECT relname, reltuples FROM pg_class WHERE relname IN ('tp_0', 'tp_concurrently') ORDER BY 1;
SELECT omen_check('tp_concurrently');
DROP INDEX tp_concurrently;

-- workers do take part; and what fails in one, fails the command
CREATE FUNCTION leaders_only(v vector) RETURNS vector(24) LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
	IF pg_backend_pid()::text <> current_setting('test.leader') THEN
		RAISE EXCEPTION 'this is a worker';
	END IF;
	-- give workers the time to start
	LOOP
		PERFORM pg_stat_clear_snapshot();
		EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE leader_pid = pg_backend_pid())
			OR NOT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE phase LIKE '%scanning%');
		PERFORM pg_sleep(0.01);
	END LOOP;
	RETURN v;
END $$;
SELECT set_config('test.leader', pg_backend_pid()::text, false) <> '' AS set;
SET statement_timeout = '1min';
CREATE TABLE te AS SELECT id, v FROM tp WHERE abs(id) <= 2000;
ALTER TABLE te SET (parallel_workers = 2);
\set VERBOSITY terse
CREATE INDEX te_v ON te USING omen ((leaders_only(v)::vector(24)));
-- not where the expression forbids it
CREATE OR REPLACE FUNCTION leaders_only(v vector) RETURNS vector(24) LANGUAGE plpgsql IMMUTABLE PARALLEL RESTRICTED AS $$
BEGIN
	IF pg_backend_pid()::text <> current_setting('test.leader') THEN
		RAISE EXCEPTION 'this is a worker';
	END IF;
	RETURN v;
END $$;
CREATE INDEX te_v ON te USING omen ((leaders_only(v)::vector(24)));
SELECT omen_check('te_v');

DROP TABLE tp, te;
DROP FUNCTION differences, leaders_only;
