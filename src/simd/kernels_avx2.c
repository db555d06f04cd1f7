/*-------------------------------------------------------------------------
 *
 * kernels_avx2.c
 *		The kernels of simd.h in AVX2, FMA and F16C.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "simd/kernel_list.h"
#include "simd/simd.h"
#include "simd/target.h"

OM_TARGET_BEGIN("avx2,fma,f16c")

#include "simd/vector_avx2.h"
#include "simd/distance_template.h"
#include "simd/code_template.h"

OM_INLINE __m256i
om_load_bytes(const void *p)
{
	return _mm256_loadu_si256((const __m256i *) p);
}

/* sum + the products of 16 pairs of words, two by two. */
OM_INLINE __m256i
om_add_products(__m256i sum, __m256i a, __m256i b)
{
	return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}

static int32_t
om_code_dot(int width, const int16_t *query, const int8_t *code)
{
	__m256i		even = _mm256_setzero_si256();
	__m256i		odd = _mm256_setzero_si256();

	for (int i = 0; i < width; i += 32)
	{
		__m256i		codes = om_load_bytes(code + i);
		__m128i		low = _mm256_castsi256_si128(codes);
		__m128i		high = _mm256_extracti128_si256(codes, 1);

		even = om_add_products(even, _mm256_cvtepi8_epi16(low),
							   om_load_bytes(query + i));
		odd = om_add_products(odd, _mm256_cvtepi8_epi16(high),
							  om_load_bytes(query + i + 16));
	}
	return om_sum_ints(_mm256_add_epi32(even, odd));
}

static int32_t
om_code_l1(int width, const int8_t *a, const int8_t *b)
{
	const __m256i signs = _mm256_set1_epi8(-128);
	__m256i		sum = _mm256_setzero_si256();

	/* with the sign bits flipped, bytes are unsigned, and as far apart */
	for (int i = 0; i < width; i += 32)
	{
		__m256i		x = _mm256_xor_si256(om_load_bytes(a + i), signs);
		__m256i		y = _mm256_xor_si256(om_load_bytes(b + i), signs);

		sum = _mm256_add_epi64(sum, _mm256_sad_epu8(x, y));
	}
	return om_sum_ints(sum);
}

/* |x - u| of 32 codes: at most 254, so it fits an unsigned byte. */
OM_INLINE __m256i
om_gap(__m256i x, __m256i u)
{
	return _mm256_sub_epi8(_mm256_max_epi8(x, u), _mm256_min_epi8(x, u));
}

/* sum + the squares of 32 unsigned bytes. */
OM_INLINE __m256i
om_add_byte_squares(__m256i sum, __m256i bytes)
{
	__m256i		low = _mm256_unpacklo_epi8(bytes, _mm256_setzero_si256());
	__m256i		high = _mm256_unpackhi_epi8(bytes, _mm256_setzero_si256());

	return om_add_products(om_add_products(sum, low, low), high, high);
}

/* sum + u where above is 0, and sum - u where it is -1; u is never -128. */
OM_INLINE __m256i
om_add_below(__m256i sum, __m256i u, __m256i above)
{
	__m256i		one = _mm256_set1_epi8(1);
	__m256i		bytes = _mm256_sign_epi8(u, _mm256_or_si256(above, one));

	return om_add_products(sum, _mm256_maddubs_epi16(one, bytes),
						   _mm256_set1_epi16(1));
}

/*
 * One bit for each of 32 bytes that are 0 or -1, in the order of a block:
 * byte i gives bit i % 4 * 8 + i / 4.  That is a transposition of 8 by 4
 * bytes, done as 4 by 4 in each half, then by dwords of both.
 */
OM_INLINE uint32_t
om_block_bits(__m256i bytes)
{
	const __m256i by_four = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13,
											 2, 6, 10, 14, 3, 7, 11, 15,
											 0, 4, 8, 12, 1, 5, 9, 13,
											 2, 6, 10, 14, 3, 7, 11, 15);
	const __m256i halves = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);

	bytes = _mm256_shuffle_epi8(bytes, by_four);
	bytes = _mm256_permutevar8x32_epi32(bytes, halves);
	return (uint32_t) _mm256_movemask_epi8(bytes);
}

