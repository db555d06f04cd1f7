--
-- omen_recall(): against the same figure computed by queries.
--
SET max_parallel_workers_per_gather = 0;
CREATE TABLE rt (id int PRIMARY KEY, c int, v vector(6));
INSERT INTO rt SELECT i, i % 4, ARRAY[sin(i), cos(i * 7), sin(i * 3), sin(i * 11), cos(i * 13), sin(i * 17)]::vector(6)
	FROM generate_series(1, 1500) i;
INSERT INTO rt VALUES (1501, 1, NULL), (1502, 1, '[0,0,0,0,0,0]');
-- more rows at one place than are asked for: any of them will do
INSERT INTO rt SELECT 1502 + i, 2, '[3,3,3,3,3,3]' FROM generate_series(1, 8) i;
CREATE INDEX rt_l2 ON rt USING omen (v);
CREATE INDEX rt_ip ON rt USING omen (v vector_ip_ops);
CREATE INDEX rt_l1 ON rt USING omen (v vector_l1_ops);
CREATE INDEX rt_cosine ON rt USING omen ((v::halfvec(6)) halfvec_cosine_ops) WHERE c > 0;

-- The share of the k nearest that the index finds, over all rows as queries.
CREATE FUNCTION recall(expr text, op text, cond text, k int) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	q text;
	row record;
	farthest float8;
	hits int;
	n int;
	found float8 := 0;
	wanted float8 := 0;
BEGIN
	FOR row IN EXECUTE format('SELECT id, (%s)::text v FROM rt WHERE %s AND v IS NOT NULL AND NOT (%L = ''<=>'' AND id = 1502)', expr, cond, op) LOOP
		q := format('SELECT id, %s %s %L AS d FROM rt WHERE %s AND id <> %s AND v IS NOT NULL ORDER BY %s %s %L LIMIT %s',
			expr, op, row.v, cond, row.id, expr, op, row.v, k);
		SET LOCAL enable_indexscan = off;
		SET LOCAL enable_sort = on;
		EXECUTE format('SELECT max(d::real), count(*) FROM (%s) x', q) INTO farthest, n;
		SET LOCAL enable_indexscan = on;
		SET LOCAL enable_sort = off;
		EXECUTE format('SELECT count(*) FROM (%s) x WHERE d::real <= %s', q, farthest) INTO hits;
		found := found + hits;
		wanted := wanted + n;
	END LOOP;
	RETURN found / wanted;
END $$;

SET omen.ef_search = 1;
SELECT f.recall = recall('v', '<->', 'true', 5) AS same, f.recall < 1 AS imperfect, f.queries, f.ef_search
	FROM omen_recall('rt_l2', 5, 2000) f;
SELECT f.recall = recall('v', '<#>', 'true', 5) AS same, f.recall < 1 AS imperfect, f.queries, f.ef_search
	FROM omen_recall('rt_ip', 5, 2000) f;
SELECT f.recall = recall('v', '<+>', 'true', 5) AS same, f.recall < 1 AS imperfect, f.queries, f.ef_search
	FROM omen_recall('rt_l1', 5, 2000) f;
SELECT f.recall = recall('(v::halfvec(6))', '<=>', 'c > 0', 5) AS same, f.recall < 1 AS imperfect, f.queries, f.ef_search
	FROM omen_recall('rt_cosine', 5, 2000) f;
RESET omen.ef_search;

-- ef is for the call only; more of it finds more and costs more
SELECT b.recall > a.recall AS recall, b.pages > a.pages AS pages, b.distances > a.distances AS distances, a.ef_search, b.ef_search
	FROM omen_recall('rt_l2', 10, 2000, 10) a, omen_recall('rt_l2', 10, 2000, 200) b;
SHOW omen.ef_search;
SELECT recall > 0.9 AS recall, pages > 40 AS pages, distances > 100 AS distances, queries, ef_search FROM omen_recall('rt_l2');

-- rows that no segment holds yet count too
INSERT INTO rt VALUES (2000, 5, '[9,9,9,9,9,9]');
SELECT queries FROM omen_recall('rt_l2', 5, 2000);
DELETE FROM rt WHERE c < 5;
SELECT recall, queries FROM omen_recall('rt_l2');
TRUNCATE rt;
SELECT * FROM omen_recall('rt_l2');

-- what is refused
SELECT * FROM omen_recall(NULL);
SELECT * FROM omen_recall('rt_l2', 0);
SELECT * FROM omen_recall('rt_l2', NULL);
SELECT * FROM omen_recall('rt_l2', 10, 100001);
SELECT * FROM omen_recall('rt_l2', 10, 10, 0);
SHOW omen.ef_search;
SELECT * FROM omen_recall('rt');
SELECT * FROM omen_recall('rt_pkey');
SELECT * FROM omen_recall(1);
CREATE TABLE rp (v vector(2)) PARTITION BY RANGE (v);
CREATE INDEX rp_v ON rp USING omen (v);
SELECT * FROM omen_recall('rp_v');
DROP TABLE rp;

-- Who may not read the table may not measure it.
CREATE ROLE regress_omen_recall;
SET ROLE regress_omen_recall;
SELECT recall FROM omen_recall('rt_l2');
RESET ROLE;
GRANT SELECT ON rt TO regress_omen_recall;
SET ROLE regress_omen_recall;
SELECT recall FROM omen_recall('rt_l2');
RESET ROLE;
ALTER TABLE rt ENABLE ROW LEVEL SECURITY;
SET ROLE regress_omen_recall;
SELECT recall FROM omen_recall('rt_l2');
RESET ROLE;
DROP TABLE rt;
DROP FUNCTION recall;

-- Functions of the index run as the owner, whoever measures.
CREATE FUNCTION as_owner(vector) RETURNS vector IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
	IF current_user <> 'regress_omen_recall' THEN
		RAISE EXCEPTION 'runs as %', current_user;
	END IF;
	RETURN $1;
END $$;
CREATE TABLE ro (v vector(2));
ALTER TABLE ro OWNER TO regress_omen_recall;
INSERT INTO ro SELECT ARRAY[i, i] FROM generate_series(1, 20) i;
CREATE INDEX ro_v ON ro USING omen ((as_owner(v)::vector(2)));
SELECT recall, queries FROM omen_recall('ro_v');
SELECT current_user <> 'regress_omen_recall' AS myself_again, count(*) FROM ro;
DROP TABLE ro;
DROP FUNCTION as_owner;
DROP ROLE regress_omen_recall;
