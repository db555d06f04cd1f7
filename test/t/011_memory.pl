
# What a build keeps in memory for itself, whatever the size of the table: at
# most 1.1 times maintenance_work_mem and 32 MB, all processes together.

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

plan skip_all => 'needs /proc/PID/smaps' unless -r '/proc/self/smaps';

my $node = new_node('memory', [], 'shared_buffers = 64MB');

# private(PID): kilobytes of memory that this process alone has, shared buffers
# not counted: which process touched them first tells nothing.
sub private
{
	my ($pid) = @_;
	my $shared = 0;
	my $sum = 0;

	open(my $smaps, '<', "/proc/$pid/smaps") or return 0;
	while (my $line = <$smaps>)
	{
		$shared = $line =~ m{/dev/zero|/SYSV|/dev/shm}
		  if $line =~ /^[0-9a-f]+-[0-9a-f]+ /;
		$sum += $1 if !$shared && $line =~ /^Private_\w+:\s*(\d+)/;
	}
	close($smaps);
	return $sum;
}

# peak(MEM, WORKERS): builds an index, and gives the most that its processes
# had at a time, in MB, and how many processes there were.
sub peak
{
	my ($mem, $workers) = @_;
	my $most = 0;
	my $processes = 0;
	my $pids = q{SELECT pid FROM pg_stat_activity
		WHERE query LIKE 'CREATE INDEX memory%' OR leader_pid IN
			(SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX memory%')};
	my $builder = IPC::Run::start(
		[
			'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1',
			'-d', $node->connstr('postgres'),
			'-c', "SET maintenance_work_mem = '$mem'",
			'-c', "ALTER TABLE tm SET (parallel_workers = $workers)",
			'-c', 'CREATE INDEX memory ON tm USING omen (v)'
		],
		'>', \my $out, '2>', \my $err);

	while ($builder->pumpable)
	{
		my @pids = split(/\s+/, $node->safe_psql('postgres', $pids));
		my $sum = 0;

		# many looks for each time that the list of processes is fetched
		for my $look (1 .. 20)
		{
			$sum = 0;
			$sum += private($_) for @pids;
			$most = $sum if $sum > $most;
			usleep(5000);
		}
		$processes = @pids if @pids > $processes;
		$builder->pump_nb;
	}
	ok($builder->finish, "$mem, $workers workers: built") or diag($err);
	return ($most / 1024, $processes);
}

$node->safe_psql(
	'postgres', q{
	CREATE TABLE tm (v vector(96));
	INSERT INTO tm SELECT vectors(100000, 96);
});

for my $case (['16MB', 16, 0], ['64MB', 64, 1], ['128MB', 128, 1])
{
	my ($mem, $mb, $workers) = @$case;
	my ($peak, $processes) = peak($mem, $workers);

	note("$mem, $workers workers: $peak MB in $processes processes");
	cmp_ok($peak, '>', 1, "$mem, $workers workers: memory was seen");
	cmp_ok($peak, '<=', 1.1 * $mb + 32,
		"$mem, $workers workers: memory is within the bound");
	is_sound($node, 'memory', $mem);
	$node->safe_psql('postgres', 'DROP INDEX memory');
}

$node->stop;
done_testing();
