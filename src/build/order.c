/*-------------------------------------------------------------------------
 *
 * order.c
 *		Spatial order of the nodes.
 *
 * The rows are split by their nearest of some random leaders, the parts are
 * put in the order of a tour over the leaders, and each is split again, down
 * to cells of at most OMEN_MAX_CELL rows.  The team does the first split of
 * many rows together, then each part is one member's.
 *
 *-------------------------------------------------------------------------
 */
#include "build/builder.h"

#include "storage/shmem.h"
#include "utils/memutils.h"

/* Wanted rows of a cell. */
#define OM_CELL				(OMEN_MAX_CELL / 2)

/* A cell below this is given up, if its rows can go elsewhere. */
#define OM_CELL_MIN			(OM_CELL / 3)

/* The most leaders of a split. */
#define OM_SPLIT_LEADERS	64

/* Splits that separate little end at this depth. */
#define OM_MAX_DEPTH		16

/* Rows that are copied at a time; they stay in cache. */
#define OM_COPY_RANGE		128

/* From this many rows on, the first split is the team's. */
#define OM_TEAM_SPLIT		20000

typedef struct OmOrder
{
	OmenBuilder *builder;
	const int8 *codes;
	uint32	   *ids;			/* input rows, to be ordered */
	uint32	   *spare;
	uint16	   *part;			/* leader of each of ids */
	uint8	   *ends;			/* of each of ids: is it a cell's last? */
	OmenMatrix *matrix;
	uint8	   *leader_rows;	/* OM_SPLIT_LEADERS */
	uint8	   *block;			/* OMEN_BLOCK_ROWS */
} OmOrder;

static const int8 *
om_code(const OmOrder *order, uint32 id)
{
	return order->codes + (Size) id * order->builder->params->width;
}

static void
om_end_cell(OmOrder *order, uint32 end)
{
	order->ends[end - 1] = true;
}

/* Rows from..to - 1 as cells of about OM_CELL, in the order they have. */
static void
om_cut(OmOrder *order, uint32 from, uint32 to)
{
	for (uint32 i = from; i < to; i += Min(OM_CELL, to - i))
		om_end_cell(order, i + Min(OM_CELL, to - i));
}

/*
 * Leaders for a split of n rows: as few levels of splits as will do, with an
 * equal number of leaders in each.
 */
static int
om_leader_count(uint32 n, bool *last)
{
	uint32		wanted = n / OM_CELL;
	int			levels = 1;
	int			leaders = 2;

	for (uint64 reach = OM_SPLIT_LEADERS; reach < wanted;
		 reach *= OM_SPLIT_LEADERS)
		levels++;
	for (; leaders < OM_SPLIT_LEADERS; leaders++)
	{
		uint64		reach = 1;

		for (int i = 0; i < levels; i++)
			reach *= leaders;
		if (reach >= wanted)
			break;
	}
	*last = levels == 1;
	return leaders;
}

/* Draw k of the n ids from "from" on to the front. */
static void
om_draw(OmOrder *order, uint32 from, uint32 n, int depth, int k)
{
	uint32	   *ids = order->ids + from;
	pg_prng_state prng;

	pg_prng_seed(&prng, order->builder->params->seed +
				 ((uint64) from << 8) + depth);
	for (int i = 0; i < k; i++)
	{
		uint32		j = (uint32) pg_prng_uint64_range(&prng, i, n - 1);
		uint32		swap = ids[i];

		ids[i] = ids[j];
		ids[j] = swap;
	}
}

/* Rows of ids[0..n-1] (n <= OMEN_BLOCK_ROWS) become those of the matrix. */
static void
om_load_block(OmOrder *order, const uint32 *ids, int n)
{
	int			width = order->matrix->width;

	for (int r = 0; r < n; r++)
	{
		uint8	   *row = order->block + r * width;

		OmenCodeToRow(order->matrix->l1, width, om_code(order, ids[r]), row);
		order->matrix->rows[r] = row;
	}
}

