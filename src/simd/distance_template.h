/*-------------------------------------------------------------------------
 *
 * distance_template.h
 *		Distances and conversions of simd.h, for any register of floats.
 *
 * Included once by each vector set, after its float_*.h.  Everything here is
 * inlined into the kernels at the end, where "metric" and "half" are
 * constants, so each kernel becomes one loop without a branch on them.
 *
 *-------------------------------------------------------------------------
 */

typedef enum OmMetric
{
	OM_L2_SQUARED,
	OM_INNER_PRODUCT,
	OM_L1
} OmMetric;

/* Registers per step: enough independent sums to hide the latency. */
#define OM_SUMS 4

/* Load the lanes from element i on of an array of floats or half floats. */
OM_INLINE om_floats
om_load_at(bool half, const void *x, int i)
{
	return half ? om_load_half((const uint16_t *) x + i) :
		om_load((const float *) x + i);
}

OM_INLINE om_floats
om_load_rest(bool half, const void *x, int i, int n)
{
	return half ? om_load_half_first((const uint16_t *) x + i, n - i) :
		om_load_first((const float *) x + i, n - i);
}

OM_INLINE om_floats
om_accumulate(OmMetric metric, om_floats sum, om_floats a, om_floats b)
{
	om_floats	diff;

	if (metric == OM_INNER_PRODUCT)
		return om_fused(a, b, sum);

	diff = om_sub(a, b);
	if (metric == OM_L1)
		return om_add(sum, om_abs(diff));
	return om_fused(diff, diff, sum);
}

/* Lanes past n are loaded as 0, which adds nothing in any metric. */
OM_INLINE float
om_distance(OmMetric metric, bool half, int n, const void *a, const void *b)
{
	om_floats	sum[OM_SUMS];
	int			i = 0;

	for (int s = 0; s < OM_SUMS; s++)
		sum[s] = om_zero();

	for (; n - i >= OM_SUMS * OM_FLOATS; i += OM_SUMS * OM_FLOATS)
	{
		for (int s = 0; s < OM_SUMS; s++)
			sum[s] = om_accumulate(metric, sum[s],
								   om_load_at(half, a, i + s * OM_FLOATS),
								   om_load_at(half, b, i + s * OM_FLOATS));
	}
	for (; n - i >= OM_FLOATS; i += OM_FLOATS)
		sum[0] = om_accumulate(metric, sum[0], om_load_at(half, a, i),
							   om_load_at(half, b, i));
	if (i < n)
		sum[1] = om_accumulate(metric, sum[1], om_load_rest(half, a, i, n),
							   om_load_rest(half, b, i, n));

	return om_sum(om_add(om_add(sum[0], sum[1]), om_add(sum[2], sum[3])));
}

OM_INLINE void
om_accumulate_cosine(om_floats *sum, om_floats a, om_floats b)
{
	sum[0] = om_fused(a, b, sum[0]);
	sum[1] = om_fused(a, a, sum[1]);
	sum[2] = om_fused(b, b, sum[2]);
}

OM_INLINE void
om_cosine_sums(bool half, int n, const void *a, const void *b,
			   float *dot, float *norm_a, float *norm_b)
{
	om_floats	even[3] = {om_zero(), om_zero(), om_zero()};
	om_floats	odd[3] = {om_zero(), om_zero(), om_zero()};
	int			i = 0;

	for (; n - i >= 2 * OM_FLOATS; i += 2 * OM_FLOATS)
	{
		om_accumulate_cosine(even, om_load_at(half, a, i),
							 om_load_at(half, b, i));
		om_accumulate_cosine(odd, om_load_at(half, a, i + OM_FLOATS),
							 om_load_at(half, b, i + OM_FLOATS));
	}
	if (n - i >= OM_FLOATS)
	{
		om_accumulate_cosine(even, om_load_at(half, a, i),
							 om_load_at(half, b, i));
		i += OM_FLOATS;
	}
	if (i < n)
		om_accumulate_cosine(odd, om_load_rest(half, a, i, n),
							 om_load_rest(half, b, i, n));

	*dot = om_sum(om_add(even[0], odd[0]));
	*norm_a = om_sum(om_add(even[1], odd[1]));
	*norm_b = om_sum(om_add(even[2], odd[2]));
}

static float
om_l2_squared(int n, const float *a, const float *b)
{
	return om_distance(OM_L2_SQUARED, false, n, a, b);
}

static float
om_inner_product(int n, const float *a, const float *b)
{
	return om_distance(OM_INNER_PRODUCT, false, n, a, b);
}

static float
om_l1(int n, const float *a, const float *b)
{
	return om_distance(OM_L1, false, n, a, b);
}

static void
om_cosine(int n, const float *a, const float *b,
		  float *dot, float *norm_a, float *norm_b)
{
	om_cosine_sums(false, n, a, b, dot, norm_a, norm_b);
}

static float
om_half_l2_squared(int n, const uint16_t *a, const uint16_t *b)
{
	return om_distance(OM_L2_SQUARED, true, n, a, b);
}

static float
om_half_inner_product(int n, const uint16_t *a, const uint16_t *b)
{
	return om_distance(OM_INNER_PRODUCT, true, n, a, b);
}

static float
om_half_l1(int n, const uint16_t *a, const uint16_t *b)
{
	return om_distance(OM_L1, true, n, a, b);
}

static void
om_half_cosine(int n, const uint16_t *a, const uint16_t *b,
			   float *dot, float *norm_a, float *norm_b)
{
	om_cosine_sums(true, n, a, b, dot, norm_a, norm_b);
}

static void
om_half_to_float(int n, const uint16_t *a, float *out)
{
	int			i = 0;

	for (; n - i >= OM_FLOATS; i += OM_FLOATS)
		om_store(out + i, om_load_half(a + i));
	if (i < n)
		om_store_first(out + i, om_load_half_first(a + i, n - i), n - i);
}

static void
om_float_to_half(int n, const float *a, uint16_t *out)
{
	int			i = 0;

	for (; n - i >= OM_FLOATS; i += OM_FLOATS)
		om_store_half(out + i, om_load(a + i));
	if (i < n)
		om_store_half_first(out + i, om_load_first(a + i, n - i), n - i);
}

#undef OM_SUMS
