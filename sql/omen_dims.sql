--
-- Any number of dimensions: slots and pending rows that share pages, have a
-- page to themselves, or take several.
--
\i test/compare.sql
\i test/settle.sql
SET omen.ef_search = 4000;
SET omen.pending_limit = 1000;

-- Rows are sums of three of these, which is quicker than as many random ones;
-- "part" are their first dimensions.
CREATE TABLE base AS SELECT row_number() OVER () - 1 AS n, v::vector
	FROM pg_temp.vectors(41, 16000) v;

-- Insert the rows from .. upto, of so many dimensions.
CREATE FUNCTION pg_temp.add(dims int, first int, last int) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	CREATE TEMP TABLE part AS SELECT n, subvector(v, 1, dims) AS v FROM base;
	INSERT INTO tw SELECT i, a.v + b.v + c.v
		FROM generate_series(first, last) i
		JOIN part a ON a.n = i % 13
		JOIN part b ON b.n = 13 + i / 13 % 11
		JOIN part c ON c.n = 24 + i / 143 % 17;
	DROP TABLE part;
END
$$;

-- What is wrong with the index, or its nearest rows.
CREATE FUNCTION pg_temp.faults(op text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	near text := (SELECT v::text FROM tw WHERE id = 7);
BEGIN
	RETURN concat_ws(' ', NULLIF(pg_temp.compare('tw', 'v', op, near, 50), 'equal'),
		(SELECT string_agg(c::text, ' ') FROM omen_check('iw', true) c));
END
$$;

-- From building to merging, with a check after each step.
CREATE PROCEDURE pg_temp.live(type text, opclass text, op text, dims int,
							  options text DEFAULT 'm = 16')
LANGUAGE plpgsql AS $$
DECLARE
	steps text[];
	sizes text;
BEGIN
	EXECUTE format('CREATE TABLE tw (id int, v %s(%s))', type, dims);
	ALTER TABLE tw ALTER v SET STORAGE EXTERNAL;
	PERFORM pg_temp.add(dims, 1, 1020);
	EXECUTE format('CREATE INDEX iw ON tw USING omen (v %s) WITH (%s)',
		opclass, options);
	SELECT format('%s bits, %s nodes a page', edge_bits, round(nodes::numeric / pages, 1))
		FROM omen_index_info('iw') WHERE kind = 'segment' INTO sizes;
	steps := steps || pg_temp.faults(op);
	PERFORM pg_temp.add(dims, 1021, 1060);
	steps := steps || pg_temp.faults(op);
	DELETE FROM tw WHERE id % 10 = 3;
	COMMIT;
	RAISE NOTICE '% %: %; %', type, dims, sizes, steps;
END
$$;

-- After a VACUUM, which cannot be called in a procedure.
CREATE FUNCTION pg_temp.live_on(op text, dims int) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	steps text[];
BEGIN
	steps := steps || pg_temp.faults(op);
	PERFORM pg_temp.add(dims, 1061, 2120);
	steps := steps || pg_temp.faults(op);
	RETURN format('%s; %s', steps, (SELECT string_agg(format('%s %s', kind, rows), ', ' ORDER BY kind, rows)
		FROM omen_index_info('iw')));
END
$$;

CALL pg_temp.live('vector', 'vector_cosine_ops', '<=>', 384);
DROP TABLE tw;
CALL pg_temp.live('vector', 'vector_l2_ops', '<->', 1999);
CALL pg_temp.settle();
VACUUM tw;
SELECT pg_temp.live_on('<->', 1999);
DROP TABLE tw;
CALL pg_temp.live('vector', 'vector_ip_ops', '<#>', 2001);
DROP TABLE tw;
CALL pg_temp.live('halfvec', 'halfvec_cosine_ops', '<=>', 4001, 'edge_bits = 2048');
CALL pg_temp.settle();
VACUUM tw;
SELECT pg_temp.live_on('<=>', 4001);
DROP TABLE tw;
CALL pg_temp.live('vector', 'vector_l1_ops', '<+>', 8000);
DROP TABLE tw;
CALL pg_temp.live('vector', 'vector_ip_ops', '<#>', 16000);
DROP TABLE tw;

-- a pending list that VACUUM finds, a rollback, an update
CREATE TABLE tw (id int, v vector(16000));
CREATE INDEX iw ON tw USING omen (v);
SELECT pg_temp.add(16000, 1, 30);
BEGIN;
SELECT pg_temp.add(16000, 31, 60);
ROLLBACK;
UPDATE tw SET v = v + v WHERE id > 20;
DELETE FROM tw WHERE id < 5;
SELECT pg_temp.faults('<->');
CALL pg_temp.settle();
VACUUM tw;
SELECT kind, rows, dead FROM omen_index_info('iw');
SELECT pg_temp.add(16000, 61, 70);
SELECT pg_temp.faults('<->');
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT FROM tw ORDER BY v <-> NULL) s;
DROP TABLE tw, base;

-- one dimension more
CREATE TABLE tw (v vector(16000), h halfvec(16000));
CREATE INDEX ON tw USING omen (v);
CREATE INDEX ON tw USING omen (h);
CREATE INDEX ON tw USING omen ((v::vector(16001)));
DROP TABLE tw;
