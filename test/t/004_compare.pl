# Many small tables of all kinds: with ef_search as large as the table, the
# index gives the distances that the table gives, in the same order.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use OmenTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{OMEN_SEED} || time;
my $rounds = $ENV{OMEN_ROUNDS} || 32;
srand $seed;
note "OMEN_SEED=$seed";

my $node = new_node('compare', []);
my @classes = (
	[ 'vector', 'vector_l2_ops', '<->' ],
	[ 'vector', 'vector_ip_ops', '<#>' ],
	[ 'vector', 'vector_cosine_ops', '<=>' ],
	[ 'vector', 'vector_l1_ops', '<+>' ],
	[ 'halfvec', 'halfvec_l2_ops', '<->' ],
	[ 'halfvec', 'halfvec_ip_ops', '<#>' ],
	[ 'halfvec', 'halfvec_cosine_ops', '<=>' ],
	[ 'halfvec', 'halfvec_l1_ops', '<+>' ]);

sub pick { return $_[ rand @_ ]; }

# One element of a vector, by kind of table.
my %kinds = (
	uniform => sub { rand(2) - 1 },
	normal => sub { sqrt(-2 * log(1 - rand)) * cos(6.2831853 * rand) },
	integers => sub { int(rand 3) - 1 },
	binary => sub { rand() < 0.5 ? 0 : 1 },
	offset => sub { 1000 + rand },
	tiny => sub { 1e-3 * (rand(2) - 1) },
	large => sub { 100 * (rand(2) - 1) },
	skewed => sub { (rand)**8 },
	equal => sub { 0.5 },
	sparse => sub { rand() < 0.9 ? 0 : rand });

sub make_vector
{
	my ($kind, $dims, $constant) = @_;
	my @v = map { sprintf '%.5g', $kinds{$kind}->() } 1 .. $dims;

	$v[$constant] = 1 if defined $constant;
	return '[' . join(',', @v) . ']';
}

# Rows for COPY: duplicates, NULL and zero vectors among them.
sub make_rows
{
	my ($n, $kind, $dims, $constant) = @_;
	my @rows;

	while (@rows < $n)
	{
		my $what = rand;

		if ($what < 0.05)
		{
			push @rows, '\N';
		}
		elsif ($what < 0.08)
		{
			push @rows, '[' . join(',', (0) x $dims) . ']';
		}
		elsif ($what < 0.2 && @rows)
		{
			push @rows, pick(@rows);
		}
		else
		{
			push @rows, make_vector($kind, $dims, $constant);
		}
	}
	return \@rows;
}

sub copy_rows
{
	my ($rows) = @_;

	return "COPY tab (v) FROM stdin;\n" . join('', map { "$_\n" } @$rows) .
	  "\\.\n";
}

# All distances that a scan gives, NaN left out: the zero vector, under cosine
# distance, is not indexed.
sub distances
{
	my ($op, $query, $kind) = @_;
	my @on = $kind eq 'index' ? ('off', 'on', 'off') : ('on', 'off', 'on');

	return $node->safe_psql(
		'postgres', "SET enable_seqscan = $on[0]; SET enable_indexscan = $on[1];
		SET enable_sort = $on[2]; SET omen.ef_search = 10000;
		SELECT string_agg(d::text, ' ' ORDER BY n) FROM (
			SELECT d, row_number() OVER () n FROM (
				SELECT v $op '$query' AS d FROM tab WHERE v IS NOT NULL
				ORDER BY v $op '$query') a) b
		WHERE d <> 'NaN'");
}

foreach my $round (1 .. $rounds)
{
	my ($type, $class, $op) = @{ $classes[ $round % @classes ] };
	my $dims = pick(1, 2, 3, 15, 16, 17, 31, 32, 33, 64, 100, 128, 129, 300);
	my $n = pick(0, 1, 2, 10, 999, 1000, 1001, 1500, 3000);
	my $kind = pick(keys %kinds);
	my $constant = rand() < 0.2 ? int rand $dims : undef;
	my $m = pick(2, 5, 16, 50);
	my $label;

	# Large ones are few and small, to save time.
	($dims, $n) = (pick(1000, 1999, 2000), pick(5, 200, 1001))
	  if $round % 9 == 0;
	$label = "round $round: $n rows of $type($dims), $op, $kind" .
	  (defined $constant ? ", one dimension constant" : '') . ", m = $m";

	my @rows = map { make_rows($_, $kind, $dims, $constant) }
	  $n, pick(0, 3, 300), pick(0, 1200);
	$node->safe_psql(
		'postgres', "DROP TABLE IF EXISTS tab;
		CREATE TABLE tab (id serial, v $type($dims));
		ALTER TABLE tab ALTER v SET STORAGE @{[pick('EXTERNAL', 'EXTENDED')]};
		" . copy_rows($rows[0]) . "CREATE INDEX idx ON tab USING omen (v $class)
			WITH (m = $m, ef_construction = @{[pick(100, 200)]});");
	foreach my $stage (
		[ 'built', '' ],
		[ 'rows added', copy_rows($rows[1]) ],
		[ 'rows deleted', 'DELETE FROM tab WHERE random() < 0.1;' ],
		[ 'vacuumed', 'VACUUM tab;' ],
		[ 'many added', copy_rows($rows[2]) ],
		[ 'most deleted', 'DELETE FROM tab WHERE random() < 0.6; VACUUM tab;' ])
	{
		my ($what, $sql) = @$stage;
		my $query = rand() < 0.2 && @{ $rows[0] } ? pick(@{ $rows[0] }) : '\N';

		$query = make_vector(pick($kind, 'uniform'), $dims, undef)
		  if $query eq '\N';
		$node->safe_psql('postgres',
			"SELECT setseed(@{[rand]}); SET omen.pending_limit = 1000; $sql")
		  if $sql ne '';
		my $findings = $node->safe_psql('postgres',
			"SELECT * FROM omen_check('idx', true)");
		my ($found, $expected) = map { distances($op, $query, $_) } qw(index seq);

		ok($findings eq '' && $found eq $expected, "$label, $what")
		  or diag "findings: $findings\nquery: ", substr($query, 0, 200), "\n",
		  scalar(my @f = split / /, $found), ' rows, ',
		  scalar(my @e = split / /, $expected), " expected\n",
		  substr($found, 0, 200), "\n", substr($expected, 0, 200);
	}
}
$node->stop;

done_testing();
