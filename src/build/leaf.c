/*-------------------------------------------------------------------------
 *
 * leaf.c
 *		Leaves of the level-1 clusters, and their distance matrices.
 *
 * Each cluster is split by leaders of its own, independent of those of the
 * clusters that overlap with it, until its parts are small enough for all
 * pairs to be compared (ball carving, with overlap at the top level only).
 *
 *-------------------------------------------------------------------------
 */
#include "build/builder.h"

#include "storage/shmem.h"
#include "utils/memutils.h"

/*
 * Leaders of a split: their number makes the mean part 10/16 of the largest
 * leaf, as parts vary.
 */
#define OM_SPLIT_LEADERS	256
#define OM_PART				(OMEN_MAX_LEAF * 10 / 16)

/* Parts smaller than this are joined to leaves of OMEN_MAX_LEAF / 2. */
#define OM_LEAF_MIN			50

/* Splits that separate little end at this depth. */
#define OM_MAX_DEPTH		16

/* Work on one cluster; its members are numbered by position. */
typedef struct OmCluster
{
	OmenBuilder *builder;
	OmenMatrix *matrix;
	uint32		number;
	const uint32 *members;
	uint32	   *lines;			/* by position */
	uint16	   *spare;
	uint16	   *part;
	pg_prng_state prng;
} OmCluster;

/* Nodes at n <= OMEN_MAX_LEAF positions. */
static void
om_nodes(const OmCluster *cluster, const uint16 *positions, int n,
		 uint32 *nodes)
{
	for (int i = 0; i < n; i++)
		nodes[i] = cluster->members[positions[i]];
}

/* Compare all pairs of a leaf. */
static void
om_leaf(OmCluster *cluster, const uint16 *positions, int n)
{
	const OmenBuildShape *shape = &cluster->builder->shape;
	OmenMatrix *matrix = cluster->matrix;
	uint32		nodes[OMEN_MAX_LEAF];
	uint16		labels[OMEN_MAX_LEAF + OMEN_PANEL];
	uint32		keys[OMEN_MAX_LEAF * 16];

	if (n <= 0)
		return;
	om_nodes(cluster, positions, n, nodes);
	memcpy(labels, positions, n * sizeof(uint16));
	memset(labels + n, 0, OMEN_PANEL * sizeof(uint16));
	OmenSetNodeColumns(matrix, cluster->builder, n, nodes);
	OmenSetNodeRows(matrix, cluster->builder, n, nodes);
	OmenSquare(matrix, n);
	for (int i = 0; i < n; i++)
		OmenProducts(matrix, i)[i] = OMEN_NO_PRODUCT;
	omen_matrix->select(n, matrix->npanels, matrix->products, matrix->stride,
						matrix->base, shape->groups, shape->nearest, labels,
						keys);
	for (int i = 0; i < n; i++)
		memcpy(cluster->lines + positions[i] * shape->line_keys,
			   keys + i * shape->line_keys,
			   shape->line_keys * sizeof(uint32));
}

/* Leaves of consecutive positions, where space does not tell them apart. */
static void
om_cut(OmCluster *cluster, const uint16 *positions, int n)
{

	for (int i = 0; i < n; i += OMEN_MAX_LEAF)
		om_leaf(cluster, positions + i, Min(OMEN_MAX_LEAF, n - i));
}

/* Make a random position of each of k equal ranges a column. */
static void
om_choose_leaders(OmCluster *cluster, const uint16 *positions, int n, int k)
{
	uint32		leaders[OM_SPLIT_LEADERS];

	for (int i = 0; i < k; i++)
	{
		int			from = (int64) i * n / k;
		int			to = (int64) (i + 1) * n / k;
		int			j = (int) pg_prng_uint64_range(&cluster->prng, from,
												   to - 1);

		leaders[i] = cluster->members[positions[j]];
	}
	OmenSetNodeColumns(cluster->matrix, cluster->builder, k, leaders);
}

/*
 * Order positions by nearest of k leaders; first[i] becomes the first of part
 * i, first[k] the end.  Returns the size of the largest part.
 */
static int
om_partition(OmCluster *cluster, uint16 *positions, int n, int k, int *first)
{
	OmenMatrix *matrix = cluster->matrix;
	int			next[OM_SPLIT_LEADERS];
	int			largest = 0;

	om_choose_leaders(cluster, positions, n, k);
	memset(first, 0, (k + 1) * sizeof(int));
	for (int i = 0; i < n; i += OMEN_BLOCK_ROWS)
	{
		uint32		nodes[OMEN_BLOCK_ROWS];
		int			rows = Min(OMEN_BLOCK_ROWS, n - i);

		om_nodes(cluster, positions + i, rows, nodes);
		OmenSetNodeRows(matrix, cluster->builder, rows, nodes);
		OmenMultiply(matrix, rows);
		omen_matrix->nearest(rows, matrix->npanels, matrix->products,
							 matrix->stride, cluster->part + i);
		for (int r = 0; r < rows; r++)
			first[cluster->part[i + r] + 1]++;
	}
	for (int i = 0; i < k; i++)
	{
		largest = Max(largest, first[i + 1]);
		first[i + 1] += first[i];
		next[i] = first[i];
	}
	for (int i = 0; i < n; i++)
		cluster->spare[next[cluster->part[i]]++] = positions[i];
	memcpy(positions, cluster->spare, n * sizeof(uint16));
	return largest;
}

