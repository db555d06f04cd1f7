# Planning: it reads the metapage of an index and nothing else, and a damaged
# one is an error that says so, for those queries alone that the index could
# serve.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use OmenTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('cost', []);
my $query = "SELECT i FROM tst ORDER BY v <-> '[1,2,3]' LIMIT 10";

$node->safe_psql(
	'postgres', q{
	CREATE TABLE tst (i int, v vector(3));
	INSERT INTO tst SELECT i, ARRAY[sin(i), cos(i), sin(i * 7)]
		FROM generate_series(1, 5000) i;
	CREATE INDEX idx ON tst USING omen (v);
	INSERT INTO tst SELECT i, ARRAY[sin(i), cos(i), sin(i * 7)]
		FROM generate_series(5001, 6000) i;
	ANALYZE tst});

# Pages of the index that N times planning the query takes.
sub pages_read
{
	my ($n) = @_;
	my $count = q{SELECT pg_stat_force_next_flush();
		SELECT idx_blks_read + idx_blks_hit FROM pg_statio_user_indexes
		WHERE indexrelname = 'idx';};
	my ($before, $after) = grep { /^\d+$/ } split /\n/,
	  $node->safe_psql('postgres', $count . "EXPLAIN $query;" x $n . $count);

	return $after - $before;
}

is(pages_read(1), 1, 'planning reads one page');
is(pages_read(5), 5, 'and does so each time');

my $file = $node->data_dir . '/'
  . $node->safe_psql('postgres', q{SELECT pg_relation_filepath('idx')});
my $sound;

# change(OFFSET, BYTES): the metapage as it was, but for these bytes.
sub change
{
	my ($offset, $bytes) = @_;
	my $page = $sound;

	substr($page, $offset, length $bytes) = $bytes;
	$node->stop;
	open my $fh, '+<:raw', $file or die "$file: $!";
	print $fh $page;
	close $fh;
	$node->start;
}

$node->stop;
open my $fh, '<:raw', $file or die "$file: $!";
read $fh, $sound, 8192;
close $fh;
$node->start;

foreach (
	[ 'zero page', 0, "\0" x 8192 ],
	[ 'noise', 24, join('', map { chr($_ * 37 % 251) } 1 .. 4000) ],
	[ 'unknown version', 28, pack('V', 99) ],
	[ 'no dimensions', 36, pack('V', 0) ],
	[ 'large degree', 48, pack('V', 1 << 31) ],
	[ 'more segments than fit', 112, pack('V', 17) ])
{
	my ($what, $offset, $bytes) = @$_;
	my ($status, $out, $error);

	change($offset, $bytes);
	($status, $out, $error) = $node->psql('postgres',
		"\\set VERBOSITY verbose\nEXPLAIN $query", on_error_stop => 1);
	is($status, 3, "$what: planning fails");
	like($error, qr/XX002.*REINDEX/s, "$what: and says what to do");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM tst WHERE i > 10'),
		5990, "$what: other queries work");
}

change(0, '');
like($node->safe_psql('postgres', "EXPLAIN $query"),
	qr/Index Scan using idx/, 'the page as it was');

done_testing();
