/*-------------------------------------------------------------------------
 *
 * denseagg.c
 *		Support functions of avg(vector) and avg(halfvec).
 *
 * The state of both is an array of float8: the number of values, then the sum
 * of each dimension.  It starts as {0}, without sums, and gets them with the
 * first value.  (sum() needs no more than the operator +.)
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "storage/shmem.h"		/* for add_size() and mul_size() */
#include "types/dense.h"
#include "utils/array.h"
#include "utils/float.h"

#define OM_STATE_DIM(state) (ARR_DIMS(state)[0] - 1)
#define OM_STATE_VALUES(state) ((float8 *) ARR_DATA_PTR(state))

/* Anybody can call a support function with any array. */
static void
om_check_state(const ArrayType *state, const char *type, const char *function)
{
	if (ARR_NDIM(state) != 1 || ARR_DIMS(state)[0] < 1 ||
		ARR_HASNULL(state) || ARR_ELEMTYPE(state) != FLOAT8OID)
		elog(ERROR, "%s_%s: expected state array", type, function);
}

/* A state of "dim" sums, all zero. */
static ArrayType *
om_new_state(int dim)
{
	Size		size = add_size(ARR_OVERHEAD_NONULLS(1),
								mul_size(sizeof(float8), (Size) dim + 1));
	ArrayType  *state = palloc0(size);

	SET_VARSIZE(state, size);
	state->ndim = 1;
	state->elemtype = FLOAT8OID;
	ARR_DIMS(state)[0] = dim + 1;
	ARR_LBOUND(state)[0] = 1;
	return state;
}

/* Error (22003) if one of n sums has become infinite. */
static void
om_check_sums(int n, const float8 *sums)
{
	bool		overflow = false;
	int			i;

	for (i = 0; i < n; i++)
		overflow |= isinf(sums[i]);
	if (overflow)
		float_overflow_error();
}

/*
 * Transition function.  In an aggregate the state is ours to change in place;
 * elsewhere it may be a constant of somebody's query, so a copy is changed.
 */
static Datum
om_accum(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	ArrayType  *state = AggCheckCallContext(fcinfo, NULL) ?
		PG_GETARG_ARRAYTYPE_P(0) : PG_GETARG_ARRAYTYPE_P_COPY(0);
	OmenDense  *v = OMEN_GETARG_DENSE(type, 1);
	const float *x = OmenDenseFloats(type, v);
	float8	   *values;
	int			i;

	om_check_state(state, type->name, "accum");
	if (OM_STATE_DIM(state) == 0)
	{
		float8		n = OM_STATE_VALUES(state)[0];

		state = om_new_state(v->dim);
		values = OM_STATE_VALUES(state);
		values[0] = n;
		for (i = 0; i < v->dim; i++)
			values[i + 1] = x[i];
	}
	else
	{
		OmenDenseCheckTypmod(OM_STATE_DIM(state), v->dim);
		values = OM_STATE_VALUES(state);
		for (i = 0; i < v->dim; i++)
			values[i + 1] += x[i];
		om_check_sums(v->dim, values + 1);
	}
	values[0] += 1.0;

	PG_RETURN_ARRAYTYPE_P(state);
}

OMEN_DENSE_FUNCTION(accum);

/*
 * Combine function of both types.  A worker that has seen no row brings the
 * initial state; where that is all there is, it is the result, too.
 */
PG_FUNCTION_INFO_V1(omen_dense_combine);
Datum
omen_dense_combine(PG_FUNCTION_ARGS)
{
	ArrayType  *state = AggCheckCallContext(fcinfo, NULL) ?
		PG_GETARG_ARRAYTYPE_P(0) : PG_GETARG_ARRAYTYPE_P_COPY(0);
	ArrayType  *other = PG_GETARG_ARRAYTYPE_P(1);
	float8	   *values;
	float8	   *others;
	int			dim;
	int			i;

	om_check_state(state, "vector", "combine");
	om_check_state(other, "vector", "combine");
	values = OM_STATE_VALUES(state);
	others = OM_STATE_VALUES(other);

	if (values[0] == 0.0)
	{
		if (others[0] != 0.0)
			OmenDenseCheckDim(&omen_vector_type, OM_STATE_DIM(other));
		PG_RETURN_ARRAYTYPE_P(other);
	}
	dim = OM_STATE_DIM(state);
	OmenDenseCheckDim(&omen_vector_type, dim);
	if (others[0] == 0.0)
		PG_RETURN_ARRAYTYPE_P(state);

	OmenDenseCheckTypmod(dim, OM_STATE_DIM(other));
	for (i = 0; i <= dim; i++)
		values[i] += others[i];
	om_check_sums(dim, values + 1);
	PG_RETURN_ARRAYTYPE_P(state);
}

/* Final function: NULL if there was no value. */
static Datum
om_avg(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	ArrayType  *state = PG_GETARG_ARRAYTYPE_P(0);
	int			dim;
	float8	   *values;
	float	   *x;
	int			i;

	om_check_state(state, type->name, "avg");
	dim = OM_STATE_DIM(state);
	values = OM_STATE_VALUES(state);
	if (values[0] == 0.0)
		PG_RETURN_NULL();

	OmenDenseCheckDim(type, dim);
	x = palloc(mul_size(sizeof(float), dim));
	for (i = 0; i < dim; i++)
		x[i] = values[i + 1] / values[0];
	OmenDenseCheckFloats(type, dim, x);

	PG_RETURN_POINTER(OmenDenseFromFloats(type, dim, x));
}

OMEN_DENSE_FUNCTION(avg);
