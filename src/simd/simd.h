/*-------------------------------------------------------------------------
 *
 * simd.h
 *		Distance and code kernels, one set for each instruction set.
 *
 * Layer 0: no PostgreSQL header is used here or in any file of this
 * directory, so that the kernels can be tested without a server.
 *
 * A kernel set is a struct of function pointers.  omen_kernels points to the
 * set in use; it is chosen once, at load time, from what the CPU offers, and
 * can be changed by OmenSimdUse() (that is what the setting omen.simd does).
 *
 * Kernels over codes give the same result, bit for bit, on every instruction
 * set: integers are exact, and floating-point sums are made in the order that
 * the comments say.  So a graph does not depend on the machine that built it,
 * nor an answer on the machine that searched.  Distances between vectors of
 * floats may differ in the last bits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_SIMD_H
#define OMEN_SIMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum OmenSimdLevel
{
	OMEN_SIMD_SCALAR,
	OMEN_SIMD_AVX2,				/* AVX2, FMA, F16C */
	OMEN_SIMD_AVX512,			/* AVX-512 F, BW, DQ, VL and VNNI */
	OMEN_SIMD_NEON				/* aarch64 */
} OmenSimdLevel;

#define OMEN_SIMD_LEVELS 4

/*
 * Codes come in multiples of this many dimensions, and edge codes in blocks
 * of this many neighbours (lanes).
 */
#define OMEN_CODE_GRANULE	32
#define OMEN_LANES			16

/* Bytes of one block of edge codes of c dimensions (c % 32 == 0). */
#define OMEN_BLOCK_BYTES(c) ((size_t) (c) / 8 * OMEN_LANES)

/*
 * The factors t and a of an edge (see estimate_block), made short: an edge
 * code of some hundred bits errs by several percent, and a by no more than 3
 * percent, t by no more than .2 percent.  t is the upper half of a float.  a,
 * which is negative, is a float's lower bits of exponent and upper ones of
 * mantissa: -4 * 2^(code / 16) * (1 + code % 16 / 16), with both divisions of
 * integers.
 */
#define OMEN_EDGE_T_SHIFT	16
#define OMEN_EDGE_A_SHIFT	19
#define OMEN_EDGE_A_ZERO	UINT32_C(0xC0800000)	/* code 0: -4 */

static inline uint32_t
OmenFloatBits(float x)
{
	uint32_t	bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits;
}