/*
 * Reorder leaders (rows at leader_rows, the matrix holds them as columns):
 * each is followed by the nearest one that is left.
 */
static void
om_tour(OmOrder *order, uint32 *leaders, int n)
{
	OmenMatrix *matrix = order->matrix;
	uint32		tour[OM_SPLIT_LEADERS];
	bool		used[OM_SPLIT_LEADERS] = {0};
	int			at = 0;

	for (int i = 0;; i++)
	{
		const int32 *products = OmenProducts(matrix, 0);
		int			next = -1;

		tour[i] = leaders[at];
		used[at] = true;
		if (i == n - 1)
			break;
		matrix->rows[0] = order->leader_rows + at * matrix->width;
		OmenMultiply(matrix, 1);
		for (int j = 0; j < n; j++)
			if (!used[j] && (next < 0 || products[j] > products[next]))
				next = j;
		at = next;
	}
	memcpy(leaders, tour, n * sizeof(uint32));
}

/* Make the rows of the first k ids the columns. */
static void
om_load_leaders(OmOrder *order, const uint32 *ids, int k)
{
	int			width = order->matrix->width;

	for (int i = 0; i < k; i++)
	{
		uint8	   *row = order->leader_rows + i * width;

		OmenCodeToRow(order->matrix->l1, width, om_code(order, ids[i]),
					  row);
		order->matrix->column_rows[i] = row;
	}
	OmenSetColumns(order->matrix, k);
}

/* Leaders for the n ids from "from" on, at the front in the order of a tour. */
static void
om_choose_leaders(OmOrder *order, uint32 from, uint32 n, int depth, int k)
{
	om_draw(order, from, n, depth, k);
	om_load_leaders(order, order->ids + from, k);
	om_tour(order, order->ids + from, k);
}

/* part of ids[0..n-1] = nearest column */
static void
om_assign(OmOrder *order, const uint32 *ids, uint32 n, uint16 *part)
{
	OmenMatrix *matrix = order->matrix;

	for (uint32 i = 0; i < n; i += OMEN_BLOCK_ROWS)
	{
		int			rows = Min(OMEN_BLOCK_ROWS, n - i);

		om_load_block(order, ids + i, rows);
		OmenMultiply(matrix, rows);
		omen_matrix->nearest(rows, matrix->npanels, matrix->products,
							 matrix->stride, part + i);
	}
}

/* counts of k parts of n ids; returns the largest. */
static uint32
om_count_parts(const uint16 *part, uint32 n, int k, uint32 *counts)
{
	uint32		largest = 0;

	memset(counts, 0, k * sizeof(uint32));
	for (uint32 i = 0; i < n; i++)
		counts[part[i]]++;
	for (int i = 0; i < k; i++)
		largest = Max(largest, counts[i]);
	return largest;
}

/*
 * Assign rows of parts that are too small for a cell to the nearest leader of
 * those that are not.
 */
static void
om_dissolve(OmOrder *order, const uint32 *ids, uint32 n, uint16 *part,
			const uint32 *counts, int nleaders)
{
	OmenMatrix *matrix = order->matrix;
	bool		dissolved[OM_SPLIT_LEADERS];
	bool		some_left = false;

	for (int i = 0; i < nleaders; i++)
	{
		dissolved[i] = counts[i] < OM_CELL_MIN;
		some_left |= !dissolved[i];
	}
	if (!some_left)
		return;
	for (int i = 0; i < nleaders; i++)
		if (dissolved[i])
			matrix->init[i] = OMEN_NO_PRODUCT;
	for (uint32 i = 0; i < n; i++)
		if (dissolved[part[i]])
			om_assign(order, ids + i, 1, part + i);
}

