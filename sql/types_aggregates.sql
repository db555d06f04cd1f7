--
-- Aggregates over vector and halfvec.
--
\pset null NULL
\i test/try.sql

-- plain
SELECT avg(v), sum(v), avg(v::halfvec) AS half_avg, sum(v::halfvec) AS half_sum
	FROM unnest(ARRAY['[1,2,-3]', '[3,5,7]', NULL, '[2,2,2]']::vector[]) v;
SELECT avg(v), sum(v), avg(v::halfvec) AS half_avg, sum(v::halfvec) AS half_sum FROM unnest(ARRAY[]::vector[]) v;
SELECT avg(v), sum(v), avg(v::halfvec) AS half_avg, sum(v::halfvec) AS half_sum FROM unnest(ARRAY[NULL, NULL]::vector[]) v;
SELECT avg(v), sum(v), avg(v::halfvec) AS half_avg, sum(v::halfvec) AS half_sum FROM unnest(ARRAY['[-0]']::vector[]) v;
SELECT f, t, a, pg_temp.try(format('SELECT %s(v) FROM unnest(%L::%s[]) v', f, a, t)) AS result
	FROM unnest(ARRAY['avg', 'sum']) f, unnest(ARRAY['vector', 'halfvec']) t,
	unnest(ARRAY['{"[1,2]","[3]"}', '{"[65504]","[65504]"}', '{"[3e38]","[3e38]"}']) a;

-- groups and windows: a state that is changed in place serves one of them only
SELECT i % 3 AS g, avg(ARRAY[i, -i]::vector), sum(ARRAY[i, -i]::halfvec) FROM generate_series(1, 9) i GROUP BY 1 ORDER BY 1;
SELECT i, avg(ARRAY[i, i * i]::vector) OVER (ORDER BY i) AS so_far,
	avg(ARRAY[i, i * i]::halfvec) OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS of_two
	FROM generate_series(1, 5) i;

-- in parallel
CREATE TABLE tg AS SELECT i, ARRAY[i % 10, i % 100, 1]::vector AS v FROM generate_series(1, 10000) i;
ANALYZE tg;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT avg(v), sum(v), avg(v::halfvec), sum(v::halfvec) FROM tg;
SELECT avg(v), sum(v), avg(v::halfvec) AS half_avg FROM tg;
-- few enough that no sum of halfs is rounded
SELECT sum(v::halfvec) FROM tg WHERE i % 100 = 3;
-- no worker, or one, has a row
SELECT avg(v), sum(v), avg(v::halfvec) AS half_avg, sum(v::halfvec) AS half_sum FROM tg WHERE vector_norm(v) < 0;
SELECT avg(v), sum(v), avg(v::halfvec) AS half_avg, sum(v::halfvec) AS half_sum FROM tg WHERE i = 5000;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
DROP TABLE tg;

-- support functions, which anybody can call
SELECT s, pg_temp.try(format('SELECT vector_accum(%L, ''[1,2,3]'')', s)) AS vector_accum,
	pg_temp.try(format('SELECT halfvec_accum(%L, ''[1,2,3]'')', s)) AS halfvec_accum,
	pg_temp.try(format('SELECT vector_avg(%L)', s)) AS vector_avg, pg_temp.try(format('SELECT halfvec_avg(%L)', s)) AS halfvec_avg
	FROM unnest(ARRAY['{0}', '{1}', '{0,0,0,0}', '{2,2,4,7}', '{0,0}', '{}', '{NULL}', '{NULL,2,4,6}', '{{0}}', '{{2,2,4,6}}',
		'{1,65520,0,0}', '{1,1e39,0,0}', '{1,Infinity,0,0}', '{1,NaN,0,0}']) s;
SELECT pg_temp.try('SELECT vector_avg(array_agg(n)) FROM generate_series(1, 16002) n'),
	pg_temp.try('SELECT halfvec_avg(array_agg(n)) FROM generate_series(1, 16002) n');
SELECT a, b, pg_temp.try(format('SELECT vector_combine(%L, %L)', a, b)) AS vector_combine,
	pg_temp.try(format('SELECT halfvec_combine(%L, %L)', a, b)) AS halfvec_combine
	FROM (VALUES ('{1,2}', '{3,4}'), ('{0}', '{3,4}'), ('{1,2}', '{0}'), ('{0}', '{0}'), ('{1}', '{0}'), ('{0}', '{1}'), ('{1}', '{1}'),
		('{1,2}', '{1,2,3}'), ('{1,1e308}', '{1,1e308}'), ('{{1,2}}', '{3,4}'), ('{1,2}', '{{3,4}}'), ('{NULL,2}', '{3,4}'),
		('{1,2}', '{3,NULL}'), ('{}', '{0}'), ('{0}', '{}')) t(a, b);
SELECT a, b, pg_temp.try(format('SELECT vector_combine((SELECT array_agg(n) FROM generate_series(1, %s) n), (SELECT array_agg(n) FROM generate_series(1, %s) n))', a, b))
	FROM (VALUES (16002, 1), (1, 16002), (16002, 16002)) t(a, b);
SELECT pg_temp.try('SELECT vector_combine(''{0}'', (SELECT array_agg(n) FROM generate_series(1, 16002) n))');
SELECT pg_temp.try('SELECT vector_accum(''{1,1.7e308}'', ''[3e38]'')');
-- a constant stays what it is
SELECT vector_accum('{1,2}', '[3]'), vector_combine('{1,2}', '{1,2}') FROM generate_series(1, 2);
