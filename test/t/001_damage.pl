# Damaged index files: omen_check() says what is wrong, and nothing that is
# done with the index brings the server down.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use OmenTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{OMEN_SEED} || time;
my $random_rounds = $ENV{OMEN_ROUNDS} || 40;

srand $seed;
note "OMEN_SEED=$seed";

my $node = new_node('damage', [], 'shared_buffers = 32MB',
	'restart_after_crash = on');

# Types of pages, offsets on a page, in its slot 0, and in the metapage.
my ($meta, $quantizer, $slots, $tids, $directory, $pending) = (1 .. 6);
my $content = 24;
my %slot = (
	norm2 => 24, error => 28, excess => 32, first_tid => 36, ntids => 40,
	degree => 44, code => 48, neighbors => 112, t => 240, edges => 304);
my %in_meta = (
	magic => 24, version => 28, metric => 32, dims => 36, width => 40,
	edge_dims => 44, degree => 48, m => 52, step => 88, nblocks => 104, next_owner => 108,
	nsegments => 112, owner => 120, nnodes => 124, ntids => 128, born => 144,
	ndead => 132, nextents => 140, extent => 152, seed => 64,
	pending_coded => 2172, sealed_npages => 2288);
my %row = (tid => 32, norm2 => 40, error => 44, excess => 48, code => 56);
my $u32 = sub { pack 'V', $_[0] };
my $u16 = sub { pack 'v', $_[0] };
my $float = sub { pack 'f<', $_[0] };
my $nan = $u32->(0x7FC00000);

# Room for 8 bytes after the contents of a page.
my $room = sub { $u16->(unpack('v', peek(@_, 12, 2)) + 8) };

