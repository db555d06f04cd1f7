/*-------------------------------------------------------------------------
 *
 * cluster.c
 *		Level-1 clusters: each node belongs to those of its nearest leaders.
 *
 * That a node is in several clusters is what links them to each other.
 *
 *-------------------------------------------------------------------------
 */
#include "build/builder.h"

#include "storage/shmem.h"
#include "utils/memutils.h"

/*
 * Where there are more leaders than OMEN_MAX_LEADERS, a node is not compared
 * with all: the leaders are narrowed down to this many for a chunk of nodes,
 * and of these to that many for a cell of it, those nearest to the middle.  So
 * what a node costs does not grow with the number of leaders.
 */
#define OM_CHUNK_LEADERS	1024
#define OM_CELL_LEADERS		256

/* Cells that a member takes at a time, if no chunks of them are needed. */
#define OM_CELL_RANGE		16

/* Ranges of nodes whose clusters are counted apart. */
#define OM_BLOCKS			64

/* Nodes that stand for all when the middle is computed. */
#define OM_SAMPLE			OMEN_MAX_CELL

/* Leaders that are compared with, as columns. */
typedef struct OmLeaders
{
	uint32		n;
	uint32	   *numbers;		/* of each among all, ascending */
	OmenMatrix *matrix;
} OmLeaders;

typedef struct OmAssignment
{
	OmenBuilder *builder;
	uint32	   *leaders;		/* nodes, ascending */
	OmLeaders	all;
	OmLeaders	chunk;			/* near to a chunk, */
	OmLeaders	cell;			/* to a cell: nodes are compared with these */
	uint16	   *labels;			/* 0, 1, 2, ... */
	uint64	   *keys;			/* one for each leader */
	uint8	   *middle;			/* a row */
	int32	   *sums;			/* of a dimension over nodes */
	uint32		nblocks;		/* ranges of nodes */
	uint32	   *counts;			/* of each block: its members of each
								 * leader's cluster */
} OmAssignment;

/* A random node of each of shape.leaders equal ranges. */
static void
om_choose_leaders(OmAssignment *work)
{
	OmenBuilder *builder = work->builder;
	uint64		count = builder->shape.leaders;
	pg_prng_state prng;

	pg_prng_seed(&prng, builder->params->seed + 1);
	for (uint64 i = 0; i < count; i++)
	{
		uint64		from = i * builder->n / count;
		uint64		to = (i + 1) * builder->n / count;

		work->leaders[i] = (uint32) pg_prng_uint64_range(&prng, from, to - 1);
	}
}

/* Room for n leaders, of which products with max_rows rows are computed. */
static void
om_create_leaders(OmAssignment *work, OmLeaders *leaders, uint32 n,
				  int max_rows)
{
	leaders->n = n;
	leaders->numbers = palloc(n * sizeof(uint32));
	leaders->matrix = OmenCreateMatrix(work->builder,
									   work->builder->width, n,
									   max_rows);
	for (uint32 i = 0; i < n; i++)
		leaders->numbers[i] = i;
}

/* Make the leaders with these numbers the columns. */
static void
om_set_columns(OmAssignment *work, OmLeaders *leaders)
{
	uint32	   *nodes = palloc(leaders->n * sizeof(uint32));

	for (uint32 i = 0; i < leaders->n; i++)
		nodes[i] = work->leaders[leaders->numbers[i]];
	OmenSetNodeColumns(leaders->matrix, work->builder, leaders->n, nodes);
	pfree(nodes);
}

/* Of the leaders "from", take those nearest to the middle of some nodes. */
static void
om_narrow(OmAssignment *work, const OmLeaders *from, OmLeaders *to,
		  uint32 first, uint32 end)
{
	OmenBuilder *builder = work->builder;
	const int32 *products = OmenProducts(from->matrix, 0);
	uint32		n = Min(end - first, OM_SAMPLE);
	uint32		nodes[OM_SAMPLE];

	for (uint32 i = 0; i < n; i++)
		nodes[i] = first + (uint64) i * (end - first) / n;
	OmenMeanRow(builder, builder->width, n, nodes, work->sums,
				work->middle);
	from->matrix->rows[0] = work->middle;
	OmenMultiply(from->matrix, 1);
	for (uint32 i = 0; i < from->n; i++)
		work->keys[i] = (uint64) ((int64) PG_INT32_MAX - products[i]) << 32 |
			from->numbers[i];
	OmenPartitionKeys(work->keys, from->n, to->n);
	for (uint32 i = 0; i < to->n; i++)
		work->keys[i] = OmenKeyNode(work->keys[i]);
	OmenSortKeys(work->keys, to->n);
	for (uint32 i = 0; i < to->n; i++)
		to->numbers[i] = (uint32) work->keys[i];
	om_set_columns(work, to);
}

