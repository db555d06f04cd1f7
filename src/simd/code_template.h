/*-------------------------------------------------------------------------
 *
 * code_template.h
 *		Parts of the code kernels that are the same for any register.
 *
 * Included once by each vector set, after its vector_*.h and before it codes
 * and estimates blocks, which depends too much on the instructions at hand.
 *
 * In a rotation, strides below the width of a register are done inside
 * registers, larger ones two at a time on four registers, which halves the
 * traffic with the cache.  The order of the additions that make one number
 * is that of simd.h all the same.
 *
 *-------------------------------------------------------------------------
 */

OM_INLINE void
om_butterfly_pair(om_floats *a, om_floats *b)
{
	om_floats	diff = om_sub(*a, *b);

	*a = om_add(*a, *b);
	*b = diff;
}

/*
 * Strides h and 2 * h on the lanes of x[0], x[h], x[2 * h] and x[3 * h];
 * with leaf, the strides below OM_FLOATS before that.
 */
OM_INLINE void
om_two_strides(float *x, size_t h, bool leaf)
{
	om_floats	v[4];

	for (int i = 0; i < 4; i++)
	{
		v[i] = om_load(x + i * h);
		if (leaf)
			v[i] = om_butterflies(v[i]);
	}
	om_butterfly_pair(&v[0], &v[1]);
	om_butterfly_pair(&v[2], &v[3]);
	om_butterfly_pair(&v[0], &v[2]);
	om_butterfly_pair(&v[1], &v[3]);
	for (int i = 0; i < 4; i++)
		om_store(x + i * h, v[i]);
}

OM_INLINE void
om_one_stride(float *x, size_t h)
{
	om_floats	a = om_load(x);
	om_floats	b = om_load(x + h);

	om_butterfly_pair(&a, &b);
	om_store(x, a);
	om_store(x + h, b);
}

/* The transform of n floats, n >= 4 * OM_FLOATS a power of two. */
static void
om_transform(float *x, size_t n)
{
	size_t		h;

	for (size_t i = 0; i < n; i += 4 * OM_FLOATS)
		om_two_strides(x + i, OM_FLOATS, true);
	for (h = 4 * OM_FLOATS; 4 * h <= n; h *= 4)
	{
		for (size_t i = 0; i < n; i += 4 * h)
		{
			for (size_t j = i; j < i + h; j += OM_FLOATS)
				om_two_strides(x + j, h, false);
		}
	}
	if (h < n)
	{
		for (size_t j = 0; j < h; j += OM_FLOATS)
			om_one_stride(x + j, h);
	}
}

/* (a, b) -> ((a + b) * c, (a - b) * c) over the halves of x. */
static void
om_mix_halves(float *x, int width)
{
	om_floats	c = om_splat(0.70710678f);
	int			half = width / 2;

	/* half is a multiple of 16, so of OM_FLOATS */
	for (int i = 0; i < half; i += OM_FLOATS)
	{
		om_floats	a = om_load(x + i);
		om_floats	b = om_load(x + i + half);

		om_butterfly_pair(&a, &b);
		om_store(x + i, om_mul(a, c));
		om_store(x + i + half, om_mul(b, c));
	}
}

static void
om_rotate(const OmenRotation *rotation, float *x)
{
	int			width = rotation->width;
	int			block = rotation->block;
	om_floats	scale = om_splat(1 / sqrtf((float) block));

	for (int round = 0; round < rotation->rounds; round++)
	{
		const uint32_t *signs = rotation->signs + (size_t) round * width;
		float	   *part = round % 2 == 0 ? x : x + (width - block);

		for (int i = 0; i < width; i += OM_FLOATS)
			om_store(x + i, om_flip(om_load(x + i), signs + i));
		om_transform(part, block);
		for (int i = 0; i < block; i += OM_FLOATS)
			om_store(part + i, om_mul(om_load(part + i), scale));
		if (block != width)
			om_mix_halves(x, width);
	}
}

/* Registers that hold the 16 lanes in which errors are summed. */
#define OM_SPLIT (16 / OM_FLOATS)

static int32_t
om_quantize(int width, const float *x, float inv_step, int8_t *code,
			float *error)
{
	om_floats	step = om_splat(inv_step);
	om_floats	sum[OM_SPLIT];
	om_ints		norm = om_zero_ints();

	for (int s = 0; s < OM_SPLIT; s++)
		sum[s] = om_zero();

	for (int i = 0; i < width; i += 16)
	{
		om_ints		rounded[OM_SPLIT];

		for (int s = 0; s < OM_SPLIT; s++)
		{
			om_floats	scaled = om_mul(om_load(x + i + s * OM_FLOATS), step);
			om_floats	rest;

			rounded[s] = om_round_code(scaled);
			rest = om_sub(scaled, om_to_floats(rounded[s]));
			sum[s] = om_add(sum[s], om_mul(rest, rest));
			norm = om_add_squares(norm, rounded[s]);
		}
		om_store_codes(code + i, rounded);
	}

	for (int half = OM_SPLIT / 2; half > 0; half /= 2)
	{
		for (int s = 0; s < half; s++)
			sum[s] = om_add(sum[s], sum[s + half]);
	}
	*error = om_sum(sum[0]);
	return om_sum_ints(norm);
}

#undef OM_SPLIT

/*
 * The estimates of OM_FLOATS lanes of a block, from their dot products.
 * Nothing is fused here, so the bits are those of the scalar kernel.
 */
OM_INLINE om_floats
om_estimates(om_ints dot, const uint16_t *t, const uint8_t *a, float y,
			 float scale, float shift)
{
	om_floats	base = om_add(om_splat(y), om_load_edge_t(t));
	om_floats	slope = om_sub(om_mul(om_splat(scale), om_to_floats(dot)),
							   om_splat(shift));

	return om_add(base, om_mul(om_load_edge_a(a), slope));
}

/*
 * Code one neighbour of u: what om_encode_block is to do for one lane, whose
 * dword in the first row of the block is at "lane".  Each set has its own.
 */
static void om_encode_lane(int width, int c, const int8_t *u, const int8_t *x,
						   uint8_t *lane, int32_t *rr, int32_t *s1,
						   int32_t *us);

static void
om_encode_block(int width, int c, const int8_t *u, const int8_t *const *x,
				int n, uint8_t *block, int32_t *rr, int32_t *s1, int32_t *us)
{
	if (n < OMEN_LANES)
		memset(block, 0, OMEN_BLOCK_BYTES(c));
	for (int j = 0; j < n; j++)
		om_encode_lane(width, c, u, x[j], block + j * 4,
					   &rr[j], &s1[j], &us[j]);
	for (int j = n; j < OMEN_LANES; j++)
		rr[j] = s1[j] = us[j] = 0;
}