# Page type and logical number ("last": of the stripe), offset, new bytes, what
# it is found by; "l1" for
# an index by L1 distance, whose codes have 32 bytes for 8 dimensions; "coded"
# for one of vectors so wide that pending rows are codes.
my @damages = (
	[ 'slot page zeroed', $slots, 3, 0, "\0" x 8192, 'page' ],
	[ 'owner changed', $slots, 2, 8176, $u32->(77), 'page' ],
	[ 'logical number changed', $slots, 2, 8180, $u32->(9), 'page' ],
	[ 'type changed', $tids, undef, 8184, $u16->($slots), 'page' ],
	[ 'page id changed', $directory, undef, 8190, $u16->(0xFF90), 'page' ],
	[ 'flags set', $slots, 1, 8186, $u16->(8), 'page' ],
	[ 'contents cut off', $slots, 1, 12, $u16->(100), 'page' ],
	[ 'magic number', $meta, 0, $in_meta{magic}, $u32->(1), 'metapage' ],
	[ 'version', $meta, 0, $in_meta{version}, $u32->(99), 'metapage' ],
	[ 'too many segments', $meta, 0, $in_meta{nsegments}, $u32->(17), 'metapage' ],
	[ 'next owner', $meta, 0, $in_meta{next_owner}, $u32->(1), 'metapage' ],
	[ 'metric', $meta, 0, $in_meta{metric}, $u16->(2), 'frozen' ],
	[ 'dimensions', $meta, 0, $in_meta{dims}, $u32->(9), 'frozen' ],
	[ 'width', $meta, 0, $in_meta{width}, $u32->(1 << 31), 'frozen' ],
	[ 'degree', $meta, 0, $in_meta{degree}, $u32->(0), 'frozen' ],
	[ 'nblocks too small', $meta, 0, $in_meta{nblocks}, $u32->(5), 'space' ],
	[ 'extents overlap', $meta, 0, $in_meta{extent}, $u32->(1), 'space' ],
	[ 'extent out of range', $meta, 0, $in_meta{extent} + 4, $u32->(-1), 'space' ],
	[ 'segment dropped', $meta, 0, $in_meta{nsegments}, $u32->(0), 'space' ],
	[ 'step', $meta, 0, $in_meta{step}, $nan, 'quantizer' ],
	[ 'mean', $quantizer, 0, $content + 8, $nan, 'quantizer' ],
	[ 'no nodes', $meta, 0, $in_meta{nnodes}, $u32->(0), 'segment' ],
	[ 'many nodes', $meta, 0, $in_meta{nnodes}, $u32->(-1), 'segment' ],
	[ 'fewer nodes', $meta, 0, $in_meta{nnodes}, $u32->(600), 'segment' ],
	[ 'many rows', $meta, 0, $in_meta{ntids}, $u32->(-1), 'segment' ],
	[ 'more dead than rows', $meta, 0, $in_meta{ndead}, $u32->(5000), 'segment' ],
	[ 'many extents', $meta, 0, $in_meta{nextents}, $u32->(13), 'segment' ],
	[ 'more dead than marked', $meta, 0, $in_meta{ndead}, $u32->(1), 'tids' ],
	[ 'code', $slots, 0, $slot{code} + 5, "\x80", 'slot' ],
	[ 'norm2', $slots, 0, $slot{norm2}, $float->(1), 'slot' ],
	[ 'error', $slots, 0, $slot{error}, $float->(-1), 'slot' ],
	[ 'error is NaN', $slots, 0, $slot{error}, $nan, 'slot' ],
	[ 'excess', $slots, 0, $slot{excess}, $nan, 'slot' ],
	[ 'first TID', $slots, 0, $slot{first_tid}, $u32->(4), 'tids' ],
	[ 'last TID', $slots, 0, $slot{ntids}, $u32->(-1), 'tids' ],
	[ 'no TID', $slots, 0, $slot{ntids}, $u32->(0), 'tids' ],
	[ 'impossible TID', $tids, undef, $content + 4, $u16->(0), 'tids' ],
	[ 'TID flag', $tids, undef, $content + 6, $u16->(2), 'tids' ],
	[ 'too many neighbours', $slots, 0, $slot{degree}, $u16->(0xFFFF), 'neighbors' ],
	[ 'one more neighbour', $slots, 0, $slot{degree}, $u16->(33), 'neighbors' ],
	[ 'neighbour out of range', $slots, 0, $slot{neighbors}, $u32->(-1), 'neighbors' ],
	[ 'neighbour itself', $slots, 0, $slot{neighbors}, $u32->(0), 'neighbors' ],
	[ 'neighbour twice', $slots, 0, $slot{neighbors}, $u32->(3) x 2, 'neighbors' ],
	[ 't', $slots, 0, $slot{t}, $nan, 'edges' ],
	[ 'edge code', $slots, 0, $slot{edges}, "\xA5\x5A", 'edges' ],
	[ 'entry out of range', $directory, undef, $content, $u32->(-1), 'directory' ],
	[ 'entries not in order', $directory, undef, $content + 4, $u32->(0), 'directory' ],
	[ 'entry code', $directory, undef, $content + 96, "\xA5\x5A\xA5\x5A", 'directory' ],
	[ 'pending rows', $pending, undef, $content + 4, $u32->(-1), 'pending' ],
	[ 'no pending row', $pending, undef, $content + 4, $u32->(0), 'pending' ],
	[ 'pending link', $pending, undef, $content, $u32->(-2), 'page|space|pending' ],
	[ 'pending page closed', $pending, undef, 8186, $u16->(1), 'page' ],
	[ 'live row marked dead', $tids, undef, $content + 6, $u16->(1), 'heap' ],
	[ 'row of no number', $tids, undef, $content + 4, $u16->(0), 'tids' ],
	[ 'row beyond the table', $tids, undef, $content, $u16->(16), 'heap' ],
	[ 'two nodes with one row', $slots, 0, $slot{ntids}, $u32->(2), 'tids' ],
	[ 'another seed', $meta, 0, $in_meta{seed}, $u32->(1), 'frozen' ],
	[ 'time of a segment', $meta, 0, $in_meta{born} + 4, $u32->(0x80000000), 'metapage' ],
	[ 'pages of no list', $meta, 0, $in_meta{sealed_npages}, $u32->(0x6F0000), 'pending' ],
	[ 'another mean', $quantizer, 0, $content + 8, $float->(0.5), 'page' ],
	[ 'smaller error', $slots, 0, $slot{error}, $float->(0.001), 'page' ],
	[ 'behind the contents', $directory, undef, 8000, $u32->(1), 'page' ],
	[ 'another pending vector', $pending, undef, $content + 8 + 8 + 2, $u16->(0x4155), 'heap' ],
	[ 'contents of the metapage cut off', $meta, 0, 12, $u16->(64), 'page' ],
	[ 'no room on the metapage', $meta, 0, 14, $u16->(6000), 'page' ],
	[ 'TIDs cut off', $tids, undef, 12, $u16->(64), 'page' ],
	[ 'pending rows cut off', $pending, 'last', 12, $u16->(32), 'page|pending' ],
	[ 'no room behind pending rows', $pending, 'last', 14, $room, 'page' ],
	[ 'pending rows cut off', $pending, undef, 12, $u16->(32), 'page|pending', 'coded' ],
	[ 'no room behind pending rows', $pending, 'last', 14, $room, 'page', 'coded' ],
	[ 'code of a pending row', $pending, undef, $row{code} + 9, "\x80", 'pending', 'coded' ],
	[ 'norm2 of a pending row', $pending, undef, $row{norm2}, $float->(1), 'pending', 'coded' ],
	[ 'error of a pending row', $pending, undef, $row{error}, $float->(0.001), 'pending', 'coded' ],
	[ 'excess of a pending row', $pending, undef, $row{excess}, $nan, 'pending', 'coded' ],
	[ 'TID of a pending row', $pending, undef, $row{tid} + 4, $u16->(55), 'pending', 'coded' ],
	[ 'dead pending row', $pending, undef, $row{tid} + 6, $u16->(1), 'heap', 'coded' ],
	[ 'no list of codes', $meta, 0, $in_meta{pending_coded}, $u32->(0), 'metapage', 'coded' ],
	[ 'no such list', $meta, 0, $in_meta{pending_coded}, $u32->(2), 'pending', 'coded' ],
	[ 'code', $slots, 0, $slot{code} + 5, "\x80", 'slot', 'l1' ],
	[ 'norm2', $slots, 0, $slot{norm2}, $float->(1), 'slot', 'l1' ],
	[ 'neighbour itself', $slots, 0, $slot{code} + 32, $u32->(0), 'neighbors', 'l1' ],
	[ 'edge dimensions', $meta, 0, $in_meta{edge_dims}, $u32->(32), 'frozen', 'l1' ],
	[ 'middle', $quantizer, 0, $content + 8, $nan, 'quantizer', 'l1' ],
	[ 'no dimension extended', $quantizer, 0, $content + 8 * 4, $float->(8), 'quantizer', 'l1' ],
	[ 'dimensions not in order', $quantizer, 0, $content + 8 * 4, $float->(7), 'quantizer', 'l1' ],
	[ 'entry code', $directory, undef, $content + 6, "\xA5\x5A", 'directory', 'l1' ],
	[ 'entries not in order', $directory, undef, $content + 4 + 32, $u32->(0), 'directory', 'l1' ],
);

