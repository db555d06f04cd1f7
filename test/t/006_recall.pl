# Recall on real vectors: the images of Fashion-MNIST (Debian's package
# dataset-fashion-mnist), after a build, and after rows were added and deleted;
# and embeddings of texts, which come with the tests (test/data).

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use IO::Uncompress::Gunzip;
use OmenTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = '/usr/share/datasets/fashion-mnist';
my ($base, $queries) = map { "$dir/$_-images-idx3-ubyte.gz" } qw(train t10k);
my $dims = 28 * 28;
my $nrows = 20000;
my $nqueries = 100;

plan skip_all => "no $base: the package dataset-fashion-mnist is not installed"
  if !-e $base;

my $node = new_node('recall', [], 'shared_buffers = 512MB',
	'maintenance_work_mem = 512MB');

# The first n images of a file, as lines for COPY.
sub images
{
	my ($file, $n) = @_;
	my $in = IO::Uncompress::Gunzip->new($file) or die "$file: $!";
	my ($image, @lines);

	$in->read(my $head, 16);
	while (@lines < $n && $in->read($image, $dims) == $dims)
	{
		push @lines, '[' . join(',', unpack 'C*', $image) . ']';
	}
	return \@lines;
}

sub load
{
	my ($table, $lines) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . "/$table";

	open my $fh, '>', $file or die "$file: $!";
	print $fh "$_\n" foreach @$lines;
	close $fh;
	$node->safe_psql('postgres', "COPY $table (v) FROM '$file'");
}

$node->safe_psql(
	'postgres', qq{
	CREATE TABLE tab (id serial, v vector($dims));
	CREATE TABLE queries (id serial, v vector($dims));
	ALTER TABLE tab ALTER v SET STORAGE PLAIN});
load('tab', images($base, $nrows));
load('queries', images($queries, $nqueries));

# Note how far off the tenth row is that a scan of the table finds.
sub note_exact
{
	my ($op, $where) = @_;

	$node->safe_psql(
		'postgres', qq{
		SET enable_indexscan = off;
		DROP TABLE IF EXISTS exact;
		CREATE TABLE exact AS SELECT q.id AS q, max(r.d) AS d
		FROM queries q, LATERAL (
			SELECT v $op q.v AS d FROM tab WHERE $where
			ORDER BY v $op q.v LIMIT 10) r GROUP BY q.id});
}

# Of the ten nearest rows, a scan of the index finds at least this share.
sub has_recall
{
	my ($op, $ef, $least, $label, $where) = @_;
	my $recall = $node->safe_psql(
		'postgres', qq{
		SET enable_seqscan = off;
		SET omen.ef_search = $ef;
		SELECT count(*) FILTER (WHERE r.d <= e.d)::float8 / 10 /
			count(DISTINCT q.id)
		FROM queries q JOIN exact e ON e.q = q.id, LATERAL (
			SELECT v $op q.v AS d FROM tab WHERE @{[$where || 'true']}
			ORDER BY v $op q.v LIMIT 10) r});

	cmp_ok($recall, '>=', $least, "$label, $op, ef_search = $ef: $recall");
}

$node->safe_psql('postgres', 'CREATE INDEX idx ON tab USING omen (v)');
is_sound($node, 'idx', 'built');
note_exact('<->', 'true');
has_recall('<->', 10, 0.95, 'built');
has_recall('<->', 40, 0.985, 'built');
has_recall('<->', 200, 0.995, 'built');
note_exact('<->', 'id % 10 = 3');
has_recall('<->', 40, 0.95, 'filtered', 'id % 10 = 3');

# Rows come and go.
$node->safe_psql('postgres', qq{
	DELETE FROM tab WHERE id % 3 = 0;
	CREATE TABLE more AS SELECT v FROM tab WHERE id % 7 = 1});
$node->safe_psql('postgres', 'VACUUM tab');
$node->safe_psql('postgres', 'INSERT INTO tab (v) SELECT v + v FROM more');
load('tab', images($base, 2000));
is_sound($node, 'idx', 'changed');
note_exact('<->', 'true');
has_recall('<->', 40, 0.985, 'changed');
has_recall('<->', 200, 0.995, 'changed');

