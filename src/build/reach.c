/*-------------------------------------------------------------------------
 *
 * reach.c
 *		Entries of the graph, and the links that make every node reachable.
 *
 *-------------------------------------------------------------------------
 */
#include "build/builder.h"

#include "storage/shmem.h"
#include "utils/memutils.h"

/* Entries: one for so many nodes, within these bounds. */
#define OM_NODES_OF_ENTRY	32
#define OM_MIN_ENTRIES		16
#define OM_MAX_ENTRIES		1024

/* Nodes that stand for all of an entry's range. */
#define OM_SAMPLE			64

uint32
OmenEntryCount(uint32 n)
{
	return Min(n, Min(OM_MAX_ENTRIES,
					  Max(OM_MIN_ENTRIES, n / OM_NODES_OF_ENTRY)));
}

/*
 * Set graph->directory: of each of as many equal ranges of nodes as there are
 * entries, the node nearest to the mean.  Ranges are smaller than the level-1
 * clusters, unless these are more than OM_MAX_ENTRIES.
 */
void
OmenChooseEntries(OmenBuilder *builder)
{
	MemoryContext result = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(result, "omen entries",
												  ALLOCSET_DEFAULT_SIZES);
	OmenGraph  *graph = builder->graph;
	uint64		count = OmenEntryCount(builder->n);
	OmenMatrix *matrix;
	int32	   *sums;
	uint8	   *mean;

	graph->ndirectory = count;
	graph->directory = palloc(count * sizeof(uint32));
	MemoryContextSwitchTo(scratch);
	matrix = OmenCreateMatrix(builder->width, OM_SAMPLE);
	sums = palloc(builder->width * sizeof(int32));
	mean = palloc(builder->width);
	for (uint64 i = 0; i < count; i++)
	{
		uint64		from = i * builder->n / count;
		uint64		size = (i + 1) * builder->n / count - from;
		int			n = Min(size, OM_SAMPLE);
		uint32		nodes[OM_SAMPLE];
		uint16		nearest;

		for (int j = 0; j < n; j++)
			nodes[j] = from + j * size / n;
		OmenMeanRow(builder, n, nodes, sums, mean);
		OmenSetNodeColumns(matrix, builder, n, nodes);
		matrix->rows[0] = mean;
		OmenMultiply(matrix, 1);
		omen_matrix->nearest(1, matrix->npanels, matrix->products,
							 matrix->max_columns, &nearest);
		graph->directory[i] = nodes[nearest];
		OmenBuildReport(builder, OMEN_PHASE_ENTRIES, i + 1, count);
	}
	MemoryContextSwitchTo(result);
	MemoryContextDelete(scratch);
}

/* A tree of links, which reaches what is known to be reachable. */
typedef struct OmReach
{
	OmenBuilder *builder;
	uint32	   *parent;			/* in the tree, OMEN_NO_NODE if not in it */
	uint32	   *queue;			/* nodes in the order in which they came in */
	uint32		nreached;
} OmReach;

/* Put a node into the tree, and all that can be reached from it. */
static void
om_flood(OmReach *reach, uint32 node, uint32 parent)
{
	OmenBuilder *builder = reach->builder;
	OmenGraph  *graph = builder->graph;
	uint32		head = reach->nreached;

	reach->parent[node] = parent;
	reach->queue[reach->nreached++] = node;
	while (head < reach->nreached)
	{
		uint32		at = reach->queue[head++];
		const uint32 *links = graph->neighbors + (Size) at * graph->degree;

		for (int i = 0; i < graph->degrees[at]; i++)
			if (reach->parent[links[i]] == OMEN_NO_NODE)
			{
				reach->parent[links[i]] = at;
				reach->queue[reach->nreached++] = links[i];
			}
		if (head % 1024 == 0)
			OmenBuildReport(builder, OMEN_PHASE_CONNECT, head, builder->n);
	}
}

static uint32
om_distance(int width, const uint8 *a, const uint8 *b)
{
	int32		sum = 0;

	for (int i = 0; i < width; i++)
	{
		int16		difference = a[i] - b[i];

		sum += difference * difference;
	}
	return sum;
}

