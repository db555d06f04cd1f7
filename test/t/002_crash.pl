# Crashes: what was committed is in the index, which is sound, whatever was
# going on.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use OmenTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $seed = $ENV{OMEN_SEED} || time;
srand $seed;
note "OMEN_SEED=$seed";

my $query = '[0.5,-0.5,1,0,0.25,0]';

# Stop at once, as by a cut of power that the disks survived.
sub crash
{
	my ($node) = @_;

	$node->stop('immediate');
	$node->start;
}

# Statements in another session, while we go on.
sub in_background
{
	my ($node, $sql) = @_;

	return IPC::Run::start(
		[ 'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-c', $sql ],
		'<', \undef, '>', \my $out, '2>', \my $err);
}

sub is_whole
{
	my ($node, $label) = @_;

	is_sound($node, 'idx', $label);
	same_answers($node, 'tab', '<->', $query, $label);
}

my $node = new_node('crash', []);

$node->safe_psql(
	'postgres', q{
	CREATE TABLE tab (id serial, v vector(6));
	INSERT INTO tab (v) SELECT vectors(3000, 6);
	CREATE INDEX idx ON tab USING omen (v);
	CHECKPOINT});
crash($node);
is_whole($node, 'after a checkpoint');

# One after the other, each followed by a crash.
foreach my $step (
	[ 'REINDEX', 'REINDEX INDEX idx' ],
	[ 'insert', 'INSERT INTO tab (v) SELECT vectors(150, 6)' ],
	[ 'more inserts', 'INSERT INTO tab (v) SELECT vectors(50, 6)' ],
	[ 'flush', 'SET omen.pending_limit = 1000;
		INSERT INTO tab (v) SELECT vectors(1500, 6)' ],
	[ 'dead bits', 'DELETE FROM tab WHERE id % 20 = 0; VACUUM tab' ],
	[ 'their reuse', 'INSERT INTO tab (v) SELECT vectors(100, 6)' ],
	[ 'rewriting', 'DELETE FROM tab WHERE id % 3 = 0; VACUUM tab' ],
	[ 'merge', 'SET omen.pending_limit = 1000;
		INSERT INTO tab (v) SELECT vectors(2500, 6)' ],
	[ 'rollback', 'BEGIN; INSERT INTO tab (v) SELECT vectors(1500, 6); ROLLBACK' ],
	[ 'VACUUM of a rollback', 'VACUUM tab' ],
	[ 'update', 'UPDATE tab SET v = v + v WHERE id % 5 = 0' ],
	[ 'VACUUM FULL', 'VACUUM FULL tab' ],
	[ 'SET UNLOGGED, SET LOGGED',
		'ALTER TABLE tab SET UNLOGGED; ALTER TABLE tab SET LOGGED' ])
{
	my ($label, $sql) = @$step;

	# From standard input: each statement is a transaction of its own.
	$node->safe_psql('postgres', $sql);
	crash($node);
	is_whole($node, "after $label");
}

# In the middle of things: a session inserts, deletes and flushes, one
# transaction a row, and notes in a table that has no omen index what it did.
$node->safe_psql(
	'postgres', q{
	CREATE TABLE journal (id int PRIMARY KEY);
	CREATE PROCEDURE load() LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM set_config('omen.pending_limit', '1000', false),
			set_config('synchronous_commit', 'off', false);
		LOOP
			WITH ins AS (
				INSERT INTO tab (v) SELECT vectors(20, 6) RETURNING id)
			INSERT INTO journal SELECT id FROM ins;
			DELETE FROM tab WHERE id IN (
				SELECT id FROM journal ORDER BY random()
				LIMIT GREATEST(5, (SELECT count(*) - 3000 FROM journal)));
			DELETE FROM journal j WHERE NOT EXISTS (
				SELECT FROM tab WHERE id = j.id);
			COMMIT;
		END LOOP;
	END $$});
foreach my $round (1 .. 6)
{
	my @sessions = map { in_background($node, 'CALL load()') } 1 .. 2;

	push @sessions, in_background($node, 'VACUUM tab') if $round % 2;
	usleep(300_000 + int rand 1_200_000);
	$node->stop('immediate');
	$_->finish foreach @sessions;
	$node->start;
	is_whole($node, "round $round");
	is( $node->safe_psql('postgres',
			'SELECT count(*) FROM journal WHERE id NOT IN (SELECT id FROM tab)'),
		0, "round $round: table and journal agree");
	$node->safe_psql('postgres', 'VACUUM tab');
	is_whole($node, "round $round, after VACUUM");
}
my ($segments) = $node->safe_psql('postgres',
	"SELECT count(*) FROM omen_index_info('idx') WHERE kind = 'segment'");
cmp_ok($segments, '<=', 4, 'few segments');

# During CREATE INDEX, at some moment, and CREATE INDEX CONCURRENTLY.
$node->safe_psql('postgres',
	'CREATE TABLE big AS SELECT v::vector(32) FROM vectors(40000, 32) v');
foreach my $kind (('', 'CONCURRENTLY') x 3)
{
	my $session = in_background($node,
		"SET maintenance_work_mem = '1GB';
		CREATE INDEX $kind bigidx ON big USING omen (v)");

	usleep(100_000 + int rand 900_000);
	my $phase = $node->safe_psql('postgres',
		'SELECT phase FROM pg_stat_progress_create_index');
	crash($node);
	$session->finish;
	my $valid = $node->safe_psql('postgres',
		"SELECT indisvalid FROM pg_index
		WHERE indexrelid = to_regclass('bigidx')::oid");
	note "CREATE INDEX $kind, phase '$phase', valid: '$valid'";
	if ($valid eq 't')
	{
		is_sound($node, 'bigidx', "finished CREATE INDEX $kind");
	}
	else
	{
		my ($status, undef, $err) = $node->psql('postgres',
			"SELECT * FROM omen_check('bigidx', true)");
		like($err, qr/not valid|does not exist/,
			"CREATE INDEX $kind did not come to its end");
	}
	$node->safe_psql('postgres', 'INSERT INTO big SELECT v FROM big LIMIT 5');
	$node->safe_psql('postgres', 'DROP INDEX IF EXISTS bigidx');
}
$node->safe_psql('postgres', 'CREATE INDEX bigidx ON big USING omen (v)');
is_sound($node, 'bigidx', 'built in the end');

# Unlogged: empty after a crash, and in working order.
$node->safe_psql(
	'postgres', q{
	CREATE UNLOGGED TABLE un (v vector(6));
	INSERT INTO un SELECT vectors(2500, 6);
	CREATE INDEX unidx ON un USING omen (v);
	INSERT INTO un SELECT vectors(100, 6)});
crash($node);
is($node->safe_psql('postgres', 'SELECT count(*) FROM un'), 0,
	'unlogged table is empty');
is_sound($node, 'unidx', 'unlogged');
is( $node->safe_psql('postgres', "SELECT sum(rows) FROM omen_index_info('unidx')"),
	0, 'unlogged index is empty');
$node->safe_psql('postgres',
	'SET omen.pending_limit = 1000; INSERT INTO un SELECT vectors(2500, 6)');
is_sound($node, 'unidx', 'unlogged, filled again');
same_answers($node, 'un', '<->', $query, 'unlogged, filled again');
$node->stop;

# A clean shutdown keeps it.
$node->start;
is_sound($node, 'unidx', 'unlogged, after a clean shutdown');
same_answers($node, 'un', '<->', $query, 'unlogged, after a clean shutdown');
$node->stop;

# wal_level = minimal: what is made in the transaction that makes its table is
# not logged, but synced.
my $minimal = new_node('minimal', [], 'wal_level = minimal',
	'max_wal_senders = 0', 'wal_skip_threshold = 0');

$minimal->safe_psql(
	'postgres', q{
	BEGIN;
	CREATE TABLE tab (id serial, v vector(6));
	INSERT INTO tab (v) SELECT vectors(3000, 6);
	CREATE INDEX idx ON tab USING omen (v);
	INSERT INTO tab (v) SELECT vectors(500, 6);
	COMMIT});
crash($minimal);
is_whole($minimal, 'minimal, new table');
$minimal->safe_psql(
	'postgres', q{
	BEGIN;
	TRUNCATE tab;
	INSERT INTO tab (v) SELECT vectors(1500, 6);
	COMMIT;
	INSERT INTO tab (v) SELECT vectors(1500, 6)});
crash($minimal);
is_whole($minimal, 'minimal, truncated');
$minimal->safe_psql('postgres', 'REINDEX INDEX idx');
crash($minimal);
is_whole($minimal, 'minimal, reindexed');
$minimal->stop;

done_testing();
