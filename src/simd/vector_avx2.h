/*-------------------------------------------------------------------------
 *
 * vector_avx2.h
 *		Registers of floats and of 32-bit integers, in AVX2.
 *
 * This and its sisters for the other instruction sets give the same names to
 * the same operations, so that code_template.h and distance_template.h are
 * written once.  To be included inside the region of the instruction set (see
 * target.h).
 *
 *-------------------------------------------------------------------------
 */

/* Numbers in a register. */
#define OM_FLOATS 8

typedef __m256 om_floats;
typedef __m256i om_ints;

OM_INLINE om_floats
om_zero(void)
{
	return _mm256_setzero_ps();
}

OM_INLINE om_floats
om_splat(float x)
{
	return _mm256_set1_ps(x);
}

OM_INLINE om_floats
om_load(const float *x)
{
	return _mm256_loadu_ps(x);
}

OM_INLINE void
om_store(float *x, om_floats v)
{
	_mm256_storeu_ps(x, v);
}

/* All bits set in the first n of 8 lanes, 0 <= n < 8. */
OM_INLINE __m256i
om_first(int n)
{
	return _mm256_cmpgt_epi32(_mm256_set1_epi32(n),
							  _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Load, or store, n < OM_FLOATS floats; lanes from n on are loaded as 0. */
OM_INLINE om_floats
om_load_first(const float *x, int n)
{
	return _mm256_maskload_ps(x, om_first(n));
}

OM_INLINE void
om_store_first(float *x, om_floats v, int n)
{
	_mm256_maskstore_ps(x, om_first(n), v);
}

/* The same for half floats. */
OM_INLINE om_floats
om_load_half(const uint16_t *x)
{
	return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) x));
}

/* Factors of edges: OmenEdgeT, OmenEdgeA. */
OM_INLINE om_floats
om_load_edge_t(const uint16_t *t)
{
	om_ints		v = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *) t));

	return _mm256_castsi256_ps(_mm256_slli_epi32(v, OMEN_EDGE_T_SHIFT));
}

OM_INLINE om_floats
om_load_edge_a(const uint8_t *a)
{
	om_ints		v = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *) a));

	v = _mm256_add_epi32(_mm256_slli_epi32(v, OMEN_EDGE_A_SHIFT),
						 _mm256_set1_epi32((int) OMEN_EDGE_A_ZERO));
	return _mm256_castsi256_ps(v);
}

OM_INLINE void
om_store_half(uint16_t *x, om_floats v)
{
	_mm_storeu_si128((__m128i *) x,
					 _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

OM_INLINE om_floats
om_load_half_first(const uint16_t *x, int n)
{
	uint16_t	copy[OM_FLOATS] = {0};

	memcpy(copy, x, n * sizeof(uint16_t));
	return om_load_half(copy);
}

OM_INLINE void
om_store_half_first(uint16_t *x, om_floats v, int n)
{
	uint16_t	copy[OM_FLOATS];

	om_store_half(copy, v);
	memcpy(x, copy, n * sizeof(uint16_t));
}

OM_INLINE om_floats
om_add(om_floats a, om_floats b)
{
	return _mm256_add_ps(a, b);
}

OM_INLINE om_floats
om_sub(om_floats a, om_floats b)
{
	return _mm256_sub_ps(a, b);
}

OM_INLINE om_floats
om_mul(om_floats a, om_floats b)
{
	return _mm256_mul_ps(a, b);
}

/* a * b + c, rounded once: for distances only, never for codes. */
OM_INLINE om_floats
om_fused(om_floats a, om_floats b, om_floats c)
{
	return _mm256_fmadd_ps(a, b, c);
}

OM_INLINE om_floats
om_abs(om_floats v)
{
	return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v);
}

/* Flip the signs of those lanes whose word is 0x80000000, not 0. */
OM_INLINE om_floats
om_flip(om_floats v, const uint32_t *signs)
{
	return _mm256_xor_ps(v, _mm256_loadu_ps((const float *) signs));
}

/* Sum of the lanes: j and j + 4 are added, then j and j + 2, j + 1. */
OM_INLINE float
om_sum(om_floats v)
{
	__m128		s = _mm_add_ps(_mm256_castps256_ps128(v),
							   _mm256_extractf128_ps(v, 1));

	s = _mm_add_ps(s, _mm_movehl_ps(s, s));
	return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/*
 * One butterfly: v holds all pairs (a, b), swapped holds (b, a), and minus is
 * -0.0 in the lanes of b.  b + a and a + (-b) are bit for bit a + b and a - b.
 */
OM_INLINE om_floats
om_butterfly(om_floats v, om_floats swapped, om_floats minus)
{
	return _mm256_add_ps(swapped, _mm256_xor_ps(v, minus));
}

/* The butterflies of all strides below OM_FLOATS. */
OM_INLINE om_floats
om_butterflies(om_floats v)
{
	v = om_butterfly(v, _mm256_permute_ps(v, _MM_SHUFFLE(2, 3, 0, 1)),
					 _mm256_setr_ps(0, -0.0f, 0, -0.0f, 0, -0.0f, 0, -0.0f));
	v = om_butterfly(v, _mm256_permute_ps(v, _MM_SHUFFLE(1, 0, 3, 2)),
					 _mm256_setr_ps(0, 0, -0.0f, -0.0f, 0, 0, -0.0f, -0.0f));
	return om_butterfly(v, _mm256_permute2f128_ps(v, v, 1),
						_mm256_setr_ps(0, 0, 0, 0,
									   -0.0f, -0.0f, -0.0f, -0.0f));
}

OM_INLINE om_ints
om_zero_ints(void)
{
	return _mm256_setzero_si256();
}

OM_INLINE om_floats
om_to_floats(om_ints v)
{
	return _mm256_cvtepi32_ps(v);
}

/* Round to nearest even, within -127 .. 127; NaN gives 0. */
OM_INLINE om_ints
om_round_code(om_floats v)
{
	v = _mm256_and_ps(v, _mm256_cmp_ps(v, v, _CMP_ORD_Q));
	v = _mm256_max_ps(v, _mm256_set1_ps(-127));
	return _mm256_cvtps_epi32(_mm256_min_ps(v, _mm256_set1_ps(127)));
}

/* sum + v * v, |v| <= 127: the high halves meet zeros, not each other. */
OM_INLINE om_ints
om_add_squares(om_ints sum, om_ints v)
{
	__m256i		low = _mm256_and_si256(v, _mm256_set1_epi32(0xffff));

	return _mm256_add_epi32(sum, _mm256_madd_epi16(v, low));
}

/* Store 16 codes, given as integers. */
OM_INLINE void
om_store_codes(int8_t *code, const om_ints *v)
{
	__m256i		mixed = _mm256_packs_epi32(v[0], v[1]);
	__m256i		words = _mm256_permute4x64_epi64(mixed,
												 _MM_SHUFFLE(3, 1, 2, 0));

	_mm_storeu_si128((__m128i *) code,
					 _mm_packs_epi16(_mm256_castsi256_si128(words),
									 _mm256_extracti128_si256(words, 1)));
}

OM_INLINE int32_t
om_sum_ints(om_ints v)
{
	__m128i		s = _mm_add_epi32(_mm256_castsi256_si128(v),
								  _mm256_extracti128_si256(v, 1));

	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, _MM_SHUFFLE(1, 0, 3, 2)));
	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, _MM_SHUFFLE(2, 3, 0, 1)));
	return _mm_cvtsi128_si32(s);
}
