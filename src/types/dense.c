/*-------------------------------------------------------------------------
 *
 * dense.c
 *		Making, reading and checking values of vector and halfvec.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/shortest_dec.h"
#include "simd/simd.h"
#include "storage/shmem.h"		/* for add_size() and mul_size() */
#include "types/halfvec.h"
#include "types/vector.h"

/* The code below reads values of both types through OmenDense. */
StaticAssertDecl(offsetof(Vector, x) == offsetof(OmenDense, data),
				 "Vector does not have the layout of OmenDense");
StaticAssertDecl(offsetof(HalfVector, x) == offsetof(OmenDense, data),
				 "HalfVector does not have the layout of OmenDense");

const OmenDenseType omen_vector_type = {
	.name = "vector",
	.is_half = false,
	.width = sizeof(float),
	.overflow = INFINITY,
	.underflow = 0.0f
};

/*
 * The largest half is 65504, the least above zero 2^-24.  Halfway to the next
 * number, which would be 65536 and is zero, the even one wins: that one.
 */
const OmenDenseType omen_halfvec_type = {
	.name = "halfvec",
	.is_half = true,
	.width = sizeof(uint16),
	.overflow = 65520.0f,
	.underflow = 0x1p-25f
};

/* Bytes of a value of dim elements. */
static Size
om_size(const OmenDenseType *type, int dim)
{
	return add_size(offsetof(OmenDense, data), mul_size(type->width, dim));
}

OmenDense *
OmenDenseFromDatum(const OmenDenseType *type, Datum datum)
{
	OmenDense  *v = (OmenDense *) PG_DETOAST_DATUM(datum);

	/*
	 * The input functions make no such value, but a cast WITHOUT FUNCTION or
	 * a damaged page can bring one here.
	 */
	if (VARSIZE(v) < offsetof(OmenDense, data) ||
		v->dim < 1 || v->dim > OMEN_DENSE_MAX_DIM ||
		VARSIZE(v) != om_size(type, v->dim))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("malformed value of type %s", type->name),
				 errdetail("Its length of %zu bytes does not fit its dimensions.",
						   (Size) VARSIZE(v))));

	return v;
}

OmenDense *
OmenDenseNew(const OmenDenseType *type, int dim)
{
	Size		size = om_size(type, dim);
	OmenDense  *v = palloc0(size);

	SET_VARSIZE(v, size);
	v->dim = dim;
	return v;
}

const float *
OmenDenseFloats(const OmenDenseType *type, const OmenDense *v)
{
	float	   *x;

	if (!type->is_half)
		return (const float *) v->data;

	x = palloc(mul_size(sizeof(float), v->dim));
	omen_kernels->half_to_float(v->dim, (const uint16 *) v->data, x);
	return x;
}

OmenDense *
OmenDenseFromFloats(const OmenDenseType *type, int dim, const float *x)
{
	OmenDense  *v = OmenDenseNew(type, dim);

	if (type->is_half)
		omen_kernels->float_to_half(dim, x, (uint16 *) v->data);
	else
		memcpy(v->data, x, mul_size(sizeof(float), dim));
	return v;
}

void
OmenDenseCheckDim(const OmenDenseType *type, int dim)
{
	if (dim < 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("%s must have at least 1 dimension", type->name)));
	if (dim > OMEN_DENSE_MAX_DIM)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%s cannot have more than %d dimensions",
						type->name, OMEN_DENSE_MAX_DIM)));
}

void
OmenDenseCheckTypmod(int32 typmod, int dim)
{
	if (typmod != -1 && typmod != dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected %d dimensions, not %d", typmod, dim)));
}

void
OmenDenseCheckSame(const OmenDenseType *type, const OmenDense *a,
				   const OmenDense *b)
{
	if (a->dim != b->dim)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different %s dimensions %d and %d",
						type->name, a->dim, b->dim)));
}

void
OmenDenseCheckFinite(const OmenDenseType *type, float x)
{
	if (isnan(x))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("NaN not allowed in %s", type->name)));
	if (isinf(x))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("infinite value not allowed in %s", type->name)));
}

/* Report the element that makes OmenDenseCheckFloats() fail. */
static void
om_report_floats(const OmenDenseType *type, int dim, const float *x)
{
	int			i;

	for (i = 0; i < dim; i++)
	{
		if (OmenDenseOverflows(type, x[i]))
		{
			char		number[FLOAT_SHORTEST_DECIMAL_LEN];

			float_to_shortest_decimal_buf(x[i], number);
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("\"%s\" is out of range for type %s",
							number, type->name)));
		}
	}

	for (i = 0; i < dim; i++)
		OmenDenseCheckFinite(type, x[i]);
}

void
OmenDenseCheckFloats(const OmenDenseType *type, int dim, const float *x)
{
	bool		bad = false;
	int			i;

	/* Not "greater or equal", which is false for NaN */
	for (i = 0; i < dim; i++)
		bad |= !(fabsf(x[i]) < type->overflow);
	if (bad)
		om_report_floats(type, dim, x);
}
