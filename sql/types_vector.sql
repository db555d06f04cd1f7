--
-- The type vector: input, output, functions and operators.
--
\pset null NULL
\i test/try.sql

-- text input
SELECT input, pg_temp.try(format('SELECT %L::vector', input)) AS result FROM (VALUES
	('[1,2,3]'), ('[-1.5,+2.25,-0]'), ('[1.,.5]'), ('[1e3,1E-3,0x10]'),
	(E' \t[\n1 ,\r2\x0B,\f3 ] '), ('[0.1,1.23456789,16777217]'),
	('[3.4028235e38,-3.4028235e38]'), ('[1e-45,1e-46,-1e-46]'),
	('[3.4028236e38]'), ('[3.5e38]'), ('[1,-1e400]'),
	('[NaN]'), ('[nan,1]'), ('[Infinity]'), ('[1,-inf]'),
	(''), (' '), ('1,2'), ('{1,2}'), ('['), ('[ '), ('[]'), ('[ ]'),
	('[,'), ('[,]'), ('[1'), ('[1,'), ('[1,]'), ('[1,,2]'), ('[1, ,2]'),
	('[1 2]'), ('[1;2]'), ('[one]'), ('[1a]'), ('[1,2]]'), ('[1,2]3'),
	('[[1,2]]'), ('[1,2}'), ('[1e]'), ('[--1]'), ('[0x]'), ('[1,2],')
) t(input);

-- dimensions
SELECT pg_temp.try('SELECT ''[1,2,3]''::vector' || typmod) AS result FROM (VALUES
	('(3)'), ('(2)'), ('(4)'), ('(16000)'), ('(16001)'), ('(0)'), ('(-1)'),
	('(3,3)'), ('(a)')
) t(typmod);
SELECT n, pg_temp.try(format('SELECT vector_dims((''['' || repeat(''1,'', %s) || ''1]'')::vector)', n - 1))
	FROM (VALUES (1), (16000), (16001), (20000)) t(n);
SELECT pg_temp.try('SELECT ''{"[1,2]","[3]"}''::vector(2)[]');
SELECT '{"[1,2]","[3]",NULL}'::vector[];
CREATE TABLE tv (a vector(2), b vector);
INSERT INTO tv VALUES ('[1,2]', '[1]'), (NULL, NULL);
SELECT pg_temp.try('INSERT INTO tv VALUES (''[1]'')');
SELECT format_type(atttypid, atttypmod), attstorage FROM pg_attribute
	WHERE attrelid = 'tv'::regclass AND attnum > 0 ORDER BY attnum;
SELECT * FROM tv;
DROP TABLE tv;

-- every float survives a trip through text
SELECT count(*) FROM generate_series(1, 2000) i,
	LATERAL (SELECT ARRAY[sin(i) * 10.0 ^ (i % 75 - 37)]::real[]::vector v) t
	WHERE v::text::vector <> v OR vector_send(v::text::vector) <> vector_send(v);

-- numbers are read as real reads them: with few digits and many, halfway
-- between two reals (8388608.5, 16777217, 1.00000005960464477539) and next to
-- that, and where powers of ten are no longer exact
SELECT count(*), count(*) FILTER (WHERE vector_send(format('[%s]', t)::vector) = vector_send(ARRAY[t::real]::vector)) AS same
	FROM (SELECT sign || whole || fraction || exponent FROM unnest(ARRAY['', '-', '+']) sign,
		unnest(ARRAY['0', '1', '007', '8388608', '16777217', '9007199254740993', '123456789012345678901']) whole,
		unnest(ARRAY['', '.', '.5', '.50000000001', '.4999999999999', '.00000005960464477539', '.0000000596046447753906251']) fraction,
		unnest(ARRAY['', 'e0', 'E+7', 'e-7', 'e-22', 'e-23', 'e15', 'e-30', 'e-037']) exponent) u(t)
	WHERE abs(t::float8) < 3e38;

-- a value too large for a page, and one with a short header
CREATE TABLE tv (id int, v vector);
INSERT INTO tv SELECT n, array_agg(i)::vector FROM (VALUES (3), (2000), (16000)) t(n),
	generate_series(1, n) i GROUP BY n;
SELECT id, vector_dims(v), v = (SELECT array_agg(i) FROM generate_series(1, id) i)::vector AS same,
	pg_column_size(v) FROM tv ORDER BY id;
DROP TABLE tv;

