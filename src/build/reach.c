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

/*
 * Entries: one for so many nodes, within these bounds; but one for each part,
 * if there are more, as long as these have so many nodes on the average.
 */
#define OM_NODES_OF_ENTRY	32
#define OM_MIN_ENTRIES		16
#define OM_MAX_ENTRIES		1024
#define OM_MIN_PART			8

/* Nodes that stand for all of an entry's range. */
#define OM_SAMPLE			64

/*
 * Parts of the graph that no link to a near neighbour connects, in either
 * direction.  Longer links may lead from one to another, but a search that has
 * found some nodes of one part takes few of them: distances within parts are
 * small.  So each part needs an entry of its own.
 */
typedef struct OmParts
{
	OmenBuilder *builder;
	uint32	   *up;				/* of each node, a lower one of its part */
	uint32		count;
	uint64	   *sizes;			/* nodes of a part << 32 | its number */
	uint32	   *first;			/* in nodes, of each part */
	uint32	   *nodes;			/* by part, then ascending */
} OmParts;

uint32
OmenEntryCount(uint32 n)
{
	return Min(n, Min(OM_MAX_ENTRIES,
					  Max(OM_MIN_ENTRIES, n / OM_NODES_OF_ENTRY)));
}

/* The lowest node of a part, by union-find with path halving. */
static uint32
om_lowest(uint32 *up, uint32 node)
{
	while (up[node] != node)
	{
		up[node] = up[up[node]];
		node = up[node];
	}
	return node;
}

static void
om_unite(OmParts *parts)
{
	OmenBuilder *builder = parts->builder;
	OmenGraph  *graph = builder->graph;
	uint32	   *up = parts->up;

	for (uint32 node = 0; node < builder->n; node++)
		up[node] = node;
	for (uint32 node = 0; node < builder->n; node++)
	{
		const uint32 *links = graph->neighbors + (Size) node * graph->degree;

		for (int i = 0; i < builder->nnear[node]; i++)
		{
			uint32		a = om_lowest(up, node);
			uint32		b = om_lowest(up, links[i]);

			up[Max(a, b)] = Min(a, b);
		}
		if (node % 1024 == 0)
			OmenBuildReport(builder, OMEN_PHASE_ENTRIES, 0, 1);
	}
}

/* Number the parts by their lowest nodes; up becomes the number of a node. */
static void
om_number_parts(OmParts *parts)
{
	uint32		n = parts->builder->n;
	uint32	   *up = parts->up;
	uint32		sum = 0;

	for (uint32 node = 0; node < n; node++)
		parts->count += up[node] == node;
	parts->sizes = OmenBuildAllocOwn(parts->builder, CurrentMemoryContext,
									 mul_size(parts->count, sizeof(uint64)));
	parts->first = OmenBuildAllocOwn(parts->builder, CurrentMemoryContext,
									 mul_size(parts->count, sizeof(uint32)));
	parts->count = 0;

	/* A lower node has its number already, and up points to lower ones. */
	for (uint32 node = 0; node < n; node++)
	{
		if (up[node] == node)
		{
			parts->sizes[parts->count] = parts->count;
			up[node] = parts->count++;
		}
		else
			up[node] = up[up[node]];
		parts->sizes[up[node]] += UINT64CONST(1) << 32;
	}
	for (uint32 i = 0; i < parts->count; i++)
	{
		parts->first[i] = sum;
		sum += (uint32) (parts->sizes[i] >> 32);
	}
	for (uint32 node = 0; node < n; node++)
		parts->nodes[parts->first[up[node]]++] = node;
	for (uint32 i = 0; i < parts->count; i++)
		parts->first[i] -= (uint32) (parts->sizes[i] >> 32);
}

