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
 * Where there are more leaders than OMEN_MAX_LEADERS, the nodes of a cell are
 * compared with this many, those nearest to the middle of the cell.
 */
#define OM_NEAR_LEADERS		256

/* Cells that a member takes at a time. */
#define OM_CELL_RANGE		16

/* Ranges of nodes whose clusters are counted apart. */
#define OM_BLOCKS			64

/* Keys of select() with two groups. */
#define OM_LINE				16

typedef struct OmAssignment
{
	OmenBuilder *builder;
	uint32	   *leaders;		/* nodes, ascending */
	OmenMatrix *all;			/* all leaders */
	OmenMatrix *near;			/* the leaders that nodes are compared with */
	uint32	   *near_leaders;	/* numbers of these */
	uint16	   *labels;			/* 0, 1, 2, ... */
	uint64	   *keys;			/* one for each leader */
	uint8	   *middle;			/* a row */
	int32	   *sums;			/* of a dimension over a cell */
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

/* Make the leaders nearest to the middle of a cell the columns of near. */
static void
om_near_leaders(OmAssignment *work, uint32 from, uint32 to)
{
	OmenBuilder *builder = work->builder;
	uint32		nleaders = builder->shape.leaders;
	const int32 *products = OmenProducts(work->all, 0);
	uint32		nodes[Max(OM_NEAR_LEADERS, OMEN_MAX_CELL)];

	for (uint32 node = from; node < to; node++)
		nodes[node - from] = node;
	OmenMeanRow(builder, builder->near_width, to - from, nodes, work->sums,
				work->middle);
	work->all->rows[0] = work->middle;
	OmenMultiply(work->all, 1);
	for (uint32 i = 0; i < nleaders; i++)
		work->keys[i] = (uint64) ((int64) PG_INT32_MAX - products[i]) << 32 | i;
	OmenPartitionKeys(work->keys, nleaders, OM_NEAR_LEADERS);
	for (int i = 0; i < OM_NEAR_LEADERS; i++)
		work->keys[i] = OmenKeyNode(work->keys[i]);
	OmenSortKeys(work->keys, OM_NEAR_LEADERS);
	for (int i = 0; i < OM_NEAR_LEADERS; i++)
	{
		work->near_leaders[i] = (uint32) work->keys[i];
		nodes[i] = work->leaders[work->near_leaders[i]];
	}
	OmenSetNodeColumns(work->near, builder, OM_NEAR_LEADERS, nodes);
}

/* Clusters of n <= OMEN_BLOCK_ROWS nodes from "from" on. */
static void
om_assign_block(OmAssignment *work, uint32 from, int n)
{
	OmenBuilder *builder = work->builder;
	OmenMatrix *near = work->near;
	int			fanout = builder->shape.fanout;
	uint32		nodes[OMEN_BLOCK_ROWS];
	uint32		keys[OMEN_BLOCK_ROWS * OM_LINE];

	for (int r = 0; r < n; r++)
		nodes[r] = from + r;
	OmenSetNodeRows(near, builder, n, nodes);
	OmenMultiply(near, n);
	omen_matrix->select(n, near->npanels, near->products, near->stride,
						near->base, 2, fanout, work->labels, keys);
	for (int r = 0; r < n; r++)
		for (int i = 0; i < fanout; i++)
			builder->clusters[(Size) (from + r) * fanout + i] =
				work->near_leaders[keys[r * OM_LINE + i] & 0xffff];
}

static void
om_assign_nodes(OmAssignment *work)
{
	OmenBuilder *builder = work->builder;
	bool		few = builder->shape.leaders <= OMEN_MAX_LEADERS;
	OmenLoop	loop;

	if (few)
	{
		OmenSetNodeColumns(work->near, builder, builder->shape.leaders,
						   work->leaders);
		for (uint32 i = 0; i < builder->shape.leaders; i++)
			work->near_leaders[i] = i;
	}
	else
		OmenSetNodeColumns(work->all, builder, builder->shape.leaders,
						   work->leaders);
	OmenStartLoop(builder->team, builder->ncells, OM_CELL_RANGE, &loop);
	while (OmenNextNodes(builder, OMEN_PHASE_CLUSTERS, &loop))
		for (uint32 cell = loop.from; cell < loop.to; cell++)
		{
			uint32		from = builder->cells[cell];
			uint32		to = builder->cells[cell + 1];

			if (!few)
				om_near_leaders(work, from, to);
			for (uint32 i = from; i < to; i += OMEN_BLOCK_ROWS)
				om_assign_block(work, i, Min(OMEN_BLOCK_ROWS, to - i));
		}
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
	int			near = nleaders <= OMEN_MAX_LEADERS ? nleaders :
		OM_NEAR_LEADERS;
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
	work.near = OmenCreateMatrix(builder, builder->near_width, near,
								 OMEN_BLOCK_ROWS);
	work.near_leaders = palloc(near * sizeof(uint32));
	work.labels = palloc(work.near->max_columns * sizeof(uint16));
	for (int i = 0; i < work.near->max_columns; i++)
		work.labels[i] = i;
	if (nleaders > OMEN_MAX_LEADERS)
	{
		work.all = OmenCreateMatrix(builder, builder->near_width, nleaders, 1);
		work.keys = palloc(nleaders * sizeof(uint64));
		work.middle = palloc(builder->near_width);
		work.sums = palloc(builder->near_width * sizeof(int32));
	}
	om_choose_leaders(&work);
	om_assign_nodes(&work);
	first_piece = palloc(nleaders * sizeof(uint32));
	totals = palloc(nleaders * sizeof(uint32));
	om_count_members(&work, totals);
	MemoryContextSwitchTo(result);
	om_lay_out(builder, totals, first_piece);
	om_distribute(&work, first_piece, totals);
	MemoryContextDelete(scratch);
}
