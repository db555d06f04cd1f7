/*-------------------------------------------------------------------------
 *
 * quantizer_l1.c
 *		Codes for L1 distance.
 *
 * L1 distance survives no rotation, so a dimension is coded as it is: the
 * middle of its values is taken off, and the rest divided by the step, which
 * is one for all.  What it does survive is to spread a dimension over several
 * bytes, as a column of mercury over several thermometers: each byte covers
 * its part of the range, and is full or empty where the value is beyond it.
 * The distance of two values is then the sum of the distances of their bytes.
 *
 * So a code has more bytes than dimensions, and the spare ones go to where
 * values range widest.  The step gets as small as that allows: few dimensions
 * that outweigh the others do not make the codes of these coarse, and a vector
 * of few dimensions is coded finely.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "quantizer.h"

/* Values that a byte tells apart, less one: -127 .. 127. */
#define OMEN_BYTE_RANGE		254

/* The most values of a sample's dimension that may be clipped on each side. */
#define OMEN_MAX_TAIL		32

/* Halvings of the interval in which the step is looked for. */
#define OMEN_STEP_HALVINGS	40

/* A smaller step would overflow its inverse; data lose resolution then. */
#define OMEN_MIN_STEP		1e-30f

/* What keeps a step, rounded to a float, from being less than it was. */
#define OMEN_STEP_MARGIN	1e-6

/* Sums that are made side by side, because one would wait for itself. */
#define OMEN_L1_SUMS		8

StaticAssertDecl(OMEN_CODE_GRANULE % OMEN_L1_SUMS == 0,
				 "codes are no multiple of the sums");

/* The extreme values of a dimension, the most extreme first. */
typedef struct OmenTail
{
	float		lowest[OMEN_MAX_TAIL];
	float		highest[OMEN_MAX_TAIL];
} OmenTail;

/* Insert x into a tail of n values so far; "sign" is 1 or -1. */
static inline void
om_add_extreme(float *tail, uint32 n, float x, float sign)
{
	uint32		i = Min(n, OMEN_MAX_TAIL - 1);

	if (n >= OMEN_MAX_TAIL && sign * x >= sign * tail[i])
		return;
	for (; i > 0 && sign * tail[i - 1] > sign * x; i--)
		tail[i] = tail[i - 1];
	tail[i] = x;
}

