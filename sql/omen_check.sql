--
-- omen_check(), omen_index_info() and omen_indexes.  What omen_check() finds
-- in damaged indexes is the subject of test/t.
--
CREATE TABLE tk (id int, v vector(3)) WITH (autovacuum_enabled = off);
CREATE INDEX ik ON tk USING omen (v);
CREATE INDEX ib ON tk (id);
SELECT * FROM omen_check('ik');
INSERT INTO tk SELECT i, ARRAY[i % 10, i % 7, i % 11]::vector FROM generate_series(1, 1500) i;
REINDEX INDEX ik;
SELECT * FROM omen_check('ik');
SELECT * FROM omen_check('ik', true);
SELECT count(*) FROM omen_check('ik', NULL);
SELECT count(*) FROM omen_check(NULL);

-- what is no omen index
SELECT omen_check('tk');
SELECT omen_check('ib');
SELECT omen_check(0);
SELECT omen_index_info('tk');
SELECT omen_index_info('ib');
SELECT count(*) FROM omen_index_info(0);
CREATE TABLE tq (id int, v vector(3)) PARTITION BY HASH (id);
CREATE INDEX iq ON tq USING omen (v);
SELECT omen_check('iq');
SELECT omen_index_info('iq');
DROP TABLE tq;

-- what they tell
SELECT kind, number IS NOT NULL AS has_number, rows, nodes, dead, pages * 8192 = bytes AS pages_ok,
	degree, edge_bits, entries > 0 AS has_entries, born <= now() + interval '1 hour' AS has_born, format
	FROM omen_index_info('ik');
SELECT schemaname = current_schema AS here, tablename, indexname, format, segments, rows,
	pending, dead, dead_share, bytes = pg_relation_size('ik') AS bytes_ok
	FROM omen_indexes WHERE indexname = 'ik';
SELECT count(*) FROM omen_indexes WHERE indexname = 'ib';

-- who may ask
CREATE ROLE regress_omen;
SET ROLE regress_omen;
SELECT * FROM omen_check('ik');
SELECT count(*) FROM omen_index_info('ik');
SELECT count(*) FROM omen_indexes WHERE indexname = 'ik';
RESET ROLE;
ALTER TABLE tk OWNER TO regress_omen;
SET ROLE regress_omen;
SELECT * FROM omen_check('ik', true);
RESET ROLE;

-- functions in an index run as the owner of the table
CREATE FUNCTION who(v vector) RETURNS vector(3) IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
	IF current_user <> 'regress_omen' THEN
		RAISE NOTICE 'run as somebody else';
	END IF;
	RETURN v;
END
$$;
CREATE INDEX iw ON tk USING omen ((who(v)::vector(3)));
SELECT * FROM omen_check('iw', true);

-- an old snapshot
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM tk;
SELECT * FROM omen_check('ik', true);
COMMIT;

-- a standby aside, it can run in any transaction, read only too
BEGIN READ ONLY;
SELECT * FROM omen_check('ik', true);
COMMIT;
DROP TABLE tk;
DROP FUNCTION who;
DROP ROLE regress_omen;