/* As few levels as the number of leaders needs. */
static void
om_create_levels(OmAssignment *work)
{
	uint32		n = work->builder->shape.leaders;

	if (n <= OMEN_MAX_LEADERS)
	{
		om_create_leaders(work, &work->cell, n, OMEN_BLOCK_ROWS);
		om_set_columns(work, &work->cell);
	}
	else
	{
		om_create_leaders(work, &work->all, n, 1);
		om_set_columns(work, &work->all);
		om_create_leaders(work, &work->cell, OM_CELL_LEADERS, OMEN_BLOCK_ROWS);
		if (n > 2 * OM_CHUNK_LEADERS)
			om_create_leaders(work, &work->chunk, OM_CHUNK_LEADERS, 1);
	}
	work->labels = palloc(work->cell.matrix->max_columns * sizeof(uint16));
	for (int i = 0; i < work->cell.matrix->max_columns; i++)
		work->labels[i] = i;
}

/* Clusters of n <= OMEN_BLOCK_ROWS nodes from "from" on. */
static void
om_assign_block(OmAssignment *work, uint32 from, int n)
{
	OmenBuilder *builder = work->builder;
	OmenMatrix *matrix = work->cell.matrix;
	int			fanout = builder->shape.fanout;
	uint32		nodes[OMEN_BLOCK_ROWS];
	uint32		keys[OMEN_BLOCK_ROWS * OMEN_MAX_FANOUT];

	for (int r = 0; r < n; r++)
		nodes[r] = from + r;
	OmenSetNodeRows(matrix, builder, n, nodes);
	OmenMultiply(matrix, n);
	omen_matrix->select(n, matrix->npanels, matrix->products, matrix->stride,
						matrix->base, 2, fanout, work->labels, keys);
	for (int r = 0; r < n; r++)
		for (int i = 0; i < fanout; i++)
			builder->clusters[(Size) (from + r) * fanout + i] =
				work->cell.numbers[keys[r * OMEN_MAX_FANOUT + i] & 0xffff];
}

/* Clusters of the nodes of cells first..end-1. */
static void
om_assign_chunk(OmAssignment *work, uint32 first, uint32 end)
{
	OmenBuilder *builder = work->builder;
	const uint32 *cells = builder->cells;
	const OmLeaders *leaders = &work->all;

	if (work->chunk.matrix != NULL)
	{
		om_narrow(work, &work->all, &work->chunk, cells[first], cells[end]);
		leaders = &work->chunk;
	}
	for (uint32 cell = first; cell < end; cell++)
	{
		uint32		to = cells[cell + 1];

		if (leaders->matrix != NULL)
			om_narrow(work, leaders, &work->cell, cells[cell], to);
		for (uint32 i = cells[cell]; i < to; i += OMEN_BLOCK_ROWS)
			om_assign_block(work, i, Min(OMEN_BLOCK_ROWS, to - i));
	}
}

/* A chunk is a range of cells that have about chunk_size nodes. */
static void
om_assign_nodes(OmAssignment *work)
{
	OmenBuilder *builder = work->builder;
	uint32		range = OM_CELL_RANGE;
	OmenLoop	loop;

	if (work->chunk.matrix != NULL)
		range = Max(1, (uint64) builder->ncells *
					builder->params->chunk_size / builder->n);
	OmenStartLoop(builder->team, builder->ncells, range, &loop);
	while (OmenNextNodes(builder, OMEN_PHASE_CLUSTERS, &loop))
		om_assign_chunk(work, loop.from, loop.to);
}

static uint32 *
om_block_counts(OmAssignment *work, uint32 block)
{
	return work->counts + (Size) block * work->builder->shape.leaders;
}

/* Ranges of the array of clusters that belong to a block of nodes. */
static void
om_block_range(const OmAssignment *work, uint32 block, Size *from, Size *to)
{
	const OmenBuilder *builder = work->builder;
	int			fanout = builder->shape.fanout;

	*from = (uint64) block * builder->n / work->nblocks * fanout;
	*to = ((uint64) block + 1) * builder->n / work->nblocks * fanout;
}

/*
 * Count the members that each block has in each cluster.  totals becomes the
 * sizes of the clusters.
 */
