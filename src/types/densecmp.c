/*-------------------------------------------------------------------------
 *
 * densecmp.c
 *		Order of vectors and halfvecs, for btree.
 *
 * Elements are compared first, and the shorter of two values comes first if
 * it is the beginning of the other, as with arrays.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "types/dense.h"

static int
om_compare_floats(int n, const float *x, const float *y)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	}
	return 0;
}

/*
 * Halves without their sign are ordered as their bits are; both zeros give 0.
 * There are no NaNs.
 */
static inline int
om_half_rank(uint16 bits)
{
	int			magnitude = bits & 0x7FFF;

	return (bits & 0x8000) ? -magnitude : magnitude;
}

static int
om_compare_halves(int n, const uint16 *x, const uint16 *y)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		int			a = om_half_rank(x[i]);
		int			b = om_half_rank(y[i]);

		if (a != b)
			return a < b ? -1 : 1;
	}
	return 0;
}

static int
om_compare(const OmenDenseType *type, const OmenDense *a, const OmenDense *b)
{
	int			n = Min(a->dim, b->dim);
	int			order;

	if (type->is_half)
		order = om_compare_halves(n, (const uint16 *) a->data,
								  (const uint16 *) b->data);
	else
		order = om_compare_floats(n, (const float *) a->data,
								  (const float *) b->data);
	if (order != 0)
		return order;
	return (a->dim > b->dim) - (a->dim < b->dim);
}

/* Copies are freed: a btree may compare many values in one memory context. */
static int
om_compare_arguments(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	OmenDense  *a = OMEN_GETARG_DENSE(type, 0);
	OmenDense  *b = OMEN_GETARG_DENSE(type, 1);
	int			order = om_compare(type, a, b);

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return order;
}

static Datum
om_cmp(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	PG_RETURN_INT32(om_compare_arguments(fcinfo, type));
}

OMEN_DENSE_FUNCTION(cmp);

static Datum
om_lt(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	PG_RETURN_BOOL(om_compare_arguments(fcinfo, type) < 0);
}

OMEN_DENSE_FUNCTION(lt);

static Datum
om_le(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	PG_RETURN_BOOL(om_compare_arguments(fcinfo, type) <= 0);
}

OMEN_DENSE_FUNCTION(le);

static Datum
om_eq(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	PG_RETURN_BOOL(om_compare_arguments(fcinfo, type) == 0);
}

OMEN_DENSE_FUNCTION(eq);

static Datum
om_ne(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	PG_RETURN_BOOL(om_compare_arguments(fcinfo, type) != 0);
}

OMEN_DENSE_FUNCTION(ne);

static Datum
om_ge(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	PG_RETURN_BOOL(om_compare_arguments(fcinfo, type) >= 0);
}

OMEN_DENSE_FUNCTION(ge);

static Datum
om_gt(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	PG_RETURN_BOOL(om_compare_arguments(fcinfo, type) > 0);
}

OMEN_DENSE_FUNCTION(gt);
