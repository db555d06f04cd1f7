/*-------------------------------------------------------------------------
 *
 * kernels_neon.c
 *		The kernels of simd.h in NEON, as every aarch64 has it.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__aarch64__)

#include <arm_neon.h>
#include <math.h>
#include <string.h>

#include "simd/kernel_list.h"
#include "simd/simd.h"
#include "simd/target.h"

#include "simd/vector_neon.h"
#include "simd/distance_template.h"
#include "simd/code_template.h"

/* sum + the products of eight words, four and four. */
OM_INLINE int32x4_t
om_add_products(int32x4_t sum, int16x8_t a, int16x8_t b)
{
	sum = vmlal_s16(sum, vget_low_s16(a), vget_low_s16(b));
	return vmlal_high_s16(sum, a, b);
}

static int32_t
om_code_dot(int width, const int16_t *query, const int8_t *code)
{
	int32x4_t	even = vdupq_n_s32(0);
	int32x4_t	odd = vdupq_n_s32(0);

	for (int i = 0; i < width; i += 16)
	{
		int8x16_t	codes = vld1q_s8(code + i);

		even = om_add_products(even, vld1q_s16(query + i),
							   vmovl_s8(vget_low_s8(codes)));
		odd = om_add_products(odd, vld1q_s16(query + i + 8),
							  vmovl_high_s8(codes));
	}
	return vaddvq_s32(vaddq_s32(even, odd));
}

/* |x - u| of 16 codes: at most 254, so it fits an unsigned byte. */
OM_INLINE uint8x16_t
om_gap(int8x16_t x, int8x16_t u)
{
	return vreinterpretq_u8_s8(vabdq_s8(x, u));
}

static int32_t
om_code_l1(int width, const int8_t *a, const int8_t *b)
{
	uint32x4_t	sum = vdupq_n_u32(0);

	for (int i = 0; i < width; i += 16)
		sum = vpadalq_u16(sum, vpaddlq_u8(om_gap(vld1q_s8(a + i),
												 vld1q_s8(b + i))));
	return (int32_t) vaddvq_u32(sum);
}

/* sum + the squares of 16 bytes: each is below 65536. */
OM_INLINE uint32x4_t
om_add_byte_squares(uint32x4_t sum, uint8x16_t bytes)
{
	uint8x8_t	low = vget_low_u8(bytes);

	sum = vpadalq_u16(sum, vmull_u8(low, low));
	return vpadalq_u16(sum, vmull_high_u8(bytes, bytes));
}

/* What om_encode_lane sums up, over four lanes. */
typedef struct OmLaneSums
{
	uint32x4_t	squares;
	uint32x4_t	gaps;
	int32x4_t	signs;
} OmLaneSums;

/* Add 16 dimensions, of which the bytes of "above" tell where x > u. */
OM_INLINE void
om_add_dimensions(OmLaneSums *sums, int8x16_t x, int8x16_t u, uint8x16_t above)
{
	uint8x16_t	gap = om_gap(x, u);
	int8x16_t	sign = vbslq_s8(above, u, vnegq_s8(u));

	sums->squares = om_add_byte_squares(sums->squares, gap);
	sums->gaps = vpadalq_u16(sums->gaps, vpaddlq_u8(gap));
	sums->signs = vpadalq_s16(sums->signs, vpaddlq_s8(sign));
}

/*
 * The dword of a block for 32 dimensions, from bytes that are 0 or 255: eight
 * of them make one byte, by a weight for each bit and adding up in pairs.
 */
OM_INLINE uint32_t
om_block_bits(uint8x16_t first, uint8x16_t second)
{
	const uint8x16_t weights = {1, 2, 4, 8, 16, 32, 64, 128,
		1, 2, 4, 8, 16, 32, 64, 128};
	uint8x16_t	sum = vpaddq_u8(vandq_u8(first, weights),
								vandq_u8(second, weights));

	sum = vpaddq_u8(sum, sum);
	sum = vpaddq_u8(sum, sum);
	return vgetq_lane_u32(vreinterpretq_u32_u8(sum), 0);
}

/*
 * Dimensions are loaded four apart, which is the order of the bits in a block
 * and no matter to the sums.
 */
