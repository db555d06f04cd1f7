# Rows that are locked in the order of their distance, while another session
# changes them.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IPC::Run;
use OmenTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('locks', []);

# Rows that an index scan had to put in order had no ctid in some minor
# releases of PostgreSQL, and could not be locked, whatever the index.
my $ctids = $node->safe_psql(
	'postgres', q{
	CREATE TABLE p AS SELECT polygon(circle(point(random(), random()), 0.2)) AS c
		FROM generate_series(1, 2000);
	CREATE INDEX ON p USING gist (c);
	SET enable_seqscan = off;
	SELECT count(DISTINCT ctid) FROM (
		SELECT ctid FROM p ORDER BY c <-> point(5, 5) LIMIT 100) s});

if ($ctids != 100)
{
	$node->stop;
	plan skip_all =>
	  'this server loses the ctid of rows that an index scan reorders';
}

$node->safe_psql(
	'postgres', q{
	CREATE TABLE tab (id int, v vector(2));
	INSERT INTO tab SELECT i, ARRAY[i, 0]::vector FROM generate_series(1, 1200) i;
	CREATE INDEX idx ON tab USING omen (v);
	INSERT INTO tab VALUES (0, '[0.5,0]')});

my $nearest = q{SET enable_seqscan = off; SET enable_sort = off;
	SELECT id FROM tab ORDER BY v <-> '[0,0]' LIMIT 3};

# What another session does to the nearest row, in the pending list or in a
# segment; what one that waits for it locks, and one that does not wait.
foreach my $case (
	[ 'changes another column', 'UPDATE tab SET id = -5 WHERE id = %d', '-5', 1 ],
	[ 'moves it away', q{UPDATE tab SET v = '[5000,0]' WHERE id = %d}, undef, 1 ],
	[ 'deletes it', 'DELETE FROM tab WHERE id = %d', '', 0 ])
{
	my ($label, $sql, $instead, $stays) = @$case;

	foreach my $place ([ 'pending', 0, 1, 2, 3 ], [ 'segment', 1, 2, 3, 4 ])
	{
		my ($where, $id, @rest) = @$place;
		my ($out, $err) = ('', '');
		my $session = $node->background_psql('postgres');

		# With the nearest in the segment, there is no row 0.
		$node->safe_psql('postgres', 'DELETE FROM tab WHERE id = 0')
		  if $where eq 'segment';
		$session->query_safe('BEGIN');
		$session->query_safe(sprintf($sql, $id));
		is( $node->safe_psql('postgres', "$nearest FOR UPDATE SKIP LOCKED"),
			join("\n", @rest),
			"$label, $where: the next are locked instead");
		my $locker = IPC::Run::start(
			[ 'psql', '-X', '-q', '-At', '-d', $node->connstr('postgres'),
				'-c', $nearest . ' FOR UPDATE' ],
			'<', \undef, '>', \$out, '2>', \$err);

		$node->poll_query_until('postgres',
			q{SELECT count(*) > 0 FROM pg_stat_activity
			WHERE wait_event = 'transactionid'});
		$session->query_safe('COMMIT');
		$session->quit;
		$locker->finish;
		is($err, '', "$label, $where: no error");
		my @expected = $stays ? ($instead // $id, @rest[ 0, 1 ]) : @rest;
		is($out, join('', map { "$_\n" } @expected),
			"$label, $where: what is locked");
		$node->safe_psql('postgres',
			"DELETE FROM tab WHERE id IN (0, 1, -5);
			INSERT INTO tab VALUES (1, '[1,0]');
			REINDEX INDEX idx;
			INSERT INTO tab VALUES (0, '[0.5,0]')");
	}
}
is_sound($node, 'idx', 'in the end');
$node->stop;

done_testing();
