/*-------------------------------------------------------------------------
 *
 * build.c
 *		The batch builder: parameters, steps and memory.
 *
 *-------------------------------------------------------------------------
 */
#include "build/builder.h"

#include <limits.h>

#include "storage/shmem.h"
#include "utils/memutils.h"

/*
 * What ef_construction stands for.  Measured on SIFT, Fashion-MNIST and texts:
 * 8 clusters a node and leaves of 300 find better neighbours than 12 clusters
 * and leaves of 200, which is as many comparisons, and take less time.
 */
typedef struct OmQuality
{
	int			max_ef;			/* applies up to this ef_construction */
	int			fanout;
	int			candidates;
} OmQuality;

static const OmQuality om_qualities[] = {
	{63, 6, 32},
	{128, 8, 48},
	{INT_MAX, 16, 48}
};

/*
 * Above this degree lines of 16 keys, and half as many clusters more, are
 * needed to fill the lists.
 */
#define OM_SHORT_LINE_DEGREE	48
#define OM_SHORT_LINE_NEAREST	7
#define OM_LONG_LINE_NEAREST	13
#define OM_LONG_LINE_FANOUT(fanout)	Min((fanout) * 3 / 2, OMEN_MAX_FANOUT)

/*
 * Offers for each forward link that link.c is expected to sort, in percent;
 * measured: 40 to 60.  Half of the keys of a node's lines are repetitions.
 */
#define OM_EXPECTED_OFFERS		60
#define OM_EXPECTED_LINKS(shape) \
	Min((shape)->forward, (shape)->fanout * (shape)->line_keys / 2)

/* The most nodes of a level-1 cluster, on the average. */
#define OM_MAX_CLUSTER			(5 * OMEN_MAX_LEAF)

/* A forward link: target and distance. */
#define OM_LINK_BYTES			(sizeof(uint32) + sizeof(uint16))

/* What HNSW's and DiskANN's rule of pruning calls alpha. */
#define OM_ALPHA				1.1f

static uint32
om_square_root(uint64 x)
{
	uint64		root = 0;

	for (uint64 bit = UINT64CONST(1) << 31; bit != 0; bit >>= 1)
		if ((root + bit) * (root + bit) <= x)
			root += bit;
	return (uint32) root;
}

/*
 * Level-1 clusters.  The comparisons of a node with leaders are fewest, over
 * both levels, if a cluster has about sqrt(n * mean leaf) nodes; but as only a
 * limited number of leaders is compared with, clusters have a largest size, so
 * that the work of splitting them does not grow either.
 */
static void
om_size_clusters(OmenBuildShape *shape, uint32 n)
{
	uint32		best = om_square_root((uint64) n * OMEN_MAX_LEAF * 10 / 16);
	uint64		leaders;

	shape->cluster = Min(best, OM_MAX_CLUSTER);
	leaders = (uint64) n * shape->fanout / shape->cluster;
	shape->leaders = Min(Max(leaders, 2 * shape->fanout), n);
}

static void
om_shape(OmenBuildShape *shape, const OmenBuildParams *params, uint32 n)
{
	const OmQuality *quality = om_qualities;

	while (params->ef_construction > quality->max_ef)
		quality++;
	shape->groups = params->degree <= OM_SHORT_LINE_DEGREE ? 1 : 2;
	shape->fanout = shape->groups == 1 ? quality->fanout :
		OM_LONG_LINE_FANOUT(quality->fanout);
	shape->nearest = shape->groups == 1 ? OM_SHORT_LINE_NEAREST :
		OM_LONG_LINE_NEAREST;
	shape->line_keys = 8 * shape->groups;
	shape->candidates = Max(quality->candidates, params->degree);

	/* A fair share of the room is for reverse links. */
	shape->forward = (params->degree * 5 + 7) / 8;
	if (n <= (uint32) params->degree + 1)
		shape->forward = params->degree;
	shape->factor = params->l1 ? 1.0f / OM_ALPHA :
		1.0f / (OM_ALPHA * OM_ALPHA);
	om_size_clusters(shape, n);
}

const char *
OmenBuildPhaseName(OmenBuildPhase phase)
{
	switch (phase)
	{
		case OMEN_PHASE_ORDER:
			return "spatial order";
		case OMEN_PHASE_CLUSTERS:
			return "clusters";
		case OMEN_PHASE_MATRICES:
			return "distance matrices";
		case OMEN_PHASE_NEIGHBORS:
			return "neighbor selection";
		case OMEN_PHASE_REVERSE:
			return "reverse links";
		case OMEN_PHASE_ENTRIES:
			return "entry points";
		case OMEN_PHASE_CONNECT:
			return "connectivity";
	}
	return NULL;
}

