--
-- L1 distance: codes are not rotated, so it matters how dimensions differ.
--
\i test/compare.sql
SELECT setseed(0.125);
SET omen.pending_limit = 1000;

-- Rows of a shape in a table: are all found, in order, of two queries, and the
-- nearest with a small ef_search?  The same after rows were added, and after
-- some were changed and deleted.  What else omen_check() finds is shown.
CREATE FUNCTION pg_temp.l1(shape text, type text, dims int, element text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	rows text := format('SELECT array_agg(%s)::%s FROM generate_series(1, %%s) i,
		LATERAL (SELECT random() + 0 * i AS r) s, generate_series(1, %s) j GROUP BY i, s.r', element, type, dims);
	query text;
	result text := '';
BEGIN
	DROP TABLE IF EXISTS tl;
	EXECUTE format('CREATE TABLE tl (v %s(%s)) WITH (autovacuum_enabled = off)', type, dims);
	FOR stage IN 1 .. 3 LOOP
		IF stage = 1 THEN
			EXECUTE 'INSERT INTO tl ' || format(rows, 1500);
			EXECUTE format('CREATE INDEX il ON tl USING omen (v %s_l1_ops)', type);
		ELSIF stage = 2 THEN
			EXECUTE 'INSERT INTO tl ' || format(rows, 1200);
		ELSE
			DELETE FROM tl WHERE ctid IN (SELECT ctid FROM tl LIMIT 600);
			UPDATE tl SET v = v + v WHERE ctid IN (SELECT ctid FROM tl LIMIT 100);
		END IF;
		query := (SELECT v FROM tl OFFSET 700 LIMIT 1);
		SET LOCAL omen.ef_search = 10000;
		result := concat_ws(' ', result, pg_temp.compare('tl', 'v', '<+>', query, 5000),
			pg_temp.compare('tl', 'v', '<+>', (SELECT v + v FROM tl LIMIT 1)::text, 5000),
			(SELECT CASE WHEN recall >= 0.97 THEN 'found' ELSE round(recall::numeric, 4)::text END
			 FROM omen_recall('il', 10, 200, 40)),
			(SELECT string_agg(c::text, ' ') FROM omen_check('il', true) c));
	END LOOP;
	RETURN result;
END
$$;
SET client_min_messages = warning;
SELECT shape, type, pg_temp.l1(shape, type, dims, element)
	FROM (VALUES ('uniform', 16, 'random()'),
		('one dimension', 1, 'random()'),
		('two dimensions', 2, 'random()'),
		('a line', 24, '(r + 3) * (j - 12)'),
		('far from 0', 8, '1000 + random()'),
		('two strong dimensions', 24, 'random() * CASE j WHEN 5 THEN 300 WHEN 17 THEN -2000 ELSE 1 END'),
		('every dimension stronger', 12, 'random() * 2.0 ^ (j - 6)'),
		('heavy tails', 10, 'tan(random() * 3.1 - 1.55)'),
		('clusters', 12, 'mod(floor(r * 100)::int * (j + 3) * 37, 61) + random() * 0.02'),
		('bits', 40, '(random() < 0.3)::int'),
		('equal dimensions', 33, 'CASE WHEN j > 30 THEN random() ELSE 5 END')) s(shape, dims, element),
		(VALUES ('halfvec'), ('vector')) t(type)
	ORDER BY shape, type;
RESET client_min_messages;

-- queries beyond the range of the codes; the plan; NULL
DROP TABLE tl;
CREATE TABLE tl (v vector(33)) WITH (autovacuum_enabled = off);
CREATE INDEX il ON tl USING omen (v vector_l1_ops);
INSERT INTO tl SELECT array_agg(random()) FROM generate_series(1, 1500) i, generate_series(1, 33) j GROUP BY i;
SET omen.ef_search = 10000;
SELECT pg_temp.compare('tl', 'v', '<+>', array_fill(q, ARRAY[33])::vector::text, 2000)
	FROM unnest(ARRAY[-1, 3, 1e6, -1e30, 3e38]) q;
INSERT INTO tl SELECT array_fill(i * 1e5, ARRAY[33]) FROM generate_series(1, 1500) i;
SELECT pg_temp.compare('tl', 'v', '<+>', array_fill(q, ARRAY[33])::vector::text, 5000)
	FROM unnest(ARRAY[-1, 3, 1e6, -1e30, 3e38]) q;
RESET omen.ef_search;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT ctid FROM tl ORDER BY v <+> array_fill(1, ARRAY[33])::vector LIMIT 5;
-- another distance cannot use it; newer servers would say that the scan is disabled
RESET enable_seqscan;
EXPLAIN (COSTS OFF) SELECT ctid FROM tl ORDER BY v <-> array_fill(1, ARRAY[33])::vector LIMIT 5;
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT v FROM tl ORDER BY v <+> NULL LIMIT 5000) s;
DROP TABLE tl;