static void
om_encode_lane(int width, int c, const int8_t *u, const int8_t *x,
			   uint8_t *lane, int32_t *rr, int32_t *s1, int32_t *us)
{
	OmLaneSums	sums = {vdupq_n_u32(0), vdupq_n_u32(0), vdupq_n_s32(0)};

	for (int i = 0; i < c; i += 32, lane += 64)
	{
		int8x8x4_t	to = vld4_s8(x + i);
		int8x8x4_t	from = vld4_s8(u + i);
		int8x16_t	to01 = vcombine_s8(to.val[0], to.val[1]);
		int8x16_t	to23 = vcombine_s8(to.val[2], to.val[3]);
		int8x16_t	from01 = vcombine_s8(from.val[0], from.val[1]);
		int8x16_t	from23 = vcombine_s8(from.val[2], from.val[3]);
		uint8x16_t	above01 = vcgtq_s8(to01, from01);
		uint8x16_t	above23 = vcgtq_s8(to23, from23);
		uint32_t	bits = om_block_bits(above01, above23);

		memcpy(lane, &bits, sizeof(bits));
		om_add_dimensions(&sums, to01, from01, above01);
		om_add_dimensions(&sums, to23, from23, above23);
	}
	for (int i = c; i < width; i += 16)
		sums.squares = om_add_byte_squares(sums.squares,
										   om_gap(vld1q_s8(x + i),
												  vld1q_s8(u + i)));

	*rr = (int32_t) vaddvq_u32(sums.squares);
	*s1 = (int32_t) vaddvq_u32(sums.gaps);
	*us = vaddvq_s32(sums.signs);
}

/*
 * Rows of a block that fit 16-bit sums: eight pairs of bytes a row, and
 * (127 + 127) * 8 * 16 = 32512.
 */
#define OM_ROWS 16

/* Quarters of a row, of four lanes each. */
#define OM_QUARTERS 4

/*
 * Add the dot products of all lanes over at most OM_ROWS rows: of the query,
 * what the bits select is kept, and added up in pairs.
 */
OM_INLINE void
om_add_rows(int32x4_t *dots, int rows, const uint8_t *row,
			const int8_t *query)
{
	int16x8_t	sum[OM_QUARTERS];

	for (int q = 0; q < OM_QUARTERS; q++)
		sum[q] = vdupq_n_s16(0);

	for (int i = 0; i < rows; i++, row += 64)
	{
		for (int bit = 0; bit < 8; bit++, query += 4)
		{
			uint8x16_t	mask = vdupq_n_u8(1 << bit);
			uint32_t	four;
			uint8x16_t	part;

			memcpy(&four, query, sizeof(four));
			part = vreinterpretq_u8_u32(vdupq_n_u32(four));
			for (int q = 0; q < OM_QUARTERS; q++)
			{
				uint8x16_t	set = vtstq_u8(vld1q_u8(row + q * 16), mask);

				set = vandq_u8(set, part);
				sum[q] = vpadalq_s8(sum[q], vreinterpretq_s8_u8(set));
			}
		}
	}

	for (int q = 0; q < OM_QUARTERS; q++)
		dots[q] = vpadalq_s16(dots[q], sum[q]);
}

static uint32_t
om_estimate_block(int c, const uint8_t *block, const int8_t *query,
				  const uint16_t *t, const uint8_t *a, float y, float scale,
				  float shift, float limit, float *est)
{
	const uint32x4_t bits = {1, 2, 4, 8};
	int32x4_t	dots[OM_QUARTERS];
	uint32_t	below = 0;
	int			rows = c / 32;

	for (int q = 0; q < OM_QUARTERS; q++)
		dots[q] = vdupq_n_s32(0);
	for (int i = 0; i < rows; i += OM_ROWS)
		om_add_rows(dots, rows - i < OM_ROWS ? rows - i : OM_ROWS,
					block + i * 64, query + i * 32);

	for (int q = 0; q < OM_QUARTERS; q++)
	{
		float32x4_t v = om_estimates(dots[q], t + q * 4, a + q * 4, y, scale,
									 shift);
		uint32x4_t	hit = vcltq_f32(v, om_splat(limit));

		om_store(est + q * 4, v);
		below |= vaddvq_u32(vandq_u32(hit, bits)) << (q * 4);
	}
	return below;
}

const OmenKernels omen_kernels_neon = OM_KERNEL_LIST("neon");

#endif							/* __aarch64__ */
