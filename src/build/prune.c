/*-------------------------------------------------------------------------
 *
 * prune.c
 *		Neighbours of each node, chosen among its candidates.
 *
 * The rule is that of HNSW and DiskANN: take the nearest candidate, drop
 * those that are nearer to it, by a factor, than to the node; repeat.  Room
 * that is left goes to the nearest of the dropped.
 *
 *-------------------------------------------------------------------------
 */
#include "build/builder.h"

#include "storage/shmem.h"
#include "utils/memutils.h"

/* Candidates compared with the others at a time. */
#define OM_PRUNE_ROWS		8

#define OM_MAX_CANDIDATES	OMEN_BUILD_MAX_DEGREE
#define OM_MAX_PANELS		OMEN_PANELS(OM_MAX_CANDIDATES)

typedef struct OmPrune
{
	OmenBuilder *builder;
	OmenMatrix *matrix;			/* candidates of one node */
	OmenMatrix *flat;			/* all nodes, if there are few */
	uint64	   *flat_keys;
	uint32		end;			/* of the range of nodes that is worked on */
	const uint32 **next_line;	/* of each cluster, as nodes are visited; NULL:
								 * not known yet */
	uint32	   *room;			/* for lines of a range */
	Size		used;			/* keys of it */
	const uint32 **lines;		/* of a batch of nodes, by slot */
	const uint32 **members;		/* what their labels are indexes to */
	uint64	   *candidates;		/* of a batch of nodes */
	int			ncandidates[OMEN_NODE_BATCH];
	Size		stride;			/* of candidates */
	uint16		masks[OM_MAX_CANDIDATES][OM_MAX_PANELS];
} OmPrune;