/* From the sizes of k parts to the first of each, then n. */
static void
om_sum_parts(uint32 *counts, uint32 n, int k)
{
	uint32		sum = 0;

	for (int i = 0; i < k; i++)
	{
		uint32		count = counts[i];

		counts[i] = sum;
		sum += count;
	}
	counts[k] = n;
}

/* Order the n ids from "from" on by part; first tells where each begins. */
static void
om_distribute(OmOrder *order, uint32 from, uint32 n, const uint32 *first,
			  int k)
{
	uint32	   *ids = order->ids + from;
	uint32	   *spare = order->spare + from;
	const uint16 *part = order->part + from;
	uint32		next[OM_SPLIT_LEADERS];

	memcpy(next, first, k * sizeof(uint32));
	for (uint32 i = 0; i < n; i++)
		spare[next[part[i]]++] = ids[i];
	memcpy(ids, spare, (Size) n * sizeof(uint32));
}

static void
om_split(OmOrder *order, uint32 from, uint32 to, int depth)
{
	uint32		n = to - from;
	uint32	   *ids = order->ids + from;
	uint16	   *part = order->part + from;
	uint32		counts[OM_SPLIT_LEADERS + 1];
	uint32		largest;
	int			nleaders;
	bool		last;

	OmenBuildReport(order->builder, OMEN_PHASE_ORDER, from,
					order->builder->n);
	if (n <= OMEN_MAX_CELL)
	{
		if (n > 0)
			om_end_cell(order, to);
		return;
	}
	nleaders = om_leader_count(n, &last);
	om_choose_leaders(order, from, n, depth, nleaders);
	om_load_leaders(order, ids, nleaders);
	om_assign(order, ids, n, part);
	largest = om_count_parts(part, n, nleaders, counts);
	if (last)
	{
		om_dissolve(order, ids, n, part, counts, nleaders);
		largest = om_count_parts(part, n, nleaders, counts);
	}
	if (largest == n || depth == OM_MAX_DEPTH)
	{
		om_cut(order, from, to);
		return;
	}
	om_sum_parts(counts, n, nleaders);
	om_distribute(order, from, n, counts, nleaders);
	for (int i = 0; i < nleaders; i++)
		om_split(order, from + counts[i], from + counts[i + 1], depth + 1);
}

/*
 * The first split of all rows, by the team.  Returns the number of parts;
 * first[i] becomes the first of each part, then n.
 */
static int
om_split_all(OmOrder *order, uint32 *first)
{
	OmenBuilder *builder = order->builder;
	uint32		n = builder->n;
	bool		last;
	int			k = om_leader_count(n, &last);
	OmenLoop	loop;

	if (OmenTeamLeads(builder->team))
		om_choose_leaders(order, 0, n, 0, k);
	OmenTeamWait(builder->team);
	om_load_leaders(order, order->ids, k);
	OmenStartLoop(builder->team, n, OMEN_BLOCK_ROWS * 32, &loop);
	while (OmenNextNodes(builder, OMEN_PHASE_ORDER, &loop))
		om_assign(order, order->ids + loop.from, loop.to - loop.from,
				  order->part + loop.from);
	(void) om_count_parts(order->part, n, k, first);
	om_sum_parts(first, n, k);
	if (OmenTeamLeads(builder->team))
		om_distribute(order, 0, n, first, k);
	OmenTeamWait(builder->team);
	return k;
}

/* Order all ids. */
static void
om_order_all(OmOrder *order)
{
	OmenBuilder *builder = order->builder;
	uint32		first[OM_SPLIT_LEADERS + 1] = {0, builder->n};
	int			k = 1;
	int			depth = 0;
	OmenLoop	loop;

	if (builder->n >= OM_TEAM_SPLIT)
	{
		k = om_split_all(order, first);
		depth = 1;
	}
	OmenStartLoop(builder->team, k, 1, &loop);
	while (OmenNextRange(&loop))
		om_split(order, first[loop.from], first[loop.to], depth);
}

