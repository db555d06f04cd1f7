--
-- EXPLAIN (ANALYZE): from PostgreSQL 18 on it tells what an index scan did.
--
-- On earlier versions it must tell nothing; so the answers are the same on all.
--
SELECT current_setting('server_version_num')::int >= 180000 AS told \gset

CREATE TABLE ex (id int, v vector(4));
INSERT INTO ex SELECT i, ARRAY[sin(i), cos(i * 7), sin(i * 3), cos(i * 11)]::vector(4) FROM generate_series(1, 5000) i;
CREATE INDEX ex_v ON ex USING omen (v);
INSERT INTO ex SELECT i, ARRAY[sin(i), cos(i * 7), sin(i * 3), cos(i * 11)]::vector(4) FROM generate_series(5001, 5100) i;
CREATE INDEX ex_id ON ex (id);
SET enable_seqscan = off;
SET enable_sort = off;

CREATE FUNCTION explain(options text, query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF, TIMING OFF, SUMMARY OFF, ' || options || ') ' || query LOOP
		RETURN NEXT line;
	END LOOP;
END $$;

-- what is told about each scan, from the outside in
CREATE FUNCTION told(query text, options text DEFAULT 'ANALYZE') RETURNS SETOF jsonb LANGUAGE sql AS $$
	SELECT jsonb_path_query(string_agg(line, '')::jsonb, 'strict $.**."Omen"')
		FROM explain(options || ', FORMAT JSON', query) line
$$;

-- omen_last_scan() in EXPLAIN's words, and without the index
CREATE FUNCTION last() RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_object_agg(initcap(replace(key, '_', ' ')), value) - 'Index' FROM jsonb_each(to_jsonb(omen_last_scan()))
$$;
\set near 'SELECT id FROM ex ORDER BY v <-> ''[0.1,0.2,0.3,0.4]'' LIMIT '

-- The numbers are those of omen_last_scan(); late rows aside, none is 0.
SELECT count(*) = :'told'::bool::int AS one FROM told(:'near' || '200');
SELECT told - 'Restarts' - 'Late' = last() - 'Restarts' - 'Late' AS same, told->'Restarts' AS restarts,
	(told->>'Rounds')::int > 1 AS rounds, (told->>'Nodes')::int >= (told->>'Max Ef')::int AS nodes,
	(told->>'Returned')::int >= 200 AS returned, (told->>'Pending Rows')::int % 100 = 0 AS pending
	FROM told(:'near' || '200') UNION ALL
SELECT true, '0', true, true, true, true WHERE NOT :'told'::bool;

-- All loops together: two at least as much as the last alone.
CREATE TEMP TABLE loops AS SELECT told.* FROM told($$SELECT * FROM (VALUES (1), (2)) AS q(n), LATERAL
	(SELECT id FROM ex ORDER BY v <-> ARRAY[q.n, 0, 0, 0]::vector LIMIT 10) x$$);
SELECT count(*) = :'told'::bool::int AS one, bool_and((told->>'Rounds')::int = 2 AND told->>'Max Ef' = '40'
	AND (told->>'Nodes')::int > (last()->>'Nodes')::int AND told->>'Pending Rows' = '200') IS NOT false AS both FROM loops;
DROP TABLE loops;

-- Each scan has its own; one that never began has zeros, but no line.
\set two 'SELECT (SELECT id FROM ex ORDER BY v <-> ''[1,2,3,4]'' LIMIT 1), CASE WHEN random() > 2 THEN (SELECT id FROM ex ORDER BY v <-> ''[4,3,2,1]'' LIMIT 1) END'
SELECT count(*) = 2 * :'told'::bool::int AS both, count(*) FILTER (WHERE told->>'Nodes' = '0') = :'told'::bool::int AS idle FROM told(:'two');
SELECT count(*) = :'told'::bool::int AS one FROM explain('ANALYZE', :'two') line WHERE line ~ 'Omen:';

-- As text, it is one line without what is 0.
SELECT bool_and(line ~ '^ +Omen: nodes=\d+ estimates=\d+ pages=\d+ segments=1 pending_rows=100 rounds=1 returned=\d+ max_ef=40$') = :'told' AS line
	FROM (SELECT coalesce(string_agg(line, ''), '') AS line FROM explain('ANALYZE', :'near' || '10') line WHERE line ~ 'Omen') x;

-- in the other formats
SELECT sum((line ~ '<Max-Ef>40</Max-Ef>')::int) = :'told'::bool::int AS xml FROM explain('ANALYZE, FORMAT XML', :'near' || '10') line;
SELECT sum((line ~ 'Max Ef: 40')::int) = :'told'::bool::int AS yaml FROM explain('ANALYZE, FORMAT YAML', :'near' || '10') line;

-- Nothing without ANALYZE, nor about other scans.
SELECT count(*) FROM told(:'near' || '10', 'VERBOSE');
SELECT count(*) FROM told('SELECT v FROM ex WHERE id = 7');
SELECT count(*) FROM told('SELECT v FROM ex ORDER BY id LIMIT 7');

DROP TABLE ex;
DROP FUNCTION explain, told, last;
