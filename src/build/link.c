/*-------------------------------------------------------------------------
 *
 * link.c
 *		Reverse links.
 *
 * Each forward link that is not mutual is also offered to its target.  A node
 * keeps its own forward links; the room that is left goes to the offers, if
 * they are too many to those of nodes that have no nearer neighbour than this
 * one (or these could be found from nowhere), then to the nearest.
 *
 *-------------------------------------------------------------------------
 */
#include "build/builder.h"

#include <math.h>

#include "port/atomics.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

/* Mark on a forward link that is to be offered to its target. */
#define OM_OFFERED		(UINT32_C(1) << 31)
#define OM_TARGET(link) ((link) & ~OM_OFFERED)

/*
 * Of its first OM_NEAR_LINKS neighbours, those count as near to a node that
 * are at most OM_NEAR times as far as the one of rank OM_NEAR_RANK, or as a
 * distance of 1, the least that differs.
 */
#define OM_NEAR_LINKS	8
#define OM_NEAR_RANK	3
#define OM_NEAR			2.0f

/* Above the distance of an offer's key: not from the nearest neighbour. */
#define OM_SECONDARY	(UINT64_C(1) << 48)

typedef struct OmLinks
{
	OmenBuilder *builder;
	pg_atomic_uint64 *end;		/* of each node's offers */
	uint64	   *offers;			/* keys of the nodes they come from */
} OmLinks;

/* A counter plus one; what it was before.  Alone, there is no need to lock. */
static inline uint64
om_count(const OmenBuilder *builder, pg_atomic_uint64 *counter)
{
	uint64		value;

	if (builder->team != NULL)
		return pg_atomic_fetch_add_u64(counter, 1);
	value = pg_atomic_read_u64(counter);
	pg_atomic_write_u64(counter, value + 1);
	return value;
}

static bool
om_has_link(const OmenBuilder *builder, uint32 node, uint32 target)
{
	const uint32 *links = builder->forward +
		(Size) node * builder->shape.forward;
	uint32		found = 0;

	/* without a branch, so that the compiler can vectorize it */
	for (int i = 0; i < builder->shape.forward; i++)
		found += OM_TARGET(links[i]) == target;
	return found != 0;
}

/*
 * Mark the links to be offered; end[node] becomes the number of offers.
 * Another member may look at a link while it is marked: it sees the target,
 * which is the same with the mark and without.
 */
static void
om_count_offers(OmLinks *work)
{
	OmenBuilder *builder = work->builder;
	OmenLoop	loop;

	OmenStartLoop(builder->team, builder->n, OMEN_NODE_RANGE, &loop);
	while (OmenNextNodes(builder, OMEN_PHASE_REVERSE, &loop))
		for (uint32 node = loop.from; node < loop.to; node++)
		{
			uint32	   *links = builder->forward +
				(Size) node * builder->shape.forward;

			for (int i = 0; i < builder->nforward[node]; i++)
				if (!om_has_link(builder, links[i], node))
				{
					om_count(builder, &work->end[links[i]]);
					links[i] |= OM_OFFERED;
				}
		}
}

/* From the number of each node's offers to where they start; their sum. */
static uint64
om_sum_offers(OmLinks *work)
{
	uint64		sum = 0;

	for (uint32 node = 0; node < work->builder->n; node++)
	{
		uint64		count = pg_atomic_read_u64(&work->end[node]);

		pg_atomic_write_u64(&work->end[node], sum);
		sum += count;
	}
	return sum;
}

/*
 * Counting sort by target: end moves to the end of each node's offers.  In
 * which order a node gets them does not matter, as they are sorted later.
 */
static void
om_fill_offers(OmLinks *work)
{
	OmenBuilder *builder = work->builder;
	OmenLoop	loop;

	OmenStartLoop(builder->team, builder->n, OMEN_NODE_RANGE, &loop);
	while (OmenNextNodes(builder, OMEN_PHASE_REVERSE, &loop))
		for (uint32 node = loop.from; node < loop.to; node++)
		{
			Size		row = (Size) node * builder->shape.forward;

			for (int i = 0; i < builder->nforward[node]; i++)
			{
				uint32		link = builder->forward[row + i];
				uint64		key =
					OmenMakeKey(builder->forward_distance[row + i], node);

				if ((link & OM_OFFERED) == 0)
					continue;
				work->offers[om_count(builder,
									  &work->end[OM_TARGET(link)])] =
					i == 0 ? key : key | OM_SECONDARY;
			}
		}
}

