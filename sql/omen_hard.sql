-- data that is hard to index: recall compared with exact search
CREATE TABLE th (kind text, v vector(48)) WITH (autovacuum_enabled = off);
SELECT setseed(0.5);
-- about normal, of variance 1
CREATE FUNCTION normal() RETURNS float8 LANGUAGE sql VOLATILE
	AS 'SELECT (random() + random() + random() + random() - 2) * sqrt(3)';
-- n values made by an expression of j
CREATE FUNCTION fill(kind text, n int, value text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('INSERT INTO th SELECT %L, (SELECT array_agg(%s ORDER BY j)
		FROM generate_series(1, 48) j WHERE i > 0)::vector FROM generate_series(1, %s) i',
		kind, value, n);
END $$;
-- recall@10 of 100 rows as queries, at the default effort
CREATE FUNCTION hard(kind text, class text DEFAULT 'vector_l2_ops', ef int DEFAULT 40)
RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	result numeric;
	damage text;
BEGIN
	EXECUTE format('CREATE INDEX th_idx ON th USING omen (v %s) WHERE kind = %L', class, kind);
	SELECT string_agg(c::text, ' ') INTO damage FROM omen_check('th_idx', true) c;
	IF damage IS NOT NULL THEN
		RAISE '%', damage;
	END IF;
	SELECT trunc(r.recall::numeric, 3) INTO result FROM omen_recall('th_idx', 10, 100, ef) r;
	DROP INDEX th_idx;
	RETURN result;
END $$;
-- places, with rows of each: in clusters, tight, near duplicates, and finer than the global step of codes
SELECT fill('clusters', 8000, 'sin((i % 80 + 1) * 12.9898 * j * j) + normal() * 0.01');
SELECT fill('islands', 8000, 'sin((i % 250 + 1) * 12.9898 * j * j) + normal() * 0.01');
SELECT fill('duplicates', 6000, 'sin((i % 240 + 1) * 12.9898 * j * j) + normal() * 0.002');
SELECT fill('fine', 6000, '1000 * sin((i % 60 + 1) * 12.9898 * j * j) + normal() * 0.1');
-- some dimensions a thousand times as wide; a few values far out; heavy tails
SELECT fill('strong', 5000, 'normal() * CASE WHEN j < 3 THEN 1000 ELSE 1 END');
SELECT fill('outliers', 5000, 'sin(i * j) + normal() * 0.1 + CASE WHEN random() < 0.001 THEN 100 ELSE 0 END');
SELECT fill('heavy', 5000, 'normal() / (abs(normal()) + 0.01)');
-- all dimensions count; one does; two do; on a line
SELECT fill('uniform', 5000, 'random()');
SELECT fill('one', 5000, 'CASE WHEN j = 1 THEN random() ELSE 0 END');
SELECT fill('two', 5000, 'CASE WHEN j < 3 THEN random() ELSE 0 END');
SELECT fill('line', 5000, 'i * (j - 20.5)');
-- lengths of six orders of magnitude
SELECT fill('lengths', 5000, 'normal() * 10 ^ (i % 61 / 10.0 - 3)');
SELECT kind, recall >= least AS good, CASE WHEN recall < least THEN recall END AS recall
	FROM (VALUES ('clusters', 0.97), ('islands', 0.98), ('duplicates', 0.95), ('fine', 0.98),
			('strong', 0.98), ('outliers', 0.96), ('heavy', 0.97), ('uniform', 0.97),
			('one', 0.98), ('two', 0.98), ('line', 0.95), ('lengths', 0.8)) l(kind, least),
		LATERAL hard(kind) AS recall;
SELECT hard('lengths', 'vector_ip_ops') >= 0.97 AS product, hard('uniform', 'vector_ip_ops') >= 0.97 AS product,
	hard('lengths', 'vector_cosine_ops') >= 0.95 AS cosine, hard('heavy', 'vector_l1_ops') >= 0.95 AS l1;

-- equal rows are one node; all are found
TRUNCATE th;
INSERT INTO th SELECT 'equal', array_fill(0.5, ARRAY[48])::vector FROM generate_series(1, 100000);
INSERT INTO th SELECT 'other', array_fill(i, ARRAY[48])::vector FROM generate_series(1, 10) i;
CREATE INDEX th_idx ON th USING omen (v);
SELECT kind, rows, nodes FROM omen_index_info('th_idx');
SELECT omen_check('th_idx', true);
SET enable_seqscan = off;
SET omen.max_scan_tuples = 200000;
SELECT count(*), count(*) FILTER (WHERE kind = 'equal') AS equal FROM
	(SELECT kind FROM th ORDER BY v <-> array_fill(0.4, ARRAY[48])::vector LIMIT 100005) t;
SELECT kind FROM th ORDER BY v <-> array_fill(3, ARRAY[48])::vector LIMIT 3;
DROP TABLE th;
DROP FUNCTION fill;
DROP FUNCTION hard;
DROP FUNCTION normal;
