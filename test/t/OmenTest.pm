# OmenTest.pm: what the TAP tests have in common.
package OmenTest;

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_node vectors_function is_sound same_answers answers
  pages_of);

# new_node(NAME, INIT, SETTING...): a cluster with the extension, started.
# INIT is a reference to the arguments of init().
sub new_node
{
	my ($name, $init, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(@$init);
	$node->append_conf('postgresql.conf',
		join("\n", 'fsync = off', 'autovacuum = off', @settings) . "\n");
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION omenvec');
	vectors_function($node);
	return $node;
}

# A function vectors(n, dims) that gives n vectors of random elements.
sub vectors_function
{
	my ($node) = @_;

	$node->safe_psql(
		'postgres', q{
		CREATE FUNCTION vectors(n int, dims int) RETURNS SETOF vector
		LANGUAGE sql AS $$
			SELECT array_agg(random() * 2 - 1)::vector
			FROM generate_series(1, n) i, generate_series(1, dims) j
			GROUP BY i
		$$});
}

# is_sound(NODE, INDEX, LABEL): omen_check() finds nothing.
sub is_sound
{
	my ($node, $index, $label) = @_;

	is($node->safe_psql('postgres', "SELECT * FROM omen_check('$index', true)"),
		'', "$label: $index is sound");
}

# answers(NODE, TABLE, OPERATOR, QUERY, KIND): all distances, in the order in
# which a scan of the KIND "index" or "seq" returns them.
sub answers
{
	my ($node, $table, $op, $query, $kind) = @_;
	my $settings = join ' ',
	  map { "SET enable_$_ = " . (/^${kind}scan$/ ? 'on;' : 'off;') }
	  qw(seqscan indexscan);

	return $node->safe_psql(
		'postgres', qq{
		SET omen.ef_search = 10000;
		SET omen.max_scan_tuples = 1000000;
		$settings
		SET enable_sort = @{[$kind eq 'index' ? 'off' : 'on']};
		SELECT v $op '$query' FROM $table WHERE v IS NOT NULL
		ORDER BY v $op '$query'});
}

# same_answers(NODE, TABLE, OPERATOR, QUERY, LABEL): by the index and without
# it.
sub same_answers
{
	my ($node, $table, $op, $query, $label) = @_;
	my $plan = $node->safe_psql('postgres',
		"SET enable_seqscan = off; SET enable_sort = off;
		EXPLAIN (COSTS OFF) SELECT v FROM $table WHERE v IS NOT NULL
		ORDER BY v $op '$query'");

	like($plan, qr/Order By/, "$label: index is used");
	ok( answers($node, $table, $op, $query, 'index') eq
		  answers($node, $table, $op, $query, 'seq'),
		"$label: same answers as the table gives");
}

# pages_of(FILE): the blocks of an index file that belong to somebody, as
# {"type/logical"} => block; of several owners the last one counts.
sub pages_of
{
	my ($file) = @_;
	my %pages;
	my $special;

	open my $fh, '<:raw', $file or die "$file: $!";
	for (my $block = 0; seek($fh, ($block + 1) * 8192 - 16, 0)
		  && read($fh, $special, 16) == 16; $block++)
	{
		my ($owner, $logical, $type, undef, undef, $id) =
		  unpack 'VVvvvv', $special;

		$pages{"$type/$logical"} = $block if $id == 0xFE0E;
	}
	close $fh;
	return \%pages;
}

1;
