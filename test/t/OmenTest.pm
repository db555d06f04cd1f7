# OmenTest.pm: what the TAP tests have in common.
package OmenTest;

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_node vectors_function is_sound same_answers answers
  pages_of peek);

# new_node(NAME, INIT, SETTING...): a cluster with the extension, started.
# INIT is a reference to the arguments of init().  Unless a setting says
# otherwise, who inserts flushes, so that a test knows when.
sub new_node
{
	my ($name, $init, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(@$init);
	$node->append_conf('postgresql.conf',
		join("\n", 'fsync = off', 'autovacuum = off',
			'omen.compaction_workers = 0', @settings) . "\n");
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

# answers(NODE, TABLE, OPERATOR, QUERY, KIND, LIMIT): distances, in the order
# in which a scan of the KIND "index" or "seq" returns them; all, in any order,
# if there is no LIMIT.
sub answers
{
	my ($node, $table, $op, $query, $kind, $limit) = @_;
	my $settings = join ' ',
	  map { "SET enable_$_ = " . (/^${kind}scan$/ ? 'on;' : 'off;') }
	  qw(seqscan indexscan);
	my $order = $limit ? 'strict_order' : 'relaxed_order';
	my @answers = split /\n/, $node->safe_psql(
		'postgres', qq{
		SET omen.ef_search = 10000;
		SET omen.max_scan_tuples = 1000000;
		SET work_mem = '1GB';
		SET omen.iterative_scan = $order;
		$settings
		SET enable_sort = @{[$kind eq 'index' ? 'off' : 'on']};
		SELECT v $op '$query' FROM $table WHERE v IS NOT NULL
		ORDER BY v $op '$query' LIMIT @{[$limit || 'ALL']}});

	@answers = sort { $a <=> $b } @answers if !$limit;
	return \@answers;
}

# same_answers(NODE, TABLE, OPERATOR, QUERY, LABEL): by the index and without
# it, all rows and the nearest.  The index, dead entries included, is supposed
# to have at most some 10,000 entries.
sub same_answers
{
	my ($node, $table, $op, $query, $label) = @_;
	my $plan = $node->safe_psql('postgres',
		"SET enable_seqscan = off; SET enable_sort = off;
		EXPLAIN (COSTS OFF) SELECT v FROM $table WHERE v IS NOT NULL
		ORDER BY v $op '$query'");

	like($plan, qr/Order By/, "$label: index is used");
	foreach my $limit (undef, 100)
	{
		my ($found, $expected) =
		  map { answers($node, $table, $op, $query, $_, $limit) } qw(index seq);
		my $what = $limit ? "the $limit nearest" : 'all rows';

		ok("@$found" eq "@$expected", "$label: $what as the table gives them")
		  or diag scalar(@$found) . ' rows instead of ' . scalar(@$expected);
	}
}

# peek(FILE, BLOCK, OFFSET, LENGTH): the bytes at an offset of a page.
sub peek
{
	my ($file, $block, $offset, $length) = @_;
	my $bytes;

	open my $fh, '<:raw', $file or die "$file: $!";
	seek $fh, $block * 8192 + $offset, 0;
	read $fh, $bytes, $length;
	close $fh;
	return $bytes;
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
