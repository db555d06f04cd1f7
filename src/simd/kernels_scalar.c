/*-------------------------------------------------------------------------
 *
 * kernels_scalar.c
 *		The kernels of simd.h in plain C.
 *
 * Every machine can run these, and they are what the test holds the other
 * sets against.  So they follow the comments of simd.h word for word and are
 * kept apart from the code that the other sets share.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd/kernel_list.h"
#include "simd/simd.h"

/* Bit patterns of IEEE floats, and the half floats that they bound. */
#define OM_FLOAT_SIGN		UINT32_C(0x80000000)
#define OM_FLOAT_INF		UINT32_C(0x7f800000)
#define OM_FLOAT_QUIET		UINT32_C(0x00400000)
#define OM_HALF_OVERFLOW	UINT32_C(0x477ff000)	/* 65520: rounds to inf */
#define OM_HALF_NORMAL		UINT32_C(0x38800000)	/* 2^-14 */
#define OM_HALF_REBIAS		(UINT32_C(112) << 23)	/* 127 - 15 exponents */

static inline float
om_from_half(uint16_t half)
{
	uint32_t	sign = (uint32_t) (half & 0x8000) << 16;
	uint32_t	exponent = (half >> 10) & 0x1f;
	uint32_t	mantissa = half & 0x3ff;

	if (exponent == 0x1f)
		return OmenBitsFloat(sign | OM_FLOAT_INF | mantissa << 13 |
							 (mantissa != 0 ? OM_FLOAT_QUIET : 0));

	/* A subnormal half is a multiple of 2^-24, and normal as a float. */
	if (exponent == 0)
		return OmenBitsFloat(sign | OmenFloatBits(mantissa * 0x1p-24f));

	return OmenBitsFloat(sign | ((exponent << 23 | mantissa << 13) +
								 OM_HALF_REBIAS));
}

static inline uint16_t
om_to_half(float x)
{
	uint32_t	bits = OmenFloatBits(x);
	uint32_t	sign = (bits & OM_FLOAT_SIGN) >> 16;

	bits &= ~OM_FLOAT_SIGN;

	/* NaN stays NaN: quiet, with what fits of its payload. */
	if (bits > OM_FLOAT_INF)
		return sign | 0x7e00 | (bits >> 13 & 0x3ff);
	if (bits >= OM_HALF_OVERFLOW)
		return sign | 0x7c00;

	/*
	 * The result is subnormal, or just rounds up to normal.  Neighbouring
	 * floats in [0.5, 1) are 2^-24 apart, which is the unit wanted here, so
	 * this addition does the rounding.
	 */
	if (bits < OM_HALF_NORMAL)
		return sign | (OmenFloatBits(OmenBitsFloat(bits) + 0.5f) -
					   OmenFloatBits(0.5f));

	/* Round to nearest even at bit 13; a carry into the exponent is right. */
	bits += 0xfff + (bits >> 13 & 1);
	return sign | (bits - OM_HALF_REBIAS) >> 13;
}

static float
om_l2_squared(int n, const float *a, const float *b)
{
	float		sum = 0;

	for (int i = 0; i < n; i++)
		sum += (a[i] - b[i]) * (a[i] - b[i]);
	return sum;
}

