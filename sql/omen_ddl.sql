--
-- Kinds of indexes, and what DDL does to them.
--
\i test/compare.sql
SELECT setseed(0.875);
SET omen.ef_search = 10000;

-- not possible
CREATE TABLE td (id int, v vector(3), w vector(3), t text, b bit(8));
CREATE INDEX ON td USING omen (v, w);
CREATE UNIQUE INDEX ON td USING omen (v);
CREATE INDEX ON td USING omen (v) INCLUDE (id);
CREATE INDEX ON td USING omen (v DESC);
CREATE INDEX ON td USING omen (v NULLS FIRST);
CREATE INDEX ON td USING omen (t);
CREATE INDEX ON td USING omen (id);
CREATE INDEX ON td USING omen (b);
CREATE INDEX ON td USING omen (v vector_hamming_ops);
CREATE INDEX ON td USING omen (v halfvec_l2_ops);
\set VERBOSITY sqlstate
ALTER TABLE td ADD EXCLUDE USING omen (v WITH <->);
\set VERBOSITY default
CLUSTER td USING td_v_idx;
CREATE INDEX id ON td USING omen (v);
CLUSTER td USING id;
DROP INDEX id;

-- partial
INSERT INTO td (id, v) SELECT row_number() OVER (), v FROM pg_temp.vectors(4000, 3) v;
CREATE INDEX id ON td USING omen (v) WHERE id % 2 = 0;
SELECT rows FROM omen_index_info('id') WHERE kind = 'segment';
SELECT * FROM omen_check('id', true);
SELECT pg_temp.compare('td', 'v', '<->', '[1,2,3]', 4000);
SELECT pg_temp.compare('(SELECT v FROM td WHERE id % 2 = 0) td', 'v', '<->', '[1,2,3]', 4000);
UPDATE td SET id = id + 1 WHERE id BETWEEN 100 AND 1300;
SELECT * FROM omen_check('id', true);
SELECT pg_temp.compare('(SELECT v FROM td WHERE id % 2 = 0) td', 'v', '<->', '[1,2,3]', 4000);
DROP INDEX id;

-- expressions
CREATE INDEX id ON td USING omen ((v::halfvec(3)) halfvec_l2_ops);
CREATE INDEX id2 ON td USING omen ((v + '[1,1,1]'::vector));
CREATE INDEX id2 ON td USING omen (((v + '[1,1,1]'::vector)::vector(3)) vector_ip_ops);
CREATE INDEX id3 ON td USING omen ((subvector(v, 1, 2)::vector(2)) vector_cosine_ops);
SELECT * FROM omen_check('id', true);
SELECT * FROM omen_check('id2', true);
SELECT * FROM omen_check('id3', true);
SELECT pg_temp.compare('td', '(v::halfvec(3))', '<->', '[1,2,3]', 4000);
SELECT pg_temp.compare('td', '((v + ''[1,1,1]''::vector)::vector(3))', '<#>', '[1,2,3]', 4000);
SELECT pg_temp.compare('td', '(subvector(v, 1, 2)::vector(2))', '<=>', '[1,2]', 4000);
INSERT INTO td (id, v) SELECT 0, v FROM pg_temp.vectors(2500, 3) v;
SELECT * FROM omen_check('id', true);
SELECT * FROM omen_check('id2', true);
SELECT * FROM omen_check('id3', true);
SELECT pg_temp.compare('td', '(v::halfvec(3))', '<->', '[1,2,3]', 7000);
DROP INDEX id, id2, id3;

-- several indexes on a column
CREATE INDEX id ON td USING omen (v);
CREATE INDEX id2 ON td USING omen (v vector_ip_ops);
CREATE INDEX id3 ON td USING omen (v vector_cosine_ops);
SELECT op, pg_temp.compare('td', 'v', op, '[1,2,3]', 7000) FROM (VALUES ('<->'), ('<#>'), ('<=>')) o(op);
DROP INDEX id2, id3;

