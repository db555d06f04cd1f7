--
-- Storage parameters and settings: each at its limits and beyond.
--
\i test/try.sql
-- An index made with these options: its degree, bits of edges, findings; or the
-- error.
CREATE FUNCTION pg_temp.with_options(options text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
	detail text;
BEGIN
	EXECUTE format('CREATE INDEX ip ON tp USING omen (v) WITH (%s)', options);
	SELECT concat_ws(' ', degree, edge_bits, (SELECT string_agg(c::text, ' ') FROM omen_check('ip', true) c))
		FROM omen_index_info('ip')
		WHERE kind = 'segment' INTO result;
	DROP INDEX ip;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' ', SQLSTATE, SQLERRM, detail);
END
$$;
CREATE TABLE tp (v vector(3));
INSERT INTO tp SELECT ARRAY[i % 11, i % 13, i % 17]::vector FROM generate_series(1, 1500) i;

-- storage parameters
SELECT options, pg_temp.with_options(options)
	FROM (VALUES ('m = 2'), ('m = 100, ef_construction = 200'), ('m = 1'),
		('m = 101'), ('m = 4.5'), ('m = many'), ('m = 32'),
		('m = 33'), ('ef_construction = 4'), ('ef_construction = 31'),
		('m = 2, ef_construction = 4'), ('ef_construction = 3'),
		('ef_construction = 1000'), ('ef_construction = 1001'),
		('chunk_size = 256'), ('chunk_size = 65536'), ('chunk_size = 255'),
		('chunk_size = 65537'), ('edge_bits = 0'), ('edge_bits = 1'),
		('edge_bits = 33'), ('edge_bits = 2048'), ('edge_bits = 2049'),
		('edge_bits = -1'), ('fillfactor = 50'), ('lists = 100')) o(options);

-- those of an index can be changed, but count from the next REINDEX on
CREATE INDEX ip ON tp USING omen (v) WITH (m = 8, ef_construction = 32);
ALTER INDEX ip SET (m = 20);
ALTER INDEX ip SET (m = 16);
SELECT DISTINCT degree FROM omen_index_info('ip') WHERE kind = 'segment';
INSERT INTO tp SELECT v FROM tp;
SELECT * FROM omen_check('ip', true);
REINDEX INDEX ip;
SELECT DISTINCT degree FROM omen_index_info('ip') WHERE kind = 'segment';
ALTER INDEX ip RESET (ef_construction, m);
SELECT reloptions FROM pg_class WHERE relname = 'ip';
ALTER INDEX ip SET (m = 0);
SELECT * FROM omen_check('ip', true);
DROP TABLE tp;

-- settings
SELECT name, setting, min_val, max_val, enumvals, context FROM pg_settings
	WHERE name LIKE 'omen.%' ORDER BY name COLLATE "C";
SELECT name, value, pg_temp.try(format('SELECT set_config(%L, %L, true)', name, value))
	FROM (VALUES
		('omen.ef_search', '0'), ('omen.ef_search', '1'),
		('omen.ef_search', '10000'), ('omen.ef_search', '10001'),
		('omen.ef_search', 'x'),
		('omen.max_scan_tuples', '0'), ('omen.max_scan_tuples', '1'),
		('omen.max_scan_tuples', '2147483647'),
		('omen.max_scan_tuples', '2147483648'),
		('omen.pending_limit', '999'), ('omen.pending_limit', '1000'),
		('omen.pending_limit', '1000000'), ('omen.pending_limit', '1000001'),
		('omen.compaction_workers', '-1'), ('omen.compaction_workers', '0'),
		('omen.compaction_workers', '64'), ('omen.compaction_workers', '65'),
		('omen.iterative_scan', 'off'), ('omen.iterative_scan', 'relaxed_order'),
		('omen.iterative_scan', 'STRICT_ORDER'), ('omen.iterative_scan', 'on'),
		('omen.simd', 'auto'), ('omen.simd', 'Scalar'), ('omen.simd', 'sse'),
		('omen.simd', ''), ('omen.no_such', '1')) s(name, value);
SET omen.iterative_scan = maybe;
SET omen.simd = mmx;

-- the same answers by each instruction set that there is
CREATE TABLE tp (id int, v vector(40), h halfvec(40));
SELECT setseed(0.5);
INSERT INTO tp SELECT i, a, a FROM (
	SELECT i, array_agg(random()) AS a
	FROM generate_series(1, 1500) i, generate_series(1, 40) j GROUP BY i) s;
CREATE INDEX ON tp USING omen (v);
CREATE INDEX ON tp USING omen (h halfvec_cosine_ops);
SET omen.simd = scalar;
CREATE TABLE scalar AS
	SELECT 1 AS q, id FROM (SELECT id FROM tp ORDER BY v <-> array_fill(0.5, ARRAY[40])::vector LIMIT 30) s
	UNION ALL
	SELECT 2 AS q, id FROM (SELECT id FROM tp ORDER BY h <=> array_fill(0.5, ARRAY[40])::halfvec LIMIT 30) s;
SET omen.simd = auto;
CREATE TABLE auto AS
	SELECT 1 AS q, id FROM (SELECT id FROM tp ORDER BY v <-> array_fill(0.5, ARRAY[40])::vector LIMIT 30) s
	UNION ALL
	SELECT 2 AS q, id FROM (SELECT id FROM tp ORDER BY h <=> array_fill(0.5, ARRAY[40])::halfvec LIMIT 30) s;
SELECT count(*) FROM (TABLE scalar EXCEPT TABLE auto) s;
SELECT count(*) FROM scalar;
SELECT name FROM (VALUES ('scalar'), ('auto')) s(name),
	LATERAL set_config('omen.simd', name, false),
	LATERAL omen_check('tp_v_idx') c;
DROP TABLE tp, scalar, auto;
