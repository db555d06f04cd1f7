# A standby gives the answers of the primary, from the same pages.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use OmenTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $query = '[0.5,-0.5,1,0,0.25,0]';

# Without images of full pages, each change is replayed as such; the
# consistency check then compares the page with that of the primary.
my $primary = new_node('primary', [ allows_streaming => 1 ],
	'wal_consistency_checking = all', 'full_page_writes = off',
	'wal_keep_size = 4GB');
$primary->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'max_standby_streaming_delay = 30s');
$standby->start;

sub is_same
{
	my ($label) = @_;

	$primary->wait_for_catchup($standby);
	is_sound($standby, 'idx', "$label, standby");
	same_answers($standby, 'tab', '<->', $query, "$label, standby");
	ok( "@{answers($primary, 'tab', '<->', $query, 'index', 50)}" eq
		  "@{answers($standby, 'tab', '<->', $query, 'index', 50)}",
		"$label: both give the same");
}

foreach my $step (
	[ 'empty index', q{
		CREATE TABLE tab (id serial, v vector(6));
		CREATE INDEX idx ON tab USING omen (v)} ],
	[ 'first rows', 'INSERT INTO tab (v) SELECT vectors(500, 6)' ],
	[ 'first flush', 'SET omen.pending_limit = 1000;
		INSERT INTO tab (v) SELECT vectors(1200, 6)' ],
	[ 'REINDEX', 'REINDEX INDEX idx' ],
	[ 'dead bits', 'DELETE FROM tab WHERE id % 20 = 0; VACUUM tab' ],
	[ 'reuse', 'INSERT INTO tab (v) SELECT vectors(300, 6)' ],
	[ 'rewriting', 'DELETE FROM tab WHERE id % 3 = 0; VACUUM tab' ],
	[ 'merges', 'SET omen.pending_limit = 1000;
		INSERT INTO tab (v) SELECT vectors(3500, 6);
		INSERT INTO tab (v) SELECT vectors(1500, 6)' ],
	[ 'all but few', 'DELETE FROM tab WHERE id % 10 <> 0; VACUUM tab' ],
	[ 'VACUUM FULL', 'VACUUM FULL tab; INSERT INTO tab (v) SELECT vectors(2500, 6)' ])
{
	my ($label, $sql) = @$step;

	$primary->safe_psql('postgres', $sql);
	is_same($label);
}

# What cannot be on a standby.
$primary->safe_psql(
	'postgres', q{
	CREATE UNLOGGED TABLE un (v vector(6));
	INSERT INTO un SELECT vectors(1500, 6);
	CREATE INDEX unidx ON un USING omen (v)});
$primary->wait_for_catchup($standby);
my ($status, $out, $err) =
  $standby->psql('postgres', "SELECT * FROM omen_check('unidx')");
like($err, qr/cannot access unlogged index "unidx" during recovery/,
	'an unlogged index is not there');
is( $standby->safe_psql('postgres',
		'SELECT indexname FROM omen_indexes ORDER BY 1'),
	'idx', 'omen_indexes leaves it out');

# A scan on the standby that is open while the primary moves everything.
my $expected = $standby->safe_psql('postgres', 'SELECT count(*) FROM tab');
my $session = $standby->background_psql('postgres', on_error_stop => 0);
$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
$session->query_safe("SET $_")
  foreach 'enable_seqscan = off', 'enable_sort = off', 'omen.ef_search = 20',
  'omen.iterative_scan = relaxed_order', 'omen.max_scan_tuples = 1000000';
$session->query_safe(
	"DECLARE c CURSOR FOR SELECT id FROM tab ORDER BY v <-> '$query'");
my @ids = split /\n/, $session->query_safe('FETCH 50 FROM c');
$primary->safe_psql('postgres', q{
	SET omen.pending_limit = 1000;
	INSERT INTO tab (v) SELECT vectors(6000, 6)});
$primary->wait_for_catchup($standby);
push @ids, split /\n/, $session->query_safe('FETCH ALL FROM c');
$session->query_safe('COMMIT');
$session->quit;
my %ids = map { $_ => 1 } @ids;
is(scalar(@ids), $expected, 'an open scan goes on through merges');
is(scalar(keys %ids), $expected, '... and returns each row once');

# Checks of an index that replay changes meanwhile.
$primary->safe_psql('postgres', 'TRUNCATE tab; INSERT INTO tab (v) SELECT vectors(3000, 6)');
$primary->wait_for_catchup($standby);
my $load = IPC::Run::start(
	[ 'psql', '-X', '-q', '-d', $primary->connstr('postgres'), '-c', q{
		DO $$
		BEGIN
			PERFORM set_config('omen.pending_limit', '1000', false);
			FOR i IN 1 .. 250 LOOP
				INSERT INTO tab (v) SELECT vectors(100, 6);
				DELETE FROM tab WHERE id IN (SELECT id FROM tab ORDER BY id LIMIT 100);
				COMMIT;
			END LOOP;
		END $$} ], '<', \undef, '>', \my $load_out, '2>', \my $load_err);
my ($checks, $wrong, $gave_up) = (0, 0, 0);
while ($load->pumpable)
{
	($status, $out, $err) =
	  $standby->psql('postgres', "SELECT * FROM omen_check('idx', true)");
	$checks++;
	if ($status != 0 && $err =~ /recovery changes it all the time/)
	{
		$gave_up++;
	}
	elsif ($status != 0 || $out ne '')
	{
		diag "$out $err";
		$wrong++;
	}
	$load->pump_nb;
}
$load->finish;
note "$checks checks during replay, $gave_up given up";
is($wrong, 0, 'no false alarm during replay');
is_same('after that');

# Promotion, and work on the new primary.
$standby->promote;
$standby->safe_psql('postgres', q{
	SET omen.pending_limit = 1000;
	INSERT INTO tab (v) SELECT vectors(2000, 6);
	DELETE FROM tab WHERE id % 7 = 0});
$standby->safe_psql('postgres', 'VACUUM tab');
is_sound($standby, 'idx', 'promoted');
same_answers($standby, 'tab', '<->', $query, 'promoted');
is_sound($standby, 'unidx', 'promoted, unlogged');
unlike(slurp_file($standby->logfile), qr/inconsistent page|PANIC|TRAP/,
	'replay gave the pages of the primary');
$standby->stop;
$primary->stop;

done_testing();
