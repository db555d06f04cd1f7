--
-- Casts of vector and halfvec.
--
\pset null NULL
\i test/try.sql

SELECT castsource::regtype, casttarget::regtype, castcontext, castfunc::regprocedure
	FROM pg_cast WHERE 'vector'::regtype IN (castsource, casttarget) OR 'halfvec'::regtype IN (castsource, casttarget)
	ORDER BY castsource::regtype::text COLLATE "C", casttarget::regtype::text COLLATE "C";

-- from arrays
SELECT a, t, pg_temp.try(format('SELECT %L::%s[]::vector', a, t)) AS vector, pg_temp.try(format('SELECT %L::%s[]::halfvec', a, t)) AS halfvec
	FROM unnest(ARRAY['integer', 'real', 'float8', 'numeric']) t,
	unnest(ARRAY['{1,-2,3}', '{0}', '[5:6]={1,2}', '{2049,16777217}']) a;
SELECT a, t, pg_temp.try(format('SELECT %L::%s[]::vector', a, t)) AS vector, pg_temp.try(format('SELECT %L::%s[]::halfvec', a, t)) AS halfvec
	FROM unnest(ARRAY['real', 'float8', 'numeric']) t,
	unnest(ARRAY['{0.1,-1e-8}', '{65519}', '{1,-65520}', '{1e30}', '{NaN}', '{NaN,65520}']) a;
SELECT a, t, pg_temp.try(format('SELECT %L::%s[]::vector', a, t)) AS vector, pg_temp.try(format('SELECT %L::%s[]::halfvec', a, t)) AS halfvec
	FROM unnest(ARRAY['float8', 'numeric']) t, unnest(ARRAY['{4e38,1}', '{-4e38}', '{1e-46}', '{Infinity}', '{-Infinity}']) a;
SELECT a, pg_temp.try(format('SELECT %L::integer[]::vector', a)) AS vector, pg_temp.try(format('SELECT %L::numeric[]::halfvec', a)) AS halfvec
	FROM unnest(ARRAY['{}', '{NULL}', '{1,NULL,2}', '{{1}}', '{{1,2},{3,4}}']) a;
SELECT typmod, pg_temp.try(format('SELECT ''{1,2,3}''::real[]::vector(%s)', typmod)) AS vector,
	pg_temp.try(format('SELECT ''{1,2,3}''::real[]::halfvec(%s)', typmod)) AS halfvec FROM unnest(ARRAY[3, 2, 4]) typmod;
SELECT n, pg_temp.try(format('SELECT vector_dims(array_agg(n)::vector) FROM generate_series(1, %s) n', n)) AS vector,
	pg_temp.try(format('SELECT vector_dims(array_agg(n)::halfvec) FROM generate_series(1, %s) n', n)) AS halfvec
	FROM unnest(ARRAY[16000, 16001]) n;
SELECT array_to_vector(ARRAY[1,2], 2, false), array_to_halfvec(ARRAY[1.5,2.5], -1, true),
	pg_temp.try('SELECT array_to_vector(array_agg(n), 16001, false) FROM generate_series(1, 16001) n');

-- an array that has a null bitmap but, by now, no nulls
SELECT (ARRAY[NULL,1,2,3]::real[])[2:4]::vector, array_remove(ARRAY[4,NULL,5], NULL)::halfvec;

-- to arrays
SELECT '[1,2.5,-3]'::vector::real[], '[1,2.5,0.1]'::halfvec::real[], array_dims('[1,2]'::vector::real[]);

-- from one to the other
SELECT v, pg_temp.try(format('SELECT %L::vector::halfvec', v)) AS halfvec, pg_temp.try(format('SELECT %L::vector::halfvec(2)', v)) AS halfvec_2
	FROM unnest(ARRAY['[1,2]', '[1,2,3]', '[0.1,65519]', '[65520]', '[-1e38]', '[1e-8]']) v;
SELECT v, pg_temp.try(format('SELECT %L::halfvec::vector', v)) AS vector, pg_temp.try(format('SELECT %L::halfvec::vector(2)', v)) AS vector_2
	FROM unnest(ARRAY['[1,2]', '[1,2,3]', '[0.1,65504]']) v;

-- contexts
CREATE TABLE tc (v vector(2), h halfvec(2), r real[]);
INSERT INTO tc VALUES (ARRAY[1,2], ARRAY[1.5,2.5], '[3,4]'::vector);
INSERT INTO tc VALUES ('[5,6]'::halfvec, '[7,8]'::vector, '[9,10]'::halfvec);
SELECT pg_temp.try('INSERT INTO tc (v) VALUES (ARRAY[1,2,3])'), pg_temp.try('INSERT INTO tc (h) VALUES (''[1,2,3]''::vector)'),
	pg_temp.try('INSERT INTO tc (v) VALUES (''[1]''::vector)'), pg_temp.try('INSERT INTO tc (v) VALUES (ARRAY[''a''])');
SELECT * FROM tc ORDER BY v;
SELECT '[1,2]'::halfvec <-> '[1,2]'::vector AS distance, pg_temp.try('SELECT ARRAY[1,2] <-> ''[1,2]''::vector');
DROP TABLE tc;

-- arrays keep their own operators
SELECT ARRAY[1,2,3] = ARRAY[1,2,3] AS same, ARRAY[1,2] || ARRAY[3] AS concat, ARRAY[1.5::real] < ARRAY[2::real] AS less;
