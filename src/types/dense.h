/*-------------------------------------------------------------------------
 *
 * dense.h
 *		What the types vector and halfvec have in common.
 *
 * The two types differ in the format of an element and in nothing else, so
 * nearly everything is written once, for a value whose type is described by
 * an OmenDenseType.
 *
 * Limits, texts and SQLSTATEs of errors are part of the interface that
 * clients written for pgvector know; they are the same here.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_DENSE_H
#define OMEN_DENSE_H

#include <math.h>

#include "fmgr.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#define OMEN_DENSE_MAX_DIM	16000

/* A value of either type.  See vector.h and halfvec.h. */
typedef struct OmenDense
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	int16		dim;			/* number of dimensions */
	int16		unused;			/* always zero */
	char		data[FLEXIBLE_ARRAY_MEMBER];	/* dim elements */
} OmenDense;

typedef struct OmenDenseType
{
	const char *name;			/* of the SQL type */
	bool		is_half;		/* elements are uint16, else float */
	Size		width;			/* bytes of an element */
	float		overflow;		/* least float too large for an element */
	float		underflow;		/* greatest float that an element holds as 0 */
} OmenDenseType;

extern const OmenDenseType omen_vector_type;
extern const OmenDenseType omen_halfvec_type;

/*
 * Define the SQL-callable functions omen_vector_NAME and omen_halfvec_NAME
 * from a static function om_NAME, which takes the type's descriptor besides
 * the call's arguments.  The names are prefixed because the server loads
 * libraries into one global name space, where pgvector's may be too.
 */
#define OMEN_DENSE_FUNCTION(name) \
	PG_FUNCTION_INFO_V1(omen_vector_##name); \
	Datum \
	omen_vector_##name(PG_FUNCTION_ARGS) \
	{ \
		return om_##name(fcinfo, &omen_vector_type); \
	} \
	PG_FUNCTION_INFO_V1(omen_halfvec_##name); \
	Datum \
	omen_halfvec_##name(PG_FUNCTION_ARGS) \
	{ \
		return om_##name(fcinfo, &omen_halfvec_type); \
	} \
	extern int	no_such_variable

/*
 * A detoasted value, or an error (XX001) if its length does not fit its
 * number of dimensions, or that is out of bounds: whoever got a value from
 * here may read all of its elements.
 */
extern OmenDense *OmenDenseFromDatum(const OmenDenseType *type, Datum datum);

#define OMEN_GETARG_DENSE(type, n) \
	OmenDenseFromDatum(type, PG_GETARG_DATUM(n))

/* A value of "dim" zero elements, palloc'd.  The caller has checked dim. */
extern OmenDense *OmenDenseNew(const OmenDenseType *type, int dim);

/*
 * The elements of a value as floats: the value's own if they are floats, else
 * palloc'd.
 */
extern const float *OmenDenseFloats(const OmenDenseType *type,
									const OmenDense *v);

/*
 * A value of the given elements, rounded to the type's format where
 * necessary.  Nothing is checked: what is too large becomes infinity.
 */
extern OmenDense *OmenDenseFromFloats(const OmenDenseType *type, int dim,
									  const float *x);

/* Error unless the type can have so many dimensions (22000 or 54000). */
extern void OmenDenseCheckDim(const OmenDenseType *type, int dim);

/* Error (22000) if a type modifier is given and it is not dim. */
extern void OmenDenseCheckTypmod(int32 typmod, int dim);

/* Error (22000) if the two values differ in their number of dimensions. */
extern void OmenDenseCheckSame(const OmenDenseType *type,
							   const OmenDense *a, const OmenDense *b);

/* Error (22000) if x is NaN or infinite. */
extern void OmenDenseCheckFinite(const OmenDenseType *type, float x);

/*
 * Error if an element is finite but too large for the type (22003), and then
 * if one is NaN or infinite (22000).
 */
extern void OmenDenseCheckFloats(const OmenDenseType *type, int dim,
								 const float *x);

/* Is x finite, and yet infinite when it is rounded to the type's format? */
static inline bool
OmenDenseOverflows(const OmenDenseType *type, float x)
{
	return isfinite(x) && fabsf(x) >= type->overflow;
}

#endif							/* OMEN_DENSE_H */
