--
-- Values at the ends of the range of floats, whose squares are beyond it.
--
\i test/compare.sql
SET omen.ef_search = 10000;
SELECT setseed(0.75);

CREATE TABLE tx (v vector(4)) WITH (autovacuum_enabled = off);
CREATE TEMP VIEW rows AS
	SELECT v::vector * ('[' || f || ',' || f || ',' || f || ',' || f || ']')::vector AS v
	FROM (VALUES ('1e-40'), ('1e-20'), ('1e-10'), ('1'), ('1e18'), ('3e38')) f(f),
	LATERAL (SELECT v FROM pg_temp.vectors(250, 4) v WHERE f IS NOT NULL) v;
CREATE TEMP VIEW comparison AS
	SELECT op, q, pg_temp.compare('tx', 'v', op, q, 5000)
	FROM (VALUES ('<->'), ('<#>'), ('<=>'), ('<+>')) o(op),
	(VALUES ('[1,2,3,4]'), ('[1e-30,0,0,1e-39]'), ('[-1e-20,1e-20,1e-19,0]'),
		('[1e30,1e-30,0,1]'), ('[3e38,-3e38,3e38,3e38]'), ('[0,0,0,0]')) q(q)
	WHERE op <> '<=>' OR q <> '[0,0,0,0]'
	ORDER BY q COLLATE "C", op COLLATE "C";

-- in a graph, and in the pending list
INSERT INTO tx SELECT v FROM rows;
CREATE INDEX ix1 ON tx USING omen (v);
CREATE INDEX ix2 ON tx USING omen (v vector_ip_ops);
CREATE INDEX ix3 ON tx USING omen (v vector_cosine_ops);
CREATE INDEX ix4 ON tx USING omen (v vector_l1_ops);
SELECT i, c.* FROM (VALUES ('ix1'), ('ix2'), ('ix3'), ('ix4')) i(i), LATERAL omen_check(i::regclass, true) c;
SELECT * FROM comparison;
INSERT INTO tx SELECT v FROM rows LIMIT 900;
SELECT i, c.* FROM (VALUES ('ix1'), ('ix2'), ('ix3'), ('ix4')) i(i), LATERAL omen_check(i::regclass, true) c;
SELECT * FROM comparison;

-- the quantizer has seen nothing but tiny ones, or nothing but huge ones
TRUNCATE tx;
SET omen.pending_limit = 1000;
INSERT INTO tx SELECT v FROM rows WHERE vector_norm(v) < 1e-15;
INSERT INTO tx SELECT v FROM rows WHERE vector_norm(v) < 1e-15;
INSERT INTO tx SELECT v FROM rows WHERE vector_norm(v) < 1e-15;
SELECT kind, count(*) > 0 AS there FROM omen_index_info('ix1') GROUP BY kind ORDER BY kind;
INSERT INTO tx SELECT v FROM rows;
SELECT i, c.* FROM (VALUES ('ix1'), ('ix2'), ('ix3'), ('ix4')) i(i), LATERAL omen_check(i::regclass, true) c;
SELECT * FROM comparison;
TRUNCATE tx;
INSERT INTO tx SELECT v FROM rows WHERE vector_norm(v) > 1e15;
INSERT INTO tx SELECT v FROM rows WHERE vector_norm(v) > 1e15;
INSERT INTO tx SELECT v FROM rows WHERE vector_norm(v) > 1e15;
INSERT INTO tx SELECT v FROM rows;
SELECT i, c.* FROM (VALUES ('ix1'), ('ix2'), ('ix3'), ('ix4')) i(i), LATERAL omen_check(i::regclass, true) c;
SELECT * FROM comparison;
DROP TABLE tx;
DROP VIEW rows;
