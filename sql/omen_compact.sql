--
-- omen_compact(), and flushes that no background worker can do.
--
\i test/compare.sql
\i test/settle.sql
SELECT setseed(0.25);
SET omen.ef_search = 10000;
SET omen.pending_limit = 1000;
SET omen.compaction_workers = 2;

-- all rows into one segment, without the dead ones
CREATE TABLE to1 (id serial, v vector(5)) WITH (autovacuum_enabled = off);
INSERT INTO to1 (v) SELECT pg_temp.vectors(4000, 5);
CREATE INDEX io1 ON to1 USING omen (v);
INSERT INTO to1 (v) SELECT pg_temp.vectors(300, 5);
SELECT omen_compact('io1');
SELECT kind, rows, dead FROM omen_index_info('io1');
DELETE FROM to1 WHERE id % 10 = 0;
CALL pg_temp.settle();
VACUUM to1;
SELECT omen_compact('io1');
SELECT kind, rows, dead FROM omen_index_info('io1');
INSERT INTO to1 (v) SELECT pg_temp.vectors(20, 5);
SELECT omen_compact('io1'), omen_compact('io1');
SELECT kind, rows, dead FROM omen_index_info('io1');
SELECT * FROM omen_check('io1', true);
SELECT pg_temp.compare('to1', 'v', '<->', '[1,1,1,1,1]', 5000);

-- in a transaction, after its own changes
BEGIN;
INSERT INTO to1 (v) SELECT pg_temp.vectors(500, 5);
SAVEPOINT s;
SELECT omen_compact('io1');
ROLLBACK TO s;
SELECT kind, rows, dead FROM omen_index_info('io1');
ROLLBACK;
SELECT * FROM omen_check('io1', true);
SELECT pg_temp.compare('to1', 'v', '<->', '[1,1,1,1,1]', 5000);

-- nothing to compact
CREATE TABLE to2 (v vector(2));
CREATE INDEX io2 ON to2 USING omen (v);
SELECT omen_compact('io2');
SELECT omen_compact(NULL);

-- not an omen index, or not one's own
CREATE INDEX ob ON to1 (id);
SELECT omen_compact('to1');
SELECT omen_compact('ob');
SELECT omen_compact(0);
CREATE ROLE omen_compact_user;
GRANT SELECT, INSERT, UPDATE, DELETE ON to1 TO omen_compact_user;
SET ROLE omen_compact_user;
SELECT omen_compact('io1');
RESET ROLE;
ALTER TABLE to1 OWNER TO omen_compact_user;
SET ROLE omen_compact_user;
SELECT omen_compact('io1');
RESET ROLE;
ALTER TABLE to1 OWNER TO CURRENT_USER;

-- a worker cannot see these: who inserts flushes
BEGIN;
CREATE TABLE to3 (v vector(4));
CREATE INDEX io3 ON to3 USING omen (v);
INSERT INTO to3 SELECT pg_temp.vectors(2500, 4);
SELECT count(*) > 0 AS flushed FROM omen_index_info('io3') WHERE kind = 'segment';
TRUNCATE to3;
INSERT INTO to3 SELECT pg_temp.vectors(2500, 4);
SELECT count(*) > 0 AS flushed FROM omen_index_info('io3') WHERE kind = 'segment';
COMMIT;
BEGIN;
TRUNCATE to3;
INSERT INTO to3 SELECT pg_temp.vectors(2500, 4);
SELECT count(*) > 0 AS flushed FROM omen_index_info('io3') WHERE kind = 'segment';
ROLLBACK;
SELECT * FROM omen_check('io3', true);
CREATE TEMPORARY TABLE to4 (v vector(4));
CREATE INDEX io4 ON to4 USING omen (v);
INSERT INTO to4 SELECT pg_temp.vectors(2500, 4);
SELECT count(*) > 0 AS flushed FROM omen_index_info('io4') WHERE kind = 'segment';
SELECT omen_compact('io4');
SELECT * FROM omen_check('io4', true);

-- nor does anybody else
SET omen.compaction_workers = 0;
TRUNCATE to3;
INSERT INTO to3 SELECT pg_temp.vectors(2500, 4);
SELECT count(*) > 0 AS flushed FROM omen_index_info('io3') WHERE kind = 'segment';

DROP TABLE to1, to2, to3, to4;
DROP ROLE omen_compact_user;