static void
om_count_members(OmAssignment *work, uint32 *totals)
{
	OmenBuilder *builder = work->builder;
	OmenLoop	loop;

	OmenStartLoop(builder->team, work->nblocks, 1, &loop);
	while (OmenNextNodes(builder, OMEN_PHASE_CLUSTERS, &loop))
	{
		uint32	   *counts = om_block_counts(work, loop.from);
		Size		from;
		Size		to;

		memset(counts, 0, builder->shape.leaders * sizeof(uint32));
		om_block_range(work, loop.from, &from, &to);
		for (Size i = from; i < to; i++)
			counts[builder->clusters[i]]++;
	}
	memset(totals, 0, builder->shape.leaders * sizeof(uint32));
	for (uint32 block = 0; block < work->nblocks; block++)
	{
		const uint32 *counts = om_block_counts(work, block);

		for (uint32 i = 0; i < builder->shape.leaders; i++)
			totals[i] += counts[i];
	}
}

/* Members that the blocks before a block have in each cluster. */
static void
om_sum_before(OmAssignment *work, uint32 block, uint32 *before)
{
	uint32		nleaders = work->builder->shape.leaders;

	memset(before, 0, nleaders * sizeof(uint32));
	for (uint32 i = 0; i < block; i++)
	{
		const uint32 *counts = om_block_counts(work, i);

		for (uint32 j = 0; j < nleaders; j++)
			before[j] += counts[j];
	}
}

/*
 * Lay the clusters out one after the other; a cluster too large for its
 * members to be numbered becomes several, of consecutive nodes.  On return
 * first_piece is the first such piece of each leader's cluster.
 */
static void
om_lay_out(OmenBuilder *builder, const uint32 *totals, uint32 *first_piece)
{
	uint32		npieces = 0;
	Size		end = 0;

	for (uint32 i = 0; i < builder->shape.leaders; i++)
	{
		first_piece[i] = npieces;
		npieces += (totals[i] + OMEN_MAX_CLUSTER - 1) / OMEN_MAX_CLUSTER;
	}
	builder->nclusters = npieces;
	builder->first_member = palloc((npieces + 1) * sizeof(Size));
	npieces = 0;
	for (uint32 i = 0; i < builder->shape.leaders; i++)
		for (uint32 left = totals[i]; left > 0;
			 left -= Min(left, OMEN_MAX_CLUSTER))
		{
			builder->first_member[npieces++] = end;
			end += Min(left, OMEN_MAX_CLUSTER);
		}
	builder->first_member[npieces] = end;
}

/*
 * Fill members, and change clusters from leaders to pieces: a counting sort
 * whose result does not depend on who does which block.
 */
static void
om_distribute(OmAssignment *work, const uint32 *first_piece, uint32 *next)
{
	OmenBuilder *builder = work->builder;
	OmenLoop	loop;

	OmenStartLoop(builder->team, work->nblocks, 1, &loop);
	while (OmenNextNodes(builder, OMEN_PHASE_CLUSTERS, &loop))
	{
		Size		from;
		Size		to;

		om_sum_before(work, loop.from, next);
		om_block_range(work, loop.from, &from, &to);
		for (Size i = from; i < to; i++)
		{
			uint32		leader = builder->clusters[i];
			uint32		position = next[leader]++;
			uint32		first = first_piece[leader];

			builder->members[builder->first_member[first] + position] =
				(uint32) (i / builder->shape.fanout);
			builder->clusters[i] = first + position / OMEN_MAX_CLUSTER;
		}
	}
}

/*
 * Set clusters, first_member and members.
 */
void
OmenAssignClusters(OmenBuilder *builder)
{
	MemoryContext result = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(result, "omen clusters",
												  ALLOCSET_DEFAULT_SIZES);
	OmAssignment work = {0};
	uint32		nleaders = builder->shape.leaders;
	Size		n = mul_size(builder->n, builder->shape.fanout);
	uint32	   *first_piece;
	uint32	   *totals;

	builder->clusters = OmenBuildAlloc(builder, result,
									   mul_size(n, sizeof(uint32)));
	builder->members = OmenBuildAlloc(builder, result,
									  mul_size(n, sizeof(uint32)));
	MemoryContextSwitchTo(scratch);
	work.builder = builder;
	work.leaders = palloc(nleaders * sizeof(uint32));
	work.nblocks = Min(OM_BLOCKS, builder->n / OMEN_NODE_RANGE + 1);
	work.counts = OmenBuildAlloc(builder, scratch,
								 mul_size(work.nblocks,
										  nleaders * sizeof(uint32)));
	work.keys = palloc(nleaders * sizeof(uint64));
	work.middle = palloc(builder->width);
	work.sums = palloc(builder->width * sizeof(int32));
	om_choose_leaders(&work);
	om_create_levels(&work);
	om_assign_nodes(&work);
	first_piece = palloc(nleaders * sizeof(uint32));
	totals = palloc(nleaders * sizeof(uint32));
	om_count_members(&work, totals);
	MemoryContextSwitchTo(result);
	om_lay_out(builder, totals, first_piece);
	om_distribute(&work, first_piece, totals);
	MemoryContextDelete(scratch);
}
