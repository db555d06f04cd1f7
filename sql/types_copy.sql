--
-- Binary format of vector and halfvec.
--
\pset null NULL

SELECT vector_send('[1,-2.5]'), halfvec_send('[1,-2.5]');

CREATE TABLE t (v vector(3), h halfvec(3));
INSERT INTO t VALUES ('[1,2,3]', '[1,2,3]'), ('[-0,1e-45,3.4028235e38]', '[-0,6e-8,-65504]'), (NULL, NULL);
CREATE TABLE t2 (LIKE t);
\copy t TO 'results/types_copy.bin' WITH (FORMAT binary)
\copy t2 FROM 'results/types_copy.bin' WITH (FORMAT binary)
SELECT * FROM t2;
\copy t TO 'results/types_copy.txt'
\copy t2 FROM 'results/types_copy.txt'
SELECT count(*), count(DISTINCT (vector_send(v), halfvec_send(h))) FROM t2;
DROP TABLE t, t2;

-- What becomes of one field of these bytes in a file of COPY's: the value, or
-- the error.  The server reads the file from a shell's printf.
CREATE TABLE tv (v vector);
CREATE TABLE th (v halfvec);
CREATE TABLE tv2 (v vector(2));
CREATE FUNCTION pg_temp.recv(tab text, field bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	file bytea := '\x5047434f50590aff0d0a00' || '\x0000000000000000'::bytea || '\x0001' ||
		int4send(length(field)) || field || '\xffff';
	escapes text;
	result text;
BEGIN
	SELECT string_agg('\' || (b >> 6) || (b >> 3 & 7) || (b & 7), '' ORDER BY i) INTO escapes
		FROM generate_series(0, length(file) - 1) i, LATERAL get_byte(file, i) b;
	EXECUTE format('COPY %I FROM PROGRAM %L (FORMAT binary)', tab, 'printf ''' || escapes || '''');
	EXECUTE format('DELETE FROM %I RETURNING v', tab) INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT what, f AS field, pg_temp.recv('tv', f) AS result FROM (VALUES
	('good', '\x000200003f800000c0200000'::bytea), ('denormal, -0', '\x000200000000000180000000'),
	('nothing', '\x'), ('half a header', '\x0002'), ('header only', '\x00020000'), ('too short', '\x000200003f800000c02000'),
	('too long', '\x000200003f800000c020000000'), ('0 dimensions', '\x00000000'), ('-1 dimensions', '\xffff0000'),
	('16001 dimensions', '\x3e8100003f800000'), ('unused not 0', '\x000100013f800000'), ('unused -1', '\x0001ffff3f800000'),
	('NaN', '\x000100007fc00000'), ('signalling NaN', '\x000200003f800000ff800001'),
	('infinity', '\x000100007f800000'), ('-infinity', '\x000200003f800000ff800000')) t(what, f);
SELECT what, f AS field, pg_temp.recv('th', f) AS result FROM (VALUES
	('good', '\x000200003c00c100'::bytea), ('denormal, -0', '\x0002000000018000'),
	('nothing', '\x'), ('half a header', '\x0002'), ('header only', '\x00020000'), ('too short', '\x000200003c00c1'),
	('too long', '\x000200003c00c10000'), ('0 dimensions', '\x00000000'), ('-1 dimensions', '\xffff0000'),
	('16001 dimensions', '\x3e8100003c00'), ('unused not 0', '\x000100013c00'), ('unused -1', '\x0001ffff3c00'),
	('NaN', '\x000100007e00'), ('signalling NaN', '\x000200003c00fc01'),
	('infinity', '\x000100007c00'), ('-infinity', '\x000200003c00fc00')) t(what, f);
SELECT pg_temp.recv('tv2', '\x000200003f80000040000000'), pg_temp.recv('tv2', '\x000100003f800000');
DROP TABLE tv, th, tv2;
