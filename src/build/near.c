/*-------------------------------------------------------------------------
 *
 * near.c
 *		How many dimensions tell which nodes are near.
 *
 * Codes are rotated at random, so some of their dimensions are a random
 * projection.  Whether that keeps the nearest neighbours apart from the rest
 * depends less on the number of dimensions than on the data: of images that
 * differ in a dozen ways, a quarter of 784 dimensions will do; of vectors
 * without any structure, all are needed.  So it is tried, on a sample.
 *
 *-------------------------------------------------------------------------
 */
#include "build/builder.h"

#include "storage/shmem.h"
#include "utils/memutils.h"

/* Nodes of the sample, and those of which the nearest are looked for. */
#define OM_SAMPLE		1024
#define OM_QUERIES		OMEN_BLOCK_ROWS
#define OM_NEAREST		8

/* Widths that are tried: multiples of this, from twice of it on. */
#define OM_WIDTH_STEP	64

/* Share of the nearest that have to be found, in percent. */
#define OM_FOUND		85

typedef struct OmSample
{
	const OmenBuilder *builder;
	uint8	   *rows;			/* OM_SAMPLE columns, then OM_QUERIES */
	uint64	   *keys;
	uint16		exact[OM_QUERIES][OM_NEAREST];	/* by all dimensions */
} OmSample;

static void
om_take_sample(OmSample *sample, const int8 *codes, const uint32 *rows)
{
	const OmenBuilder *builder = sample->builder;
	int			width = builder->params->width;
	uint64		count = OM_SAMPLE + OM_QUERIES;

	for (uint64 i = 0; i < count; i++)
	{
		/* queries come from among the others, and not all from the end */
		uint64		place = i * 97 % count;
		uint32		row = (uint32) (place * builder->n / count);

		if (rows != NULL)
			row = rows[row];
		OmenCodeToRow(false, width, codes + (Size) row * width,
					  sample->rows + i * width);
	}
}

/* The nearest columns of each query, by the first "width" dimensions. */
static void
om_find_nearest(OmSample *sample, int width,
				uint16 nearest[OM_QUERIES][OM_NEAREST])
{
	OmenMatrix *matrix = OmenCreateMatrix(sample->builder, width, OM_SAMPLE,
										  OM_QUERIES);
	Size		stride = sample->builder->params->width;

	for (int i = 0; i < OM_SAMPLE; i++)
		matrix->column_rows[i] = sample->rows + i * stride;
	for (int i = 0; i < OM_QUERIES; i++)
		matrix->rows[i] = sample->rows + (OM_SAMPLE + i) * stride;
	OmenSetColumns(matrix, OM_SAMPLE);
	OmenMultiply(matrix, OM_QUERIES);
	for (int i = 0; i < OM_QUERIES; i++)
	{
		const int32 *products = OmenProducts(matrix, i);

		for (int j = 0; j < OM_SAMPLE; j++)
			sample->keys[j] =
				OmenMakeKey((int64) PG_INT32_MAX - products[j], j);
		OmenPartitionKeys(sample->keys, OM_SAMPLE, OM_NEAREST);
		for (int j = 0; j < OM_NEAREST; j++)
			nearest[i][j] = (uint16) OmenKeyNode(sample->keys[j]);
	}
}

/* The share of the nearest that "width" dimensions find, in percent. */
static int
om_share_found(OmSample *sample, int width)
{
	uint16		nearest[OM_QUERIES][OM_NEAREST];
	int			found = 0;

	om_find_nearest(sample, width, nearest);
	for (int i = 0; i < OM_QUERIES; i++)
		for (int j = 0; j < OM_NEAREST; j++)
			for (int k = 0; k < OM_NEAREST; k++)
				found += nearest[i][j] == sample->exact[i][k];
	return found * 100 / (OM_QUERIES * OM_NEAREST);
}

/*
 * Set width.
 */
void
OmenChooseWidth(OmenBuilder *builder, const int8 *codes,
					const uint32 *rows)
{
	MemoryContext result = CurrentMemoryContext;
	MemoryContext scratch;
	OmSample   *sample;
	int			width = 2 * OM_WIDTH_STEP;

	builder->width = builder->params->width;
	if (builder->params->l1 || builder->n <= OM_SAMPLE + OM_QUERIES)
		return;
	scratch = AllocSetContextCreate(result, "omen near dimensions",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(scratch);
	sample = palloc(sizeof(OmSample));
	sample->builder = builder;
	sample->rows = palloc(mul_size(OM_SAMPLE + OM_QUERIES, builder->width));
	sample->keys = palloc(OM_SAMPLE * sizeof(uint64));
	om_take_sample(sample, codes, rows);
	om_find_nearest(sample, builder->width, sample->exact);
	while (width < builder->width && om_share_found(sample, width) < OM_FOUND)
		width += OM_WIDTH_STEP;
	builder->width = Min(width, builder->width);
	MemoryContextSwitchTo(result);
	MemoryContextDelete(scratch);
}
