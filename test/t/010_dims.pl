# Vectors of many dimensions, whose slots and pending rows take several pages:
# crashes, a standby, damage.

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

# Pending rows of 5 pages, as codes of 2; slots of 2, of which the code begins
# at 48.
my $dims = 9000;
my ($slots, $pending) = (3, 6);
my $query = "(SELECT v FROM base WHERE n = 0)";

# A consistency check compares each page that is replayed.
my $node = new_node('dims', [ allows_streaming => 1 ],
	'wal_consistency_checking = all', 'full_page_writes = off',
	'max_wal_size = 4GB');

# Rows are sums of two of these, so that they need not be drawn at random.
$node->safe_psql(
	'postgres', qq{
	CREATE TABLE base AS
		SELECT row_number() OVER () - 1 AS n, v FROM vectors(70, $dims) v;
	CREATE TABLE tab (id serial, v vector($dims));
	ALTER TABLE tab ALTER v SET STORAGE EXTERNAL;
	CREATE INDEX idx ON tab USING omen (v);
	CREATE FUNCTION add(n int) RETURNS void LANGUAGE sql AS \$\$
		INSERT INTO tab (v) SELECT a.v + b.v
			FROM (SELECT COALESCE(max(id), 0) AS last FROM tab) m,
				generate_series(last + 1, last + n) i
			JOIN base a ON a.n = i % 35 JOIN base b ON b.n = 35 + i / 35 % 35
	\$\$});
$node->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

# The distances of the nearest rows, by the index and without it.
sub nearest
{
	my ($server, $kind) = @_;

	return $server->safe_psql(
		'postgres', qq{
		SET enable_seqscan = @{[$kind eq 'seq' ? 'on' : 'off']};
		SET enable_indexscan = @{[$kind eq 'seq' ? 'off' : 'on']};
		SET omen.ef_search = 10000;
		SELECT array_agg(d) FROM (
			SELECT v <-> $query AS d FROM tab ORDER BY d LIMIT 40) s});
}

sub is_whole
{
	my ($server, $label) = @_;

	is_sound($server, 'idx', $label);
	is(nearest($server, 'index'), nearest($server, 'seq'),
		"$label: the nearest as the table gives them");
}

foreach my $step (
	[ 'first rows', 'SELECT add(1)' ],
	[ 'inserts', 'SELECT add(30)' ],
	[ 'flush', 'SET omen.pending_limit = 1000; SELECT add(1000)' ],
	[ 'more inserts', 'SELECT add(20)' ],
	[ 'rollback', 'BEGIN; SELECT add(10); ROLLBACK' ],
	[ 'dead bits', 'DELETE FROM tab WHERE id % 20 = 0; VACUUM tab' ],
	[ 'rewriting', 'DELETE FROM tab WHERE id % 3 = 0; VACUUM tab' ])
{
	my ($label, $sql) = @$step;

	$node->safe_psql('postgres', $sql);
	$node->wait_for_catchup($standby);
	is_whole($standby, "$label, standby");
	$node->stop('immediate');
	$node->start;
	is_whole($node, "after $label");
}
is( $node->safe_psql('postgres',
		"SELECT sum(rows) FROM omen_index_info('idx') WHERE kind = 'segment'") > 0,
	1, 'there is a segment');

# In the middle of inserts by several sessions.
foreach my $round (1 .. 3)
{
	my @sessions = map {
		IPC::Run::start(
			[ 'psql', '-X', '-q', '-d', $node->connstr('postgres') ],
			'<', \join('', ('SELECT add(1);') x 400),
			'>', \my $out, '2>', \my $err)
	} 1 .. 3;

	usleep(200_000 + int rand 600_000);
	$node->stop('immediate');
	$_->finish foreach @sessions;
	$node->start;
	is_whole($node, "round $round");
}
$standby->stop;

# The parts of a slot and of a pending row are looked at, each.
$node->safe_psql('postgres', 'SELECT add(1000); REINDEX INDEX idx; SELECT add(5); CHECKPOINT');
is_whole($node, 'before damage');
my $file = $node->data_dir . '/'
  . $node->safe_psql('postgres', "SELECT pg_relation_filepath('idx')");
my $pages = pages_of($file);
my ($row) = sort { $a <=> $b } map { m{^$pending/(\d+)} ? $1 : () } keys %$pages;

foreach my $damage (
	[ 'second part of a slot zeroed', "$slots/3", 0, "\0" x 8192, 'page' ],
	[ 'code in the second part', "$slots/5", 24 + 700, "\x80", 'slot' ],
	[ 'second part cut off', "$slots/5", 12, pack('v', 100), 'page' ],
	[ 'parts exchanged', "$slots/4", 8180, pack('V', 5), 'page' ],
	[ 'row on a second page', "$pending/" . ($row + 1), 28, pack('V', 1), 'pending' ],
	[ 'code on a second page', "$pending/" . ($row + 1), 100, "\x33", 'pending' ],
	[ 'second page of a row zeroed', "$pending/" . ($row + 1), 0, "\0" x 8192, 'page' ])
{
	my ($label, $key, $offset, $bytes, $invariant) = @$damage;
	my $block = $pages->{$key};
	my $before;

	die "no page $key" if !defined $block;
	$node->stop;
	open my $fh, '+<:raw', $file or die "$file: $!";
	seek $fh, $block * 8192 + $offset, 0;
	read $fh, $before, length $bytes;
	seek $fh, $block * 8192 + $offset, 0;
	print $fh $bytes;
	close $fh;
	$node->start;
	like( $node->safe_psql('postgres',
			"SELECT DISTINCT invariant FROM omen_check('idx')"),
		qr/^$invariant$/m, "found: $label");
	$node->psql('postgres', "SET enable_seqscan = off; SET omen.ef_search = 10000;
		SELECT count(*) FROM (SELECT FROM tab ORDER BY v <-> $query) s");
	$node->stop;
	open $fh, '+<:raw', $file or die "$file: $!";
	seek $fh, $block * 8192 + $offset, 0;
	print $fh $before;
	close $fh;
	$node->start;
}
is_whole($node, 'after repair');
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|TRAP/,
	'the server never went down');
$node->stop;

done_testing();
