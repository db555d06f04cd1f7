/*-------------------------------------------------------------------------
 *
 * order.c
 *		Spatial order of the nodes.
 *
 * The rows are split by their nearest of some random leaders, the parts are
 * put in the order of a tour over the leaders, and each is split again, down
 * to cells of at most OMEN_MAX_CELL rows.
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
#define OM_SPLIT_LEADERS	256

/* Splits that separate little end at this depth. */
#define OM_MAX_DEPTH		16

typedef struct OmOrder
{
	OmenBuilder *builder;
	const int8 *codes;
	uint32	   *ids;			/* input rows, to be ordered */
	uint32	   *spare;
	uint16	   *part;			/* leader of each of ids */
	OmenMatrix *matrix;
	uint8	   *leader_rows;	/* OM_SPLIT_LEADERS */
	uint8	   *block;			/* OMEN_BLOCK_ROWS */
	uint32		max_cells;
	pg_prng_state prng;
} OmOrder;

static const int8 *
om_code(const OmOrder *order, uint32 id)
{
	return order->codes + (Size) id * order->builder->width;
}

static void
om_end_cell(OmOrder *order, uint32 end)
{
	OmenBuilder *builder = order->builder;

	if (builder->ncells + 2 > order->max_cells)
	{
		order->max_cells *= 2;
		builder->cells = repalloc_huge(builder->cells,
									   mul_size(order->max_cells,
												sizeof(uint32)));
	}
	builder->cells[++builder->ncells] = end;
	OmenBuildReport(builder, OMEN_PHASE_ORDER, end, builder->n);
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

/* Draw k of n ids to the front. */
static void
om_draw(pg_prng_state *prng, uint32 *ids, uint32 n, int k)
{
	for (int i = 0; i < k; i++)
	{
		uint32		j = (uint32) pg_prng_uint64_range(prng, i, n - 1);
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

/* Make the rows of the first k ids the columns, in the order of a tour. */
static void
om_load_leaders(OmOrder *order, uint32 *ids, int k)
{
	int			width = order->matrix->width;

	for (int pass = 0; pass < 2; pass++)
	{
		for (int i = 0; i < k; i++)
		{
			uint8	   *row = order->leader_rows + i * width;

			OmenCodeToRow(order->matrix->l1, width, om_code(order, ids[i]),
						  row);
			order->matrix->column_rows[i] = row;
		}
		OmenSetColumns(order->matrix, k);
		if (pass == 0)
			om_tour(order, ids, k);
	}
}

/* part of ids[0..n-1] = nearest column, and its count one more. */
static void
om_assign(OmOrder *order, const uint32 *ids, uint32 n, uint16 *part,
		  uint32 *counts)
{
	OmenMatrix *matrix = order->matrix;
	OmenBuilder *builder = order->builder;

	for (uint32 i = 0; i < n; i += OMEN_BLOCK_ROWS)
	{
		int			rows = Min(OMEN_BLOCK_ROWS, n - i);

		om_load_block(order, ids + i, rows);
		OmenMultiply(matrix, rows);
		omen_matrix->nearest(rows, matrix->npanels, matrix->products,
							 matrix->stride, part + i);
		for (int r = 0; r < rows; r++)
			counts[part[i + r]]++;
		OmenBuildReport(builder, OMEN_PHASE_ORDER,
						builder->cells[builder->ncells], builder->n);
	}
}

/*
 * Assign rows of parts that are too small for a cell to the nearest leader of
 * those that are not.
 */
static void
om_dissolve(OmOrder *order, const uint32 *ids, uint32 n, uint16 *part,
			uint32 *counts, int nleaders)
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
		{
			counts[i] = 0;
			matrix->init[i] = OMEN_NO_PRODUCT;
		}
	for (uint32 i = 0; i < n; i++)
		if (dissolved[part[i]])
			om_assign(order, ids + i, 1, part + i, counts);
}

/* Order ids[0..n-1] by part; counts becomes the first of each part. */
static void
om_distribute(OmOrder *order, uint32 *ids, uint32 n, const uint16 *part,
			  uint32 *counts, int nleaders)
{
	uint32		next[OM_SPLIT_LEADERS];
	uint32		sum = 0;

	for (int i = 0; i < nleaders; i++)
	{
		next[i] = sum;
		sum += counts[i];
		counts[i] = next[i];
	}
	for (uint32 i = 0; i < n; i++)
		order->spare[next[part[i]]++] = ids[i];
	memcpy(ids, order->spare, (Size) n * sizeof(uint32));
}

static void
om_split(OmOrder *order, uint32 from, uint32 to, int depth)
{
	uint32		n = to - from;
	uint32	   *ids = order->ids + from;
	uint16	   *part = order->part + from;
	uint32		counts[OM_SPLIT_LEADERS + 1] = {0};
	uint32		largest = 0;
	int			nleaders;
	bool		last;

	if (n <= OMEN_MAX_CELL)
	{
		if (n > 0)
			om_end_cell(order, to);
		return;
	}
	nleaders = om_leader_count(n, &last);
	om_draw(&order->prng, ids, n, nleaders);
	om_load_leaders(order, ids, nleaders);
	om_assign(order, ids, n, part, counts);
	if (last)
		om_dissolve(order, ids, n, part, counts, nleaders);
	for (int i = 0; i < nleaders; i++)
		largest = Max(largest, counts[i]);
	if (largest == n || depth == OM_MAX_DEPTH)
	{
		om_cut(order, from, to);
		return;
	}
	om_distribute(order, ids, n, part, counts, nleaders);
	counts[nleaders] = n;
	for (int i = 0; i < nleaders; i++)
		om_split(order, from + counts[i], from + counts[i + 1], depth + 1);
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
	int			width = builder->width;
	int			near_width = builder->near_width;
	bool		l1 = builder->params->l1;

	builder->rows = OmenBuildAlloc(builder, CurrentMemoryContext,
								   mul_size(builder->n, width));
	om_alloc_sums(builder, &builder->all);
	builder->near = builder->all;
	if (near_width < width)
		om_alloc_sums(builder, &builder->near);
	for (uint32 i = 0; i < builder->n; i++)
	{
		uint8	   *row = builder->rows + (Size) i * width;

		if (i + 8 < builder->n)
			__builtin_prefetch(codes + (Size) order[i + 8] * width);
		OmenCodeToRow(l1, width, codes + (Size) order[i] * width, row);
		OmenRowSums(l1, width, row, &builder->all.squares[i],
					&builder->all.inits[i]);
		if (near_width < width)
			OmenRowSums(l1, near_width, row, &builder->near.squares[i],
						&builder->near.inits[i]);
		if (i % 4096 == 0)
			OmenBuildReport(builder, OMEN_PHASE_ORDER, builder->n,
							builder->n);
	}
}

/*
 * Set graph->order, cells, rows, all and near.
 */
void
OmenOrderNodes(OmenBuilder *builder, const int8 *codes)
{
	MemoryContext result = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(result, "omen spatial order",
												  ALLOCSET_DEFAULT_SIZES);
	OmOrder		order = {0};
	Size		n = builder->n;
	int			width = builder->near_width;

	order.builder = builder;
	order.codes = codes;
	order.ids = builder->graph->order;
	order.max_cells = n / (OM_CELL / 2) + 16;
	builder->ncells = 0;
	builder->cells = MemoryContextAllocHuge(result,
											mul_size(order.max_cells,
													 sizeof(uint32)));
	builder->cells[0] = 0;
	pg_prng_seed(&order.prng, builder->params->seed);

	MemoryContextSwitchTo(scratch);
	order.spare = OmenBuildAlloc(builder, scratch,
								 mul_size(n, sizeof(uint32)));
	order.part = OmenBuildAlloc(builder, scratch,
								mul_size(n, sizeof(uint16)));
	order.matrix = OmenCreateMatrix(builder, width, OM_SPLIT_LEADERS,
									OMEN_BLOCK_ROWS);
	order.leader_rows = palloc(OM_SPLIT_LEADERS * width);
	order.block = palloc(OMEN_BLOCK_ROWS * width);
	for (uint32 i = 0; i < builder->n; i++)
		order.ids[i] = i;
	om_split(&order, 0, builder->n, 0);
	MemoryContextSwitchTo(result);
	MemoryContextDelete(scratch);

	om_copy_codes(builder, codes);
}
