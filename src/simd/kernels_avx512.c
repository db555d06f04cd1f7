/*-------------------------------------------------------------------------
 *
 * kernels_avx512.c
 *		The kernels of simd.h in AVX-512 F, BW, DQ, VL and VNNI.
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

OM_TARGET_BEGIN("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

#include "simd/vector_avx512.h"
#include "simd/distance_template.h"
#include "simd/code_template.h"

OM_INLINE __m512i
om_add_code_products(__m512i sum, const int16_t *query, const int8_t *code)
{
	__m256i		codes = _mm256_loadu_si256((const __m256i *) code);

	return _mm512_dpwssd_epi32(sum, _mm512_cvtepi8_epi16(codes),
							   _mm512_loadu_si512(query));
}

/* Four sums, as one would have to wait for itself. */
static int32_t
om_code_dot(int width, const int16_t *query, const int8_t *code)
{
	const __m512i zero = _mm512_setzero_si512();
	__m512i		sums[4] = {zero, zero, zero, zero};
	int			i;

	for (i = 0; i + 128 <= width; i += 128)
	{
		for (int j = 0; j < 4; j++)
			sums[j] = om_add_code_products(sums[j], query + i + j * 32,
										   code + i + j * 32);
	}
	for (; i < width; i += 32)
		sums[0] = om_add_code_products(sums[0], query + i, code + i);
	return om_sum_ints(_mm512_add_epi32(_mm512_add_epi32(sums[0], sums[1]),
										_mm512_add_epi32(sums[2], sums[3])));
}

/* Load 64 codes, or 32 and as many zeros if no more than 32 are left. */
OM_INLINE __m512i
om_load_codes(const int8_t *code, int left)
{
	__mmask64	mask = left >= 64 ? ~UINT64_C(0) : UINT64_C(0xffffffff);

	return _mm512_maskz_loadu_epi8(mask, code);
}

/* As in AVX2: bytes with flipped sign bits are unsigned. */
static int32_t
om_code_l1(int width, const int8_t *a, const int8_t *b)
{
	const __m512i signs = _mm512_set1_epi8(-128);
	__m512i		sum = _mm512_setzero_si512();

	for (int i = 0; i < width; i += 64)
	{
		__m512i		x = _mm512_xor_si512(om_load_codes(a + i, width - i),
										 signs);
		__m512i		y = _mm512_xor_si512(om_load_codes(b + i, width - i),
										 signs);

		sum = _mm512_add_epi64(sum, _mm512_sad_epu8(x, y));
	}
	return om_sum_ints(sum);
}

/* |x - u| of 64 codes: at most 254, so it fits an unsigned byte. */
OM_INLINE __m512i
om_gap(__m512i x, __m512i u)
{
	return _mm512_sub_epi8(_mm512_max_epi8(x, u), _mm512_min_epi8(x, u));
}

/*
 * Add the squares of 64 unsigned bytes to two sums, as one would have to wait
 * for itself.
 */
OM_INLINE void
om_add_byte_squares(__m512i *sums, __m512i bytes)
{
	__m512i		low = _mm512_unpacklo_epi8(bytes, _mm512_setzero_si512());
	__m512i		high = _mm512_unpackhi_epi8(bytes, _mm512_setzero_si512());

	sums[0] = _mm512_dpwssd_epi32(sums[0], low, low);
	sums[1] = _mm512_dpwssd_epi32(sums[1], high, high);
}

/*
 * Bring each 32 of 64 bytes into the order of the bits of a block's dword:
 * byte i goes to i % 4 * 8 + i / 4.  That is a transposition of 8 by 4 bytes,
 * done as 4 by 4 in each quarter, then by dwords.
 */
OM_INLINE __m512i
om_block_order(__m512i bytes)
{
	const __m512i by_four =
	_mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13,
										 2, 6, 10, 14, 3, 7, 11, 15));
	const __m512i quarters = _mm512_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7,
											   8, 12, 9, 13, 10, 14, 11, 15);

	bytes = _mm512_shuffle_epi8(bytes, by_four);
	return _mm512_permutexvar_epi32(quarters, bytes);
}

/*
 * Store a dword that tells which of 32 bytes are positive.  Halves of a mask
 * of 64 bits would do as well, but clang takes a detour through memory.
 */
OM_INLINE void
om_store_bits(uint8_t *lane, __m256i bytes)
{
	uint32_t	bits = _mm256_cmpgt_epi8_mask(bytes, _mm256_setzero_si256());

	memcpy(lane, &bits, sizeof(bits));
}