/*
 * Of n offers, the "room" best as keys without marks, in ascending order.
 */
static int
om_best_offers(uint64 *offers, int n, int room)
{
	if (n > room)
		OmenPartitionKeys(offers, n, room);
	n = Min(n, room);
	for (int i = 0; i < n; i++)
		offers[i] &= ~OM_SECONDARY;
	OmenSortKeys(offers, n);
	return n;
}

/*
 * Write the neighbours of a node, forward links and offers, by distance, and
 * count those that are near.
 */
static void
om_write_neighbors(OmLinks *work, uint32 node, const uint64 *offers,
				   int noffers)
{
	OmenBuilder *builder = work->builder;
	OmenGraph  *graph = builder->graph;
	Size		row = (Size) node * builder->shape.forward;
	uint32	   *out = graph->neighbors + (Size) node * graph->degree;
	int			nforward = builder->nforward[node];
	float		limit = INFINITY;
	int			i = 0;
	int			j = 0;

	builder->nnear[node] = 0;
	while (i < nforward || j < noffers)
	{
		uint64		forward = PG_UINT64_MAX;
		uint64		key;

		if (i < nforward)
			forward = OmenMakeKey(builder->forward_distance[row + i],
								  OM_TARGET(builder->forward[row + i]));
		if (j < noffers && offers[j] < forward)
			key = offers[j++];
		else
		{
			key = forward;
			i++;
		}
		if (i + j == OM_NEAR_RANK)
			limit = Max(OmenKeyDistance(OmenKeyDistance16(key)), 1) *
				(builder->params->l1 ? OM_NEAR : OM_NEAR * OM_NEAR);
		if (i + j <= OM_NEAR_LINKS &&
			OmenKeyDistance(OmenKeyDistance16(key)) <= limit)
			builder->nnear[node]++;
		*out++ = OmenKeyNode(key);
	}
	graph->degrees[node] = nforward + noffers;
}

static void
om_write_nodes(OmLinks *work)
{
	OmenBuilder *builder = work->builder;
	OmenLoop	loop;

	OmenStartLoop(builder->team, builder->n, OMEN_NODE_RANGE, &loop);
	while (OmenNextNodes(builder, OMEN_PHASE_REVERSE, &loop))
		for (uint32 node = loop.from; node < loop.to; node++)
		{
			uint64		first = node == 0 ? 0 :
				pg_atomic_read_u64(&work->end[node - 1]);
			uint64		end = pg_atomic_read_u64(&work->end[node]);
			uint64	   *offers = work->offers + first;
			int			count;

			count = om_best_offers(offers, (int) (end - first),
								   builder->graph->degree -
								   builder->nforward[node]);
			om_write_neighbors(work, node, offers, count);
		}
}

/*
 * Set graph->neighbors, degrees and nnear from forward, forward_distance and
 * nforward; marks are left in forward.
 */
void
OmenLinkNodes(OmenBuilder *builder)
{
	MemoryContext result = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(result, "omen links",
												  ALLOCSET_DEFAULT_SIZES);
	OmenGraph  *graph = builder->graph;
	Size		n = builder->n;
	OmLinks		work = {0};
	uint64		total = 0;

	work.builder = builder;
	work.end = OmenBuildAlloc(builder, scratch,
							  mul_size(n, sizeof(pg_atomic_uint64)));
	if (OmenTeamLeads(builder->team))
		for (uint32 node = 0; node < builder->n; node++)
			pg_atomic_init_u64(&work.end[node], 0);
	OmenTeamWait(builder->team);
	om_count_offers(&work);
	if (OmenTeamLeads(builder->team))
		total = om_sum_offers(&work);
	total = OmenTeamAgree(builder->team, total);
	work.offers = OmenBuildAlloc(builder, scratch,
								 mul_size(total, sizeof(uint64)));
	om_fill_offers(&work);
	graph->neighbors = OmenBuildAlloc(builder, result,
									  mul_size(n, graph->degree *
											   sizeof(uint32)));
	graph->degrees = OmenBuildAlloc(builder, result,
									mul_size(n, sizeof(uint16)));
	om_write_nodes(&work);
	MemoryContextDelete(scratch);
}
