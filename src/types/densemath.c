/*-------------------------------------------------------------------------
 *
 * densemath.c
 *		Distances, norms and arithmetic of vector and halfvec.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "simd/simd.h"
#include "storage/shmem.h"		/* for mul_size() */
#include "types/dense.h"
#include "utils/float.h"
#include "utils/varbit.h"

/* The two arguments of a function, which must be of the same dimensions. */
static inline void
om_get_pair(FunctionCallInfo fcinfo, const OmenDenseType *type,
			OmenDense **a, OmenDense **b)
{
	*a = OMEN_GETARG_DENSE(type, 0);
	*b = OMEN_GETARG_DENSE(type, 1);
	OmenDenseCheckSame(type, *a, *b);
}

/*
 * Distances
 */

static inline float
om_call_l2_squared(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	OmenDense  *a;
	OmenDense  *b;

	om_get_pair(fcinfo, type, &a, &b);
	if (type->is_half)
		return omen_kernels->half_l2_squared(a->dim,
											 (const uint16 *) a->data,
											 (const uint16 *) b->data);
	return omen_kernels->l2_squared(a->dim, (const float *) a->data,
									(const float *) b->data);
}

static inline float
om_call_inner_product(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	OmenDense  *a;
	OmenDense  *b;

	om_get_pair(fcinfo, type, &a, &b);
	if (type->is_half)
		return omen_kernels->half_inner_product(a->dim,
												(const uint16 *) a->data,
												(const uint16 *) b->data);
	return omen_kernels->inner_product(a->dim, (const float *) a->data,
									   (const float *) b->data);
}

static Datum
om_l2_distance(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	PG_RETURN_FLOAT8(sqrt((double) om_call_l2_squared(fcinfo, type)));
}

OMEN_DENSE_FUNCTION(l2_distance);

static Datum
om_l2_squared_distance(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	PG_RETURN_FLOAT8((double) om_call_l2_squared(fcinfo, type));
}

OMEN_DENSE_FUNCTION(l2_squared_distance);

static Datum
om_inner_product(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	PG_RETURN_FLOAT8((double) om_call_inner_product(fcinfo, type));
}

OMEN_DENSE_FUNCTION(inner_product);

static Datum
om_negative_inner_product(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	PG_RETURN_FLOAT8((double) -om_call_inner_product(fcinfo, type));
}

OMEN_DENSE_FUNCTION(negative_inner_product);

/* Rounding can bring a cosine out of its range; NaN stays. */
static inline double
om_clamp_cosine(double cosine)
{
	if (cosine > 1.0)
		return 1.0;
	if (cosine < -1.0)
		return -1.0;
	return cosine;
}

/* NaN if a vector is zero: its direction is not defined. */
static Datum
om_cosine_distance(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	OmenDense  *a;
	OmenDense  *b;
	float		dot;
	float		norm_a;
	float		norm_b;
	double		cosine;

	om_get_pair(fcinfo, type, &a, &b);
	if (type->is_half)
		omen_kernels->half_cosine(a->dim, (const uint16 *) a->data,
								  (const uint16 *) b->data,
								  &dot, &norm_a, &norm_b);
	else
		omen_kernels->cosine(a->dim, (const float *) a->data,
							 (const float *) b->data,
							 &dot, &norm_a, &norm_b);

	/* One root of the product, so that equal vectors give exactly 1 */
	cosine = (double) dot / sqrt((double) norm_a * (double) norm_b);
	PG_RETURN_FLOAT8(1.0 - om_clamp_cosine(cosine));
}

OMEN_DENSE_FUNCTION(cosine_distance);

/* Angle between two vectors of length 1, as a share of half a turn. */
static Datum
om_spherical_distance(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	double		cosine = (double) om_call_inner_product(fcinfo, type);

	PG_RETURN_FLOAT8(acos(om_clamp_cosine(cosine)) / M_PI);
}

OMEN_DENSE_FUNCTION(spherical_distance);

static Datum
om_l1_distance(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	OmenDense  *a;
	OmenDense  *b;
	float		sum;

	om_get_pair(fcinfo, type, &a, &b);
	if (type->is_half)
		sum = omen_kernels->half_l1(a->dim, (const uint16 *) a->data,
									(const uint16 *) b->data);
	else
		sum = omen_kernels->l1(a->dim, (const float *) a->data,
							   (const float *) b->data);
	PG_RETURN_FLOAT8((double) sum);
}

OMEN_DENSE_FUNCTION(l1_distance);

/*
 * One vector
 */

static Datum
om_dims(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	PG_RETURN_INT32(OMEN_GETARG_DENSE(type, 0)->dim);
}

OMEN_DENSE_FUNCTION(dims);

/* In double precision: squares of floats do not overflow there. */
static double
om_l2_norm(int n, const float *x)
{
	double		sum = 0.0;
	int			i;

	for (i = 0; i < n; i++)
		sum += (double) x[i] * (double) x[i];
	return sqrt(sum);
}

static Datum
om_norm(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	OmenDense  *v = OMEN_GETARG_DENSE(type, 0);

	PG_RETURN_FLOAT8(om_l2_norm(v->dim, OmenDenseFloats(type, v)));
}

OMEN_DENSE_FUNCTION(norm);