static void
om_encode_lane(int width, int c, const int8_t *u, const int8_t *x,
			   uint8_t *lane, int32_t *rr, int32_t *s1, int32_t *us)
{
	__m256i		squares = _mm256_setzero_si256();
	__m256i		gaps = _mm256_setzero_si256();
	__m256i		below = _mm256_setzero_si256();
	int			i;

	for (i = 0; i < c; i += 32, lane += 64)
	{
		__m256i		from = om_load_bytes(u + i);
		__m256i		to = om_load_bytes(x + i);
		__m256i		above = _mm256_cmpgt_epi8(to, from);
		__m256i		gap = om_gap(to, from);
		uint32_t	bits = om_block_bits(above);

		memcpy(lane, &bits, sizeof(bits));
		squares = om_add_byte_squares(squares, gap);
		gap = _mm256_sad_epu8(gap, _mm256_setzero_si256());
		gaps = _mm256_add_epi32(gaps, gap);
		below = om_add_below(below, from, above);
	}
	for (; i < width; i += 32)
		squares = om_add_byte_squares(squares,
									  om_gap(om_load_bytes(x + i),
											 om_load_bytes(u + i)));

	*rr = om_sum_ints(squares);
	*s1 = om_sum_ints(gaps);
	*us = -om_sum_ints(below);
}

/*
 * Rows of a block that fit the 16-bit sums of om_rows_dot: it adds products
 * with up to 8, in pairs, twice a row, and (127 + 127) * 8 * 2 * 8 = 32512.
 */
#define OM_ROWS 8

/*
 * sum + the products, added in pairs, of one bit of each byte and the query's
 * next four dimensions.
 */
OM_INLINE __m256i
om_add_bit(__m256i sum, __m256i bytes, int bit, const int8_t *query)
{
	int32_t		four;

	memcpy(&four, query, sizeof(four));
	bytes = _mm256_and_si256(bytes, _mm256_set1_epi8(1 << bit));
	return _mm256_add_epi16(sum, _mm256_maddubs_epi16(bytes,
													  _mm256_set1_epi32(four)));
}

/*
 * The dot products of eight lanes over at most OM_ROWS rows, each as two
 * words to be added.  Bits are left where they are in their nibble, so that
 * products are up to eight times too large; it is the sums that are shifted.
 */
OM_INLINE __m256i
om_rows_dot(int rows, const uint8_t *row, const int8_t *query)
{
	__m256i		sum[4];

	for (int bit = 0; bit < 4; bit++)
		sum[bit] = _mm256_setzero_si256();

	for (int i = 0; i < rows; i++, row += 64, query += 32)
	{
		__m256i		low = om_load_bytes(row);
		__m256i		high = _mm256_srli_epi16(low, 4);

		for (int bit = 0; bit < 4; bit++)
		{
			sum[bit] = om_add_bit(sum[bit], low, bit, query + bit * 4);
			sum[bit] = om_add_bit(sum[bit], high, bit, query + bit * 4 + 16);
		}
	}

	for (int bit = 1; bit < 4; bit++)
		sum[0] = _mm256_add_epi16(sum[0], _mm256_srai_epi16(sum[bit], bit));
	return sum[0];
}

/* The dot products of eight lanes; "row" is their part of the first row. */
OM_INLINE __m256i
om_dots(int c, const uint8_t *row, const int8_t *query)
{
	__m256i		dots = _mm256_setzero_si256();
	int			rows = c / 32;

	for (int i = 0; i < rows; i += OM_ROWS)
	{
		int			some = rows - i < OM_ROWS ? rows - i : OM_ROWS;

		dots = om_add_products(dots, om_rows_dot(some, row + i * 64,
												 query + i * 32),
							   _mm256_set1_epi16(1));
	}
	return dots;
}

static uint32_t
om_estimate_block(int c, const uint8_t *block, const int8_t *query,
				  const uint16_t *t, const uint8_t *a, float y, float scale,
				  float shift, float limit, float *est)
{
	uint32_t	below = 0;

	for (int j = 0; j < OMEN_LANES; j += 8)
	{
		__m256i		dots = om_dots(c, block + j * 4, query);
		__m256		v = om_estimates(dots, t + j, a + j, y, scale, shift);
		__m256		hit = _mm256_cmp_ps(v, om_splat(limit), _CMP_LT_OQ);

		om_store(est + j, v);
		below |= (uint32_t) _mm256_movemask_ps(hit) << j;
	}
	return below;
}

const OmenKernels omen_kernels_avx2 = OM_KERNEL_LIST("avx2");

OM_TARGET_END

#endif							/* __x86_64__ */
