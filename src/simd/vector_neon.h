/*-------------------------------------------------------------------------
 *
 * vector_neon.h
 *		Registers of floats and of 32-bit integers, in NEON.
 *
 * See vector_avx2.h, which says what the operations mean.
 *
 *-------------------------------------------------------------------------
 */

#define OM_FLOATS 4

typedef float32x4_t om_floats;
typedef int32x4_t om_ints;

OM_INLINE om_floats
om_zero(void)
{
	return vdupq_n_f32(0);
}

OM_INLINE om_floats
om_splat(float x)
{
	return vdupq_n_f32(x);
}

OM_INLINE om_floats
om_load(const float *x)
{
	return vld1q_f32(x);
}

OM_INLINE void
om_store(float *x, om_floats v)
{
	vst1q_f32(x, v);
}

OM_INLINE om_floats
om_load_first(const float *x, int n)
{
	float		copy[OM_FLOATS] = {0};

	memcpy(copy, x, n * sizeof(float));
	return om_load(copy);
}

OM_INLINE void
om_store_first(float *x, om_floats v, int n)
{
	float		copy[OM_FLOATS];

	om_store(copy, v);
	memcpy(x, copy, n * sizeof(float));
}

OM_INLINE om_floats
om_load_half(const uint16_t *x)
{
	return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(x)));
}

/* Factors of edges: OmenEdgeT, OmenEdgeA. */
OM_INLINE om_floats
om_load_edge_t(const uint16_t *t)
{
	uint32x4_t	v = vshll_n_u16(vld1_u16(t), OMEN_EDGE_T_SHIFT);

	return vreinterpretq_f32_u32(v);
}

OM_INLINE om_floats
om_load_edge_a(const uint8_t *a)
{
	uint32_t	codes;
	uint32x4_t	v;

	memcpy(&codes, a, sizeof(codes));
	v = vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(codes))));
	v = vaddq_u32(vshlq_n_u32(v, OMEN_EDGE_A_SHIFT),
				  vdupq_n_u32(OMEN_EDGE_A_ZERO));
	return vreinterpretq_f32_u32(v);
}

OM_INLINE void
om_store_half(uint16_t *x, om_floats v)
{
	vst1_u16(x, vreinterpret_u16_f16(vcvt_f16_f32(v)));
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
	return vaddq_f32(a, b);
}

OM_INLINE om_floats
om_sub(om_floats a, om_floats b)
{
	return vsubq_f32(a, b);
}

OM_INLINE om_floats
om_mul(om_floats a, om_floats b)
{
	return vmulq_f32(a, b);
}

OM_INLINE om_floats
om_fused(om_floats a, om_floats b, om_floats c)
{
	return vfmaq_f32(c, a, b);
}

OM_INLINE om_floats
om_abs(om_floats v)
{
	return vabsq_f32(v);
}

OM_INLINE om_floats
om_xor(om_floats v, uint32x4_t bits)
{
	return vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(v), bits));
}

OM_INLINE om_floats
om_flip(om_floats v, const uint32_t *signs)
{
	return om_xor(v, vld1q_u32(signs));
}

/* j and j + 2 first; vaddvq_f32 would begin with j and j + 1. */
OM_INLINE float
om_sum(om_floats v)
{
	float32x2_t s = vadd_f32(vget_low_f32(v), vget_high_f32(v));

	return vget_lane_f32(s, 0) + vget_lane_f32(s, 1);
}

/* As in AVX2. */
OM_INLINE om_floats
om_butterflies(om_floats v)
{
	const uint32x4_t second = {0, 0x80000000, 0, 0x80000000};
	const uint32x4_t upper = {0, 0, 0x80000000, 0x80000000};

	v = vaddq_f32(vrev64q_f32(v), om_xor(v, second));
	return vaddq_f32(vextq_f32(v, v, 2), om_xor(v, upper));
}

OM_INLINE om_ints
om_zero_ints(void)
{
	return vdupq_n_s32(0);
}

OM_INLINE om_floats
om_to_floats(om_ints v)
{
	return vcvtq_f32_s32(v);
}

/* The conversion saturates, and gives 0 for NaN, so integers are clamped. */
OM_INLINE om_ints
om_round_code(om_floats v)
{
	om_ints		rounded = vmaxq_s32(vcvtnq_s32_f32(v), vdupq_n_s32(-127));

	return vminq_s32(rounded, vdupq_n_s32(127));
}

OM_INLINE om_ints
om_add_squares(om_ints sum, om_ints v)
{
	return vmlaq_s32(sum, v, v);
}

OM_INLINE void
om_store_codes(int8_t *code, const om_ints *v)
{
	int16x8_t	low = vcombine_s16(vmovn_s32(v[0]), vmovn_s32(v[1]));
	int16x8_t	high = vcombine_s16(vmovn_s32(v[2]), vmovn_s32(v[3]));

	vst1q_s8(code, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
}

OM_INLINE int32_t
om_sum_ints(om_ints v)
{
	return vaddvq_s32(v);
}