# Built from nothing but inserts.
$node->safe_psql(
	'postgres', q{
	DROP INDEX idx;
	CREATE TABLE old AS TABLE tab;
	TRUNCATE tab;
	CREATE INDEX idx ON tab USING omen (v);
	INSERT INTO tab TABLE old;});
is_sound($node, 'idx', 'inserted');
note $node->safe_psql('postgres', "SELECT * FROM omen_index_info('idx')");
note_exact('<->', 'true');
has_recall('<->', 40, 0.985, 'inserted');

# The other metrics, and half the precision.
$node->safe_psql('postgres', 'DROP INDEX idx;
	CREATE INDEX idx ON tab USING omen (v vector_cosine_ops)');
note_exact('<=>', 'true');
has_recall('<=>', 40, 0.985, 'built');
$node->safe_psql('postgres', 'DROP INDEX idx;
	CREATE INDEX idx ON tab USING omen (v vector_ip_ops)');
note_exact('<#>', 'true');
has_recall('<#>', 100, 0.97, 'built');
$node->safe_psql('postgres', 'DROP INDEX idx;
	CREATE INDEX idx ON tab USING omen (v vector_l1_ops)');
is_sound($node, 'idx', 'L1');
note_exact('<+>', 'true');
has_recall('<+>', 40, 0.985, 'built');
$node->safe_psql('postgres', "DROP INDEX idx;
	ALTER TABLE tab ALTER v TYPE halfvec($dims);
	ALTER TABLE queries ALTER v TYPE halfvec($dims);
	CREATE INDEX idx ON tab USING omen (v)");
is_sound($node, 'idx', 'halfvec');
note_exact('<->', 'true');
has_recall('<->', 40, 0.985, 'halfvec');
$node->safe_psql('postgres', 'DROP INDEX idx;
	CREATE INDEX idx ON tab USING omen (v halfvec_l1_ops)');
is_sound($node, 'idx', 'halfvec, L1');
note_exact('<+>', 'true');
has_recall('<+>', 40, 0.985, 'halfvec');

# Embeddings of texts: from row $first on, $n rows of half floats, as a file
# for COPY BINARY.
sub load_halves
{
	my ($table, $first, $n, $text_dims) = @_;
	my $bytes = 2 * $text_dims;
	my $file = PostgreSQL::Test::Utils::tempdir() . "/$table.bin";

	open my $in, '<:raw', "$FindBin::RealBin/../data/wordnet.f16" or die $!;
	seek $in, $first * $bytes, 0;
	open my $out, '>:raw', $file or die "$file: $!";
	print $out "PGCOPY\n\377\r\n\0", pack('N2', 0, 0);
	for (1 .. $n)
	{
		die 'too few rows' if read($in, my $row, $bytes) != $bytes;
		print $out pack('n N n2 n*', 1, 4 + $bytes, $text_dims, 0,
			unpack('v*', $row));
	}
	print $out pack('n', 0xffff);
	close $out;
	$node->safe_psql('postgres',
		"COPY $table (v) FROM '$file' WITH (FORMAT binary)");
}

$node->safe_psql(
	'postgres', q{
	DROP TABLE tab, queries;
	CREATE TABLE tab (id serial, v halfvec(384));
	CREATE TABLE queries (id serial, v halfvec(384))});
load_halves('tab', 0, 4000, 384);
load_halves('queries', 4000, 100, 384);
foreach my $metric (['<=>', 'cosine'], ['<#>', 'ip'], ['<->', 'l2'],
	['<+>', 'l1'])
{
	my ($op, $name) = @$metric;

	$node->safe_psql('postgres',
		"CREATE INDEX idx ON tab USING omen (v halfvec_${name}_ops)");
	is_sound($node, 'idx', "text, $name");
	note_exact($op, 'true');
	has_recall($op, 40, 0.98, 'text');
	has_recall($op, 4000, 1, 'text');
	$node->safe_psql('postgres', 'DROP INDEX idx');
}
$node->stop;

done_testing();
