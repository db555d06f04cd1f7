# Background workers that flush: when there is one, when none can be had, and
# that they give way to whoever wants the index or its database.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use OmenTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('worker', [], 'omen.compaction_workers = 2',
	'omen.pending_limit = 1000', 'log_min_messages = debug1');
my $workers =
  q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'omen compactor'};

# segments(INDEX): how many an index has.
sub segments
{
	my ($index, $db) = @_;

	return $node->safe_psql($db || 'postgres',
		"SELECT count(*) FROM omen_index_info('$index') WHERE kind = 'segment'");
}

# flushed_by_worker(INDEX, LABEL): sooner or later there is a segment.
sub flushed_by_worker
{
	my ($index, $label, $db) = @_;

	ok( $node->poll_query_until($db || 'postgres',
			"SELECT count(*) > 0 FROM omen_index_info('$index')
			WHERE kind = 'segment'"),
		"$label: a worker flushes");
}

# no_workers(LABEL): sooner or later the last one has ended.
sub no_workers
{
	my ($label) = @_;

	ok($node->poll_query_until('postgres', $workers, '0'),
		"$label: no worker stays");
}

#----------
# A worker on demand
#----------

$node->safe_psql(
	'postgres', q{
	CREATE TABLE tab (id serial, v vector(6));
	CREATE INDEX idx ON tab USING omen (v)});
$node->safe_psql('postgres', 'INSERT INTO tab (v) SELECT vectors(500, 6)');
is($node->safe_psql('postgres', $workers), '0', 'no worker without need');
$node->safe_psql('postgres', 'INSERT INTO tab (v) SELECT vectors(1000, 6)');
ok($node->poll_query_until('postgres', $workers, '1'), 'a worker is started');
flushed_by_worker('idx', 'beyond the limit');
no_workers('afterwards');
is_sound($node, 'idx', 'flushed by a worker');

# The owner may not even log in, and the inserter may do nothing else.
$node->safe_psql(
	'postgres', q{
	CREATE ROLE owner NOLOGIN;
	CREATE ROLE inserter LOGIN;
	CREATE TABLE own (v vector(6));
	CREATE INDEX own_idx ON own USING omen (v);
	GRANT INSERT ON own TO inserter;
	ALTER TABLE own OWNER TO owner;
	GRANT CREATE ON SCHEMA public TO owner});
$node->safe_psql(
	'postgres', q{
	SET ROLE inserter;
	INSERT INTO own SELECT ARRAY[i, sin(i), 0, 0, 1, 2]::vector
	FROM generate_series(1, 1500) i});
flushed_by_worker('own_idx', 'inserter without rights');
is_sound($node, 'own_idx', 'without rights');

# The subtransaction, and the transaction, that asked are rolled back.
$node->safe_psql(
	'postgres', q{
	CREATE TABLE sub (v vector(6));
	CREATE INDEX sub_idx ON sub USING omen (v);
	BEGIN;
	SAVEPOINT s;
	INSERT INTO sub SELECT vectors(1500, 6);
	ROLLBACK TO s;
	INSERT INTO sub SELECT vectors(10, 6);
	ROLLBACK});
flushed_by_worker('sub_idx', 'after a rollback');
is_sound($node, 'sub_idx', 'after a rollback');
no_workers('so far');

#----------
# While another session holds a lock that keeps workers away, the list may grow
# to eight times its limit; then the inserter flushes.
#----------

my $holder = $node->background_psql('postgres');

$node->safe_psql(
	'postgres', q{
	CREATE TABLE held (v vector(6));
	CREATE INDEX held_idx ON held USING omen (v)});
$holder->query_safe('BEGIN');
$holder->query_safe('COMMENT ON INDEX held_idx IS \'held\'');
$node->safe_psql('postgres', 'INSERT INTO held SELECT vectors(2500, 6)');
no_workers('lock on the index');
is(segments('held_idx'), '0', 'lock on the index: neither worker nor inserter flushes');
$node->safe_psql('postgres', 'INSERT INTO held SELECT vectors(6000, 6)');
is(segments('held_idx'), '1', 'beyond eight times the limit, the inserter flushes');
$holder->query_safe('ROLLBACK');
is_sound($node, 'held_idx', 'back-pressure');

# So many workers in all: none is free for this index.
$holder->query_safe('BEGIN');
$node->safe_psql(
	'postgres', q{
	CREATE TABLE third (v vector(6));
	CREATE INDEX third_idx ON third USING omen (v)});
$node->safe_psql('postgres', 'INSERT INTO own SELECT vectors(1100, 6);
	INSERT INTO sub SELECT vectors(1100, 6)');
ok($node->poll_query_until('postgres', $workers, '2'), 'two workers at once');
$node->safe_psql('postgres',
	'SET omen.compaction_workers = 1; INSERT INTO third SELECT vectors(1500, 6)');
is(segments('third_idx'), '1', 'the inserter flushes if all workers are taken');
$holder->query_safe('ROLLBACK');
no_workers('in the end');

#----------
# A merge gives way.  It takes a second at most, so the process is stopped in the
# middle of it, and goes on when somebody waits.
#----------

my $watch = $node->background_psql('postgres');

# merge_of(PATTERN): the process that merges and whose activity is like that, as
# soon as there is one, stopped; 0 if it has just ended, or after a minute.
sub merge_of
{
	my ($pattern) = @_;
	my $find = qq{SELECT coalesce(max(pid), 0) FROM pg_locks JOIN
		pg_stat_activity USING (pid) WHERE locktype = 'page' AND granted
		AND (backend_type || query) ~ '$pattern'};
	my $pid = 0;

	for (my $i = 0; $i < 6000 && !$pid; $i++)
	{
		$pid = $watch->query_safe($find) || $watch->query_safe(
			'SELECT 0 FROM pg_sleep(0.01)');
	}
	return 0 if !$pid;
	$watch->query_safe('SELECT pg_sleep(0.05)');
	kill 'STOP', $pid;
	return $pid if $watch->query_safe($find) == $pid;
	kill 'CONT', $pid;
	return 0;
}

# long_table(DATABASE): one whose index takes long to merge.
sub long_table
{
	$node->safe_psql(
		$_[0], q{
		DROP TABLE IF EXISTS long;
		CREATE TABLE long (v vector(60)) WITH (autovacuum_enabled = off);
		ALTER TABLE long ALTER v SET STORAGE plain;
		INSERT INTO long SELECT array_agg(sin(i * j + j))
		FROM generate_series(1, 30000) i, generate_series(1, 60) j GROUP BY i;
		SET maintenance_work_mem = '1GB';
		CREATE INDEX long_idx ON long USING omen (v)
		WITH (m = 100, ef_construction = 1000, chunk_size = 65536)});
}

# merging(DATABASE): a worker is stopped in a merge; its process ID.
sub merging
{
	my ($db) = @_;
	my $pid = 0;

	long_table($db);
	for (my $i = 0; $i < 10 && !$pid; $i++)
	{
		$node->safe_psql(
			$db, q{
			SET omen.compaction_workers = 0;
			SET omen.pending_limit = 1000000;
			INSERT INTO long SELECT * FROM long LIMIT 16000;
			RESET omen.compaction_workers;
			SET omen.pending_limit = 10000;
			INSERT INTO long SELECT * FROM long LIMIT 100});
		$pid = merge_of('omen compactor');
	}
	ok($pid, 'a merge is going on');
	return $pid;
}

# gives_way(LABEL, PID, DATABASE, SQL): the merge ends because of the statement,
# which succeeds.
sub gives_way
{
	my ($label, $pid, $db, $sql) = @_;
	my $offset = -s $node->logfile;
	my ($out, $err) = ('', '');
	my $waiter = IPC::Run::start(
		[ 'psql', '-X', '-q', '-At', '-d', $node->connstr($db),
			map { ('-c', $_) } split /; /, $sql ],
		'<', \undef, '>', \$out, '2>', \$err);

	$watch->query_safe('SELECT pg_sleep(0.01)')
	  until $watch->query_safe(
		q{SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'})
	  || !$waiter->pumpable;
	kill 'CONT', $pid;
	$waiter->finish;
	is($err, '', "$label: no error");
	ok( $node->wait_for_log(qr/compaction of index "long_idx" gave way/,
			$offset),
		"$label: the merge gives way");
}

# Inserts go on meanwhile, however many.
my $merge = merging('postgres');
$node->safe_psql('postgres', 'INSERT INTO long SELECT * FROM long LIMIT 5000');
ok($watch->query_safe(
		"SELECT count(*) > 0 FROM pg_locks WHERE pid = $merge AND locktype = 'page'"),
	'inserts do not wait for a merge');
is( $watch->query_safe(
		"SELECT backend_xmin IS NULL FROM pg_stat_activity WHERE pid = $merge"),
	't', 'a merge does not hold back VACUUM');
gives_way('VACUUM', $merge, 'postgres',
	q{DELETE FROM long WHERE ctid < '(3,1)'; VACUUM (INDEX_CLEANUP on) long});
is_sound($node, 'long_idx', 'after VACUUM');
gives_way('DROP INDEX', merging('postgres'), 'postgres', 'DROP INDEX long_idx');
gives_way('TRUNCATE', merging('postgres'), 'postgres', 'TRUNCATE long');
gives_way('DROP TABLE', merging('postgres'), 'postgres', 'DROP TABLE long');
no_workers('after DROP TABLE');

$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION omenvec');
gives_way('DROP DATABASE', merging('other'), 'postgres', 'DROP DATABASE other');

# omen_compact() gives way too, and says so.
{
	my ($out, $err) = ('', '');
	my $compact;
	my $pid = 0;

	long_table('postgres');
	for (my $i = 0; $i < 10 && !$pid; $i++)
	{
		$node->safe_psql(
			'postgres', q{
			SET omen.pending_limit = 1000000;
			INSERT INTO long SELECT * FROM long LIMIT 900});
		$out = '';
		$compact = IPC::Run::start(
			[ 'psql', '-X', '-q', '-At', '-d', $node->connstr('postgres'),
				'-c', q{SELECT omen_compact('long_idx')} ],
			'<', \undef, '>', \$out, '2>', \$err);
		$pid = merge_of('^client backend *SELECT omen_compact');
		$compact->finish if !$pid;
	}
	gives_way('omen_compact', $pid, 'postgres', 'DROP INDEX long_idx');
	$compact->finish;
	is($err, '', 'omen_compact: no error');
	is($out, "f\n", 'omen_compact says that it gave way');
}

# So it does if its own transaction keeps others from the table.
{
	my ($out, $err) = ('', '');
	my $waiter;

	$node->safe_psql(
		'postgres', q{
		CREATE TABLE wanted (v vector(6));
		INSERT INTO wanted SELECT vectors(1500, 6);
		CREATE INDEX wanted_idx ON wanted USING omen (v);
		INSERT INTO wanted SELECT vectors(100, 6)});
	$holder->query_safe('BEGIN');
	$holder->query_safe('ANALYZE wanted');
	$waiter = IPC::Run::start(
		[ 'psql', '-X', '-q', '-At', '-d', $node->connstr('postgres'),
			'-c', 'DROP TABLE wanted' ],
		'<', \undef, '>', \$out, '2>', \$err);
	$node->poll_query_until('postgres',
		q{SELECT count(*) > 0 FROM pg_stat_activity
		WHERE wait_event_type = 'Lock' AND query = 'DROP TABLE wanted'});
	is($holder->query_safe(q{SELECT omen_compact('wanted_idx')}),
		'f', 'omen_compact gives way to who waits for the table');
	$holder->query_safe('COMMIT');
	$waiter->finish;
	is($err, '', '... which has it then');
}

# A shutdown does not wait for the merge, and loses nothing.
kill 'CONT', merging('postgres');
my $rows = $node->safe_psql('postgres', 'SELECT count(*) FROM long');
$node->stop('fast');
$node->start;
is_sound($node, 'long_idx', 'after a shutdown');
is( $node->safe_psql('postgres',
		q{SELECT sum(rows) FROM omen_index_info('long_idx')}),
	$rows, 'no row is lost');

#----------
# No worker to be had: the inserter flushes.
#----------

$node->append_conf('postgresql.conf', 'max_worker_processes = 0');
$node->restart;
$node->safe_psql(
	'postgres', q{
	TRUNCATE tab;
	INSERT INTO tab (v) SELECT vectors(1500, 6)});
$node->safe_psql('postgres', 'INSERT INTO tab (v) SELECT vectors(1500, 6)');
is(segments('idx'), '1', 'max_worker_processes = 0: the inserter flushes');
is_sound($node, $_, 'in the end') foreach qw(idx own_idx sub_idx held_idx third_idx);

unlike(slurp_file($node->logfile),
	qr/terminated by signal|PANIC|TRAP|you don't own|deadlock/,
	'nothing bad in the log');
$node->stop;

done_testing();
