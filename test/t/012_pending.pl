# Rows of the pending list: what a flush makes of them, of what it learns how to
# code them, and how many there are.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use OmenTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('pending', [], 'omen.pending_limit = 1000000');

# The file of an index, all of it written.
sub file_of
{
	my ($index) = @_;

	return $node->data_dir . '/' . $node->safe_psql('postgres',
		"CHECKPOINT; SELECT pg_relation_filepath('$index')");
}

# The pages of the newest segment of an index, by type and logical number; but
# their LSNs and checksums.
sub segment_pages
{
	my ($index) = @_;
	my ($newest, %owners) = (0);
	my $file = peek(file_of($index), 0, 0, 1 << 30);

	for (my $at = 0; $at < length $file; $at += 8192)
	{
		my ($owner, $logical, $type) = unpack 'VVv', substr $file, $at + 8176, 10;

		next if $type < 3 || $type > 5;
		$owners{$owner}{"$type/$logical"} = substr $file, $at + 10, 8182;
		$newest = $owner if $owner > $newest;
	}
	return $owners{$newest};
}

#----------
# A flush of rows that wait as codes makes the same segment as one of the same
# rows as vectors: of 24 dimensions, floats take more room than codes, but
# halves do not.  The elements are the same numbers as either.
#----------

my ($in_meta_pending_coded, $slot_excess) = (2172, 24 + 8);