-- distances
SELECT a, b, pg_temp.try(format('SELECT l2_distance(%L::vector, %L)', a, b)) AS l2,
	pg_temp.try(format('SELECT vector_l2_squared_distance(%L, %L)', a, b)) AS l2_squared,
	pg_temp.try(format('SELECT inner_product(%L::vector, %L)', a, b)) AS inner,
	pg_temp.try(format('SELECT vector_negative_inner_product(%L, %L)', a, b)) AS negative,
	pg_temp.try(format('SELECT round(cosine_distance(%L::vector, %L)::numeric, 5)', a, b)) AS cosine,
	pg_temp.try(format('SELECT l1_distance(%L::vector, %L)', a, b)) AS l1
	FROM (VALUES
		('[0,0]', '[3,4]'), ('[1,2]', '[2,4]'), ('[1,0]', '[0,2]'), ('[1,1]', '[-1,-1]'),
		('[1,1]', '[1,0]'), ('[1,1]', '[1.5,1.5]'), ('[3e38]', '[-3e38]'),
		('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]', '[17,16,15,14,13,12,11,10,9,8,7,6,5,4,3,2,1]')
	) t(a, b);
SELECT f, pg_temp.try(format('SELECT %s(''[1,2]''::vector, ''[3]'')', f)) FROM unnest(ARRAY['l2_distance',
	'vector_l2_squared_distance', 'inner_product', 'vector_negative_inner_product',
	'cosine_distance', 'vector_spherical_distance', 'l1_distance']) f;
SELECT '[0,0]'::vector <-> '[3,4]' AS l2, '[1,2]'::vector <#> '[3,4]' AS ip,
	'[1,0]'::vector <=> '[0,2]' AS cosine, '[0,0]'::vector <+> '[3,4]' AS l1;
SELECT l2_distance(NULL::vector, '[1]'), '[1]'::vector <=> NULL;
SELECT vector_spherical_distance('[1,0]', '[0,1]'), vector_spherical_distance('[1,0]', '[-1,0]'),
	vector_spherical_distance('[2,0]', '[2,0]');

-- long vectors, where the kernels work on many elements at a time
SELECT n, a <-> b AS l2, a <#> b AS ip, a <+> b AS l1, round((a <=> a)::numeric, 5) AS cosine
	FROM (VALUES (31), (32), (33), (63), (64), (65), (1000)) t(n),
	LATERAL (SELECT array_agg(i % 7)::vector a, array_agg(i % 7 + CASE WHEN i = n THEN 3 ELSE 0 END)::vector b
		FROM generate_series(1, n) i) u;

-- norms
SELECT v, round(vector_norm(v)::numeric, 5) AS norm, l2_normalize(v), vector_dims(v) FROM unnest(ARRAY[
	'[3,4]', '[0,0]', '[-2]', '[0,0.1]', '[1e-45]']::vector[]) v;
SELECT vector_norm('[3e37,4e37]')::real, l2_normalize('[3e38]'::vector);

-- arithmetic
SELECT a, b, pg_temp.try(format('SELECT %L::vector + %L', a, b)) AS sum, pg_temp.try(format('SELECT %L::vector - %L', a, b)) AS diff,
	pg_temp.try(format('SELECT %L::vector * %L', a, b)) AS product, pg_temp.try(format('SELECT %L::vector || %L', a, b)) AS concat
	FROM (VALUES ('[1,2,3]', '[4,5,-6]'), ('[3e38]', '[3e38]'), ('[3e38]', '[-3e38]'), ('[1e-37]', '[1e-37]'),
		('[0]', '[1e-37]'), ('[1,2]', '[3]')) t(a, b);
SELECT pg_temp.try('SELECT vector_dims(array_fill(0, ARRAY[8000])::vector || array_fill(0, ARRAY[8000])::vector)'),
	pg_temp.try('SELECT array_fill(0, ARRAY[16000])::vector || ''[1]''');

-- parts
SELECT start, count, pg_temp.try(format('SELECT subvector(''[1,2,3,4,5]''::vector, %s, %s)', start, count)) AS part FROM (VALUES
	(1, 3), (3, 2), (3, 3), (3, 9), (5, 1), (6, 1), (-1, 3), (-1, 2), (0, 1), (0, 2), (1, 0), (1, -1),
	(2147483647, 10), (2147483647, 2147483647), (3, 2147483647), (-2147483648, 2147483647),
	(-2147483644, 2147483647), (1, -2147483648), (-2147483648, -2147483648)) t(start, count);
SELECT binary_quantize('[1,0,-1]'::vector), binary_quantize('[-0,1e-45,-1,1,1,1,1,1]'::vector),
	binary_quantize('[-1,1,1,-1,1,-1,-1,1,1]'::vector);

-- a value that no input function made
CREATE CAST (bytea AS vector) WITHOUT FUNCTION;
SELECT b, pg_temp.try(format('SELECT %L::bytea::vector', b)) AS result
	FROM unnest(ARRAY['\x', '\x01', '\x00000000', '\x01010000', '\xffff0000', '\x0101000000000000']) b;
DROP CAST (bytea AS vector);

SELECT omenvec_version() ~ '^1\.0 \(git [0-9a-z-]+\)$' AS version;