static float
om_inner_product(int n, const float *a, const float *b)
{
	float		sum = 0;

	for (int i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

static float
om_l1(int n, const float *a, const float *b)
{
	float		sum = 0;

	for (int i = 0; i < n; i++)
		sum += fabsf(a[i] - b[i]);
	return sum;
}

static void
om_cosine(int n, const float *a, const float *b,
		  float *dot, float *norm_a, float *norm_b)
{
	*dot = om_inner_product(n, a, b);
	*norm_a = om_inner_product(n, a, a);
	*norm_b = om_inner_product(n, b, b);
}

static float
om_half_l2_squared(int n, const uint16_t *a, const uint16_t *b)
{
	float		sum = 0;

	for (int i = 0; i < n; i++)
	{
		float		diff = om_from_half(a[i]) - om_from_half(b[i]);

		sum += diff * diff;
	}
	return sum;
}

static float
om_half_inner_product(int n, const uint16_t *a, const uint16_t *b)
{
	float		sum = 0;

	for (int i = 0; i < n; i++)
		sum += om_from_half(a[i]) * om_from_half(b[i]);
	return sum;
}

static float
om_half_l1(int n, const uint16_t *a, const uint16_t *b)
{
	float		sum = 0;

	for (int i = 0; i < n; i++)
		sum += fabsf(om_from_half(a[i]) - om_from_half(b[i]));
	return sum;
}

static void
om_half_cosine(int n, const uint16_t *a, const uint16_t *b,
			   float *dot, float *norm_a, float *norm_b)
{
	*dot = om_half_inner_product(n, a, b);
	*norm_a = om_half_inner_product(n, a, a);
	*norm_b = om_half_inner_product(n, b, b);
}

static void
om_half_to_float(int n, const uint16_t *a, float *out)
{
	for (int i = 0; i < n; i++)
		out[i] = om_from_half(a[i]);
}

static void
om_float_to_half(int n, const float *a, uint16_t *out)
{
	for (int i = 0; i < n; i++)
		out[i] = om_to_half(a[i]);
}

/* The fast Walsh-Hadamard transform of n floats, without scaling. */
static void
om_transform(float *x, int n)
{
	for (int stride = 1; stride < n; stride *= 2)
	{
		for (int i = 0; i < n; i += 2 * stride)
		{
			for (int j = i; j < i + stride; j++)
			{
				float		a = x[j];
				float		b = x[j + stride];

				x[j] = a + b;
				x[j + stride] = a - b;
			}
		}
	}
}

/* The Kac step: turn the two halves of x by 45 degrees into each other. */
static void
om_mix_halves(float *x, int width)
{
	const float c = 0.70710678f;
	int			half = width / 2;

	for (int i = 0; i < half; i++)
	{
		float		a = x[i];
		float		b = x[i + half];

		x[i] = (a + b) * c;
		x[i + half] = (a - b) * c;
	}
}

static void
om_rotate(const OmenRotation *rotation, float *x)
{
	int			width = rotation->width;
	int			block = rotation->block;
	float		scale = 1 / sqrtf((float) block);

	for (int round = 0; round < rotation->rounds; round++)
	{
		const uint32_t *signs = rotation->signs + (size_t) round * width;
		float	   *part = round % 2 == 0 ? x : x + (width - block);

		for (int i = 0; i < width; i++)
			x[i] = OmenBitsFloat(OmenFloatBits(x[i]) ^ signs[i]);
		om_transform(part, block);
		for (int i = 0; i < block; i++)
			part[i] *= scale;
		if (block != width)
			om_mix_halves(x, width);
	}
}

static inline int8_t
om_quantize_one(float scaled)
{
	if (isnan(scaled))
		return 0;
	if (scaled >= 127)
		return 127;
	if (scaled <= -127)
		return -127;
	return (int8_t) rintf(scaled);
}

static int32_t
om_quantize(int width, const float *x, float inv_step, int8_t *code,
			float *error)
{
	float		lanes[16] = {0};
	int32_t		norm = 0;

	for (int i = 0; i < width; i++)
	{
		float		scaled = x[i] * inv_step;
		float		rest;

		code[i] = om_quantize_one(scaled);
		rest = scaled - code[i];
		lanes[i % 16] += rest * rest;
		norm += code[i] * code[i];
	}

	for (int half = 8; half > 0; half /= 2)
	{
		for (int j = 0; j < half; j++)
			lanes[j] += lanes[j + half];
	}
	*error = lanes[0];
	return norm;
}

static int32_t
om_code_dot(int width, const int16_t *query, const int8_t *code)
{
	int32_t		sum = 0;

	for (int i = 0; i < width; i++)
		sum += query[i] * code[i];
	return sum;
}

static int32_t
om_code_l1(int width, const int8_t *a, const int8_t *b)
{
	int32_t		sum = 0;

	for (int i = 0; i < width; i++)
		sum += abs(a[i] - b[i]);
	return sum;
}

/* Where dimension i of a lane is in a block: its byte, and its bit there. */
static inline size_t
om_block_byte(int i, int lane)
{
	return (size_t) (i / 32) * 64 + lane * 4 + i % 4;
}

static inline int
om_block_bit(int i)
{
	return i % 32 / 4;
}

/* Code one neighbour x of u as lane "lane" of a block that is zero there. */
static void
om_encode_lane(int width, int c, const int8_t *u, const int8_t *x, int lane,
			   uint8_t *block, int32_t *rr, int32_t *s1, int32_t *us)
{
	for (int i = 0; i < width; i++)
	{
		int			r = x[i] - u[i];

		*rr += r * r;
		if (i >= c)
			continue;
		*s1 += r > 0 ? r : -r;
		*us += r > 0 ? u[i] : -u[i];
		if (r > 0)
			block[om_block_byte(i, lane)] |= 1 << om_block_bit(i);
	}
}

static void
om_encode_block(int width, int c, const int8_t *u, const int8_t *const *x,
				int n, uint8_t *block, int32_t *rr, int32_t *s1, int32_t *us)
{
	memset(block, 0, OMEN_BLOCK_BYTES(c));
	for (int lane = 0; lane < OMEN_LANES; lane++)
	{
		rr[lane] = s1[lane] = us[lane] = 0;
		if (lane < n)
			om_encode_lane(width, c, u, x[lane], lane, block,
						   &rr[lane], &s1[lane], &us[lane]);
	}
}

static uint32_t
om_estimate_block(int c, const uint8_t *block, const int8_t *query,
				  const uint16_t *t, const uint8_t *a, float y, float scale,
				  float shift, float limit, float *est)
{
	uint32_t	below = 0;

	for (int lane = 0; lane < OMEN_LANES; lane++)
	{
		int32_t		dot = 0;

		for (int i = 0; i < c; i++)
		{
			if (block[om_block_byte(i, lane)] >> om_block_bit(i) & 1)
				dot += query[i];
		}
		est[lane] = (y + OmenEdgeT(t[lane])) +
			OmenEdgeA(a[lane]) * (scale * (float) dot - shift);
		if (est[lane] < limit)
			below |= UINT32_C(1) << lane;
	}
	return below;
}

const OmenKernels omen_kernels_scalar = OM_KERNEL_LIST("scalar");
