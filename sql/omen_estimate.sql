-- what a build is expected to take
CREATE TABLE te (id int, v vector(100), h halfvec(200)) WITH (autovacuum_enabled = off);
INSERT INTO te SELECT i,
	(SELECT array_agg(sin(i * j)) FROM generate_series(1, 100) j)::vector,
	(SELECT array_agg(cos(i * j)) FROM generate_series(1, 200) j)::vector::halfvec
	FROM generate_series(1, 3000) i;
ANALYZE te;
SET max_parallel_maintenance_workers = 0;
CREATE INDEX te_l2 ON te USING omen (v);
CREATE INDEX te_cosine ON te USING omen (h halfvec_cosine_ops);
CREATE INDEX te_ip ON te USING omen (v vector_ip_ops) WITH (m = 32, ef_construction = 200);
CREATE INDEX te_l1 ON te USING omen (h halfvec_l1_ops);
CREATE FUNCTION about(estimate bigint, actual bigint) RETURNS boolean
	LANGUAGE sql AS 'SELECT $1 BETWEEN $2 / 1.5 AND $2 * 1.5';
SELECT rows, workers, temp_bytes, about(index_bytes, pg_relation_size('te_l2')), seconds > 0 AS seconds
	FROM omen_build_estimate('te', 'v');
SELECT about(index_bytes, pg_relation_size('te_cosine'))
	FROM omen_build_estimate('te', 'h', 'halfvec_cosine_ops');
SELECT about(index_bytes, pg_relation_size('te_ip'))
	FROM omen_build_estimate('te', 'v', 'vector_ip_ops', 32, 200);
SELECT about(index_bytes, pg_relation_size('te_l1')), seconds > 0 AS seconds
	FROM omen_build_estimate('te', 'h', 'halfvec_l1_ops');

-- arrays of about 880 bytes a row, in memory or in files, and 384 for lines of a range of nodes
SELECT about(memory_bytes - 8 * 1024 * 1024, 3000 * 1264), temp_bytes FROM omen_build_estimate('te', 'v');
SET maintenance_work_mem = '1MB';
SELECT memory_bytes - 9 * 1024 * 1024 AS memory, about(temp_bytes, 3000 * 1264)
	FROM omen_build_estimate('te', 'v');
RESET maintenance_work_mem;
RESET max_parallel_maintenance_workers;
ALTER TABLE te SET (parallel_workers = 2);
SELECT workers, about(temp_bytes, 3000 * 1264) FROM omen_build_estimate('te', 'v');
ALTER TABLE te RESET (parallel_workers);

-- few rows, no rows, a table never analyzed
CREATE TABLE te_few AS SELECT id, v FROM te LIMIT 500;
SELECT rows BETWEEN 400 AND 600 AS about FROM omen_build_estimate('te_few', 'v');
CREATE INDEX te_flat ON te_few USING omen (v);
SELECT about(index_bytes, pg_relation_size('te_flat')), temp_bytes
	FROM omen_build_estimate('te_few', 'v');
SELECT rows FROM omen_build_estimate('te_few', 'v');
CREATE TABLE te_none (v vector(3));
VACUUM te_none;
SELECT rows, index_bytes FROM omen_build_estimate('te_none', 'v');
SELECT rows FROM omen_build_estimate('te', NULL);

-- refusals
SELECT omen_build_estimate('te', 'w');
SELECT omen_build_estimate('te', 'ctid');
SELECT omen_build_estimate('te', 'id');
SELECT omen_build_estimate('te', 'v', 'halfvec_l2_ops');
SELECT omen_build_estimate('te', 'v', 'no_ops');
SELECT omen_build_estimate('te', 'v', m => 101);
SELECT omen_build_estimate('te', 'v', m => 50);
CREATE VIEW te_view AS SELECT v FROM te;
SELECT omen_build_estimate('te_view', 'v');
DROP VIEW te_view;
SELECT omen_build_estimate(0, 'v');
CREATE TABLE te_parts (id int, v vector(3)) PARTITION BY HASH (id);
SELECT omen_build_estimate('te_parts', 'v');
CREATE TABLE te_any (v vector);
SELECT omen_build_estimate('te_any', 'v');

-- who may ask
CREATE ROLE regress_te;
GRANT SELECT (v) ON te TO regress_te;
SET ROLE regress_te;
SELECT rows FROM omen_build_estimate('te', 'v');
SELECT omen_build_estimate('te', 'h');
SELECT omen_build_estimate('te', 'w');
SELECT omen_build_estimate('te_few', 'v');
RESET ROLE;
GRANT SELECT ON te_few TO regress_te;
SET ROLE regress_te;
SELECT rows FROM omen_build_estimate('te_few', 'v');
RESET ROLE;
DROP OWNED BY regress_te;
DROP ROLE regress_te;
DROP FUNCTION about;
DROP TABLE te, te_few, te_none, te_parts, te_any;