static void
om_split(OmCluster *cluster, uint16 *positions, int n, int depth)
{
	uint16		pool[OMEN_MAX_LEAF];
	int			first[OM_SPLIT_LEADERS + 1];
	int			npool = 0;
	int			k;

	OmenBuildReport(cluster->builder, OMEN_PHASE_MATRICES, cluster->number,
					cluster->builder->nclusters);
	if (n <= OMEN_MAX_LEAF)
	{
		om_leaf(cluster, positions, n);
		return;
	}
	k = Min(Max(n / OM_PART, 2), OM_SPLIT_LEADERS);
	if (om_partition(cluster, positions, n, k, first) == n ||
		depth == OM_MAX_DEPTH)
	{
		om_cut(cluster, positions, n);
		return;
	}
	for (int i = 0; i < k; i++)
	{
		int			size = first[i + 1] - first[i];

		if (size >= OM_LEAF_MIN)
			om_split(cluster, positions + first[i], size, depth + 1);
		else
		{
			memcpy(pool + npool, positions + first[i], size * sizeof(uint16));
			npool += size;
		}
		if (npool > OMEN_MAX_LEAF / 2)
		{
			om_leaf(cluster, pool, npool);
			npool = 0;
		}
	}
	om_leaf(cluster, pool, npool);
}

#define OM_MATRIX_COLUMNS	Max(OMEN_MAX_LEAF, OM_SPLIT_LEADERS)

Size
OmenLeafMemory(const OmenBuildShape *shape, int width)
{
	return 3 * OMEN_MAX_CLUSTER * sizeof(uint16) +
		2 * shape->cluster * shape->line_keys * sizeof(uint32) +
		OmenMatrixMemory(width, OM_MATRIX_COLUMNS, OMEN_MAX_LEAF);
}

/* Members of the largest cluster. */
static Size
om_largest_cluster(const OmenBuilder *builder)
{
	Size		largest = 0;

	for (uint32 i = 0; i < builder->nclusters; i++)
		largest = Max(largest, builder->first_member[i + 1] -
					  builder->first_member[i]);
	return largest;
}

/*
 * Fill lines.
 */
void
OmenCompareLeaves(OmenBuilder *builder)
{
	MemoryContext result = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(result, "omen leaves",
												  ALLOCSET_DEFAULT_SIZES);
	Size		nlines = mul_size(builder->n, builder->shape.fanout);
	Size		line_size = builder->shape.line_keys * sizeof(uint32);
	OmenStore  *store = builder->params->store;
	OmCluster	cluster = {0};
	uint16	   *positions;
	OmenLoop	loop;

	builder->lines = OmenBuildAllocPut(builder, result,
									   mul_size(nlines, line_size));
	MemoryContextSwitchTo(scratch);
	positions = palloc(OMEN_MAX_CLUSTER * sizeof(uint16));
	cluster.builder = builder;
	cluster.lines = palloc(om_largest_cluster(builder) * line_size);
	cluster.matrix = OmenCreateMatrix(builder, builder->width,
									  OM_MATRIX_COLUMNS, OMEN_MAX_LEAF);
	cluster.spare = palloc(OMEN_MAX_CLUSTER * sizeof(uint16));
	cluster.part = palloc(OMEN_MAX_CLUSTER * sizeof(uint16));
	OmenStartLoop(builder->team, builder->nclusters, 1, &loop);
	while (OmenNextNodes(builder, OMEN_PHASE_MATRICES, &loop))
	{
		uint32		i = loop.from;
		int			n = (int) (builder->first_member[i + 1] -
							   builder->first_member[i]);

		cluster.number = i;
		cluster.members = builder->members + builder->first_member[i];
		pg_prng_seed(&cluster.prng, builder->params->seed + 2 + i);
		for (int j = 0; j < n; j++)
			positions[j] = j;
		om_split(&cluster, positions, n, 0);
		OmenStorePut(store, builder->lines,
					 builder->first_member[i] * line_size, cluster.lines,
					 n * line_size);
	}
	MemoryContextSwitchTo(result);
	MemoryContextDelete(scratch);
}
