/*-------------------------------------------------------------------------
 *
 * matrix.c
 *		Columns and rows of the builder's distance matrices.
 *
 *-------------------------------------------------------------------------
 */
#include "build/builder.h"

#include "storage/shmem.h"

#define OM_ALIGNMENT	64

void *
OmenAllocAligned(MemoryContext context, Size size)
{
	return (void *) TYPEALIGN(OM_ALIGNMENT,
							  MemoryContextAllocHuge(context,
													 add_size(size,
															  OM_ALIGNMENT)));
}

void
OmenCodeToRow(bool l1, int width, const int8 *code, uint8 *row)
{
	int			shift = l1 ? 0 : 1;

	for (int i = 0; i < width; i++)
		row[i] = ((uint8) code[i] ^ 0x80) >> shift;
}

void
OmenRowSums(bool l1, int width, const uint8 *row, int32 *squares, int32 *init)
{
	int32		sum = 0;
	int32		square = 0;

	for (int i = 0; i < width && !l1; i++)
	{
		int16		value = row[i] - OMEN_COLUMN_SHIFT;

		sum += value;
		square += value * value;
	}
	*squares = square;
	*init = -square - 2 * OMEN_COLUMN_SHIFT * sum;
}

static int
om_round_columns(int n)
{
	return OMEN_PANELS(n) * OMEN_PANEL;
}

OmenMatrix *
OmenCreateMatrix(const OmenBuilder *builder, int width, int max_columns,
				 int max_rows)
{
	OmenMatrix *matrix = palloc0(sizeof(OmenMatrix));
	MemoryContext context = CurrentMemoryContext;
	int			n = om_round_columns(max_columns);

	matrix->l1 = builder->params->l1;
	matrix->width = width;
	matrix->max_columns = n;
	matrix->max_rows = max_rows;
	matrix->column_rows = palloc(n * sizeof(uint8 *));
	matrix->panels = OmenAllocAligned(context, mul_size(width, n));
	matrix->init = OmenAllocAligned(context, n * sizeof(int32));
	matrix->rows = palloc(max_rows * sizeof(uint8 *));
	matrix->base = palloc(max_rows * sizeof(int32));
	matrix->products = OmenAllocAligned(context,
										mul_size(max_rows * sizeof(int32), n));
	return matrix;
}

Size
OmenMatrixMemory(int width, int max_columns, int max_rows)
{
	Size		per_row = sizeof(uint8 *) + sizeof(int32);
	Size		per_column = per_row + width + max_rows * sizeof(int32);

	return add_size(sizeof(OmenMatrix) + 3 * OM_ALIGNMENT + max_rows * per_row,
					mul_size(per_column, om_round_columns(max_columns)));
}

/* Make panels of column_rows; the columns that fill up the last have none. */
static void
om_pack_columns(OmenMatrix *matrix, int n)
{
	void		(*pack) (int, int, const uint8 *const *, int8 *) =
		matrix->l1 ? OmenPackL1 : omen_matrix->pack;

	matrix->npanels = OMEN_PANELS(n);
	matrix->stride = matrix->npanels * OMEN_PANEL;
	for (int c = n; c < matrix->npanels * OMEN_PANEL; c++)
		matrix->init[c] = OMEN_NO_PRODUCT;
	for (int p = 0; p < matrix->npanels; p++)
		pack(matrix->width, Min(n - p * OMEN_PANEL, OMEN_PANEL),
			 matrix->column_rows + p * OMEN_PANEL,
			 matrix->panels + p * OMEN_PANEL_BYTES(matrix->width));
}

void
OmenSetColumns(OmenMatrix *matrix, int n)
{
	int32		squares;

	Assert(n <= matrix->max_columns);
	for (int c = 0; c < n; c++)
		OmenRowSums(matrix->l1, matrix->width, matrix->column_rows[c],
					&squares, &matrix->init[c]);
	om_pack_columns(matrix, n);
}

void
OmenSetNodeColumns(OmenMatrix *matrix, const OmenBuilder *builder, int n,
				   const uint32 *nodes)
{
	const OmenSums *sums = &builder->sums;

	Assert(matrix->width == builder->width && n <= matrix->max_columns);
	for (int c = 0; c < n; c++)
	{
		matrix->column_rows[c] = OmenNodeRow(builder, nodes[c]);
		matrix->init[c] = sums->inits[nodes[c]];
	}
	om_pack_columns(matrix, n);
}

void
OmenSetNodeRows(OmenMatrix *matrix, const OmenBuilder *builder, int n,
				const uint32 *nodes)
{
	const OmenSums *sums = &builder->sums;

	Assert(matrix->width == builder->width && n <= matrix->max_rows);
	for (int r = 0; r < n; r++)
	{
		matrix->rows[r] = OmenNodeRow(builder, nodes[r]);
		matrix->base[r] = sums->squares[nodes[r]];
	}
}

void
OmenMeanRow(const OmenBuilder *builder, int width, int n,
			const uint32 *nodes, int32 *sums, uint8 *mean)
{
	memset(sums, 0, width * sizeof(int32));
	for (int i = 0; i < n; i++)
	{
		const uint8 *row = OmenNodeRow(builder, nodes[i]);

		for (int j = 0; j < width; j++)
			sums[j] += row[j];
	}
	for (int j = 0; j < width; j++)
		mean[j] = (sums[j] + n / 2) / n;
}

/* Products of n rows from "row" on with the columns from a panel on. */
static void
om_multiply(OmenMatrix *matrix, int row, int n, int panel)
{
	void		(*multiply) (int, int, const uint8 *const *, int, const int8 *,
							 const int32 *, int32 *, size_t) =
		matrix->l1 ? omen_matrix->subtract : omen_matrix->multiply;
	int			column = panel * OMEN_PANEL;

	multiply(matrix->width, n, matrix->rows + row, matrix->npanels - panel,
			 matrix->panels + (Size) column * matrix->width,
			 matrix->init + column, OmenProducts(matrix, row) + column,
			 matrix->stride);
}

void
OmenMultiply(OmenMatrix *matrix, int n)
{
	om_multiply(matrix, 0, n, 0);
}

void
OmenMultiplyFrom(OmenMatrix *matrix, int n, int panel)
{
	om_multiply(matrix, 0, n, panel);
}

/* On and above the diagonal panels by multiplication, below by mirroring. */
void
OmenSquare(OmenMatrix *matrix, int n)
{
	for (int panel = 0; panel < matrix->npanels; panel++)
	{
		int			first = panel * OMEN_PANEL;

		om_multiply(matrix, first, Min(n - first, OMEN_PANEL), panel);
		omen_matrix->mirror(n, panel, matrix->base, matrix->products,
							matrix->stride);
	}
}