/* What om_encode_lane sums up, over 16 lanes. */
typedef struct OmLaneSums
{
	__m512i		squares[2];
	__m512i		gaps;
	__m512i		signs;
} OmLaneSums;

/*
 * Add 64 dimensions, or 32 and as many zeros.  Returns bytes that are positive
 * where x > u, in the order of a block.
 */
OM_INLINE __m512i
om_add_dimensions(OmLaneSums *sums, __m512i x, __m512i u)
{
	const __m512i one = _mm512_set1_epi8(1);
	const __m512i zero = _mm512_setzero_si512();
	__m512i		gap = om_gap(x, u);
	__mmask64	below = _mm512_cmple_epi8_mask(x, u);
	__m512i		sign = _mm512_mask_sub_epi8(u, below, zero, u);

	om_add_byte_squares(sums->squares, gap);
	sums->gaps = _mm512_dpbusd_epi32(sums->gaps, gap, one);
	sums->signs = _mm512_dpbusd_epi32(sums->signs, one, sign);

	/* the difference saturates, but keeps its sign */
	return om_block_order(_mm512_subs_epi8(x, u));
}

static void
om_encode_lane(int width, int c, const int8_t *u, const int8_t *x,
			   uint8_t *lane, int32_t *rr, int32_t *s1, int32_t *us)
{
	const __m512i zero = _mm512_setzero_si512();
	OmLaneSums	sums = {{zero, zero}, zero, zero};
	__m512i		above;
	int			i;

	for (i = 0; i + 64 <= c; i += 64, lane += 128)
	{
		above = om_add_dimensions(&sums, _mm512_loadu_si512(x + i),
								  _mm512_loadu_si512(u + i));
		om_store_bits(lane, _mm512_castsi512_si256(above));
		om_store_bits(lane + 64, _mm512_extracti64x4_epi64(above, 1));
	}
	if (i < c)
	{
		above = om_add_dimensions(&sums, om_load_codes(x + i, c - i),
								  om_load_codes(u + i, c - i));
		om_store_bits(lane, _mm512_castsi512_si256(above));
	}
	for (i = c; i + 64 <= width; i += 64)
		om_add_byte_squares(sums.squares,
							om_gap(_mm512_loadu_si512(x + i),
								   _mm512_loadu_si512(u + i)));
	if (i < width)
		om_add_byte_squares(sums.squares,
							om_gap(om_load_codes(x + i, width - i),
								   om_load_codes(u + i, width - i)));

	*rr = om_sum_ints(_mm512_add_epi32(sums.squares[0], sums.squares[1]));
	*s1 = om_sum_ints(sums.gaps);
	*us = om_sum_ints(sums.signs);
}

/*
 * sum + the products of one bit of each byte and the query's next four
 * dimensions, 2^bit times too large because the bit is left in its place.
 */
OM_INLINE __m512i
om_add_bit(__m512i sum, __m512i bytes, int bit, const int8_t *query)
{
	int32_t		four;

	memcpy(&four, query, sizeof(four));
	bytes = _mm512_and_si512(bytes, _mm512_set1_epi8((char) (1 << bit)));
	return _mm512_dpbusd_epi32(sum, bytes, _mm512_set1_epi32(four));
}

/* The dot products of all lanes; the eight sums, not the bits, are shifted. */
OM_INLINE __m512i
om_dots(int c, const uint8_t *block, const int8_t *query)
{
	__m512i		sum[8];

	for (int bit = 0; bit < 8; bit++)
		sum[bit] = _mm512_setzero_si512();

	for (int i = 0; i < c; i += 32)
	{
		__m512i		row = _mm512_loadu_si512(block + i * 2);

		for (int bit = 0; bit < 8; bit++)
			sum[bit] = om_add_bit(sum[bit], row, bit, query + i + bit * 4);
	}

	for (int bit = 1; bit < 8; bit++)
		sum[0] = _mm512_add_epi32(sum[0], _mm512_srai_epi32(sum[bit], bit));
	return sum[0];
}

static uint32_t
om_estimate_block(int c, const uint8_t *block, const int8_t *query,
				  const uint16_t *t, const uint8_t *a, float y, float scale,
				  float shift, float limit, float *est)
{
	__m512		v = om_estimates(om_dots(c, block, query), t, a, y, scale,
								 shift);

	om_store(est, v);
	return _mm512_cmp_ps_mask(v, om_splat(limit), _CMP_LT_OQ);
}

const OmenKernels omen_kernels_avx512 = OM_KERNEL_LIST("avx512");

OM_TARGET_END

#endif							/* __x86_64__ */
