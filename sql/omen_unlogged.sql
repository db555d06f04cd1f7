--
-- Unlogged and temporary tables, and changes between kinds.
--
\i test/compare.sql
SELECT setseed(0.375);
SET omen.ef_search = 10000;

CREATE UNLOGGED TABLE tu (v vector(4));
INSERT INTO tu SELECT pg_temp.vectors(1200, 4);
CREATE INDEX iu ON tu USING omen (v);
INSERT INTO tu SELECT pg_temp.vectors(1200, 4);
SELECT * FROM omen_check('iu', true);
SELECT pg_temp.compare('tu', 'v', '<->', '[1,2,3,4]', 3000);
DELETE FROM tu WHERE v <-> '[1,1,1,1]' < 1;
VACUUM tu;
SELECT * FROM omen_check('iu', true);
ALTER TABLE tu SET LOGGED;
SELECT * FROM omen_check('iu', true);
SELECT pg_temp.compare('tu', 'v', '<->', '[1,2,3,4]', 3000);
ALTER TABLE tu SET UNLOGGED;
SELECT * FROM omen_check('iu', true);
SELECT pg_relation_size('iu', 'init') > 0 AS has_init_fork;
DROP TABLE tu;

-- temporary
CREATE TEMP TABLE tt (v vector(4));
CREATE INDEX it ON tt USING omen (v vector_cosine_ops);
INSERT INTO tt SELECT pg_temp.vectors(2500, 4);
SELECT * FROM omen_check('it', true);
SELECT pg_temp.compare('tt', 'v', '<=>', '[1,2,3,4]', 3000);
DELETE FROM tt WHERE v <-> '[1,1,1,1]' < 1;
VACUUM tt;
SELECT * FROM omen_check('it', true);
SELECT pg_temp.compare('tt', 'v', '<=>', '[1,2,3,4]', 3000);
REINDEX INDEX it;
SELECT * FROM omen_check('it', true);
DROP TABLE tt;
CREATE TEMP TABLE tt (v vector(4)) ON COMMIT DELETE ROWS;
CREATE INDEX it ON tt USING omen (v);
BEGIN;
INSERT INTO tt SELECT pg_temp.vectors(1500, 4);
SELECT * FROM omen_check('it', true);
SELECT pg_temp.compare('tt', 'v', '<->', '[1,2,3,4]', 3000);
COMMIT;
SELECT kind, rows FROM omen_index_info('it');
DROP TABLE tt;
