--
-- Included by the regression tests of the access method.
--
-- Who inserts flushes, so that the tests know when.
SET omen.compaction_workers = 0;

-- Does the plan of this query scan an index for its order?
CREATE FUNCTION pg_temp.uses_index(query text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	line text;
	result boolean := false;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		result := result OR line ~ 'Order By:';
	END LOOP;
	RETURN result;
END
$$;

-- compare(table, expression, operator, query, k): do a scan of the index and
-- one of the table give the same k least distances?  To be asked with
-- omen.ef_search no less than the table has rows.  NULL, and NaN, which is
-- the cosine distance from the zero vector, are not indexed.
CREATE FUNCTION pg_temp.compare(tab text, expression text, op text,
								query text, k bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	statement text := format(
		'SELECT %1$s %2$s %3$L AS d FROM %4$s
		 WHERE %1$s IS NOT NULL ORDER BY %1$s %2$s %3$L LIMIT %5$s',
		expression, op, query, tab, COALESCE(k::text, 'NULL'));
	gather text := 'SELECT array_agg(d ORDER BY n) FILTER (WHERE d <> ''NaN'')
		FROM (SELECT *, row_number() OVER () n FROM (' || statement || ') s) s';
	found float8[];
	expected float8[];
BEGIN
	PERFORM set_config('enable_seqscan', 'off', true),
		set_config('enable_sort', 'off', true),
		set_config('enable_indexscan', 'on', true);
	IF NOT pg_temp.uses_index(gather) THEN
		RETURN 'no index scan';
	END IF;
	EXECUTE gather INTO found;
	PERFORM set_config('enable_seqscan', 'on', true),
		set_config('enable_sort', 'on', true),
		set_config('enable_indexscan', 'off', true);
	EXECUTE gather INTO expected;
	IF found IS DISTINCT FROM expected THEN
		RETURN format('%s rows instead of %s; %s', cardinality(found),
			cardinality(expected),
			(SELECT format('at %s: %s, not %s', n, f, e)
			 FROM unnest(found, expected) WITH ORDINALITY u(f, e, n)
			 WHERE f IS DISTINCT FROM e LIMIT 1));
	END IF;
	RETURN 'equal';
END
$$;

-- n vectors of "dims" numbers within -1 .. 1, as float arrays.
CREATE FUNCTION pg_temp.vectors(n int, dims int) RETURNS SETOF float4[]
LANGUAGE sql AS $$
	SELECT array_agg(random() * 2 - 1) FROM generate_series(1, n) i,
		generate_series(1, dims) j GROUP BY i
$$;