/*
 * A value of the results r of arithmetic, or an error (22003) if one of them
 * is too large for the type.
 */
static OmenDense *
om_result(const OmenDenseType *type, int dim, const float *r)
{
	bool		overflow = false;
	int			i;

	for (i = 0; i < dim; i++)
		overflow |= fabsf(r[i]) >= type->overflow;
	if (overflow)
		float_overflow_error();
	return OmenDenseFromFloats(type, dim, r);
}

/* The zero vector gives itself. */
static Datum
om_normalize(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	OmenDense  *v = OMEN_GETARG_DENSE(type, 0);
	const float *x = OmenDenseFloats(type, v);
	double		norm = om_l2_norm(v->dim, x);
	float	   *r;
	int			i;

	if (norm == 0.0)
		PG_RETURN_POINTER(OmenDenseNew(type, v->dim));

	r = palloc(mul_size(sizeof(float), v->dim));
	for (i = 0; i < v->dim; i++)
		r[i] = x[i] / norm;
	PG_RETURN_POINTER(om_result(type, v->dim, r));
}

OMEN_DENSE_FUNCTION(normalize);

/* One bit for each dimension, set where the element is above zero. */
static Datum
om_binary_quantize(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	OmenDense  *v = OMEN_GETARG_DENSE(type, 0);
	const float *x = OmenDenseFloats(type, v);
	Size		size = VARBITTOTALLEN(v->dim);
	VarBit	   *result = palloc0(size);
	bits8	   *bits = VARBITS(result);
	int			i;

	SET_VARSIZE(result, size);
	VARBITLEN(result) = v->dim;
	for (i = 0; i < v->dim; i++)
		bits[i / BITS_PER_BYTE] |= (x[i] > 0) << (7 - i % BITS_PER_BYTE);

	PG_RETURN_VARBIT_P(result);
}

OMEN_DENSE_FUNCTION(binary_quantize);

/*
 * "count" elements from number "start" (the first is 1), cut to those that
 * exist, as substring() does.
 */
static Datum
om_subvector(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	OmenDense  *v = OMEN_GETARG_DENSE(type, 0);
	int64		start = PG_GETARG_INT32(1);
	int64		end = start + PG_GETARG_INT32(2);
	OmenDense  *result;

	start = Max(start, 1);
	end = Min(end, v->dim + 1);
	OmenDenseCheckDim(type, (int) Max(end - start, 0));
	result = OmenDenseNew(type, (int) (end - start));
	memcpy(result->data, v->data + (start - 1) * type->width,
		   (end - start) * type->width);

	PG_RETURN_POINTER(result);
}

OMEN_DENSE_FUNCTION(subvector);

/*
 * Arithmetic
 */

static Datum
om_concat(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	OmenDense  *a = OMEN_GETARG_DENSE(type, 0);
	OmenDense  *b = OMEN_GETARG_DENSE(type, 1);
	OmenDense  *result;

	OmenDenseCheckDim(type, a->dim + b->dim);
	result = OmenDenseNew(type, a->dim + b->dim);
	memcpy(result->data, a->data, a->dim * type->width);
	memcpy(result->data + a->dim * type->width, b->data,
		   b->dim * type->width);

	PG_RETURN_POINTER(result);
}

OMEN_DENSE_FUNCTION(concat);

typedef void (*OmOperation) (const OmenDenseType *type, int n,
							 const float *x, const float *y, float *r);

static void
om_add_floats(const OmenDenseType *type, int n,
			  const float *x, const float *y, float *r)
{
	int			i;

	for (i = 0; i < n; i++)
		r[i] = x[i] + y[i];
}

static void
om_subtract_floats(const OmenDenseType *type, int n,
				   const float *x, const float *y, float *r)
{
	int			i;

	for (i = 0; i < n; i++)
		r[i] = x[i] - y[i];
}

/* A product of halves is exact as a float, so it is rounded only once. */
static void
om_multiply_floats(const OmenDenseType *type, int n,
				   const float *x, const float *y, float *r)
{
	bool		underflow = false;
	int			i;

	for (i = 0; i < n; i++)
	{
		r[i] = x[i] * y[i];
		underflow |= fabsf(r[i]) <= type->underflow &&
			x[i] != 0 && y[i] != 0;
	}
	if (underflow)
		float_underflow_error();
}

static Datum
om_arithmetic(FunctionCallInfo fcinfo, const OmenDenseType *type,
			  OmOperation operation)
{
	OmenDense  *a;
	OmenDense  *b;
	float	   *r;

	om_get_pair(fcinfo, type, &a, &b);
	r = palloc(mul_size(sizeof(float), a->dim));
	operation(type, a->dim, OmenDenseFloats(type, a),
			  OmenDenseFloats(type, b), r);

	PG_RETURN_POINTER(om_result(type, a->dim, r));
}

static Datum
om_add(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	return om_arithmetic(fcinfo, type, om_add_floats);
}

OMEN_DENSE_FUNCTION(add);

static Datum
om_sub(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	return om_arithmetic(fcinfo, type, om_subtract_floats);
}

OMEN_DENSE_FUNCTION(sub);

static Datum
om_mul(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	return om_arithmetic(fcinfo, type, om_multiply_floats);
}

OMEN_DENSE_FUNCTION(mul);
