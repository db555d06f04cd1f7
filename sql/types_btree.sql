--
-- Comparison of vector and halfvec, and what btree makes of it.
--
\pset null NULL

-- all operators, against the order that the rows have here
CREATE TABLE tb (id int, v vector);
INSERT INTO tb VALUES (1, '[-2,5]'), (2, '[-1]'), (3, '[-1,-1e-3]'), (4, '[-6e-5,9]'), (5, '[0]'), (5, '[-0]'),
	(6, '[0,-1]'), (7, '[0,0]'), (7, '[-0,0]'), (8, '[6e-5]'), (9, '[1]'), (10, '[1,2,2]'), (11, '[1,2,3]'), (12, '[1,3]'), (13, '[2]');
SELECT count(*), count(*) FILTER (WHERE (a.v < b.v) = (a.id < b.id) AND (a.v <= b.v) = (a.id <= b.id) AND
		(a.v = b.v) = (a.id = b.id) AND (a.v <> b.v) = (a.id <> b.id) AND (a.v >= b.v) = (a.id >= b.id) AND
		(a.v > b.v) = (a.id > b.id) AND vector_cmp(a.v, b.v) = sign(a.id - b.id)) AS vector,
	count(*) FILTER (WHERE (a.h < b.h) = (a.id < b.id) AND (a.h <= b.h) = (a.id <= b.id) AND
		(a.h = b.h) = (a.id = b.id) AND (a.h <> b.h) = (a.id <> b.id) AND (a.h >= b.h) = (a.id >= b.id) AND
		(a.h > b.h) = (a.id > b.id) AND halfvec_cmp(a.h, b.h) = sign(a.id - b.id)) AS halfvec
	FROM (SELECT *, v::halfvec h FROM tb) a, (SELECT *, v::halfvec h FROM tb) b;

-- the same order as that of arrays
CREATE TABLE ta AS SELECT (SELECT array_agg((sin(i * 17 + j) * 2)::int) FROM generate_series(1, 1 + i % 4) j)::real[] a
	FROM generate_series(1, 200) i;
SELECT count(*), count(*) FILTER (WHERE vector_cmp(x.a::vector, y.a::vector) = btarraycmp(x.a, y.a)) AS vector,
	count(*) FILTER (WHERE halfvec_cmp(x.a::halfvec, y.a::halfvec) = btarraycmp(x.a, y.a)) AS halfvec,
	count(DISTINCT btarraycmp(x.a, y.a)) AS results FROM ta x, ta y;
DROP TABLE ta;

-- indexes
INSERT INTO tb VALUES (14, NULL);
CREATE TABLE th AS SELECT id, v::halfvec FROM tb;
CREATE INDEX tb_v ON tb (v);
CREATE INDEX th_v ON th (v);
SELECT amname, opcname, opcdefault FROM pg_opclass JOIN pg_am ON pg_am.oid = opcmethod
	WHERE amname = 'btree' AND opcintype IN ('vector'::regtype, 'halfvec'::regtype) ORDER BY opcname;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT id FROM tb WHERE v = '[1,2,3]';
SELECT id FROM tb WHERE v = '[1,2,3]';
SELECT id FROM tb WHERE v >= '[0,-1]' AND v < '[1]' ORDER BY v, id;
EXPLAIN (COSTS OFF) SELECT id, v FROM tb ORDER BY v;
SELECT array_agg(id) FROM (SELECT id FROM tb ORDER BY v) t;
EXPLAIN (COSTS OFF) SELECT id FROM th WHERE v = '[1,2,3]';
SELECT id FROM th WHERE v = '[1,2,3]';
SELECT id FROM th WHERE v >= '[0,-1]' AND v < '[1]' ORDER BY v, id;
EXPLAIN (COSTS OFF) SELECT id, v FROM th ORDER BY v DESC;
SELECT array_agg(id) FROM (SELECT id FROM th ORDER BY v DESC) t;
RESET enable_seqscan;
RESET enable_bitmapscan;
RESET enable_sort;

-- grouping, joining, uniqueness
SELECT count(DISTINCT v) FROM tb;
SELECT count(*) FROM (SELECT v FROM th GROUP BY v) t;
SET enable_nestloop = off;
SELECT count(*) FROM tb a JOIN tb b USING (v);
RESET enable_nestloop;
CREATE TABLE tu (v vector(2) UNIQUE, h halfvec(2) UNIQUE);
INSERT INTO tu VALUES ('[0,1]', '[0,1]');
INSERT INTO tu VALUES ('[-0,1]', '[1,1]');
INSERT INTO tu VALUES ('[1,1]', '[-0,1]');
DROP TABLE tu, tb, th;