/* The cells, from the marks at their ends. */
static void
om_collect_cells(OmenBuilder *builder, const uint8 *ends)
{
	uint32		ncells = 0;

	for (uint32 i = 0; i < builder->n; i++)
		ncells += ends[i];
	builder->cells = MemoryContextAllocHuge(CurrentMemoryContext,
											mul_size((Size) ncells + 1,
													 sizeof(uint32)));
	builder->ncells = 0;
	builder->cells[0] = 0;
	for (uint32 i = 0; i < builder->n; i++)
		if (ends[i])
			builder->cells[++builder->ncells] = i + 1;
}

static void
om_alloc_sums(OmenBuilder *builder, OmenSums *sums)
{
	Size		size = mul_size(builder->n, sizeof(int32));

	sums->squares = OmenBuildAlloc(builder, CurrentMemoryContext, size);
	sums->inits = OmenBuildAlloc(builder, CurrentMemoryContext, size);
}

/* Rows and sums, in the order of graph->order. */
static void
om_copy_codes(OmenBuilder *builder, const int8 *codes)
{
	const uint32 *order = builder->graph->order;
	OmenSums   *sums = &builder->sums;
	Size		stride = builder->params->width;
	int			width = builder->width;
	bool		l1 = builder->params->l1;
	uint8	   *rows = palloc(OM_COPY_RANGE * width);
	OmenLoop	loop;

	builder->rows = OmenBuildAllocPut(builder, CurrentMemoryContext,
									  mul_size(builder->n, width));
	om_alloc_sums(builder, sums);
	OmenStartLoop(builder->team, builder->n, OM_COPY_RANGE, &loop);
	while (OmenNextNodes(builder, OMEN_PHASE_ORDER, &loop))
	{
		for (uint32 i = loop.from; i < loop.to; i++)
		{
			uint8	   *row = rows + (i - loop.from) * width;

			if (i + 8 < builder->n)
				__builtin_prefetch(codes + order[i + 8] * stride);
			OmenCodeToRow(l1, width, codes + order[i] * stride, row);
			OmenRowSums(l1, width, row, &sums->squares[i], &sums->inits[i]);
		}
		OmenStorePut(builder->params->store, builder->rows,
					 (Size) loop.from * width, rows,
					 (loop.to - loop.from) * width);
	}
	pfree(rows);
}

/*
 * Set graph->order, cells, rows and sums.
 */
void
OmenOrderNodes(OmenBuilder *builder, const int8 *codes, const uint32 *rows)
{
	MemoryContext result = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(result, "omen spatial order",
												  ALLOCSET_DEFAULT_SIZES);
	OmOrder		order = {0};
	Size		n = builder->n;
	int			width = builder->width;

	MemoryContextSwitchTo(scratch);
	order.builder = builder;
	order.codes = codes;
	order.ids = builder->graph->order;
	order.spare = OmenBuildAlloc(builder, scratch,
								 mul_size(n, sizeof(uint32)));
	order.part = OmenBuildAlloc(builder, scratch,
								mul_size(n, sizeof(uint16)));
	order.ends = OmenBuildAlloc(builder, scratch, n);
	order.matrix = OmenCreateMatrix(builder, width, OM_SPLIT_LEADERS,
									OMEN_BLOCK_ROWS);
	order.leader_rows = palloc(OM_SPLIT_LEADERS * width);
	order.block = palloc(OMEN_BLOCK_ROWS * width);
	if (OmenTeamLeads(builder->team))
	{
		memset(order.ends, 0, n);
		for (uint32 i = 0; i < builder->n; i++)
			order.ids[i] = rows == NULL ? i : rows[i];
	}
	OmenTeamWait(builder->team);
	om_order_all(&order);
	MemoryContextSwitchTo(result);
	om_collect_cells(builder, order.ends);
	MemoryContextDelete(scratch);

	om_copy_codes(builder, codes);
}