static inline float
OmenBitsFloat(uint32_t bits)
{
	float		x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

static inline float
OmenEdgeT(uint16_t code)
{
	return OmenBitsFloat((uint32_t) code << OMEN_EDGE_T_SHIFT);
}

static inline float
OmenEdgeA(uint8_t code)
{
	return OmenBitsFloat(OMEN_EDGE_A_ZERO +
						 ((uint32_t) code << OMEN_EDGE_A_SHIFT));
}

/* The nearest code of t; of two, the one that is larger in magnitude. */
static inline uint16_t
OmenCodeEdgeT(float t)
{
	return (OmenFloatBits(t) + (UINT32_C(1) << (OMEN_EDGE_T_SHIFT - 1))) >>
		OMEN_EDGE_T_SHIFT;
}

/* The same for a; what is beyond the range of codes gets the nearest one. */
static inline uint8_t
OmenCodeEdgeA(float a)
{
	if (!(a < OmenEdgeA(0)))
		return 0;
	if (a <= OmenEdgeA(UINT8_MAX))
		return UINT8_MAX;
	return (OmenFloatBits(a) - OMEN_EDGE_A_ZERO +
			(UINT32_C(1) << (OMEN_EDGE_A_SHIFT - 1))) >> OMEN_EDGE_A_SHIFT;
}

/*
 * A random rotation of vectors of "width" floats: rounds of sign flips, each
 * followed by a fast Walsh-Hadamard transform.  Where width is no power of
 * two, the transform alternates between the first and the last "block"
 * floats, mixed by a Kac step over the two halves (the "FHT-Kac" rotation of
 * RaBitQ's implementations; the transform itself is textbook).
 */
typedef struct OmenRotation
{
	int			width;			/* multiple of 32, at least 64 */
	int			block;			/* largest power of two <= width */
	int			rounds;			/* 2 if block == width, else 4 */
	const uint32_t *signs;		/* rounds * width words, 0 or 0x80000000,
								 * xored onto the floats */
} OmenRotation;

typedef struct OmenKernels
{
	const char *name;

	/*----------
	 * Distances between two vectors of n floats, or of n IEEE half floats
	 * given as uint16_t.  n may be 0.  Here and below, no alignment is
	 * assumed but that of the element type.
	 *
	 * cosine writes the dot product and the two squared norms.
	 *----------
	 */
	float		(*l2_squared) (int n, const float *a, const float *b);
	float		(*inner_product) (int n, const float *a, const float *b);
	float		(*l1) (int n, const float *a, const float *b);
	void		(*cosine) (int n, const float *a, const float *b,
						   float *dot, float *norm_a, float *norm_b);
	float		(*half_l2_squared) (int n, const uint16_t *a,
									const uint16_t *b);
	float		(*half_inner_product) (int n, const uint16_t *a,
									   const uint16_t *b);
	float		(*half_l1) (int n, const uint16_t *a, const uint16_t *b);
	void		(*half_cosine) (int n, const uint16_t *a, const uint16_t *b,
								float *dot, float *norm_a, float *norm_b);

	/* Conversion; to half rounds to nearest even, overflow gives infinity. */
	void		(*half_to_float) (int n, const uint16_t *a, float *out);
	void		(*float_to_half) (int n, const float *a, uint16_t *out);

	/*----------
	 * Codes.  Bit-exact on every instruction set.  A code's elements are
	 * -127 .. 127, never -128.
	 *----------
	 */

	/*
	 * Rotate x (width floats) in place.  Round r = 0, 1, ...: flip signs by
	 * signs[r * width ..]; transform the first block floats if r is even, the
	 * last block floats if odd, by butterflies of stride 1, 2, 4, ... block /
	 * 2: (a, b) -> (a + b, a - b); multiply these block floats by 1 /
	 * sqrtf(block); then, where block != width, for i < width / 2:
	 * (x[i], x[i + width/2]) -> ((a + b) * c, (a - b) * c), c = 0.70710678f.
	 */
	void		(*rotate) (const OmenRotation *rotation, float *x);

	/*
	 * code[i] = clamp(round_to_nearest_even(x[i] * inv_step), -127, 127).
	 * Returns the sum of code[i]^2, and in *error the sum of (x[i] * inv_step
	 * - code[i])^2, summed in 16 lanes (lane i % 16, each in ascending i),
	 * then lanes j and j + 8 added, then j and j + 4, j + 2, j + 1.
	 * width is a multiple of 32.  NaN in x gives code 0 (never happens).
	 */
	int32_t		(*quantize) (int width, const float *x, float inv_step,
							 int8_t *code, float *error);

	/*
	 * Dot product of a query of 16-bit integers with a code.  The caller
	 * keeps |query[i]| small enough that no sum overflows 32 bits.
	 */
	int32_t		(*code_dot) (int width, const int16_t *query,
							 const int8_t *code);

	/* The sum of |a[i] - b[i]|, for L1 distances. */
	int32_t		(*code_l1) (int width, const int8_t *a, const int8_t *b);

	/*
	 * Code up to 16 neighbours of a node as signs of their differences.
	 *
	 * u is the node's code, x[0..n-1] the neighbours' codes, all of width
	 * dimensions; c <= width, both multiples of 32.  For neighbour j, with
	 * r = x[j] - u:
	 *
	 * rr[j] = sum of r[i]^2 over width; s1[j] = sum of |r[i]| over the first
	 * c dimensions; us[j] = sum over the first c of (r[i] > 0 ? u[i] :
	 * -u[i]).
	 *
	 * The signs (1 where r[i] > 0) go to block, OMEN_BLOCK_BYTES(c) bytes:
	 * byte (i / 32) * 64 + j * 4 + i % 4 holds dimension i of lane j in bit
	 * (i % 32) / 4.  So dword j of each row of 64 bytes belongs to lane j.
	 * Lanes n..15 are zeroed, there and in rr, s1, us.
	 */
	void		(*encode_block) (int width, int c, const int8_t *u,
								 const int8_t *const *x, int n,
								 uint8_t *block, int32_t *rr, int32_t *s1,
								 int32_t *us);

	/*
	 * Estimate the distances of the 16 lanes of a block to a query.
	 *
	 * dot[j] = sum over i < c with the lane's bit set of query[i];
	 * est[j] = (y + OmenEdgeT(t[j])) + OmenEdgeA(a[j]) * (scale * (float)
	 * dot[j] - shift), evaluated in this order without fused operations.
	 * Returns the mask of lanes with est[j] < limit.  |query[i]| <= 127.
	 */
	uint32_t	(*estimate_block) (int c, const uint8_t *block,
								   const int8_t *query, const uint16_t *t,
								   const uint8_t *a, float y, float scale,
								   float shift, float limit, float *est);
} OmenKernels;

extern const OmenKernels *omen_kernels;

/* Sets; a level that this build or CPU lacks is not to be used. */
extern const OmenKernels omen_kernels_scalar;
#if defined(__x86_64__)
extern const OmenKernels omen_kernels_avx2;
extern const OmenKernels omen_kernels_avx512;
#elif defined(__aarch64__)
extern const OmenKernels omen_kernels_neon;
#endif

/* Is this level compiled in, and does this CPU (and its OS) support it? */
extern bool OmenSimdSupported(OmenSimdLevel level);

/* The best level that this CPU supports. */
extern OmenSimdLevel OmenSimdBest(void);

/* "scalar", "avx2", "avx512" or "neon". */
extern const char *OmenSimdName(OmenSimdLevel level);

/*
 * Use the kernels of a level from now on, here and in matrix.h; false, and
 * nothing changed, if it is not supported.
 */
extern bool OmenSimdUse(OmenSimdLevel level);

#endif							/* OMEN_SIMD_H */
