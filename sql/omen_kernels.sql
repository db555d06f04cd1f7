-- an index is the same whatever instruction set built it, but for the time of
-- the build in its first page
SET client_min_messages = warning;
CREATE TABLE tk (v vector(100)) WITH (autovacuum_enabled = off);
INSERT INTO tk SELECT array_agg(sin(i * j) * (1 + i % 7))::vector
	FROM generate_series(1, 2000) i, generate_series(1, 100) j GROUP BY i;
CREATE FUNCTION differences(a regclass, b regclass)
RETURNS TABLE (same_length boolean, pages bigint, different bigint) LANGUAGE sql AS $$
	SELECT length(a) = length(b), count(*), count(*) FILTER
		(WHERE substr(a, block * 8192 + 11, 8182) <> substr(b, block * 8192 + 11, 8182))
	FROM pg_read_binary_file(pg_relation_filepath($1)) a,
		pg_read_binary_file(pg_relation_filepath($2)) b,
		generate_series(1, length(a) / 8192 - 1) block
	GROUP BY 1
$$;
CREATE INDEX tk_l2 ON tk USING omen (v);
CREATE INDEX tk_cosine ON tk USING omen (v vector_cosine_ops);
CREATE INDEX tk_ip ON tk USING omen (v vector_ip_ops);
CREATE INDEX tk_l1 ON tk USING omen (v vector_l1_ops);
SET omen.simd = scalar;
CREATE INDEX tk_l2_scalar ON tk USING omen (v);
CREATE INDEX tk_cosine_scalar ON tk USING omen (v vector_cosine_ops);
CREATE INDEX tk_ip_scalar ON tk USING omen (v vector_ip_ops);
CREATE INDEX tk_l1_scalar ON tk USING omen (v vector_l1_ops);
RESET omen.simd;
CHECKPOINT;
SELECT * FROM differences('tk_l2', 'tk_l2_scalar');
SELECT * FROM differences('tk_cosine', 'tk_cosine_scalar');
SELECT * FROM differences('tk_ip', 'tk_ip_scalar');
SELECT * FROM differences('tk_l1', 'tk_l1_scalar');
DROP TABLE tk;
DROP FUNCTION differences;
