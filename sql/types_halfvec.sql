--
-- The type halfvec: input, output, functions and operators.
--
\pset null NULL
\i test/try.sql

-- text input
SELECT input, pg_temp.try(format('SELECT %L::halfvec', input)) AS result FROM (VALUES
	('[1,2,3]'), ('[-1.5,+2.25,-0]'), ('[1.,.5]'), ('[1e3,1E-3,0x10]'),
	(E' \t[\n1 ,\r2\x0B,\f3 ] '), ('[0.1,1.23456789,2049,2051]'),
	('[65504,-65504]'), ('[65519,-65519.99]'), ('[65520]'), ('[1,-65520]'),
	('[65519.999]'), ('[65519.9999]'), ('[3.5e38]'), ('[1,-1e400]'),
	('[6.103515625e-05,6.0975552e-05]'), ('[5.9604645e-08,2.9802323e-08,2.9802322e-08,-1e-46]'),
	('[NaN]'), ('[nan,1]'), ('[Infinity]'), ('[1,-inf]'),
	(''), (' '), ('1,2'), ('{1,2}'), ('['), ('[ '), ('[]'), ('[ ]'),
	('[,'), ('[,]'), ('[1'), ('[1,'), ('[1,]'), ('[1,,2]'), ('[1, ,2]'),
	('[1 2]'), ('[1;2]'), ('[one]'), ('[1a]'), ('[1,2]]'), ('[1,2]3')
) t(input);

-- dimensions
SELECT pg_temp.try('SELECT ''[1,2,3]''::halfvec' || typmod) AS result FROM (VALUES
	('(3)'), ('(2)'), ('(4)'), ('(16000)'), ('(16001)'), ('(0)'), ('(-1)'),
	('(3,3)'), ('(a)')
) t(typmod);
SELECT n, pg_temp.try(format('SELECT vector_dims((''['' || repeat(''1,'', %s) || ''1]'')::halfvec)', n - 1))
	FROM (VALUES (1), (16000), (16001), (20000)) t(n);
SELECT pg_temp.try('SELECT ''{"[1,2]","[3]"}''::halfvec(2)[]');
CREATE TABLE tv (a halfvec(2), b halfvec);
INSERT INTO tv VALUES ('[1,2]', '[1]'), (NULL, NULL);
SELECT pg_temp.try('INSERT INTO tv VALUES (''[1]'')');
SELECT format_type(atttypid, atttypmod), attstorage FROM pg_attribute
	WHERE attrelid = 'tv'::regclass AND attnum > 0 ORDER BY attnum;
SELECT * FROM tv;
DROP TABLE tv;

-- all 63,488 finite halfs, made from their bits, survive a trip through text
-- and one through vector
CREATE TABLE tv (bits int, v halfvec);
INSERT INTO tv SELECT i, ARRAY[
		(CASE WHEN i & 32768 = 0 THEN 1 ELSE -1 END) *
		CASE WHEN i >> 10 & 31 = 0 THEN (i & 1023) * 2.0 ^ -24
			ELSE (1024 + (i & 1023)) * 2.0 ^ ((i >> 10 & 31) - 25) END]::real[]::halfvec
	FROM generate_series(0, 65535) i WHERE i >> 10 & 31 <> 31 AND i <> 32768;
INSERT INTO tv VALUES (32768, '[-0]');
SELECT count(*),
	count(*) FILTER (WHERE halfvec_send(v) = '\x00010000'::bytea || decode(lpad(to_hex(bits), 4, '0'), 'hex')) AS bits,
	count(*) FILTER (WHERE halfvec_send(v::text::halfvec) = halfvec_send(v)) AS text,
	count(*) FILTER (WHERE halfvec_send(v::vector::halfvec) = halfvec_send(v)) AS vector
	FROM tv;

-- what lies halfway between two neighbours goes to the even one
SELECT count(*), count(*) FILTER (WHERE halfvec_send(ARRAY[(x + y) / 2]::real[]::halfvec) =
		CASE WHEN a % 2 = 0 THEN halfvec_send(v) ELSE halfvec_send(w) END) AS to_even,
	count(*) FILTER (WHERE halfvec_send(ARRAY[x * 0.501::real + y * 0.499::real]::real[]::halfvec) = halfvec_send(v)) AS down,
	count(*) FILTER (WHERE halfvec_send(ARRAY[x * 0.499::real + y * 0.501::real]::real[]::halfvec) = halfvec_send(w)) AS up
	FROM (SELECT bits a, v, lead(v) OVER (ORDER BY bits) w, (v::real[])[1] x, (lead(v) OVER (ORDER BY bits)::real[])[1] y
		FROM tv WHERE bits < 31744) t WHERE w IS NOT NULL;
DROP TABLE tv;

-- a value too large for a page, and one with a short header
CREATE TABLE tv (id int, v halfvec);
INSERT INTO tv SELECT n, array_agg(i)::halfvec FROM (VALUES (3), (2000), (16000)) t(n),
	generate_series(1, n) i GROUP BY n;
SELECT id, vector_dims(v), v = (SELECT array_agg(i) FROM generate_series(1, id) i)::halfvec AS same,
	pg_column_size(v) FROM tv ORDER BY id;
DROP TABLE tv;

