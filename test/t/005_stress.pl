# Everything at once: inserts, updates, deletes, VACUUM, REINDEX CONCURRENTLY,
# flushes and merges, while other sessions compare index scans with the table
# and check the index.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use OmenTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{OMEN_SECONDS} || 20;
my $node = new_node('stress', [], 'autovacuum = on', 'autovacuum_naptime = 1s',
	'max_prepared_transactions = 10', 'omen.compaction_workers = 2');
my $query = '[0.5,-0.5,1,0,0.25,0]';

$node->safe_psql(
	'postgres', q{
	CREATE TABLE tab (id serial PRIMARY KEY, note int, v vector(6))
		WITH (fillfactor = 70);
	INSERT INTO tab (v) SELECT vectors(1500, 6);
	CREATE INDEX idx ON tab USING omen (v);
	CREATE INDEX idx2 ON tab USING omen (v vector_ip_ops);
	CREATE VIEW counts AS SELECT count(*) AS n FROM tab;

	-- In one snapshot: all rows by the index, all rows of the table.
	CREATE FUNCTION oracle(op text) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		query vector := (SELECT vectors(1, 6));
		found text;
		expected text;
		statement text := format(
			'SELECT count(*) || '' '' || count(DISTINCT id) || '' '' ||
				md5(string_agg(d::text, '' '' ORDER BY d))
			FROM (SELECT id, v %1$s %2$L AS d FROM tab
				ORDER BY v %1$s %2$L) s', op, query);
	BEGIN
		PERFORM set_config('enable_seqscan', 'off', true),
			set_config('enable_sort', 'off', true),
			set_config('enable_bitmapscan', 'off', true),
			set_config('omen.iterative_scan', 'relaxed_order', true),
			set_config('omen.max_scan_tuples', '1000000', true),
			set_config('work_mem', '1GB', true),
			set_config('omen.ef_search', (1 + random() * 4000)::int::text, true);
		EXECUTE statement INTO found;
		PERFORM set_config('enable_seqscan', 'on', true),
			set_config('enable_sort', 'on', true),
			set_config('enable_indexscan', 'off', true);
		EXECUTE statement INTO expected;
		IF found IS DISTINCT FROM expected THEN
			RAISE 'index scan by % gives %, table %', op, found, expected;
		END IF;
	END $$;

	-- The same by a cursor that others have time to move the index under, in
	-- strict order.
	CREATE FUNCTION slow_oracle(op text) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		query vector := (SELECT vectors(1, 6));
		c refcursor;
		expected float8[];
		d float8;
		n int := 0;
	BEGIN
		PERFORM set_config('enable_indexscan', 'off', true);
		EXECUTE format('SELECT array_agg(d ORDER BY d) FROM (
			SELECT v %1$s %2$L AS d FROM tab) s', op, query) INTO expected;
		PERFORM set_config('enable_indexscan', 'on', true),
			set_config('enable_seqscan', 'off', true),
			set_config('enable_sort', 'off', true),
			set_config('enable_bitmapscan', 'off', true),
			set_config('omen.iterative_scan', 'strict_order', true),
			set_config('omen.max_scan_tuples', '1000000', true),
			set_config('work_mem', '1GB', true),
			set_config('omen.ef_search', '10000', true);
		OPEN c FOR EXECUTE format('SELECT v %1$s %2$L FROM tab
			ORDER BY v %1$s %2$L', op, query);
		LOOP
			FETCH c INTO d;
			EXIT WHEN NOT FOUND;
			n := n + 1;
			IF d <> expected[n] THEN
				RAISE 'row % by a cursor for % is %, not %', n, op, d, expected[n];
			END IF;
			IF n % 400 = 10 THEN
				PERFORM pg_sleep(0.05);
			END IF;
		END LOOP;
		IF n <> cardinality(expected) THEN
			RAISE 'cursor for % gives % rows, not %', op, n, cardinality(expected);
		END IF;
	END $$;

	CREATE FUNCTION sound(index text) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		findings text;
	BEGIN
		SELECT string_agg(c::text, ' ') FROM omen_check(index, true) c
			INTO findings;
		IF findings IS NOT NULL THEN
			RAISE 'findings: %', findings;
		END IF;
	END $$});

# Work of one kind of client: files for pgbench with their weights.
my %work = (
	'insert@30' => q{
		SET omen.pending_limit = 1000;
		INSERT INTO tab (v) SELECT vectors(40, 6);},
	'abort@3' => q{
		BEGIN;
		INSERT INTO tab (v) SELECT vectors(60, 6);
		ROLLBACK;},
	'delete@20' => q{
		DELETE FROM tab WHERE id IN (
			SELECT id FROM tab ORDER BY random()
			LIMIT GREATEST(40, (SELECT n - 2500 FROM counts))
			FOR UPDATE SKIP LOCKED);},
	'update@10' => q{
		UPDATE tab SET v = v + v WHERE id IN (
			SELECT id FROM tab ORDER BY random() LIMIT 5
			FOR UPDATE SKIP LOCKED);},
	'hot@10' => q{
		UPDATE tab SET note = 1 WHERE id IN (
			SELECT id FROM tab ORDER BY random() LIMIT 5
			FOR UPDATE SKIP LOCKED);},
	'oracle@20' => q{
		BEGIN ISOLATION LEVEL REPEATABLE READ;
		SELECT oracle('<->');
		SELECT oracle('<#>');
		COMMIT;},
	'cursor@5' => q{
		BEGIN ISOLATION LEVEL REPEATABLE READ;
		SELECT slow_oracle('<->');
		SELECT slow_oracle('<#>');
		COMMIT;},
	'nearest@20' => q{
		SELECT id FROM tab ORDER BY v <-> '[1,0,0,0,0,1]' LIMIT 10;},
	'check@5' => q{
		SELECT pg_try_advisory_lock(7)::int AS got \gset
		\if :got
			SELECT sound('idx');
			SELECT sound('idx2');
			SELECT pg_advisory_unlock(7);
		\endif},
	'vacuum@3' => 'VACUUM tab;',
	'reindex@2' => q{
		SELECT pg_try_advisory_lock(7)::int AS got \gset
		\if :got
			REINDEX INDEX CONCURRENTLY idx;
			SELECT sound('idx');
			SELECT pg_advisory_unlock(7);
		\endif},
	'create@2' => q{
		SELECT pg_try_advisory_lock(7)::int AS got \gset
		\if :got
			DROP INDEX CONCURRENTLY idx2;
			CREATE INDEX CONCURRENTLY idx2 ON tab USING omen (v vector_ip_ops);
			SELECT sound('idx2');
			SELECT pg_advisory_unlock(7);
		\endif});

$node->pgbench("--no-vacuum --client=6 --time=$seconds",
	0, [qr/actually processed/], [qr/^$/],
	'concurrent work', \%work);

is_sound($node, $_, 'afterwards') foreach qw(idx idx2);
$node->safe_psql('postgres', 'VACUUM tab');
is_sound($node, $_, 'after VACUUM') foreach qw(idx idx2);
same_answers($node, 'tab', '<->', $query, 'afterwards');
same_answers($node, 'tab', '<#>', $query, 'afterwards');
note $node->safe_psql('postgres',
	'SELECT x.indexname, i.* FROM omen_indexes x, omen_index_info(x.indexname::regclass) i');
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|TRAP/,
	'the server never went down');
$node->stop;

done_testing();
