/*-------------------------------------------------------------------------
 *
 * densecast.c
 *		Casts to, from and between vector and halfvec.
 *
 * A cast function is called with the value, the type modifier that the result
 * must have (-1 if any will do), and whether the cast is explicit, which
 * makes no difference here.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "storage/shmem.h"		/* for mul_size() */
#include "types/dense.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"

/* A type to itself: only the number of dimensions is checked. */
static Datum
om_coerce(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	OmenDense  *v = OMEN_GETARG_DENSE(type, 0);

	OmenDenseCheckTypmod(PG_GETARG_INT32(1), v->dim);
	PG_RETURN_POINTER(v);
}

OMEN_DENSE_FUNCTION(coerce);

/* The other dense type to this one. */
static Datum
om_from_dense(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	const OmenDenseType *source;
	OmenDense  *v;
	const float *x;

	source = type->is_half ? &omen_vector_type : &omen_halfvec_type;
	v = OMEN_GETARG_DENSE(source, 0);
	OmenDenseCheckTypmod(PG_GETARG_INT32(1), v->dim);
	x = OmenDenseFloats(source, v);
	OmenDenseCheckFloats(type, v->dim, x);

	PG_RETURN_POINTER(OmenDenseFromFloats(type, v->dim, x));
}

OMEN_DENSE_FUNCTION(from_dense);

static void
om_numeric_to_float(ArrayType *array, float *x)
{
	Datum	   *elements;
	int			n;
	int			i;

	deconstruct_array(array, NUMERICOID, -1, false, TYPALIGN_INT,
					  &elements, NULL, &n);
	for (i = 0; i < n; i++)
		x[i] = DatumGetFloat4(DirectFunctionCall1(numeric_float4,
												  elements[i]));
}

/*
 * The n elements of an array without nulls: those of a fixed-length type lie
 * side by side.
 */
static float *
om_array_to_float(ArrayType *array, int n)
{
	const void *data = ARR_DATA_PTR(array);
	float	   *x = palloc(mul_size(sizeof(float), n));
	int			i;

	switch (ARR_ELEMTYPE(array))
	{
		case INT4OID:
			for (i = 0; i < n; i++)
				x[i] = ((const int32 *) data)[i];
			break;
		case FLOAT4OID:
			memcpy(x, data, mul_size(sizeof(float4), n));
			break;
		case FLOAT8OID:
			for (i = 0; i < n; i++)
				x[i] = ((const float8 *) data)[i];
			break;
		case NUMERICOID:
			om_numeric_to_float(array, x);
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("unsupported array type")));
	}
	return x;
}

static Datum
om_from_array(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	int32		typmod = PG_GETARG_INT32(1);
	int			dim;
	float	   *x;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("array must be 1-D")));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("array must not contain nulls")));

	dim = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	OmenDenseCheckDim(type, dim);
	OmenDenseCheckTypmod(typmod, dim);
	x = om_array_to_float(array, dim);
	OmenDenseCheckFloats(type, dim, x);

	PG_RETURN_POINTER(OmenDenseFromFloats(type, dim, x));
}

OMEN_DENSE_FUNCTION(from_array);

static Datum
om_to_float4(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	OmenDense  *v = OMEN_GETARG_DENSE(type, 0);
	const float *x = OmenDenseFloats(type, v);
	Datum	   *elements = palloc(mul_size(sizeof(Datum), v->dim));
	int			i;

	for (i = 0; i < v->dim; i++)
		elements[i] = Float4GetDatum(x[i]);

	PG_RETURN_POINTER(construct_array(elements, v->dim, FLOAT4OID,
									  sizeof(float4), true, TYPALIGN_INT));
}

OMEN_DENSE_FUNCTION(to_float4);
