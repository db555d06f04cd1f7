# The file of an index does not stay larger than what it holds: space is used
# again, pages are moved, and the end is cut off, here and on a standby, without
# a scan that is open noticing.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use OmenTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_node('primary', [ allows_streaming => 1 ],
	'wal_consistency_checking = all', 'log_min_messages = debug1',
	'omen.pending_limit = 1000');

$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

my $query = '[' . join(',', (0.5) x 100) . ']';

sub size
{
	return $_[0]->safe_psql('postgres', "SELECT pg_relation_size('idx')");
}

sub both_are_sound
{
	my ($label) = @_;

	$primary->wait_for_catchup($standby);
	is_sound($_, 'idx', $label . ', ' . $_->name) foreach $primary, $standby;
	same_answers($_, 'tab', '<->', $query, $label . ', ' . $_->name)
	  foreach $primary, $standby;
	is(size($standby), size($primary), "$label: both files are equally long");
}

# open_scan(NODE): a scan that has returned its first rows, and its session.
sub open_scan
{
	my ($node) = @_;
	my $session = $node->background_psql('postgres');

	$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
	$session->query_safe("SET $_")
	  foreach 'enable_seqscan = off', 'enable_sort = off', 'omen.ef_search = 20',
	  'omen.iterative_scan = relaxed_order', 'omen.max_scan_tuples = 1000000';
	$session->query_safe(
		"DECLARE c CURSOR FOR SELECT id FROM tab ORDER BY v <-> '$query'");
	return ($session, split /\n/, $session->query_safe('FETCH 50 FROM c'));
}

# ends_well(LABEL, ROWS, SESSION, ID...): the scan gives all rows, each once.
sub ends_well
{
	my ($label, $rows, $session, @ids) = @_;

	push @ids, split /\n/, $session->query_safe('FETCH ALL FROM c');
	$session->query_safe('COMMIT');
	$session->quit;
	my %ids = map { $_ => 1 } @ids;
	is(scalar(@ids), $rows, "$label: the scan gives all rows");
	is(scalar(keys %ids), $rows, "$label: each once");
}

$primary->safe_psql(
	'postgres', q{
	CREATE TABLE tab (id serial, v vector(100)) WITH (autovacuum_enabled = off);
	ALTER TABLE tab ALTER v SET STORAGE plain;
	INSERT INTO tab (v) SELECT vectors(4000, 100);
	CREATE INDEX idx ON tab USING omen (v)});
my $fresh = size($primary);

# Churn: a fifth of the rows at a time.
my $largest = 0;
foreach my $round (1 .. 8)
{
	$primary->safe_psql(
		'postgres', q{
		DELETE FROM tab WHERE id IN (
			SELECT id FROM tab ORDER BY random() LIMIT 800);
		INSERT INTO tab (v) SELECT vectors(800, 100);
		VACUUM tab});
	$largest = size($primary) if size($primary) > $largest;
}
cmp_ok($largest, '<=', 1.5 * $fresh, 'never more than half as much again');
both_are_sound('churn');

# Pages are moved while scans of them are open here and there.  The file cannot
# get shorter, but the old places of the pages are used again.
$primary->safe_psql('postgres', q{
	INSERT INTO tab (v) SELECT vectors(4000, 100);
	SELECT omen_compact('idx')});
$primary->wait_for_catchup($standby);
my $rows = $primary->safe_psql('postgres', 'SELECT count(*) FROM tab');
my ($here, @here) = open_scan($primary);
my ($there, @there) = open_scan($standby);
my $offset = -s $primary->logfile;

$primary->safe_psql('postgres', 'VACUUM tab');
like(slurp_file($primary->logfile, $offset), qr/moved \d+ pages of index "idx"/,
	'pages are moved under a scan');
unlike(slurp_file($primary->logfile, $offset), qr/truncated index "idx"/,
	'the file is not truncated under a scan');
$primary->safe_psql('postgres', 'INSERT INTO tab (v) SELECT vectors(900, 100)');
$primary->wait_for_catchup($standby);
ends_well('primary', $rows, $here, @here);
ends_well('standby', $rows, $there, @there);
both_are_sound('moved under scans');

# Without them it gets shorter.
my $before = size($primary);
$primary->safe_psql('postgres', q{
	DELETE FROM tab WHERE id % 4 <> 0;
	VACUUM tab});
cmp_ok(size($primary), '<', 0.5 * $before, 'the file gets shorter');
both_are_sound('shorter');

my ($status, undef, $err) =
  $standby->psql('postgres', q{SELECT omen_compact('idx')});
like($err, qr/recovery is in progress/, 'a standby is not compacted');

# A crash after that, and growing again.
$primary->stop('immediate');
$primary->start;
both_are_sound('after a crash');
$primary->safe_psql('postgres', 'INSERT INTO tab (v) SELECT vectors(3000, 100)');
both_are_sound('grown again');

# All rows go.
$primary->safe_psql('postgres', 'DELETE FROM tab; VACUUM tab');
cmp_ok(size($primary), '<', 0.1 * $fresh, 'an index of no rows is small');
$primary->wait_for_catchup($standby);
is_sound($_, 'idx', 'empty, ' . $_->name) foreach $primary, $standby;

unlike(slurp_file($_->logfile),
	qr/terminated by signal|PANIC|TRAP|inconsistent page/,
	'nothing bad in the log of ' . $_->name)
  foreach $primary, $standby;
$standby->stop;
$primary->stop;

done_testing();