foreach my $lengths ('equal', 'mixed')
{
	my $vector = $lengths eq 'equal' ? 'l2_normalize(v)' : 'v';

	# Rows that come later are up to three times as long.
	$node->safe_psql('postgres', "
		CREATE TABLE $lengths (n serial, v vector(24), h halfvec(24));
		INSERT INTO $lengths (h) SELECT ${vector}::halfvec
			FROM vectors(1500, 24) v;
		UPDATE $lengths SET v = h::vector");
	foreach my $op ('l2', 'ip', 'cosine', 'l1')
	{
		$node->safe_psql('postgres', "
			CREATE INDEX ${lengths}_v_$op ON $lengths USING omen (v vector_${op}_ops);
			CREATE INDEX ${lengths}_h_$op ON $lengths USING omen (h halfvec_${op}_ops)");
	}
	$node->safe_psql('postgres', "
		INSERT INTO $lengths (v, h) SELECT h::vector, h
			FROM (SELECT (CASE n % 3 WHEN 0 THEN v WHEN 1 THEN v + v
					ELSE v + v + v END)::halfvec AS h
				FROM (SELECT $vector AS v, row_number() OVER () AS n
					FROM vectors(1200, 24) v) s) s");
	foreach my $op ('l2', 'ip', 'cosine', 'l1')
	{
		my ($coded, $vectors) = map { "${lengths}_${_}_$op" } 'v', 'h';

		is(join(' ', map { unpack 'V', peek(file_of($_), 0, $in_meta_pending_coded, 4) }
				$coded, $vectors), '1 0', "$lengths, $op: codes and vectors wait");
		$node->safe_psql('postgres',
			"SELECT omen_compact('$coded'), omen_compact('$vectors')");
		my ($of_codes, $of_vectors) = map { segment_pages($_) } $coded, $vectors;

		is(join(' ', sort keys %$of_codes), join(' ', sort keys %$of_vectors),
			"$lengths, $op: segments have the same pages");
		is_deeply([ grep { $of_codes->{$_} ne $of_vectors->{$_} } keys %$of_codes ],
			[], "$lengths, $op: these are equal");
		is_sound($node, $coded, "$lengths, $op");

		# The excess of inner product stands in the slots.
		next if $op ne 'ip';
		ok((grep { unpack('f<', substr($of_codes->{$_}, $slot_excess - 10, 4)) > 0 }
				grep { m{^3/} } keys %$of_codes) > 0,
			"$lengths: some rows are longer than the first ones");
	}
}

#----------
# Mean and step are there to stay: they are not learnt from hardly any row, nor
# from none because those that wait are dead.
#----------

# A row from each of many backends: they have a page in each stripe.
$node->safe_psql('postgres',
	'CREATE TABLE few (v vector(3)); CREATE INDEX few_v ON few USING omen (v)');
$node->safe_psql('postgres', "SET omen.pending_limit = 1000;
	INSERT INTO few VALUES ('[$_,0,1]')") foreach 1 .. 30;
is($node->safe_psql('postgres',
		"SELECT kind, rows FROM omen_index_info('few_v')"),
	'pending|30', 'few rows are not flushed for the room on their pages');
$node->safe_psql('postgres', 'SET omen.pending_limit = 1000;
	INSERT INTO few SELECT v FROM vectors(1500, 3) v');
is($node->safe_psql('postgres',
		"SELECT count(*) FROM omen_index_info('few_v') WHERE kind = 'segment'"),
	1, 'but when there are more');

$node->safe_psql('postgres', '
	CREATE TABLE dead (v vector(24));
	CREATE INDEX dead_v ON dead USING omen (v);
	BEGIN;
	INSERT INTO dead SELECT v FROM vectors(2000, 24) v;
	ROLLBACK');
$node->safe_psql('postgres', 'VACUUM dead');
is($node->safe_psql('postgres', "SELECT kind, rows FROM omen_index_info('dead_v')"),
	'pending|0', 'VACUUM has done away with dead rows');
$node->safe_psql('postgres',
	'INSERT INTO dead SELECT v FROM vectors(3000, 24) v');
is_sound($node, 'dead_v', 'rows after dead ones');
cmp_ok($node->safe_psql('postgres', "SELECT omen_compact('dead_v');
		SET enable_seqscan = off;
		SELECT FROM dead ORDER BY v <-> array_fill(0.1, ARRAY[24])::vector LIMIT 10;
		SELECT returned FROM omen_last_scan()") =~ s/.*\s//sr,
	'<', 300, 'what dead rows have taught tells rows apart');

#----------
# The list is bounded, however fast rows come in.
#----------

$node->safe_psql('postgres', '
	CREATE TABLE source AS SELECT row_number() OVER () AS n, v::vector(24)
		FROM vectors(100000, 24) v;
	CREATE TABLE flood AS SELECT v FROM source WHERE n <= 5000;
	CREATE INDEX flood_v ON flood USING omen (v);
	CREATE TABLE most (rows bigint, segments bigint)');
$node->safe_psql('postgres', q{
	SET omen.compaction_workers = 2;
	SET omen.pending_limit = 1000;
	DO $$
	BEGIN
		FOR i IN 0 .. 199 LOOP
			INSERT INTO flood SELECT v FROM source
				WHERE n > i * 500 AND n <= (i + 1) * 500;
			INSERT INTO most SELECT sum(rows) FILTER (WHERE kind <> 'segment'),
				count(*) FILTER (WHERE kind = 'segment')
				FROM omen_index_info('flood_v');
		END LOOP;
	END
	$$});
my ($rows, $segments) = split /\|/, $node->safe_psql('postgres',
	'SELECT max(rows), max(segments) FROM most');

# Eight times the limit, and some that came while others were at it.
cmp_ok($rows, '<=', 16000, 'rows that wait are bounded');
cmp_ok($rows, '>', 1000, 'by a worker');
cmp_ok($segments, '<=', 9, 'and so are segments');
ok($node->poll_query_until('postgres',
		"SELECT count(*) FILTER (WHERE kind = 'segment') <= 3 AND
			sum(rows) FILTER (WHERE kind <> 'segment') < 1100
		FROM omen_index_info('flood_v')"),
	'in the end there are three segments at most');
is_sound($node, 'flood_v', 'after a flood');

# By bytes, too: such a row takes a page.
$node->safe_psql('postgres', '
	CREATE TABLE large (v vector(2000));
	CREATE INDEX large_v ON large USING omen (v);
	INSERT INTO large SELECT array_fill(sin(i), ARRAY[2000])::vector
		FROM generate_series(1, 2200) i');
is($node->safe_psql('postgres', "SELECT kind, rows FROM omen_index_info('large_v')"),
	"segment|2048\npending|152", 'large rows wait in 2,048 pages at most');

$node->stop;
done_testing();