my @random = map { [ "random $_", (undef) x 5, (qw(l1 l2 coded l2))[ $_ % 4 ] ] }
  1 .. $random_rounds;
my @all = (@damages, @random,
	[ 'TID twice', 'twice' ], [ 'pages exchanged', 'exchange' ],
	[ 'node cut off', 'cut' ], [ 'truncated', 'truncate' ]);

my @metrics = map { $_->[6] || 'l2' } @all;
my %operators = (l1 => '<+>', l2 => '<->', coded => '<->');
my %opclasses = (l1 => 'vector_l1_ops', l2 => 'vector_l2_ops',
	coded => 'vector_l2_ops');
my %sources = (l1 => 'data', l2 => 'data', coded => 'wide');

# An index for each, with a segment and a pending list of two pages.
$node->safe_psql('postgres',
	'CREATE TABLE data AS SELECT v::vector(8) FROM vectors(1400, 8) v;
	CREATE TABLE wide AS SELECT v::vector(24) FROM vectors(1400, 24) v');
$node->safe_psql(
	'postgres', join '', map {
		"CREATE TABLE t$_ AS SELECT v FROM $sources{$metrics[$_]} LIMIT 1100;
		CREATE INDEX i$_ ON t$_ USING omen (v $opclasses{$metrics[$_]});
		INSERT INTO t$_ SELECT v FROM $sources{$metrics[$_]} OFFSET 1100;"
	} 0 .. $#all);
my @files = split /\n/, $node->safe_psql('postgres',
	"SELECT pg_relation_filepath('i' || n)
	FROM generate_series(0, $#all) n ORDER BY n");
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM generate_series(0, $#all) n,
		LATERAL omen_check(('i' || n)::regclass, true)"),
	0, 'all are sound at first');
$node->stop;

# New bytes at an offset of a page.
sub poke
{
	my ($file, $block, $offset, $bytes) = @_;

	open my $fh, '+<:raw', $file or die "$file: $!";
	seek $fh, $block * 8192 + $offset, 0;
	print $fh $bytes;
	close $fh;
}

# The first or last page of a type.
sub end_page
{
	my ($pages, $type, $end) = @_;
	my @numbers = sort { $a <=> $b }
	  map { m{^$type/(\d+)} ? $1 : () } keys %$pages;

	return $pages->{"$type/$numbers[$end]"};
}

foreach my $n (0 .. $#all)
{
	my $file = $node->data_dir . "/$files[$n]";
	my $pages = pages_of($file);
	my ($name, $type, $logical, $offset, $bytes) = @{ $all[$n] };

	if (!defined $type)
	{
		my $block = int rand(1 + -s $file) / 8192;

		# A page with a header that cannot be is refused by the server itself.
		for (1 .. (1, 4, 64)[ rand 3 ])
		{
			poke($file, $block, 24 + int(rand 8168), chr int rand 256);
		}
		$all[$n][0] .= ", block $block";
	}
	elsif ($type eq 'twice')
	{
		my $block = end_page($pages, $tids, 0);

		poke($file, $block, $content, peek($file, $block, $content + 8, 6));
	}
	elsif ($type eq 'exchange')
	{
		my @blocks = map { $pages->{"$slots/$_"} } 0, 1;
		my @contents = map { peek($file, $_, 0, 8192) } @blocks;

		poke($file, $blocks[0], 0, $contents[1]);
		poke($file, $blocks[1], 0, $contents[0]);
	}
	elsif ($type eq 'cut')
	{
		# Nodes without neighbours: no entry leads anywhere.
		my $edge_dims = unpack 'V', peek($file, 0, $in_meta{edge_dims}, 4);
		my $size = 24 + 64 + 32 * 7 + 2 * 2 * $edge_dims;

		foreach my $key (grep { m{^$slots/} } keys %$pages)
		{
			for (my $at = $content; $at + $size <= 8176; $at += $size)
			{
				poke($file, $pages->{$key}, $at + 20, $u16->(0));
				poke($file, $pages->{$key}, $at + 24 + 64, "\0" x ($size - 88));
			}
		}
	}
	elsif ($type eq 'truncate')
	{
		truncate $file, 8192 * int((-s $file) / 8192 / 2);
	}
	else
	{
		my $end = ($logical || '') eq 'last' ? -1 : 0;
		my $block = defined $logical && !$end ? $pages->{"$type/$logical"} :
		  end_page($pages, $type, $end);

		poke($file, $block, $offset,
			ref $bytes ? $bytes->($file, $block) : $bytes);
	}
}
$node->start;

# What is done with each damaged index, "<->" standing for its operator.  All may
# fail, by an ERROR.
my @uses = (
	map({ "SET enable_seqscan = off;
		SELECT count(*) FROM (SELECT v FROM t%d ORDER BY v <-> '[$_,0,0,0,0,0,0,1]' LIMIT 30) s" }
		0, 1, 5),
	"SET enable_seqscan = off; SET omen.ef_search = 10000;
	SELECT count(*) FROM (SELECT v FROM t%d ORDER BY v <-> '[1,0,0,0,0,0,0,1]') s",
	"SET enable_seqscan = off;
	SELECT count(*) FROM (SELECT v FROM t%d ORDER BY v <-> NULL) s",
	"SELECT * FROM omen_index_info('i%d')",
	'INSERT INTO t%1$d SELECT v FROM data LIMIT 50',
	'DELETE FROM t%1$d WHERE ctid IN (SELECT ctid FROM t%1$d LIMIT 500)',
	'VACUUM t%d',
	"SET omen.pending_limit = 1000; INSERT INTO t%d SELECT v FROM data");

my ($failed, $found, $refused, $unclear) = (0, 0, 0, 0);
my %refusals;
foreach my $n (0 .. $#all)
{
	my ($name, $type, undef, undef, undef, $invariant) = @{ $all[$n] };
	my ($status, $out, $err) = $node->psql(
		'postgres', "SELECT DISTINCT invariant FROM omen_check('i$n', true)");

	$out .= " $err";
	if (defined $type && $type eq 'truncate')
	{
		is( $node->safe_psql('postgres',
				"SELECT count(*) > 100, count(DISTINCT detail) = count(*)
				FROM omen_check('i$n', true) WHERE invariant = 'heap'
				AND detail ~ '^Row .* of table \"t$n\" has no entry.\$'"),
			't|t', 'rows that have no entry are named one by one');
	}
	if (!defined $type)
	{
		$found++ if $out =~ /\w/;
	}
	else
	{
		$invariant = { twice => 'duplicate', exchange => 'page',
			cut => 'reachable', truncate => 'page' }->{$type}
		  if !defined $invariant;
		like($out, qr/\b(?:$invariant)\b/, "found: $name, $metrics[$n]");
	}
	foreach my $use (@uses)
	{
		my $sql = sprintf $use, $n;

		$sql =~ s/<->/$operators{$metrics[$n]}/;
		$sql =~ s/FROM data/FROM $sources{$metrics[$n]}/;
		$sql =~ s/,1\]'/,1@{[',0' x 16]}]'/ if $metrics[$n] eq 'coded';
		($status, $out, $err) = $node->psql('postgres',
			"SET statement_timeout = '10s'; $sql");
		if ($status == 2 || $err =~ /statement timeout|server closed/)
		{
			diag "$name: $use: $err";
			$failed++;
		}
		elsif ($err =~ /internal|restarted too often|vanished|open file|timestamp/)
		{
			diag "$name: $use: $err";
			$unclear++;
		}
		elsif ($status != 0)
		{
			$refused++;
			$refusals{"$name: $use"} = $err;
		}
	}
}
is($failed, 0, 'no use of a damaged index kills or hangs');
is($unclear, 0, 'what is refused is refused as damaged');
ok($refused > 0, 'some uses are refused');
like($refusals{'row of no number: VACUUM t%d'}, qr/corrupted page/,
	'VACUUM refuses what is no TID');
like($refusals{"$_: VACUUM t%d"}, qr/does not agree with its contents/,
	"VACUUM makes nothing worse: $_")
  foreach 'contents of the metapage cut off', 'TIDs cut off',
  'pending rows cut off', 'no room behind pending rows';
like(join(' ', @refusals{ grep { /^norm2 of a pending row: .*<->/s } keys %refusals }),
	qr/does not agree with its checksum/,
	'a scan compares the checksum of a row that it takes');
note "$found of $random_rounds random damages found";
ok($found >= $random_rounds / 3, 'random damages are found');
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|TRAP/,
	'the server never went down');

# Whatever the damage, REINDEX mends it.
$node->safe_psql('postgres', join '', map { "REINDEX INDEX i$_;" } 0 .. $#all);
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM generate_series(0, $#all) n,
		LATERAL omen_check(('i' || n)::regclass, true)"),
	0, 'all are sound in the end');
$node->stop;

done_testing();
