--
-- DELETE and VACUUM: dead bits, rewriting, and space that is used again.
--
\i test/compare.sql
\i test/settle.sql
SELECT setseed(0.625);
SET omen.ef_search = 10000;

CREATE TABLE tv (id serial, v vector(4)) WITH (autovacuum_enabled = off);
INSERT INTO tv (v) SELECT pg_temp.vectors(3000, 4);
CREATE INDEX iv ON tv USING omen (v);

-- few dead rows stay where they are, marked
DELETE FROM tv WHERE id % 10 = 0;
SELECT pg_temp.compare('tv', 'v', '<->', '[1,2,3,4]', 4000);
CALL pg_temp.settle();
VACUUM tv;
SELECT kind, rows, dead FROM omen_index_info('iv');
SELECT * FROM omen_check('iv', true);
SELECT pg_temp.compare('tv', 'v', '<->', '[1,2,3,4]', 4000);

-- their places in the table go to other rows
INSERT INTO tv (v) SELECT pg_temp.vectors(300, 4);
SELECT * FROM omen_check('iv', true);
SELECT pg_temp.compare('tv', 'v', '<->', '[1,2,3,4]', 4000);

-- many: the segment is built again without them
DELETE FROM tv WHERE id % 3 = 0;
CALL pg_temp.settle();
VACUUM tv;
SELECT kind, rows, dead FROM omen_index_info('iv') WHERE kind = 'segment';
SELECT * FROM omen_check('iv', true);
SELECT pg_temp.compare('tv', 'v', '<->', '[1,2,3,4]', 4000);

-- in the pending list
CREATE INDEX iv2 ON tv USING omen (v vector_ip_ops);
INSERT INTO tv (v) SELECT pg_temp.vectors(500, 4);
DELETE FROM tv WHERE id > 3400;
CALL pg_temp.settle();
VACUUM tv;
SELECT * FROM omen_check('iv', true);
SELECT * FROM omen_check('iv2', true);
SELECT pg_temp.compare('tv', 'v', '<#>', '[1,2,3,4]', 4000);

-- all of it
DELETE FROM tv;
CALL pg_temp.settle();
VACUUM tv;
SELECT sum(rows - dead) AS live FROM omen_index_info('iv');
SELECT * FROM omen_check('iv', true);
SELECT count(*) FROM (SELECT * FROM tv ORDER BY v <-> '[1,2,3,4]' LIMIT 10) s;
INSERT INTO tv (v) SELECT pg_temp.vectors(1500, 4);
SELECT * FROM omen_check('iv', true);
SELECT pg_temp.compare('tv', 'v', '<->', '[1,2,3,4]', 4000);

-- the file does not grow for ever
CREATE TABLE size AS SELECT 0::bigint AS first;
DO $$
BEGIN
	FOR i IN 1 .. 4 LOOP
		DELETE FROM tv;
		INSERT INTO tv (v) SELECT pg_temp.vectors(2500, 4);
	END LOOP;
END
$$;
CALL pg_temp.settle();
VACUUM tv;
UPDATE size SET first = pg_relation_size('iv');
DELETE FROM tv;
INSERT INTO tv (v) SELECT pg_temp.vectors(2500, 4);
CALL pg_temp.settle();
VACUUM tv;
DELETE FROM tv;
INSERT INTO tv (v) SELECT pg_temp.vectors(2500, 4);
CALL pg_temp.settle();
VACUUM tv;
SELECT pg_relation_size('iv') <= 2 * first AS bounded FROM size;
SELECT * FROM omen_check('iv', true);
SELECT * FROM omen_check('iv2', true);
DROP TABLE size;

-- nor does it stay larger than what it holds: pages are moved, the end cut off
CREATE TABLE ts (id serial, v vector(60)) WITH (autovacuum_enabled = off);
INSERT INTO ts (v) SELECT pg_temp.vectors(6000, 60);
CREATE INDEX its ON ts USING omen (v);
CREATE TABLE size AS SELECT pg_relation_size('its') AS fresh;
INSERT INTO ts (v) SELECT pg_temp.vectors(500, 60);
DELETE FROM ts WHERE id % 3 = 0;
CALL pg_temp.settle();
VACUUM ts;
SELECT pg_relation_size('its') <= fresh AS smaller FROM size;
SELECT * FROM omen_check('its', true);
DELETE FROM ts WHERE id % 5 <> 0;
CALL pg_temp.settle();
VACUUM ts;
SELECT pg_relation_size('its') <= fresh / 4 AS smaller FROM size;
SELECT * FROM omen_check('its', true);
SELECT pg_temp.compare('ts', 'v', '<->', (SELECT v::text FROM ts LIMIT 1), 4000);
INSERT INTO ts (v) SELECT pg_temp.vectors(3000, 60);
SELECT * FROM omen_check('its', true);
DROP TABLE ts, size;

-- dead versions of rows whose vectors did not change share nodes, and vanish
CREATE TABLE tn (id int, note int, v vector(4))
	WITH (fillfactor = 100, autovacuum_enabled = off);
INSERT INTO tn SELECT row_number() OVER (), 0, v FROM pg_temp.vectors(2500, 4) v;
CREATE INDEX ON tn (note);
CREATE INDEX itn ON tn USING omen (v);
SET omen.pending_limit = 1000;
DO $$
BEGIN
	FOR i IN 1 .. 6 LOOP
		UPDATE tn SET note = note + 1;
	END LOOP;
END
$$;
RESET omen.pending_limit;
SELECT sum(rows) AS rows, sum(nodes) <= 3 * 2500 AS shared FROM omen_index_info('itn');
SELECT omen_compact('itn');
SELECT rows, nodes FROM omen_index_info('itn') WHERE kind = 'segment';
SELECT * FROM omen_check('itn', true);
CALL pg_temp.settle();
VACUUM tn;
SELECT sum(rows - dead) AS live, sum(dead) AS dead, sum(nodes) AS nodes
	FROM omen_index_info('itn');
SELECT * FROM omen_check('itn', true);
SELECT pg_temp.compare('tn', 'v', '<->', '[1,2,3,4]', 4000);
DROP TABLE tn;

-- counts for the planner
CALL pg_temp.settle();
VACUUM ANALYZE tv;
SELECT i.reltuples = t.reltuples AS same, t.reltuples FROM pg_class i, pg_class t
	WHERE i.relname = 'iv' AND t.relname = 'tv';

-- other ways to remove rows
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP off) tv;
DELETE FROM tv WHERE id % 2 = 0;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP off) tv;
SELECT * FROM omen_check('iv', true);
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP on, PARALLEL 2) tv;
SELECT * FROM omen_check('iv', true);
SELECT pg_temp.compare('tv', 'v', '<->', '[1,2,3,4]', 4000);
VACUUM FULL tv;
SELECT * FROM omen_check('iv', true);
SELECT pg_temp.compare('tv', 'v', '<->', '[1,2,3,4]', 4000);
DROP TABLE tv;
