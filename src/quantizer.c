/*-------------------------------------------------------------------------
 *
 * quantizer.c
 *		Vectors into codes, and queries against codes.
 *
 * A vector is brought into a form in which squared Euclidean distance ranks
 * like the operator (normalized for cosine distance; for inner product one
 * dimension is added that makes all lengths equal: Bachrach et al., RecSys
 * 2014), rotated at random, centred, and rounded to 8 bits a dimension, all
 * dimensions with the same step.  The rotation spreads every direction over
 * all dimensions, so that one step serves them all.
 *
 * Distances between codes carry an error that is known: a slot keeps the
 * distance between vector and code, so that by the triangle inequality a true
 * lower bound of the operator's value follows from the distance to the code.
 * The executor then computes the exact value from the heap.
 *
 * L1 distance is not Euclidean, and has codes of its own: quantizer_l1.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/xloginsert.h"
#include "common/pg_prng.h"
#include "utils/float.h"

#include "quantizer.h"

/* Values beyond this quantile of |x - mean| are clipped. */
#define OMEN_CLIP_QUANTILE	0.999

/* Largest magnitude of a code's element. */
#define OMEN_CODE_MAX		127

/* Norms that differ by less than this share count as equal. */
#define OMEN_EQUAL_NORMS	0.02

/*
 * Relative error to be allowed for sums of floats: what rotations add up to, or
 * what an operator that adds up all dimensions one by one may be wrong by.
 */
#define OMEN_FLOAT_SLACK(dims)	Max(1e-5, (dims) * 0x1p-24)

/*
 * Squared lengths between which sums of squares of floats neither overflow nor
 * lose their small terms, nor do products of two such vectors; and what such
 * losses may make of a product.
 */
#define OMEN_MIN_NORM2	1e-30
#define OMEN_MAX_NORM2	1e30
#define OMEN_LOST_PRODUCT	1e-37

/*
 * Vectors of a sample: enough elements for a quantile of magnitudes, enough
 * vectors for a mean.
 */
#define OMEN_SAMPLE_ELEMENTS	2000000
#define OMEN_MIN_SAMPLE_ROWS	1000
#define OMEN_MAX_SAMPLE_ROWS	10000

/*
 * L1: what float rounding may change in a byte of a code, in steps, from its
 * 127 steps; how much the sums of errors are raised; and half the relative
 * error of a float, which the operator may make at each term of its sum.
 */
#define OMEN_BYTE_SLACK		1e-4
#define OMEN_SUM_SLACK		1e-6
#define OMEN_FLOAT_ROUNDING 6e-8

#define OMEN_FLOATS_PER_PAGE (OMEN_PAGE_ROOM / sizeof(float))

/* |x| by its upper 15 bits: exponent and 7 bits of the mantissa. */
#define OMEN_HISTOGRAM_BINS	32768

static uint32
om_float_bin(float x)
{
	uint32		bits;

	x = fabsf(x);
	memcpy(&bits, &x, sizeof(bits));
	return bits >> 16;
}