/* Steps from the ordered nodes to forward links. */
static void
om_find_neighbors(OmenBuilder *builder)
{
	MemoryContext result = CurrentMemoryContext;
	MemoryContext pairs = AllocSetContextCreate(result, "omen pairs",
												ALLOCSET_DEFAULT_SIZES);

	if (builder->n > OMEN_FLAT_NODES)
	{
		MemoryContextSwitchTo(pairs);
		OmenAssignClusters(builder);
		OmenCompareLeaves(builder);
		MemoryContextSwitchTo(result);
	}
	OmenChooseNeighbors(builder);
	MemoryContextDelete(pairs);
}

OmenGraph *
OmenBuildGraph(const OmenBuildParams *params, const int8 *codes,
			   const uint32 *rows, uint32 n, OmenBuildProgress progress,
			   void *arg)
{
	MemoryContext result = CurrentMemoryContext;
	MemoryContext work = AllocSetContextCreate(result, "omen builder",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext lists = AllocSetContextCreate(work, "omen lists",
												ALLOCSET_DEFAULT_SIZES);
	OmenGraph  *graph = palloc0(sizeof(OmenGraph));
	OmenBuilder *builder = MemoryContextAllocZero(work, sizeof(OmenBuilder));

	Assert(n > 0 && n < PG_INT32_MAX);
	Assert(params->width % 32 == 0);
	Assert(params->degree >= OMEN_BUILD_MIN_DEGREE &&
		   params->degree <= OMEN_BUILD_MAX_DEGREE);

	om_shape(&builder->shape, params, n);
	builder->context = work;
	builder->params = params;
	builder->team = OmenStoreTeam(params->store);
	builder->progress = progress;
	builder->arg = arg;
	builder->n = n;
	builder->graph = graph;
	graph->builder = builder;
	graph->store = params->store;
	graph->n = n;
	graph->degree = params->degree;
	graph->order = OmenBuildAlloc(builder, result,
								  mul_size(n, sizeof(uint32)));

	MemoryContextSwitchTo(work);
	OmenChooseWidth(builder, codes, rows);
	OmenOrderNodes(builder, codes, rows);
	MemoryContextSwitchTo(lists);
	om_find_neighbors(builder);
	builder->nnear = OmenBuildAlloc(builder, work, n);
	MemoryContextSwitchTo(result);
	OmenLinkNodes(builder);
	MemoryContextDelete(lists);
	return graph;
}

void
OmenFinishGraph(OmenGraph *graph)
{
	OmenBuilder *builder = graph->builder;

	if (OmenTeamLeads(builder->team))
	{
		OmenChooseEntries(builder);
		OmenConnectNodes(builder);
	}
	MemoryContextDelete(builder->context);
	graph->builder = NULL;
}

void
OmenFreeGraph(OmenGraph *graph)
{
	OmenStoreFree(graph->store, graph->order);
	OmenStoreFree(graph->store, graph->neighbors);
	OmenStoreFree(graph->store, graph->degrees);
	if (graph->directory != NULL)
		pfree(graph->directory);
	pfree(graph);
}

/* Rows, sums and order of a node; cells are few. */
static Size
om_base_memory(const OmenBuildParams *params)
{
	return params->width + 2 * sizeof(int32) + sizeof(uint32);
}

Size
OmenFinishMemory(const OmenBuildParams *params, uint32 n)
{
	/* neighbors, degrees, nnear */
	return mul_size(n, om_base_memory(params) +
					params->degree * sizeof(uint32) + sizeof(uint16) +
					sizeof(uint8));
}

/*
 * Every step's large arrays, as they live together: codes and order always;
 * then lines and leaves; then lines and forward links; then forward links,
 * offers and the graph.
 */
Size
OmenBuildMemory(const OmenBuildParams *params, uint32 n)
{
	OmenBuildShape shape;
	Size		base;
	Size		forward;
	Size		links;
	Size		pairs;
	Size		matrix;
	Size		leaves = 0;

	om_shape(&shape, params, n);
	base = om_base_memory(params);
	forward = shape.forward * OM_LINK_BYTES + 1;

	/* end, offers, neighbors, degrees, nnear */
	links = sizeof(Size) + sizeof(uint16) + sizeof(uint8) +
		params->degree * sizeof(uint32) +
		OM_EXPECTED_LINKS(&shape) * OM_EXPECTED_OFFERS / 100 * sizeof(uint64);
	if (n <= OMEN_FLAT_NODES)
	{
		pairs = 0;
		matrix = OmenMatrixMemory(params->width, n, OMEN_BLOCK_ROWS);
	}
	else
	{
		/* clusters, members and lines */
		pairs = shape.fanout * (2 + shape.line_keys) * sizeof(uint32);
		matrix = OmenMatrixMemory(params->width, shape.candidates,
								  OMEN_BLOCK_ROWS) +
			OmenPruneRoom(&shape, n);
		leaves = add_size(mul_size(n, base + pairs),
						  OmenLeafMemory(&shape, params->width));
	}
	return Max(leaves,
			   add_size(mul_size(n, base + forward + Max(pairs, links)),
						matrix));
}