-- REINDEX, TRUNCATE, VACUUM FULL, CLUSTER, ALTER TYPE, tablespaces
REINDEX INDEX id;
SELECT * FROM omen_check('id', true);
REINDEX TABLE td;
REINDEX INDEX CONCURRENTLY id;
SELECT * FROM omen_check('id', true);
SELECT pg_temp.compare('td', 'v', '<->', '[1,2,3]', 7000);
CREATE INDEX ib ON td (id);
CLUSTER td USING ib;
SELECT * FROM omen_check('id', true);
VACUUM FULL td;
SELECT * FROM omen_check('id', true);
SELECT pg_temp.compare('td', 'v', '<->', '[1,2,3]', 7000);
DROP INDEX id;
CREATE INDEX CONCURRENTLY id ON td USING omen (v);
SELECT * FROM omen_check('id', true);
SELECT pg_temp.compare('td', 'v', '<->', '[1,2,3]', 7000);
BEGIN;
TRUNCATE td;
INSERT INTO td (v) VALUES ('[1,2,3]');
SELECT * FROM omen_check('id', true);
ROLLBACK;
SELECT * FROM omen_check('id', true);
SELECT pg_temp.compare('td', 'v', '<->', '[1,2,3]', 7000);
TRUNCATE td;
SELECT kind, rows FROM omen_index_info('id');
INSERT INTO td (id, v) SELECT row_number() OVER (), v FROM pg_temp.vectors(1500, 3) v;
ALTER TABLE td ALTER v TYPE vector(4);
DELETE FROM td;
ALTER TABLE td ALTER v TYPE vector(4);
INSERT INTO td (id, v) SELECT row_number() OVER (), v FROM pg_temp.vectors(1500, 4) v;
SELECT * FROM omen_check('id', true);
SELECT pg_temp.compare('td', 'v', '<->', '[1,2,3,4]', 2000);
ALTER TABLE td ALTER v TYPE halfvec(4);
CREATE INDEX ih ON td USING omen (v);
SELECT * FROM omen_check('ih', true);
ALTER INDEX ih SET TABLESPACE pg_default;
ALTER INDEX ih RENAME TO ih2;
SELECT * FROM omen_check('ih2', true);
DROP TABLE td;

-- in the transaction that makes the table
BEGIN;
CREATE TABLE td (v vector(3));
CREATE INDEX id ON td USING omen (v);
INSERT INTO td SELECT pg_temp.vectors(2500, 3);
SELECT * FROM omen_check('id', true);
COMMIT;
SELECT pg_temp.compare('td', 'v', '<->', '[1,2,3]', 3000);

-- HOT updates before the index was there, seen by an old snapshot or not
DROP TABLE td;
CREATE TABLE td (id int, v vector(3)) WITH (fillfactor = 50);
INSERT INTO td SELECT row_number() OVER (), v FROM pg_temp.vectors(1200, 3) v;
UPDATE td SET v = v * '[2,2,2]'::vector WHERE id % 4 = 0;
CREATE INDEX id ON td USING omen (v);
UPDATE td SET id = -id WHERE id % 3 = 0;
SELECT * FROM omen_check('id', true);
SELECT pg_temp.compare('td', 'v', '<->', '[1,2,3]', 2000);
DROP TABLE td;

-- partitions, and inheritance
CREATE TABLE td (id int, v vector(3)) PARTITION BY RANGE (id);
CREATE TABLE td1 PARTITION OF td FOR VALUES FROM (0) TO (1500);
CREATE TABLE td2 PARTITION OF td FOR VALUES FROM (1500) TO (5000);
CREATE INDEX id ON td USING omen (v);
INSERT INTO td SELECT row_number() OVER (), v FROM pg_temp.vectors(4000, 3) v;
CREATE TABLE td3 (id int, v vector(3));
INSERT INTO td3 SELECT 5000, v FROM pg_temp.vectors(1100, 3) v;
CREATE INDEX ON td3 USING omen (v);
ALTER TABLE td ATTACH PARTITION td3 FOR VALUES FROM (5000) TO (6000);
SELECT relname, c.* FROM pg_index x JOIN pg_class r ON r.oid = indexrelid,
	LATERAL omen_check(indexrelid, true) c
	WHERE indrelid IN ('td1'::regclass, 'td2'::regclass, 'td3'::regclass);
SELECT count(*) FROM pg_inherits WHERE inhparent = 'id'::regclass;
SELECT pg_temp.compare('td', 'v', '<->', '[1,2,3]', 6000);
SELECT pg_temp.compare('td', 'v', '<->', '[1,2,3]', 10);
DROP TABLE td;

-- operator classes
SELECT opcname, amvalidate(c.oid), opcdefault, opcintype::regtype
	FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod
	WHERE amname = 'omen' ORDER BY opcname COLLATE "C";
CREATE OPERATOR CLASS broken FOR TYPE vector USING omen AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops;
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'broken';
CREATE OPERATOR CLASS broken2 FOR TYPE vector USING omen AS
	OPERATOR 1 = (vector, vector), FUNCTION 1 omen_vector_l2_support(internal);
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'broken2';
DROP OPERATOR FAMILY broken USING omen;
DROP OPERATOR FAMILY broken2 USING omen;
