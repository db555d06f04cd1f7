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
	float	   *mean;			/* of rotated vectors, width floats */
	double		mean_norm;
	float	   *scratch;		/* width floats */
} OmenQuantizer;

/* What goes with a code into its slot; see OmenSlotHead. */
typedef struct OmenCodeInfo
{
	float		norm2;
	float		error;
	float		excess;
} OmenCodeInfo;

/* A query, made ready for codes.  Distances are in steps. */
typedef struct OmenQuery
{
	int16	   *fine;			/* width: for distances to codes */
	int8	   *coarse;			/* edge_dims: for estimates */
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
 * allocated in CurrentMemoryContext unless query->fine is set already.
 */
extern void OmenPrepareQuery(OmenQuantizer *quantizer, uint32 edge_dims,
							 const void *elements, OmenQuery *query);

/* The squared distance of a query and a code, in steps. */
static inline double
OmenCodeDistance(const OmenQuery *query, uint32 width, const int8 *code,
				 float norm2)
{
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
 * Factors t and a of the n edges of a block, OMEN_LANES at most, from the
 * integers that encode_block gives; see "Edge codes" in src/README.
 */
extern void OmenEdgeFactors(int n, const int32 *rr, const int32 *s1,
							const int32 *us, float *t, uint16 *a);

#endif							/* OMEN_QUANTIZER_H */
