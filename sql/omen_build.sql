--
-- CREATE INDEX: tables of all sizes around where a graph begins, all operator
-- classes.
--
\i test/compare.sql
SET omen.ef_search = 10000;
SELECT setseed(0.25);

-- what kinds of rows the index of n rows has, and whether all are found
CREATE FUNCTION pg_temp.build(n int, class text, op text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	type text := split_part(class, '_', 1);
	result text;
BEGIN
	DROP TABLE IF EXISTS tb;
	EXECUTE format('CREATE TABLE tb (v %s(7))', type);
	INSERT INTO tb SELECT pg_temp.vectors(n, 7);
	EXECUTE format('CREATE INDEX ib ON tb USING omen (v %s)', class);
	SELECT string_agg(format('%s %s', kind, rows), ', ' ORDER BY kind DESC)
		FROM omen_index_info('ib') WHERE rows > 0 INTO result;
	RETURN concat_ws(': ', result,
		pg_temp.compare('tb', 'v', op, '[1,-2,3,-4,5,-6,7]', n + 10),
		(SELECT string_agg(c::text, ' ') FROM omen_check('ib', true) c));
END
$$;
SET client_min_messages = warning;
SELECT n, class, pg_temp.build(n, class, op)
	FROM (VALUES (0), (1), (2), (999), (1000), (1001), (1500)) n(n),
	(VALUES ('vector_l2_ops', '<->'), ('vector_ip_ops', '<#>'),
		('vector_cosine_ops', '<=>'), ('vector_l1_ops', '<+>'),
		('halfvec_l2_ops', '<->'), ('halfvec_ip_ops', '<#>'),
		('halfvec_cosine_ops', '<=>'), ('halfvec_l1_ops', '<+>')) c(class, op)
	ORDER BY n, class DESC;
RESET client_min_messages;
DROP TABLE tb;

-- more than one chunk, more than one level
CREATE TABLE tb (id int, v vector(5));
INSERT INTO tb SELECT row_number() OVER (), v FROM pg_temp.vectors(7000, 5) v;
CREATE INDEX ib ON tb USING omen (v) WITH (chunk_size = 256, m = 4, ef_construction = 8);
SELECT * FROM omen_check('ib', true);
SELECT pg_temp.compare('tb', 'v', '<->', '[0,0,0,0,0]', 7000);
SELECT pg_temp.compare('tb', 'v', '<->', '[9,9,9,9,9]', 10);
SELECT degree, rows FROM omen_index_info('ib') WHERE kind = 'segment';
DROP TABLE tb;

-- NULL and the zero vector
CREATE TABLE tb (v vector(3)) WITH (autovacuum_enabled = off);
INSERT INTO tb SELECT CASE WHEN i % 5 = 0 THEN NULL
	WHEN i % 7 = 0 THEN '[0,0,0]' ELSE ARRAY[i, i % 3, 1]::vector END
	FROM generate_series(1, 2000) i;
CREATE INDEX ib ON tb USING omen (v vector_cosine_ops);
SELECT count(*) FROM tb WHERE v IS NOT NULL AND vector_norm(v) > 0;
SELECT rows FROM omen_index_info('ib') WHERE kind = 'segment';
SELECT * FROM omen_check('ib', true);
SELECT pg_temp.compare('tb', 'v', '<=>', '[1,2,3]', 2000);
DROP INDEX ib;
CREATE INDEX ib ON tb USING omen (v);
SELECT rows, nodes FROM omen_index_info('ib') WHERE kind = 'segment';
SELECT * FROM omen_check('ib', true);
SELECT pg_temp.compare('tb', 'v', '<->', '[1,2,3]', 2000);
TRUNCATE tb;
INSERT INTO tb SELECT NULL FROM generate_series(1, 2000);
REINDEX INDEX ib;
SELECT kind, rows FROM omen_index_info('ib');
SELECT * FROM omen_check('ib', true);
DROP TABLE tb;

-- all rows equal: one node with all of them
CREATE TABLE tb (v vector(3)) WITH (autovacuum_enabled = off);
INSERT INTO tb SELECT '[1,2,3]' FROM generate_series(1, 3000);
CREATE INDEX ib ON tb USING omen (v);
SELECT rows, nodes, entries FROM omen_index_info('ib') WHERE kind = 'segment';
SELECT * FROM omen_check('ib', true);
SELECT pg_temp.compare('tb', 'v', '<->', '[3,2,1]', 3000);
SET omen.ef_search = 1;
SELECT pg_temp.compare('tb', 'v', '<->', '[3,2,1]', 3000);
SET omen.ef_search = 10000;
DROP TABLE tb;

-- what does not fit maintenance_work_mem goes to temporary files, and gives
-- the same pages but for the first, which has the time of the build
CREATE TABLE tb (v vector(100)) WITH (autovacuum_enabled = off);
INSERT INTO tb SELECT pg_temp.vectors(5000, 100);
SET maintenance_work_mem = '1MB';
CREATE INDEX ib ON tb USING omen (v);
RESET maintenance_work_mem;
CREATE INDEX ib2 ON tb USING omen (v);
SELECT * FROM omen_check('ib', true);
CHECKPOINT;
SELECT length(a) = length(b) AS same_length, count(*) > 100 AS many_pages,
	count(*) FILTER (WHERE substr(a, block * 8192 + 11, 8182) <>
		substr(b, block * 8192 + 11, 8182)) AS different
	FROM pg_read_binary_file(pg_relation_filepath('ib')) a,
		pg_read_binary_file(pg_relation_filepath('ib2')) b,
		generate_series(1, length(a) / 8192 - 1) block
	GROUP BY 1;
SET maintenance_work_mem = '1MB';
INSERT INTO tb SELECT pg_temp.vectors(2500, 100);
DELETE FROM tb WHERE ctid IN (SELECT ctid FROM tb LIMIT 3000);
VACUUM tb;
SELECT * FROM omen_check('ib', true);
SELECT pg_temp.compare('tb', 'v', '<->', array_fill(0.3, ARRAY[100])::vector::text, 5000);
RESET maintenance_work_mem;
DROP TABLE tb;

-- dimensions
CREATE TABLE tb (v vector, x vector(2000), y halfvec(4000));
CREATE INDEX ON tb USING omen (v);
CREATE INDEX ib ON tb USING omen (x);
CREATE INDEX ib2 ON tb USING omen (y);
CREATE INDEX ON tb USING omen (x) WITH (m = 100, ef_construction = 200);
CREATE INDEX ib3 ON tb USING omen (x vector_l1_ops) WITH (m = 100, ef_construction = 200);
CREATE INDEX ib4 ON tb USING omen (y halfvec_l1_ops);
INSERT INTO tb (x, y) SELECT array_fill(i, ARRAY[2000]), array_fill(i, ARRAY[4000]) FROM generate_series(1, 20) i;
SELECT * FROM omen_check('ib', true);
SELECT * FROM omen_check('ib2', true);
SELECT * FROM omen_check('ib3', true);
SELECT * FROM omen_check('ib4', true);
SELECT pg_temp.compare('tb', 'x', '<->', array_fill(7, ARRAY[2000])::vector::text, 20);
SELECT pg_temp.compare('tb', 'y', '<->', array_fill(7, ARRAY[4000])::vector::text, 20);
SELECT pg_temp.compare('tb', 'x', '<+>', array_fill(7, ARRAY[2000])::vector::text, 20);
SELECT pg_temp.compare('tb', 'y', '<+>', array_fill(7, ARRAY[4000])::vector::text, 20);
DROP TABLE tb;