/* Of nodes near to each other, the one nearest to their mean. */
static uint32
om_middle_node(const OmParts *parts, OmenMatrix *matrix, const uint32 *range,
			   uint32 size, int32 *sums, uint8 *mean)
{
	uint32		nodes[OM_SAMPLE];
	int			n = Min(size, OM_SAMPLE);
	uint16		nearest;

	for (int i = 0; i < n; i++)
		nodes[i] = range[(uint64) i * size / n];
	OmenMeanRow(parts->builder, matrix->width, n, nodes, sums, mean);
	OmenSetNodeColumns(matrix, parts->builder, n, nodes);
	matrix->rows[0] = mean;
	OmenMultiply(matrix, 1);
	omen_matrix->nearest(1, matrix->npanels, matrix->products,
						 matrix->stride, &nearest);
	return nodes[nearest];
}

/*
 * Entries: one for each part, largest parts first, as far as "most" goes; the
 * rest in proportion to the parts' sizes.  Those of a part stand for equal
 * ranges of its nodes.
 */
static void
om_fill_directory(OmParts *parts, uint32 most)
{
	OmenBuilder *builder = parts->builder;
	OmenGraph  *graph = builder->graph;
	uint32		nparts = Min(parts->count, most);
	int			width = builder->width;
	OmenMatrix *matrix = OmenCreateMatrix(builder, width, OM_SAMPLE, 1);
	int32	   *sums = palloc(width * sizeof(int32));
	uint8	   *mean = palloc(width);
	uint64	   *entries = MemoryContextAllocHuge(CurrentMemoryContext,
												 mul_size(most,
														  sizeof(uint64)));

	OmenSortKeys(parts->sizes, parts->count);
	for (uint32 i = parts->count - nparts; i < parts->count; i++)
	{
		uint64		size = parts->sizes[i] >> 32;
		const uint32 *nodes = parts->nodes +
			parts->first[(uint32) parts->sizes[i]];
		uint64		share = Min(1 + (most - nparts) * size / builder->n, size);

		for (uint64 j = 0; j < share; j++)
		{
			uint64		from = j * size / share;
			uint64		to = (j + 1) * size / share;

			entries[graph->ndirectory++] =
				om_middle_node(parts, matrix, nodes + from, to - from, sums,
							   mean);
			OmenBuildReport(builder, OMEN_PHASE_ENTRIES, graph->ndirectory,
							most);
		}
	}
	OmenSortKeys(entries, graph->ndirectory);
	for (uint32 i = 0; i < graph->ndirectory; i++)
		graph->directory[i] = (uint32) entries[i];
}

/*
 * Set graph->directory.
 */
void
OmenChooseEntries(OmenBuilder *builder)
{
	MemoryContext result = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(result, "omen entries",
												  ALLOCSET_DEFAULT_SIZES);
	OmParts		parts = {0};
	Size		size = mul_size(builder->n, sizeof(uint32));
	uint32		most;

	MemoryContextSwitchTo(scratch);
	parts.builder = builder;
	parts.up = OmenBuildAllocOwn(builder, scratch, size);
	parts.nodes = OmenBuildAllocOwn(builder, scratch, size);
	om_unite(&parts);
	om_number_parts(&parts);
	most = Max(OmenEntryCount(builder->n),
			   Min(parts.count, builder->n / OM_MIN_PART));
	builder->graph->directory =
		MemoryContextAllocHuge(result, mul_size(most, sizeof(uint32)));
	om_fill_directory(&parts, most);
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
om_distance(const OmenBuilder *builder, uint32 node, uint32 other)
{
	const uint8 *a = OmenNodeRow(builder, node);
	const uint8 *b = OmenNodeRow(builder, other);
	bool		l1 = builder->params->l1;
	int32		sum = 0;

	for (int i = 0; i < builder->width; i++)
	{
		int16		difference = a[i] - b[i];

		sum += l1 ? abs(difference) : difference * difference;
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
		keys[i] = OmenMakeKey(om_distance(builder, node, links[i]), links[i]);
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
	reach.parent = OmenBuildAllocOwn(builder, scratch, size);
	reach.queue = OmenBuildAllocOwn(builder, scratch, size);
	memset(reach.parent, 0xff, size);
	om_flood(&reach, root, root);
	om_gather_strays(&reach);
	MemoryContextDelete(scratch);
}