/* The first member of a cluster that is not below a node. */
static Size
om_seek_member(const OmenBuilder *builder, uint32 cluster, uint32 node)
{
	Size		low = builder->first_member[cluster];
	Size		high = builder->first_member[cluster + 1];

	while (low < high)
	{
		Size		middle = low + (high - low) / 2;

		if (builder->members[middle] < node)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The lines of a cluster that belong to nodes of the range, from "node" on. */
static const uint32 *
om_fetch_lines(OmPrune *prune, uint32 cluster, uint32 node)
{
	const OmenBuilder *builder = prune->builder;
	int			keys = builder->shape.line_keys;
	Size		first = om_seek_member(builder, cluster, node);
	Size		count = om_seek_member(builder, cluster, prune->end) - first;
	uint32	   *buffer = prune->room + prune->used;

	Assert(builder->members[first] == node);
	prune->used += count * keys;
	return OmenStoreFetch(builder->params->store, builder->lines,
						  first * keys * sizeof(uint32),
						  count * keys * sizeof(uint32), buffer);
}

/*
 * Find the lines of a batch of nodes, and ask for them.  The members of a
 * cluster ascend, and the nodes of a range are visited in this order: the next
 * line of a cluster is that of the next node that belongs to it.
 */
static void
om_find_lines(OmPrune *prune, uint32 first, int count)
{
	const OmenBuilder *builder = prune->builder;
	int			fanout = builder->shape.fanout;
	const uint32 *clusters = builder->clusters + (Size) first * fanout;

	for (int i = 0; i < count * fanout; i++)
	{
		uint32		cluster = clusters[i];
		const uint32 *line = prune->next_line[cluster];

		if (line == NULL)
			line = om_fetch_lines(prune, cluster, first + i / fanout);
		prune->next_line[cluster] = line + builder->shape.line_keys;
		prune->lines[i] = line;
		prune->members[i] = builder->members + builder->first_member[cluster];
		__builtin_prefetch(line);
	}
}

/* The nearest of all nodes, from the products of a node with them. */
static int
om_scan_products(OmPrune *prune, uint32 node, const int32 *products,
				 uint64 *out)
{
	const OmenBuilder *builder = prune->builder;
	int			n = 0;
	int			wanted;

	for (uint32 i = 0; i < builder->n; i++)
		if (i != node)
			prune->flat_keys[n++] =
				OmenMakeKey(OmenDistanceKey(builder->sums.squares[node] -
											products[i]), i);
	wanted = Min(n, builder->shape.candidates);
	OmenPartitionKeys(prune->flat_keys, n, wanted);
	OmenSortKeys(prune->flat_keys, wanted);
	memcpy(out, prune->flat_keys, wanted * sizeof(uint64));
	return wanted;
}

/* Candidates of count <= OMEN_NODE_BATCH nodes from "first" on. */
static void
om_find_candidates(OmPrune *prune, uint32 first, int count)
{
	const OmenBuildShape *shape = &prune->builder->shape;

	if (prune->flat == NULL)
		om_find_lines(prune, first, count);
	for (int i = 0; i < count; i++)
	{
		uint64	   *out = prune->candidates + i * prune->stride;

		if (prune->flat == NULL)
			prune->ncandidates[i] =
				omen_matrix->merge(shape->fanout, shape->line_keys,
								   prune->lines + i * shape->fanout,
								   prune->members + i * shape->fanout,
								   shape->candidates, out);
		else
		{
			int			row = i % OMEN_BLOCK_ROWS;

			if (row == 0)
			{
				uint32		nodes[OMEN_BLOCK_ROWS];
				int			n = Min(OMEN_BLOCK_ROWS, count - i);

				for (int j = 0; j < n; j++)
					nodes[j] = first + i + j;
				OmenSetNodeRows(prune->flat, prune->builder, n, nodes);
				OmenMultiply(prune->flat, n);
			}
			prune->ncandidates[i] =
				om_scan_products(prune, first + i,
								 OmenProducts(prune->flat, row), out);
		}
	}
}

/*
 * Make the candidates of a node the columns: raised so that a product exceeds
 * the square of another candidate, as a row, if this drops the column.
 */
static void
om_load_candidates(OmPrune *prune, const uint64 *candidates, int n)
{
	uint32		nodes[OM_MAX_CANDIDATES];

	for (int i = 0; i < n; i++)
		nodes[i] = OmenKeyNode(candidates[i]);
	OmenSetNodeColumns(prune->matrix, prune->builder, n, nodes);
	for (int i = 0; i < n; i++)
		prune->matrix->init[i] += (int32)
			(OmenKeyDistance(OmenKeyDistance16(candidates[i])) *
			 prune->builder->shape.factor);
}

/*
 * Find out, for OM_PRUNE_ROWS candidates that are alive, from "first" on,
 * which later ones they drop.  alive has a bit for each of the n candidates.
 */
static void
om_compare(OmPrune *prune, const uint64 *candidates, int n,
		   const uint16 *alive, int first, bool *known)
{
	OmenMatrix *matrix = prune->matrix;
	uint32		nodes[OM_PRUNE_ROWS];
	int			which[OM_PRUNE_ROWS];
	uint16		masks[OM_PRUNE_ROWS * OM_MAX_PANELS];
	int			panel = first / OMEN_PANEL;
	int			npanels = matrix->npanels - panel;
	int			rows = 0;

	for (int i = first; i < n && rows < OM_PRUNE_ROWS; i++)
		if (alive[i / OMEN_PANEL] >> i % OMEN_PANEL & 1)
		{
			which[rows] = i;
			nodes[rows++] = OmenKeyNode(candidates[i]);
		}
	OmenSetNodeRows(matrix, prune->builder, rows, nodes);
	OmenMultiplyFrom(matrix, rows, panel);
	omen_matrix->exceed(rows, npanels, matrix->products + panel * OMEN_PANEL,
						matrix->stride, matrix->base, masks);
	for (int r = 0; r < rows; r++)
	{
		memcpy(prune->masks[which[r]] + panel, masks + r * npanels,
			   npanels * sizeof(uint16));
		known[which[r]] = true;
	}
}

/*
 * Mark at most "most" of n candidates as chosen.
 */
static void
om_choose(OmPrune *prune, const uint64 *candidates, int n, int most,
		  bool *chosen)
{
	bool		known[OM_MAX_CANDIDATES] = {0};
	uint16		alive[OM_MAX_PANELS];
	int			nchosen = 0;

	om_load_candidates(prune, candidates, n);
	memset(alive, 0xff, sizeof(alive));
	for (int i = 0; i < n && nchosen < most; i++)
	{
		chosen[i] = alive[i / OMEN_PANEL] >> i % OMEN_PANEL & 1;
		if (!chosen[i])
			continue;
		if (!known[i])
			om_compare(prune, candidates, n, alive, i, known);
		for (int p = i / OMEN_PANEL; p < prune->matrix->npanels; p++)
			alive[p] &= ~prune->masks[i][p];
		nchosen++;
	}
	for (int i = 0; i < n && nchosen < most; i++)
		if (!chosen[i])
		{
			chosen[i] = true;
			nchosen++;
		}
}

/* Choose the forward links of a node. */
static void
om_prune_node(OmPrune *prune, uint32 node, uint64 *candidates, int n)
{
	OmenBuilder *builder = prune->builder;
	int			most = builder->shape.forward;
	Size		row = (Size) node * most;
	bool		chosen[OM_MAX_CANDIDATES] = {0};
	int			out = 0;

	if (n > 0)
		om_choose(prune, candidates, n, most, chosen);
	for (int i = 0; i < n; i++)
		if (chosen[i])
		{
			builder->forward[row + out] = OmenKeyNode(candidates[i]);
			builder->forward_distance[row + out] =
				OmenKeyDistance16(candidates[i]);
			out++;
		}
	builder->nforward[node] = out;
	for (; out < most; out++)
		builder->forward[row + out] = OMEN_NO_NODE;
}

/* Ask for the codes of candidates that are looked at soon. */
static void
om_prefetch(const OmenBuilder *builder, const uint64 *candidates, int n)
{
	for (int i = 0; i < n; i++)
	{
		const uint8 *row = OmenNodeRow(builder, OmenKeyNode(candidates[i]));

		for (int j = 0; j < builder->width; j += 64)
			__builtin_prefetch(row + j);
	}
}

/* Choose the forward links of count <= OMEN_NODE_BATCH nodes. */
static void
om_prune_batch(OmPrune *prune, uint32 first, int count)
{
	om_find_candidates(prune, first, count);
	for (int i = 0; i < count; i++)
	{
		uint64	   *candidates = prune->candidates + i * prune->stride;

		if (i + 1 < count)
			om_prefetch(prune->builder, candidates + prune->stride,
						prune->ncandidates[i + 1]);
		om_prune_node(prune, first + i, candidates, prune->ncandidates[i]);
	}
}

static void
om_prune_nodes(OmPrune *prune)
{
	OmenBuilder *builder = prune->builder;
	OmenLoop	loop;

	OmenStartLoop(builder->team, builder->n, OMEN_PRUNE_RANGE, &loop);
	while (OmenNextNodes(builder, OMEN_PHASE_NEIGHBORS, &loop))
	{
		prune->end = loop.to;
		prune->used = 0;
		if (prune->flat == NULL)
			memset(prune->next_line, 0,
				   builder->nclusters * sizeof(uint32 *));
		for (uint32 i = loop.from; i < loop.to; i += OMEN_NODE_BATCH)
		{
			om_prune_batch(prune, i, Min(OMEN_NODE_BATCH, loop.to - i));
			OmenBuildReport(builder, OMEN_PHASE_NEIGHBORS, loop.from,
							builder->n);
		}
	}
}

Size
OmenPruneRoom(const OmenBuildShape *shape, uint32 n)
{
	return mul_size(Min(n, OMEN_PRUNE_RANGE),
					shape->fanout * shape->line_keys * sizeof(uint32));
}

/*
 * Set forward, forward_distance and nforward, from the lines, or if there are
 * none, from all pairs.
 */
void
OmenChooseNeighbors(OmenBuilder *builder)
{
	MemoryContext result = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(result, "omen neighbors",
												  ALLOCSET_DEFAULT_SIZES);
	Size		total = mul_size(builder->n, builder->shape.forward);
	OmPrune    *prune;

	builder->forward = OmenBuildAlloc(builder, result,
									  mul_size(total, sizeof(uint32)));
	builder->forward_distance =
		OmenBuildAlloc(builder, result, mul_size(total, sizeof(uint16)));
	builder->nforward = OmenBuildAlloc(builder, result, builder->n);

	MemoryContextSwitchTo(scratch);
	prune = palloc0(sizeof(OmPrune));
	prune->builder = builder;
	prune->matrix = OmenCreateMatrix(builder, builder->width,
									 builder->shape.candidates,
									 OM_PRUNE_ROWS);
	/* merge() writes in steps of 8 */
	prune->stride = builder->shape.candidates + 8;
	prune->candidates = palloc(OMEN_NODE_BATCH * prune->stride *
							   sizeof(uint64));
	if (builder->lines == NULL)
	{
		uint32		nodes[OMEN_FLAT_NODES];

		for (uint32 i = 0; i < builder->n; i++)
			nodes[i] = i;
		prune->flat_keys = palloc(builder->n * sizeof(uint64));
		prune->flat = OmenCreateMatrix(builder, builder->width, builder->n,
									   OMEN_BLOCK_ROWS);
		OmenSetNodeColumns(prune->flat, builder, builder->n, nodes);
	}
	else
	{
		prune->lines = palloc(OMEN_NODE_BATCH * builder->shape.fanout *
							  sizeof(uint32 *));
		prune->members = palloc(OMEN_NODE_BATCH * builder->shape.fanout *
								sizeof(uint32 *));
		prune->next_line = palloc(builder->nclusters * sizeof(uint32 *));
		prune->room = OmenAllocAligned(scratch,
									   OmenPruneRoom(&builder->shape,
													 builder->n));
	}
	om_prune_nodes(prune);
	MemoryContextSwitchTo(result);
	MemoryContextDelete(scratch);
}