static float
om_bin_float(uint32 bin)
{
	uint32		bits = bin << 16 | 0xFFFF;
	float		x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static void
om_init_rotation(OmenRotation *rotation, uint32 width)
{
	rotation->width = width;
	rotation->block = 1;
	while (rotation->block * 2 <= rotation->width)
		rotation->block *= 2;
	rotation->rounds = rotation->block == rotation->width ? 2 : 4;
}

Size
OmenQuantizerSize(const OmenFrozen *frozen)
{
	OmenRotation rotation;

	om_init_rotation(&rotation, frozen->width);
	return MAXALIGN(sizeof(OmenQuantizer)) + frozen->width *
		(2 * sizeof(float) + Max(rotation.rounds * sizeof(uint32),
								 2 * sizeof(float)));
}

/* Draw the signs of a rotation. */
static void
om_make_rotation(OmenRotation *rotation, uint32 *signs, uint64 seed)
{
	uint32		nwords = rotation->rounds * rotation->width;
	pg_prng_state prng;
	uint32		i;

	pg_prng_seed(&prng, seed);
	for (i = 0; i < nwords; i += 32)
	{
		uint32		bits = pg_prng_uint32(&prng);
		int			j;

		for (j = 0; j < 32; j++)
			signs[i + j] = (bits >> j) << 31;
	}
	rotation->signs = signs;
}

OmenQuantizer *
OmenMakeQuantizer(const OmenFrozen *frozen, void *memory)
{
	OmenQuantizer *quantizer = memory;
	uint32		width = frozen->width;

	memset(memory, 0, OmenQuantizerSize(frozen));
	quantizer->frozen = *frozen;
	quantizer->step = 1.0f;
	quantizer->slack = OMEN_FLOAT_SLACK(frozen->dims);
	quantizer->mean = (float *) ((char *) memory +
								 MAXALIGN(sizeof(OmenQuantizer)));
	quantizer->scratch = quantizer->mean + width;
	if (frozen->metric == OMEN_METRIC_L1)
	{
		quantizer->limit = quantizer->scratch + width;
		quantizer->centre = quantizer->limit + width;
	}
	else
	{
		om_init_rotation(&quantizer->rotation, width);
		om_make_rotation(&quantizer->rotation,
						 (uint32 *) (quantizer->scratch + width),
						 frozen->seed);
	}
	return quantizer;
}

/*
 * Squared norm of a vector of floats.  In doubles, so that nothing overflows or
 * vanishes, and in a fixed order rather than by a kernel, because codes follow
 * from it and must not depend on the machine.  Several sums, because one would
 * wait for itself.
 */
#define OMEN_NORM_SUMS	8

static double
om_norm2(uint32 n, const float *x)
{
	double		sums[OMEN_NORM_SUMS] = {0};
	double		total = 0;
	uint32		i,
				j;

	for (i = 0; i + OMEN_NORM_SUMS <= n; i += OMEN_NORM_SUMS)
		for (j = 0; j < OMEN_NORM_SUMS; j++)
			sums[j] += (double) x[i + j] * x[i + j];
	for (; i < n; i++)
		total += (double) x[i] * x[i];
	for (j = 0; j < OMEN_NORM_SUMS; j++)
		total += sums[j];
	return total;
}

bool
OmenIsBeyond(OmenMetric metric, double norm2)
{
	return (metric == OMEN_METRIC_IP || metric == OMEN_METRIC_COSINE) &&
		(norm2 > OMEN_MAX_NORM2 ||
		 (metric == OMEN_METRIC_COSINE && norm2 < OMEN_MIN_NORM2));
}

/*
 * Normalize or lift x, whose first dims elements are set and which has room
 * for width; the rest is zeroed.  Returns the squared norm of the input.
 */
static double
om_transform(const OmenQuantizer *quantizer, float *x)
{
	uint32		dims = quantizer->frozen.dims;
	double		norm2 = 0;
	uint32		i;

	memset(x + dims, 0, (quantizer->frozen.width - dims) * sizeof(float));
	if (quantizer->frozen.metric == OMEN_METRIC_L2 ||
		quantizer->frozen.metric == OMEN_METRIC_L1)
		return norm2;

	norm2 = om_norm2(dims, x);
	if (quantizer->frozen.metric == OMEN_METRIC_COSINE)
	{
		if (norm2 > 0)
		{
			double		factor = 1.0 / sqrt(norm2);

			for (i = 0; i < dims; i++)
				x[i] *= factor;
		}
	}
	else if (quantizer->lifted && norm2 < quantizer->max_norm2)
		x[dims] = sqrt(quantizer->max_norm2 - norm2);
	return norm2;
}

void
OmenElementsToFloats(const OmenFrozen *frozen, const void *elements, float *x)
{
	if (frozen->element == OMEN_ELEMENT_FLOAT)
		memcpy(x, elements, frozen->dims * sizeof(float));
	else
		omen_kernels->half_to_float(frozen->dims, elements, x);
}

/* The same, into quantizer->scratch. */
static float *
om_load(const OmenQuantizer *quantizer, const void *elements)
{
	OmenElementsToFloats(&quantizer->frozen, elements, quantizer->scratch);
	return quantizer->scratch;
}

/* Rotate and centre. */
static void
om_rotate(const OmenQuantizer *quantizer, float *x)
{
	uint32		i;

	omen_kernels->rotate(&quantizer->rotation, x);
	for (i = 0; i < quantizer->frozen.width; i++)
		x[i] -= quantizer->mean[i];
}

/* Inner product: the largest norm of the sample, and whether to lift to it. */
static void
om_train_norms(OmenQuantizer *quantizer, const float *sample, uint32 n)
{
	double		smallest = 0;
	uint32		i;

	for (i = 0; i < n; i++)
	{
		double		norm2 = om_norm2(quantizer->frozen.dims,
									 sample +
									 (Size) i * quantizer->frozen.dims);

		if (norm2 > quantizer->max_norm2)
			quantizer->max_norm2 = norm2;
		if (i == 0 || norm2 < smallest)
			smallest = norm2;
	}
	quantizer->lifted = quantizer->max_norm2 - smallest >
		OMEN_EQUAL_NORMS * quantizer->max_norm2;
}

/*
 * The step: what makes the clipping quantile of |x - mean|, over all
 * dimensions of all vectors of the sample, the largest code.  Where lengths
 * differ, the longest vectors have the largest inner products, so that nothing
 * may be clipped.
 */
static void
om_train_step(OmenQuantizer *quantizer, const float *sample, uint32 n)
{
	uint32	   *bins = palloc0(OMEN_HISTOGRAM_BINS * sizeof(uint32));
	float	   *x = quantizer->scratch;
	uint64		clipped = 0;
	uint64		allowed;
	uint32		bin;
	uint32		i,
				j;

	for (i = 0; i < n; i++)
	{
		memcpy(x, sample + (Size) i * quantizer->frozen.dims,
			   quantizer->frozen.dims * sizeof(float));
		om_transform(quantizer, x);
		om_rotate(quantizer, x);
		for (j = 0; j < quantizer->frozen.width; j++)
			bins[om_float_bin(x[j])]++;
	}
	allowed = quantizer->lifted ? 0 :
		(1.0 - OMEN_CLIP_QUANTILE) * n * quantizer->frozen.width;
	for (bin = OMEN_HISTOGRAM_BINS - 1; bin > 0; bin--)
	{
		clipped += bins[bin];
		if (clipped > allowed)
			break;
	}
	pfree(bins);

	/*
	 * Too small a step would overflow its inverse; so would an infinite one
	 * underflow.  Such data lose resolution, not correctness.
	 */
	quantizer->step = om_bin_float(bin) / OMEN_CODE_MAX;
	if (!isfinite(quantizer->step) || quantizer->step > 1e30f)
		quantizer->step = 1e30f;
	if (quantizer->step < 1e-30f)
		quantizer->step = 1e-30f;
}

uint32
OmenSampleRows(const OmenFrozen *frozen)
{
	return Min(Max(OMEN_SAMPLE_ELEMENTS / frozen->dims, OMEN_MIN_SAMPLE_ROWS),
			   OMEN_MAX_SAMPLE_ROWS);
}

/* All metrics but L1. */
static void
om_train_rotated(OmenQuantizer *quantizer, const float *sample, uint32 n)
{
	uint32		width = quantizer->frozen.width;
	double	   *sum = palloc0(width * sizeof(double));
	float	   *x = quantizer->scratch;
	uint32		i,
				j;

	if (quantizer->frozen.metric == OMEN_METRIC_IP)
		om_train_norms(quantizer, sample, n);

	for (i = 0; i < n; i++)
	{
		memcpy(x, sample + (Size) i * quantizer->frozen.dims,
			   quantizer->frozen.dims * sizeof(float));
		om_transform(quantizer, x);
		for (j = 0; j < width; j++)
			sum[j] += x[j];
	}
	for (j = 0; j < width; j++)
		x[j] = n > 0 ? sum[j] / n : 0;
	pfree(sum);

	/* Rotation is linear: the mean of the rotated is the rotated mean. */
	omen_kernels->rotate(&quantizer->rotation, x);
	for (j = 0; j < width; j++)
		quantizer->mean[j] = isfinite(x[j]) ? x[j] : 0;
	quantizer->mean_norm = sqrt(om_norm2(width, quantizer->mean));

	om_train_step(quantizer, sample, n);
}

void
OmenTrainQuantizer(OmenQuantizer *quantizer, const float *sample, uint32 n)
{
	if (quantizer->frozen.metric == OMEN_METRIC_L1)
		OmenTrainL1(quantizer, sample, n);
	else
		om_train_rotated(quantizer, sample, n);
}

uint32
OmenQuantizerPages(const OmenFrozen *frozen)
{
	return (frozen->width + OMEN_FLOATS_PER_PAGE - 1) / OMEN_FLOATS_PER_PAGE;
}

void
OmenStoreQuantizer(Relation index, const OmenQuantizer *quantizer,
				   OmenQuantizerData *data)
{
	uint32		i;

	for (i = 0; i < data->npages; i++)
	{
		Buffer		buffer = OmenOverwriteBuffer(index,
												 data->extent.start + i);
		OmenRecord *record = OmenStartRecord(index);
		Page		page = OmenRecordPage(record, buffer, true);
		uint32		first = i * OMEN_FLOATS_PER_PAGE;
		uint32		n = Min(quantizer->frozen.width - first,
							OMEN_FLOATS_PER_PAGE);

		OmenInitPage(page, OMEN_PAGE_QUANTIZER, data->owner, i);
		memcpy(PageGetContents(page), quantizer->mean + first,
			   n * sizeof(float));
		((PageHeader) page)->pd_lower += n * sizeof(float);
		OmenSealPage(page);
		OmenFinishRecord(record);
		UnlockReleaseBuffer(buffer);
	}
	data->lifted = quantizer->lifted;
	data->step = quantizer->step;
	data->max_norm2 = quantizer->max_norm2;
}

OmenQuantizer *
OmenLoadQuantizer(Relation index, const OmenFrozen *frozen,
				  const OmenQuantizerData *data, void *memory)
{
	OmenQuantizer *quantizer = OmenMakeQuantizer(frozen, memory);
	uint32		i;

	if (data->npages != OmenQuantizerPages(frozen) ||
		data->extent.nblocks < data->npages || !(data->step > 0))
		OmenReportDamage(index, OMEN_METAPAGE,
						 "The quantizer has impossible parameters.");

	for (i = 0; i < data->npages; i++)
	{
		BlockNumber block = data->extent.start + i;
		Buffer		buffer = ReadBuffer(index, block);
		Page		page = BufferGetPage(buffer);
		uint32		first = i * OMEN_FLOATS_PER_PAGE;
		uint32		n = Min(quantizer->frozen.width - first,
							OMEN_FLOATS_PER_PAGE);

		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		if (!OmenPageIs(page, OMEN_PAGE_QUANTIZER, data->owner, i) ||
			OmenPageGetSpecial(page)->checksum != OmenPageChecksum(page))
			OmenReportDamage(index, block, "It is not a quantizer page.");
		memcpy(quantizer->mean + first, PageGetContents(page),
			   n * sizeof(float));
		UnlockReleaseBuffer(buffer);
	}
	quantizer->lifted = data->lifted != 0;
	quantizer->step = data->step;
	quantizer->max_norm2 = data->max_norm2;
	if (frozen->metric == OMEN_METRIC_L1 && !OmenInitL1(quantizer))
		OmenReportDamage(index, data->extent.start,
						 "The quantizer has impossible dimensions.");
	quantizer->mean_norm = sqrt(om_norm2(frozen->width, quantizer->mean));
	return quantizer;
}

/* Set the code of x, norm2 and error. */
static void
om_code(OmenQuantizer *quantizer, float *x, int8 *code, OmenCodeInfo *info)
{
	float		error;

	if (quantizer->frozen.metric == OMEN_METRIC_L1)
	{
		double		beyond;
		double		within = OmenCodeL1(quantizer, x, code, &beyond);

		info->error = (within + beyond) * (1 + OMEN_SUM_SLACK);
		info->norm2 = 0;
		return;
	}
	om_rotate(quantizer, x);
	info->norm2 = omen_kernels->quantize(quantizer->frozen.width, x,
										 1.0f / quantizer->step, code, &error);
	info->error = sqrtf(error);
}

bool
OmenEncode(OmenQuantizer *quantizer, const void *elements, int8 *code,
		   OmenCodeInfo *info)
{
	float	   *x = om_load(quantizer, elements);
	double		norm2 = om_transform(quantizer, x);
	double		step2 = (double) quantizer->step * quantizer->step;

	if (quantizer->frozen.metric == OMEN_METRIC_COSINE && norm2 == 0)
		return false;

	om_code(quantizer, x, code, info);
	info->excess = 0;
	if (quantizer->frozen.metric == OMEN_METRIC_IP &&
		(!quantizer->lifted || norm2 > quantizer->max_norm2))
		info->excess = (norm2 - quantizer->max_norm2) / step2;

	/*
	 * Sums that overflowed, here or in the operator, say nothing about the
	 * vector: code it as the mean, at an infinite distance from it, which is
	 * true of any vector.
	 */
	if (!isfinite(info->error) || !isfinite(info->excess) ||
		OmenIsBeyond(quantizer->frozen.metric, norm2))
	{
		memset(code, 0, quantizer->frozen.width);
		info->norm2 = 0;
		info->error = get_float4_infinity();
		info->excess = 0;
	}
	return true;
}

/*
 * Round x to 16-bit integers, as fine as sums over codes allow.  Sets the
 * scale, the norm of the error, and returns the squared norm of the result.
 */
static double
om_round_fine(uint32 width, const float *x, int16 *fine, double *scale,
			  double *error)
{
	double		limit = Min(PG_INT16_MAX,
							PG_INT32_MAX / ((double) OMEN_CODE_MAX * width));
	double		sum2 = 0;
	double		error2 = 0;
	float		largest = 0;
	uint32		i;

	for (i = 0; i < width; i++)
		largest = Max(largest, fabsf(x[i]));
	*scale = largest > 0 ? largest / floor(limit) : 1;
	for (i = 0; i < width; i++)
	{
		double		rounded = rint(x[i] / *scale);
		double		difference = x[i] - rounded * *scale;

		fine[i] = (int16) rounded;
		sum2 += rounded * rounded;
		error2 += difference * difference;
	}
	*error = sqrt(error2);
	return *scale * *scale * sum2;
}

/* Round the first edge_dims of x to 8 bits, for estimates. */
static void
om_round_coarse(uint32 edge_dims, const float *x, OmenQuery *query)
{
	float		largest = 0;
	int32		sum = 0;
	uint32		i;

	for (i = 0; i < edge_dims; i++)
		largest = Max(largest, fabsf(x[i]));
	query->scale = largest > 0 ? largest / OMEN_CODE_MAX : 1;
	for (i = 0; i < edge_dims; i++)
	{
		query->coarse[i] = (int8) rintf(x[i] / query->scale);
		sum += query->coarse[i];
	}
	query->shift = query->scale * sum / 2;
}

/*
 * A query of L1 distance is coded like a vector.  What it is beyond the range
 * of codes adds to its distance from each of them.
 */
static void
om_prepare_l1(OmenQuantizer *quantizer, const void *elements,
			  OmenQuery *query)
{
	uint32		width = quantizer->frozen.width;
	float	   *x = om_load(quantizer, elements);

	if (query->coarse == NULL)
		query->coarse = palloc(width);
	om_transform(quantizer, x);
	query->l1 = true;
	query->error = OmenCodeL1(quantizer, x, query->coarse, &query->beyond);
	query->slack = OMEN_BYTE_SLACK * width +
		OMEN_SUM_SLACK * (query->error + query->beyond);
}

static void
om_prepare_rotated(OmenQuantizer *quantizer, uint32 edge_dims,
				   const void *elements, OmenQuery *query)
{
	uint32		width = quantizer->frozen.width;
	float	   *x = om_load(quantizer, elements);
	bool		finite = true;
	double		norm2;
	double		mean_dot = 0;
	uint32		i;

	if (query->coarse == NULL)
	{
		query->fine = palloc(width * sizeof(int16));
		query->mean = palloc(width * sizeof(int16));
		query->coarse = palloc(edge_dims);
	}

	norm2 = om_norm2(quantizer->frozen.dims, x);
	query->undefined = norm2 == 0 &&
		quantizer->frozen.metric == OMEN_METRIC_COSINE;

	/*
	 * A query of inner product is not lifted, its added dimension is 0; but it
	 * is made as long as the longest vectors.  Its length does not matter for
	 * the order, but a short query would be about equally far from all.
	 */
	memset(x + quantizer->frozen.dims, 0,
		   (width - quantizer->frozen.dims) * sizeof(float));
	query->factor = 1;
	if (quantizer->frozen.metric == OMEN_METRIC_COSINE)
		om_transform(quantizer, x);
	else if (quantizer->frozen.metric == OMEN_METRIC_IP && norm2 > 0 &&
			 quantizer->max_norm2 > 0)
	{
		query->factor = sqrt(quantizer->max_norm2 / norm2);
		for (i = 0; i < quantizer->frozen.dims; i++)
			x[i] *= query->factor;
	}
	query->norm = (quantizer->frozen.metric == OMEN_METRIC_COSINE ? 1 :
				   sqrt(norm2) * query->factor) / quantizer->step;
	omen_kernels->rotate(&quantizer->rotation, x);
	for (i = 0; i < width; i++)
	{
		mean_dot += (double) x[i] * quantizer->mean[i];
		x[i] = (x[i] - quantizer->mean[i]) / quantizer->step;
		finite = finite && fabsf(x[i]) < 1e18f;
	}
	query->mean_dot = mean_dot / quantizer->step / quantizer->step;
	query->slack = quantizer->slack *
		(query->norm + quantizer->mean_norm / quantizer->step);

	/* A query too large for floats: every bound becomes trivial. */
	if (!finite)
		memset(x, 0, width * sizeof(float));
	if (!finite || OmenIsBeyond(quantizer->frozen.metric, norm2))
		query->slack = get_float8_infinity();
	query->norm2 = om_round_fine(width, x, query->fine, &query->fine_scale,
								 &query->error);
	om_round_coarse(edge_dims, x, query);

	if (quantizer->frozen.metric == OMEN_METRIC_IP)
	{
		for (i = 0; i < width; i++)
			x[i] = quantizer->mean[i] / quantizer->step;
		om_round_fine(width, x, query->mean, &query->mean_scale,
					  &query->mean_error);
	}
}

void
OmenPrepareQuery(OmenQuantizer *quantizer, uint32 edge_dims,
				 const void *elements, OmenQuery *query)
{
	if (quantizer->frozen.metric == OMEN_METRIC_L1)
		om_prepare_l1(quantizer, elements, query);
	else
		om_prepare_rotated(quantizer, edge_dims, elements, query);
}

/*
 * L1: the operator adds up floats, each term rounded relative to the sum so
 * far, so that what it gives may be below the distance by this share for each
 * dimension.  If "beyond" is infinite, so is the slack, and the bound is 0.
 */
static double
om_bound_l1(const OmenQuantizer *quantizer, const OmenQuery *query,
			double distance, const OmenCodeInfo *info)
{
	double		bound = distance + query->beyond - query->error -
		info->error - query->slack;

	if (!(bound > 0))
		return 0;
	return bound * quantizer->step *
		(1.0 - OMEN_FLOAT_ROUNDING * (quantizer->frozen.dims + 1));
}

/*
 * Inner product: <q, x> = <q - m, c> + <m, c> + <q, m> + <q, x - m - c>, where
 * m is the mean and c the code; the last term is at most |q| times the code's
 * error.  (The bound by distances, used for the other metrics, would be loose
 * where vectors are much longer than the query.)
 */
static double
om_bound_product(const OmenQuantizer *quantizer, const OmenQuery *query,
				 const int8 *code, const OmenCodeInfo *info)
{
	double		length = sqrt(info->norm2);
	double		product;
	double		error;

	product = query->mean_dot + query->fine_scale *
		omen_kernels->code_dot(quantizer->frozen.width, query->fine, code) +
		query->mean_scale *
		omen_kernels->code_dot(quantizer->frozen.width, query->mean, code);
	error = query->norm * info->error +
		(query->error + query->mean_error) * length +
		quantizer->slack * query->norm *
		(length + quantizer->mean_norm / quantizer->step) + query->slack;
	product = -(product + error) * quantizer->step * quantizer->step /
		query->factor - OMEN_LOST_PRODUCT;
	return isnan(product) ? -get_float8_infinity() : product;
}

double
OmenLowerBound(const OmenQuantizer *quantizer, const OmenQuery *query,
			   double distance, const int8 *code, const OmenCodeInfo *info)
{
	double		bound;

	if (query->undefined)
		return get_float8_nan();
	if (quantizer->frozen.metric == OMEN_METRIC_IP)
		return om_bound_product(quantizer, query, code, info);
	if (quantizer->frozen.metric == OMEN_METRIC_L1)
		return om_bound_l1(quantizer, query, distance, info);

	/* In steps. */
	bound = sqrt(Max(distance, 0)) - query->error - info->error -
		query->slack - quantizer->slack * sqrt(info->norm2);
	bound = Max(bound, 0) * quantizer->step;
	if (quantizer->frozen.metric == OMEN_METRIC_L2)
		return bound * bound < OMEN_MIN_NORM2 ? 0 :
			bound * (1.0 - quantizer->slack);
	return Max(bound * bound / 2 - quantizer->slack, 0);
}

/*
 * With the signs s = bit - 1/2 of the difference r = x - u, <q - u, r> is
 * estimated by <q - u, s> |r|^2 / <r, s>, without bias over random rotations
 * (RaBitQ).  So |q - x|^2 = |q - u|^2 + |r|^2 - 2 <q - u, r> is about
 * |q - u|^2 + t + a <q, s>.
 */
void
OmenEdgeFactors(int n, const int32 *rr, const int32 *s1, const int32 *us,
				const float *excess, uint16 *t, uint8 *a)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		a[i] = OmenCodeEdgeA(s1[i] > 0 ? -4.0f * rr[i] / s1[i] : 0);
		t[i] = OmenCodeEdgeT(rr[i] - OmenEdgeA(a[i]) * us[i] / 2 + excess[i]);
	}
}
