/*-------------------------------------------------------------------------
 *
 * vector_avx512.h
 *		Registers of floats and of 32-bit integers, in AVX-512.
 *
 * See vector_avx2.h, which says what the operations mean.
 *
 *-------------------------------------------------------------------------
 */

#define OM_FLOATS 16

typedef __m512 om_floats;
typedef __m512i om_ints;

OM_INLINE om_floats
om_zero(void)
{
	return _mm512_setzero_ps();
}

OM_INLINE om_floats
om_splat(float x)
{
	return _mm512_set1_ps(x);
}

OM_INLINE om_floats
om_load(const float *x)
{
	return _mm512_loadu_ps(x);
}

OM_INLINE void
om_store(float *x, om_floats v)
{
	_mm512_storeu_ps(x, v);
}

/* The first n of 16 lanes, 0 <= n < 16. */
OM_INLINE __mmask16
om_first(int n)
{
	return (__mmask16) ((1u << n) - 1);
}

OM_INLINE om_floats
om_load_first(const float *x, int n)
{
	return _mm512_maskz_loadu_ps(om_first(n), x);
}

OM_INLINE void
om_store_first(float *x, om_floats v, int n)
{
	_mm512_mask_storeu_ps(x, om_first(n), v);
}

OM_INLINE om_floats
om_load_half(const uint16_t *x)
{
	return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *) x));
}

/* Factors of edges: OmenEdgeT, OmenEdgeA. */
OM_INLINE om_floats
om_load_edge_t(const uint16_t *t)
{
	__m256i		codes = _mm256_loadu_si256((const __m256i *) t);

	return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(codes),
												 OMEN_EDGE_T_SHIFT));
}

OM_INLINE om_floats
om_load_edge_a(const uint8_t *a)
{
	om_ints		v = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *) a));

	v = _mm512_add_epi32(_mm512_slli_epi32(v, OMEN_EDGE_A_SHIFT),
						 _mm512_set1_epi32((int) OMEN_EDGE_A_ZERO));
	return _mm512_castsi512_ps(v);
}

OM_INLINE void
om_store_half(uint16_t *x, om_floats v)
{
	_mm256_storeu_si256((__m256i *) x,
						_mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

OM_INLINE om_floats
om_load_half_first(const uint16_t *x, int n)
{
	return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(om_first(n), x));
}

OM_INLINE void
om_store_half_first(uint16_t *x, om_floats v, int n)
{
	_mm256_mask_storeu_epi16(x, om_first(n),
							 _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

OM_INLINE om_floats
om_add(om_floats a, om_floats b)
{
	return _mm512_add_ps(a, b);
}

OM_INLINE om_floats
om_sub(om_floats a, om_floats b)
{
	return _mm512_sub_ps(a, b);
}

OM_INLINE om_floats
om_mul(om_floats a, om_floats b)
{
	return _mm512_mul_ps(a, b);
}

OM_INLINE om_floats
om_fused(om_floats a, om_floats b, om_floats c)
{
	return _mm512_fmadd_ps(a, b, c);
}

OM_INLINE om_floats
om_abs(om_floats v)
{
	return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), v);
}

OM_INLINE om_floats
om_flip(om_floats v, const uint32_t *signs)
{
	return _mm512_xor_ps(v, _mm512_loadu_ps(signs));
}

/* As in AVX2, after j and j + 8; the order of a compiler's own may differ. */
OM_INLINE float
om_sum(om_floats v)
{
	__m256		w = _mm256_add_ps(_mm512_castps512_ps256(v),
								  _mm512_extractf32x8_ps(v, 1));
	__m128		s = _mm_add_ps(_mm256_castps256_ps128(w),
							   _mm256_extractf128_ps(w, 1));

	s = _mm_add_ps(s, _mm_movehl_ps(s, s));
	return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* As in AVX2; b_lanes are the lanes of b. */
OM_INLINE om_floats
om_butterfly(om_floats v, om_floats swapped, __mmask16 b_lanes)
{
	return _mm512_mask_sub_ps(_mm512_add_ps(v, swapped), b_lanes, swapped, v);
}

OM_INLINE om_floats
om_butterflies(om_floats v)
{
	v = om_butterfly(v, _mm512_permute_ps(v, _MM_SHUFFLE(2, 3, 0, 1)), 0xaaaa);
	v = om_butterfly(v, _mm512_permute_ps(v, _MM_SHUFFLE(1, 0, 3, 2)), 0xcccc);
	v = om_butterfly(v, _mm512_shuffle_f32x4(v, v, _MM_SHUFFLE(2, 3, 0, 1)),
					 0xf0f0);
	return om_butterfly(v,
						_mm512_shuffle_f32x4(v, v, _MM_SHUFFLE(1, 0, 3, 2)),
						0xff00);
}

OM_INLINE om_ints
om_zero_ints(void)
{
	return _mm512_setzero_si512();
}

OM_INLINE om_floats
om_to_floats(om_ints v)
{
	return _mm512_cvtepi32_ps(v);
}

OM_INLINE om_ints
om_round_code(om_floats v)
{
	v = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, v, _CMP_ORD_Q), v);
	v = _mm512_max_ps(v, _mm512_set1_ps(-127));
	return _mm512_cvtps_epi32(_mm512_min_ps(v, _mm512_set1_ps(127)));
}

OM_INLINE om_ints
om_add_squares(om_ints sum, om_ints v)
{
	return _mm512_dpwssd_epi32(sum, v,
							   _mm512_and_si512(v, _mm512_set1_epi32(0xffff)));
}

OM_INLINE void
om_store_codes(int8_t *code, const om_ints *v)
{
	_mm_storeu_si128((__m128i *) code, _mm512_cvtepi32_epi8(v[0]));
}

OM_INLINE int32_t
om_sum_ints(om_ints v)
{
	return _mm512_reduce_add_epi32(v);
}