-- distances
SELECT a, b, pg_temp.try(format('SELECT l2_distance(%L::halfvec, %L)', a, b)) AS l2,
	pg_temp.try(format('SELECT halfvec_l2_squared_distance(%L, %L)', a, b)) AS l2_squared,
	pg_temp.try(format('SELECT inner_product(%L::halfvec, %L)', a, b)) AS inner,
	pg_temp.try(format('SELECT halfvec_negative_inner_product(%L, %L)', a, b)) AS negative,
	pg_temp.try(format('SELECT round(cosine_distance(%L::halfvec, %L)::numeric, 5)', a, b)) AS cosine,
	pg_temp.try(format('SELECT l1_distance(%L::halfvec, %L)', a, b)) AS l1
	FROM (VALUES
		('[0,0]', '[3,4]'), ('[1,2]', '[2,4]'), ('[1,0]', '[0,2]'), ('[1,1]', '[-1,-1]'),
		('[1,1]', '[1,0]'), ('[1,1]', '[1.5,1.5]'), ('[65504]', '[-65504]'),
		('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]', '[17,16,15,14,13,12,11,10,9,8,7,6,5,4,3,2,1]')
	) t(a, b);
SELECT f, pg_temp.try(format('SELECT %s(''[1,2]''::halfvec, ''[3]'')', f)) FROM unnest(ARRAY['l2_distance',
	'halfvec_l2_squared_distance', 'inner_product', 'halfvec_negative_inner_product',
	'cosine_distance', 'halfvec_spherical_distance', 'l1_distance']) f;
SELECT '[0,0]'::halfvec <-> '[3,4]' AS l2, '[1,2]'::halfvec <#> '[3,4]' AS ip,
	'[1,0]'::halfvec <=> '[0,2]' AS cosine, '[0,0]'::halfvec <+> '[3,4]' AS l1;
SELECT l2_distance(NULL::halfvec, '[1]'), '[1]'::halfvec <=> NULL;
SELECT halfvec_spherical_distance('[1,0]', '[0,1]'), halfvec_spherical_distance('[1,0]', '[-1,0]'),
	halfvec_spherical_distance('[2,0]', '[2,0]');

-- long vectors, where the kernels work on many elements at a time
SELECT n, a <-> b AS l2, a <#> b AS ip, a <+> b AS l1, round((a <=> a)::numeric, 5) AS cosine
	FROM (VALUES (31), (32), (33), (63), (64), (65), (1000)) t(n),
	LATERAL (SELECT array_agg(i % 7)::halfvec a, array_agg(i % 7 + CASE WHEN i = n THEN 3 ELSE 0 END)::halfvec b
		FROM generate_series(1, n) i) u;

-- norms
SELECT v, round(l2_norm(v)::numeric, 5) AS norm, l2_normalize(v), vector_dims(v) FROM unnest(ARRAY[
	'[3,4]', '[0,0]', '[-2]', '[0,0.1]', '[6e-8]', '[65504]']::halfvec[]) v;

-- arithmetic
SELECT a, b, pg_temp.try(format('SELECT %L::halfvec + %L', a, b)) AS sum, pg_temp.try(format('SELECT %L::halfvec - %L', a, b)) AS diff,
	pg_temp.try(format('SELECT %L::halfvec * %L', a, b)) AS product, pg_temp.try(format('SELECT %L::halfvec || %L', a, b)) AS concat
	FROM (VALUES ('[1,2,3]', '[4,5,-6]'), ('[65504]', '[15.99]'), ('[65504]', '[16]'), ('[65504]', '[-16]'), ('[1e-7]', '[1e-7]'),
		('[6e-8]', '[0.5]'), ('[6e-8]', '[0.501]'), ('[0]', '[1e-7]'), ('[1,2]', '[3]')) t(a, b);
SELECT pg_temp.try('SELECT vector_dims(array_fill(0, ARRAY[8000])::halfvec || array_fill(0, ARRAY[8000])::halfvec)'),
	pg_temp.try('SELECT array_fill(0, ARRAY[16000])::halfvec || ''[1]''');

-- parts
SELECT start, count, pg_temp.try(format('SELECT subvector(''[1,2,3,4,5]''::halfvec, %s, %s)', start, count)) AS part FROM (VALUES
	(1, 3), (3, 2), (3, 3), (3, 9), (5, 1), (6, 1), (-1, 3), (-1, 2), (0, 1), (0, 2), (1, 0), (1, -1),
	(2147483647, 10), (2147483647, 2147483647), (3, 2147483647), (-2147483648, 2147483647),
	(-2147483644, 2147483647), (1, -2147483648), (-2147483648, -2147483648)) t(start, count);
SELECT binary_quantize('[1,0,-1]'::halfvec), binary_quantize('[-0,6e-8,-1,1,1,1,1,1]'::halfvec),
	binary_quantize('[-1,1,1,-1,1,-1,-1,1,1]'::halfvec);

-- a value that no input function made
CREATE CAST (bytea AS halfvec) WITHOUT FUNCTION;
SELECT b, pg_temp.try(format('SELECT %L::bytea::halfvec', b)) AS result
	FROM unnest(ARRAY['\x', '\x01', '\x00000000', '\x01010000', '\xffff0000', '\x0101000000000000']) b;
DROP CAST (bytea AS halfvec);