static OmenTail *
om_find_tails(uint32 dims, const float *sample, uint32 n)
{
	OmenTail   *tails = palloc_extended(mul_size(dims, sizeof(OmenTail)),
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	uint32		i,
				j;

	for (i = 0; i < n; i++)
		for (j = 0; j < dims; j++)
		{
			float		x = sample[(Size) i * dims + j];

			om_add_extreme(tails[j].lowest, i, x, 1);
			om_add_extreme(tails[j].highest, i, x, -1);
		}
	return tails;
}

/* The range of a dimension, but for the "cut" most extreme values. */
static inline double
om_range(const OmenTail *tail, uint32 cut)
{
	return (double) tail->highest[cut] - tail->lowest[cut];
}

/* Bytes that a range takes with a step; always at least one. */
static inline double
om_bytes(double range, double step)
{
	return Max(ceil(range / (step * OMEN_BYTE_RANGE)), 1);
}

/* The least step, about, with which all ranges fit the width. */
static double
om_fit_step(const OmenQuantizer *quantizer, const OmenTail *tails, uint32 cut)
{
	uint32		dims = quantizer->frozen.dims;
	uint32		width = quantizer->frozen.width;
	double		low = 0;
	double		high = 0;
	uint32		i,
				j;

	for (j = 0; j < dims; j++)
		high = Max(high, om_range(&tails[j], cut) / OMEN_BYTE_RANGE);
	for (i = 0; i < OMEN_STEP_HALVINGS && high > 0; i++)
	{
		double		step = (low + high) / 2;
		double		bytes = 0;

		for (j = 0; j < dims; j++)
			bytes += om_bytes(om_range(&tails[j], cut), step);
		if (bytes <= width)
			high = step;
		else
			low = step;
	}
	return high * (1 + OMEN_STEP_MARGIN);
}

/* How far values are clipped, in all, if "cut" of each tail are. */
static double
om_clipped(const OmenQuantizer *quantizer, const OmenTail *tails, uint32 cut)
{
	double		sum = 0;
	uint32		i,
				j;

	for (j = 0; j < quantizer->frozen.dims; j++)
		for (i = 0; i < cut; i++)
			sum += om_range(&tails[j], i) - om_range(&tails[j], cut);
	return sum;
}

/*
 * Clipping costs its amount, and a step costs a quarter of it on average, in
 * each dimension.  Find what costs least in all; returns the cut.
 */
static uint32
om_choose_cut(const OmenQuantizer *quantizer, const OmenTail *tails, uint32 n,
			  double *step)
{
	double		least = INFINITY;
	uint32		best = 0;
	uint32		cut;

	for (cut = 0; cut < OMEN_MAX_TAIL && cut <= n / 8; cut += Max(cut, 1))
	{
		double		fit = om_fit_step(quantizer, tails, cut);
		double		cost = fit / 4 * quantizer->frozen.dims +
			om_clipped(quantizer, tails, cut) / Max(n, 1);

		if (cost < least)
		{
			least = cost;
			best = cut;
			*step = fit;
		}
	}
	return best;
}

/*
 * The middle of each dimension's range, and which dimensions the spare bytes
 * extend.
 */
static void
om_place_bytes(OmenQuantizer *quantizer, const OmenTail *tails, uint32 cut)
{
	uint32		dims = quantizer->frozen.dims;
	uint32		width = quantizer->frozen.width;
	uint32		next = dims;
	uint32		j;

	for (j = 0; j < dims; j++)
	{
		double		range = om_range(&tails[j], cut);
		double		bytes = om_bytes(range, quantizer->step);

		quantizer->mean[j] = tails[j].lowest[cut] + range / 2;
		for (; bytes > 1 && next < width; bytes--)
			quantizer->mean[next++] = j;
		Assert(bytes <= 1);
	}
	while (next < width)
		quantizer->mean[next++] = -1;
}

void
OmenTrainL1(OmenQuantizer *quantizer, const float *sample, uint32 n)
{
	OmenTail   *tails = om_find_tails(quantizer->frozen.dims, sample, n);
	double		step = 0;
	uint32		cut = om_choose_cut(quantizer, tails, n, &step);

	quantizer->step = Max((float) step, OMEN_MIN_STEP);
	om_place_bytes(quantizer, tails, cut);
	pfree(tails);
	if (!OmenInitL1(quantizer))
		elog(ERROR, "codes for L1 distance were laid out wrong");
}

/*
 * Byte j of the m that a dimension has is relative to 254 j - 127 (m - 1), and
 * its limit is that of the m together, 127 m.
 */
bool
OmenInitL1(OmenQuantizer *quantizer)
{
	uint32		dims = quantizer->frozen.dims;
	uint32		width = quantizer->frozen.width;
	const float *extends = quantizer->mean;
	uint32		k;

	for (k = 0; k < width; k++)
	{
		quantizer->limit[k] = k < dims ? OMEN_BYTE_RANGE / 2 : 0;
		quantizer->centre[k] = 0;
	}
	for (k = dims; k < width && extends[k] >= 0; k++)
	{
		uint32		dim;

		if (!(extends[k] < dims) || extends[k] != floor(extends[k]) ||
			(k > dims && extends[k] < extends[k - 1]))
			return false;
		dim = (uint32) extends[k];
		quantizer->limit[dim] += OMEN_BYTE_RANGE / 2;
		quantizer->centre[dim] -= OMEN_BYTE_RANGE / 2;
	}
	quantizer->nbytes = k;
	for (k = dims; k < quantizer->nbytes; k++)
	{
		bool		first = k == dims || extends[k] != extends[k - 1];
		uint32		before = first ? (uint32) extends[k] : k - 1;

		quantizer->centre[k] = quantizer->centre[before] + OMEN_BYTE_RANGE;
	}
	return true;
}

/*
 * Round to an integer, to even where two are equally near; |x| < 2^22.  Unlike
 * rintf() this is two instructions on any CPU.
 */
static inline float
om_round(float x)
{
	const float shift = 12582912.0f;	/* 1.5 * 2^23 */

	return (x + shift) - shift;
}

/*
 * Sums are in doubles, and in an order of their own, so that codes and errors
 * are the same on any machine.
 */
double
OmenCodeL1(const OmenQuantizer *quantizer, float *x, int8 *code,
		   double *beyond)
{
	const float *limit = quantizer->limit;
	const float *centre = quantizer->centre;
	uint32		dims = quantizer->frozen.dims;
	float		inv_step = 1.0f / quantizer->step;
	double		errors[OMEN_L1_SUMS] = {0};
	double		excesses[OMEN_L1_SUMS] = {0};
	double		error = 0;
	uint32		i,
				j;

	*beyond = 0;
	for (i = 0; i < dims; i++)
		x[i] = (x[i] - quantizer->mean[i]) * inv_step;
	for (i = 0; i < dims; i += OMEN_L1_SUMS)
		for (j = 0; j < OMEN_L1_SUMS; j++)
		{
			float		scaled = x[i + j];
			float		inside = Max(Min(scaled, limit[i + j]), -limit[i + j]);
			float		rounded = om_round(inside);

			errors[j] += fabsf(inside - rounded);
			excesses[j] += fabsf(scaled - inside);
			x[i + j] = rounded;
		}
	for (j = 0; j < OMEN_L1_SUMS; j++)
	{
		error += errors[j];
		*beyond += excesses[j];
	}

	for (i = 0; i < dims; i++)
		code[i] = (int8) Min(x[i] - centre[i], OMEN_BYTE_RANGE / 2);
	for (; i < quantizer->nbytes; i++)
	{
		float		part = x[(uint32) quantizer->mean[i]] - centre[i];

		code[i] = (int8) Max(Min(part, OMEN_BYTE_RANGE / 2),
							 -(OMEN_BYTE_RANGE / 2));
	}
	memset(code + i, 0, quantizer->frozen.width - i);
	return error;
}
