--
-- Distances between bit strings.
--
\pset null NULL
\i test/try.sql

SELECT a, b, hamming_distance(a, b) AS hamming, jaccard_distance(a, b) AS jaccard, a <~> b AS h, a <%> b AS j FROM (VALUES
	(B'111', B'111'), (B'111', B'110'), (B'111', B'100'), (B'111', B'000'), (B'000', B'000'), (B'', B''), (B'1', B'0'),
	(B'1100', B'1010'), (B'1111', B'1000'), (B'110000000', B'110000001'), (NULL, B'1')) t(a, b);

-- lengths around whole bytes and words
SELECT n, x <~> x AS h0, x <~> ~x AS h_all, x <~> y AS h, x <%> x AS j0, x <%> ~x AS j1, x <%> (x | y) AS j
	FROM (VALUES (7), (8), (9), (63), (64), (65), (127), (128), (129), (1000)) t(n),
	LATERAL (SELECT ('1' || repeat('0', n - 1))::varbit AS x, (repeat('0', n - 1) || '1')::varbit AS y) u;
SELECT n, hamming_distance(repeat('10', n)::varbit, repeat('01', n)::varbit), jaccard_distance(repeat('110', n)::varbit, repeat('011', n)::varbit) = 1 - n / (3.0 * n)::float8 AS third
	FROM unnest(ARRAY[1, 5, 32, 33, 256, 32000]) n;

-- against the same with core's functions
SELECT count(*), count(*) FILTER (WHERE a <~> b = length(replace((a # b)::text, '0', ''))) AS hamming,
	count(*) FILTER (WHERE a <%> b = 1 - length(replace((a & b)::text, '0', '')) / length(replace((a | b)::text, '0', ''))::float8) AS jaccard
	FROM (SELECT (md5(i::text)::text || md5((-i)::text)) x, i FROM generate_series(1, 500) i) t,
	LATERAL (SELECT ('x' || left(x, 1 + i % 40))::varbit a, ('x' || right(x, 1 + i % 40))::varbit b) u
	WHERE a | b <> (a # a);

SELECT a, b, pg_temp.try(format('SELECT hamming_distance(%L, %L::varbit)', a, b)) AS hamming,
	pg_temp.try(format('SELECT jaccard_distance(%L, %L::varbit)', a, b)) AS jaccard
	FROM (VALUES ('111', '00'), ('', '0'), ('11111111', '111111110')) t(a, b);
SELECT hamming_distance('111', '000'::varbit(4)), binary_quantize('[1,-1,2]'::vector) <~> binary_quantize('[1,1,-2]'::halfvec) AS quantized;
