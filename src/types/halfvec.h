/*-------------------------------------------------------------------------
 *
 * halfvec.h
 *		The type halfvec: layout of a value, on disk and in memory.
 *
 * The layout is pgvector's, byte for byte.  Elements are IEEE 754 binary16
 * numbers, handled as their bits: no compiler support is needed, the kernels
 * convert.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_HALFVEC_H
#define OMEN_HALFVEC_H

#include "types/dense.h"

typedef struct HalfVector
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	int16		dim;			/* number of dimensions */
	int16		unused;			/* always zero */
	uint16		x[FLEXIBLE_ARRAY_MEMBER];
} HalfVector;

/*
 * A detoasted value, checked as OmenDenseFromDatum() checks it.  It may or may
 * not be a copy.
 */
static inline HalfVector *
OmenHalfVectorFromDatum(Datum datum)
{
	return (HalfVector *) OmenDenseFromDatum(&omen_halfvec_type, datum);
}

#endif							/* OMEN_HALFVEC_H */
