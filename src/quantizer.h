/*-------------------------------------------------------------------------
 *
 * quantizer.h
 *		Vectors into codes, and queries against codes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_QUANTIZER_H
#define OMEN_QUANTIZER_H

#include "omen.h"
#include "simd/simd.h"
#include "storage.h"

typedef struct OmenQuantizer
{
	OmenFrozen	frozen;
	bool		lifted;
	double		max_norm2;
	float		step;
	OmenRotation rotation;
	float	   *mean;			/* width floats: see OmenQuantizerData */
	double		mean_norm;
	double		slack;			/* relative error of sums of floats */
	float	   *scratch;		/* width floats */

	/* L1, see OmenInitL1; in steps */
	float	   *limit;			/* by dimension: largest magnitude; then 0 */
	float	   *centre;			/* by byte: what is taken off */
	uint32		nbytes;			/* of a code that are in use */
} OmenQuantizer;

/* What goes with a code into its slot; see OmenSlotHead. */
typedef struct OmenCodeInfo
{
	float		norm2;
	float		error;
	float		excess;
} OmenCodeInfo;

/*
 * A query, made ready for codes.  Distances are in steps.  For L1 distance it
 * is rounded like a vector, and "coarse" is all there is.
 */
typedef struct OmenQuery
{
	bool		l1;
	double		beyond;			/* L1: how far it is beyond the codes' range */
	int16	   *fine;			/* width: for distances to codes */
	int8	   *coarse;			/* edge_dims, or for L1 width: for estimates */
	double		fine_scale;		/* query = fine_scale * fine */
	double		norm2;			/* of fine_scale * fine */
	double		error;			/* |query - fine_scale * fine| */
	double		slack;			/* bound of float rounding, in steps */
	int16	   *mean;			/* inner product: the mean, likewise */
	double		mean_scale;
	double		mean_error;
	double		mean_dot;		/* inner product of vector and mean */
	double		norm;			/* of the vector, not centred */
	double		factor;			/* inner product: that it was scaled by */
	float		scale;			/* see estimate_block */
	float		shift;
	bool		undefined;		/* cosine of a zero vector */
} OmenQuery;

/* The elements of a vector of the index's type, as floats. */
extern void OmenElementsToFloats(const OmenFrozen *frozen,
								 const void *elements, float *x);

/*
 * Make a quantizer for an index, without mean and step yet, in "memory" of
 * OmenQuantizerSize bytes.  The rotation follows from the seed.
 */
extern Size OmenQuantizerSize(const OmenFrozen *frozen);
extern OmenQuantizer *OmenMakeQuantizer(const OmenFrozen *frozen,
										void *memory);

/* Vectors that a quantizer is to be trained from, if there are as many. */
extern uint32 OmenSampleRows(const OmenFrozen *frozen);

/*
 * Learn mean, step and (for inner product) the norm to lift to, from n
 * vectors of "dims" floats, one after another; n may be 0.
 */
extern void OmenTrainQuantizer(OmenQuantizer *quantizer,
							   const float *sample, uint32 n);

/*
 * Write a trained quantizer to pages of its own, WAL-logged, and describe it
 * in *data, for the metapage.  The extent must have been taken by the caller.
 */
extern void OmenStoreQuantizer(Relation index, const OmenQuantizer *quantizer,
							   OmenQuantizerData *data);

/* Pages that OmenStoreQuantizer needs. */
extern uint32 OmenQuantizerPages(const OmenFrozen *frozen);

/*
 * Read a quantizer that the metapage describes.  The pages never change or
 * move once the metapage names them.
 */
extern OmenQuantizer *OmenLoadQuantizer(Relation index,
										const OmenFrozen *frozen,
										const OmenQuantizerData *data,
										void *memory);

/*
 * Is a vector of this squared length beyond what the metric's operator, which
 * adds up squares or products of floats, can handle?  Its value then means
 * nothing, and anything bounds it.
 */
extern bool OmenIsBeyond(OmenMetric metric, double norm2);

/*
 * Code one vector, given as the elements of its datum.  False if vectors like
 * this are not indexed (zero vector under cosine distance).
 */
extern bool OmenEncode(OmenQuantizer *quantizer, const void *elements,
					   int8 *code, OmenCodeInfo *info);

/*
 * Make a query ready.  "elements" as for OmenEncode.  The result's arrays are
 * allocated in CurrentMemoryContext unless query->coarse is set already.
 */
extern void OmenPrepareQuery(OmenQuantizer *quantizer, uint32 edge_dims,
							 const void *elements, OmenQuery *query);

/* The squared distance of a query and a code, or that of L1, in steps. */
static inline double
OmenCodeDistance(const OmenQuery *query, uint32 width, const int8 *code,
				 float norm2)
{
	if (query->l1)
		return omen_kernels->code_l1(width, query->coarse, code);
	return query->norm2 + norm2 - 2.0 * query->fine_scale *
		omen_kernels->code_dot(width, query->fine, code);
}

/*
 * The lower bound of the operator's value for a row that has this code, at
 * this squared distance, with this error.
 */
extern double OmenLowerBound(const OmenQuantizer *quantizer,
							 const OmenQuery *query, double distance,
							 const int8 *code, const OmenCodeInfo *info);

/*
 * Factors t and a of the n edges of a block, as they are on pages, from the
 * integers that encode_block gives, and what is to be added to the squared
 * distances, "excess"; see "Edge codes" in src/README.
 */
extern void OmenEdgeFactors(int n, const int32 *rr, const int32 *s1,
							const int32 *us, const float *excess,
							uint16 *t, uint8 *a);

/*
 * quantizer_l1.c: the parts of the above that L1 distance needs.
 *
 * Train sets mean and step from n vectors, and does Init; Init derives limit,
 * centre and nbytes from mean, and returns false if that cannot be.
 */
extern void OmenTrainL1(OmenQuantizer *quantizer, const float *sample,
						uint32 n);
extern bool OmenInitL1(OmenQuantizer *quantizer);

/*
 * Code x, "dims" floats followed by zeros up to width; x is lost.  Returns the
 * L1 distance of code and vector, as far as the vector is within the range of
 * codes, and in *beyond how far it is out of it, both in steps.  The range is
 * a box: so the distance of x to any code is that of what is within, plus
 * *beyond.
 */
extern double OmenCodeL1(const OmenQuantizer *quantizer, float *x,
						 int8 *code, double *beyond);

#endif							/* OMEN_QUANTIZER_H */
