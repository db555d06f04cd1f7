/*-------------------------------------------------------------------------
 *
 * vector.h
 *		The type vector: layout of a value, on disk and in memory.
 *
 * The layout is pgvector's, byte for byte: a column written by one extension
 * can be read by the other.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_VECTOR_H
#define OMEN_VECTOR_H

#include "types/dense.h"

typedef struct Vector
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	int16		dim;			/* number of dimensions */
	int16		unused;			/* always zero */
	float		x[FLEXIBLE_ARRAY_MEMBER];
} Vector;

/*
 * A detoasted value, checked as OmenDenseFromDatum() checks it.  It may or may
 * not be a copy.
 */
static inline Vector *
OmenVectorFromDatum(Datum datum)
{
	return (Vector *) OmenDenseFromDatum(&omen_vector_type, datum);
}

#endif							/* OMEN_VECTOR_H */