/* Put the neighbours of a node in order of distance again. */
static void
om_sort_neighbors(OmenBuilder *builder, uint32 node)
{
	OmenGraph  *graph = builder->graph;
	uint32	   *links = graph->neighbors + (Size) node * graph->degree;
	uint64		keys[OMEN_BUILD_MAX_DEGREE];
	int			n = graph->degrees[node];

	for (int i = 0; i < n; i++)
		keys[i] = OmenMakeKey(om_distance(builder->width,
										  OmenNodeRow(builder, node),
										  OmenNodeRow(builder, links[i])),
							  links[i]);
	OmenSortKeys(keys, n);
	for (int i = 0; i < n; i++)
		links[i] = OmenKeyNode(keys[i]);
}

/*
 * Link a node of the tree to one that is not in it, if need be in place of a
 * link that is not of the tree; so nothing becomes unreachable.  False if all
 * links of the node are of the tree.
 */
static bool
om_attach(OmReach *reach, uint32 node, uint32 stray)
{
	OmenGraph  *graph = reach->builder->graph;
	uint32	   *links = graph->neighbors + (Size) node * graph->degree;
	int			slot = graph->degrees[node];

	if (slot < graph->degree)
		graph->degrees[node]++;
	else
		do
		{
			if (--slot < 0)
				return false;
		} while (reach->parent[links[slot]] == node);
	links[slot] = stray;
	om_sort_neighbors(reach->builder, node);
	om_flood(reach, stray, node);
	return true;
}

/* Attach a stray node to one that it has a link to, if any is in the tree. */
static bool
om_attach_to_neighbor(OmReach *reach, uint32 stray)
{
	OmenGraph  *graph = reach->builder->graph;
	const uint32 *links = graph->neighbors + (Size) stray * graph->degree;

	for (int i = 0; i < graph->degrees[stray]; i++)
		if (reach->parent[links[i]] != OMEN_NO_NODE &&
			om_attach(reach, links[i], stray))
			return true;
	return false;
}

/*
 * Attach a stray node to the nearest one in spatial order.  That always finds
 * one: the tree has fewer links than its nodes have room for.
 */
static void
om_attach_to_near(OmReach *reach, uint32 stray)
{
	uint32		n = reach->builder->n;

	for (uint32 step = 1; step < n; step++)
	{
		if (step <= stray &&
			reach->parent[stray - step] != OMEN_NO_NODE &&
			om_attach(reach, stray - step, stray))
			return;
		if (step < n - stray &&
			reach->parent[stray + step] != OMEN_NO_NODE &&
			om_attach(reach, stray + step, stray))
			return;
	}
}

/* Visit the strays; those without a linked node in the tree only at last. */
static void
om_gather_strays(OmReach *reach)
{
	OmenBuilder *builder = reach->builder;
	bool		last = false;

	while (reach->nreached < builder->n)
	{
		uint32		before = reach->nreached;

		for (uint32 node = 0; node < builder->n; node++)
			if (reach->parent[node] == OMEN_NO_NODE &&
				!om_attach_to_neighbor(reach, node) && last)
				om_attach_to_near(reach, node);
		last = reach->nreached == before;
		OmenBuildReport(builder, OMEN_PHASE_CONNECT, reach->nreached,
						builder->n);
	}
}

/*
 * Change links so that every node can be reached from directory[0].
 */
void
OmenConnectNodes(OmenBuilder *builder)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext,
												  "omen connectivity",
												  ALLOCSET_DEFAULT_SIZES);
	Size		size = mul_size(builder->n, sizeof(uint32));
	OmReach		reach = {0};
	uint32		root = builder->graph->directory[0];

	reach.builder = builder;
	reach.parent = MemoryContextAllocHuge(scratch, size);
	reach.queue = MemoryContextAllocHuge(scratch, size);
	memset(reach.parent, 0xff, size);
	om_flood(&reach, root, root);
	om_gather_strays(&reach);
	MemoryContextDelete(scratch);
}
