--
-- omen_last_scan(): what the last scan of this session did.
--
SELECT * FROM omen_last_scan();

CREATE TABLE ls (id int, v vector(4));
INSERT INTO ls SELECT i, ARRAY[sin(i), cos(i * 7), sin(i * 3), cos(i * 11)]::vector(4) FROM generate_series(1, 5000) i;
CREATE INDEX ls_v ON ls USING omen (v);
SET enable_seqscan = off;
SET enable_sort = off;
PREPARE near(vector, int) AS SELECT count(*) FROM (SELECT id FROM ls ORDER BY v <-> $1 LIMIT $2) x;

-- One round: at least ef nodes, about a page for each, several estimates.
EXECUTE near('[0.1,0.2,0.3,0.4]', 10);
SELECT index, nodes >= 40 AND nodes < 200 AS nodes, estimates > nodes AS estimates, pages > nodes AND pages < 2 * nodes + 100 AS pages,
	segments, pending_rows, rounds, restarts, returned >= 10 AND returned <= 45 AS returned, late, max_ef FROM omen_last_scan();
CREATE TEMP TABLE before AS SELECT * FROM omen_last_scan();

-- The same again gives the same.
EXECUTE near('[0.1,0.2,0.3,0.4]', 10);
SELECT a = b AS same FROM before a, omen_last_scan() b;

-- More work with a larger ef, and more rounds with a larger limit.
SET omen.ef_search = 160;
EXECUTE near('[0.1,0.2,0.3,0.4]', 10);
SELECT b.nodes >= 160 AND b.nodes > a.nodes AS nodes, b.pages > a.pages AS pages, b.estimates > a.estimates AS estimates,
	b.rounds, b.max_ef FROM before a, omen_last_scan() b;
RESET omen.ef_search;
EXECUTE near('[0.1,0.2,0.3,0.4]', 200);
SELECT nodes >= max_ef AS nodes, rounds > 1 AS rounds, returned >= 200 AS returned,
	log(2, max_ef / 40) = rounds - 1 AS doubled FROM omen_last_scan();

-- Late rows are dropped under strict order, and returned under relaxed order.
CREATE TABLE lt (v vector(24));
INSERT INTO lt SELECT ARRAY(SELECT sin(i * j * j) FROM generate_series(1, 24) j)::vector(24) FROM generate_series(1, 3000) i;
CREATE INDEX lt_v ON lt USING omen (v);
SET omen.max_scan_tuples = 100000;
SET omen.ef_search = 1;
SELECT count(*) FROM (SELECT FROM lt ORDER BY v <-> array_fill(0.1, ARRAY[24])::vector LIMIT 6000) x \gset
SELECT late > 0 AS late, late < 100 AS few, returned = :count AS returned, returned + late AS rows FROM omen_last_scan();
SET omen.iterative_scan = relaxed_order;
SELECT count(*) FROM (SELECT FROM lt ORDER BY v <-> array_fill(0.1, ARRAY[24])::vector LIMIT 6000) x;
SELECT returned AS rows, late FROM omen_last_scan();
DROP TABLE lt;
RESET omen.ef_search;
SET omen.iterative_scan = off;
EXECUTE near('[0.1,0.2,0.3,0.4]', 6000) \gset
SELECT rounds, max_ef, :count >= 40 AND returned = :count AS returned, nodes < 1000 AS few FROM omen_last_scan();
RESET omen.iterative_scan;
RESET omen.max_scan_tuples;

-- Rows that are in no segment yet are all compared.
INSERT INTO ls SELECT i, '[9,9,9,9]' FROM generate_series(1, 30) i;
EXECUTE near('[0.1,0.2,0.3,0.4]', 10);
SELECT b.nodes = a.nodes AS nodes, b.pages > a.pages AS pages, b.segments, b.pending_rows FROM before a, omen_last_scan() b;

-- A NULL query wants all rows, in any order: no search at all.  A plan made for
-- it would have no order.
SET plan_cache_mode = force_generic_plan;
EXECUTE near(NULL, 10000);
RESET plan_cache_mode;
SELECT nodes, estimates, pending_rows, rounds, returned FROM omen_last_scan();

-- Each rescan is a scan of its own.
SELECT count(*) FROM (VALUES (1), (1000)) AS q(n), LATERAL
	(SELECT id FROM ls ORDER BY v <-> ARRAY[q.n, 0, 0, 0]::vector LIMIT 10) x;
SELECT rounds, returned >= 10 AND returned <= 75 AS returned FROM omen_last_scan();

-- A scan that fails leaves the numbers of the one before.
EXECUTE near('[1,2]', 10);
SELECT rounds FROM omen_last_scan();

-- Scans are counted once each.
SELECT pg_stat_force_next_flush();
SELECT idx_scan AS before FROM pg_stat_user_indexes WHERE indexrelname = 'ls_v' \gset
EXECUTE near('[0.1,0.2,0.3,0.4]', 1000);
EXECUTE near('[0.1,0.2,0.3,0.4]', 10);
SELECT pg_stat_force_next_flush();
SELECT idx_scan - :before AS scans FROM pg_stat_user_indexes WHERE indexrelname = 'ls_v';
DROP TABLE ls;
