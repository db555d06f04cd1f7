/*-------------------------------------------------------------------------
 *
 * dispatch.c
 *		Choice of the kernels that this CPU can run.
 *
 * A CPU that knows an instruction is not enough on x86: the operating system
 * must also save the registers that it uses, and says so in XCR0.  A machine
 * with the one and without the other would lose register contents at the
 * next task switch, so both are asked.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "simd/matrix.h"
#include "simd/simd.h"

typedef struct OmSimdSet
{
	const char *name;
	const OmenKernels *kernels; /* NULL if not in this build */
	const OmenMatrixKernels *matrix;
} OmSimdSet;

static const OmSimdSet om_sets[OMEN_SIMD_LEVELS] = {
	[OMEN_SIMD_SCALAR] = {"scalar", &omen_kernels_scalar, &omen_matrix_scalar},
#if defined(__x86_64__)
	[OMEN_SIMD_AVX2] = {"avx2", &omen_kernels_avx2, &omen_matrix_avx2},
	[OMEN_SIMD_AVX512] = {"avx512", &omen_kernels_avx512, &omen_matrix_avx512},
#else
	[OMEN_SIMD_AVX2] = {"avx2", NULL, NULL},
	[OMEN_SIMD_AVX512] = {"avx512", NULL, NULL},
#endif
#if defined(__aarch64__)
	[OMEN_SIMD_NEON] = {"neon", &omen_kernels_neon, &omen_matrix_neon},
#else
	[OMEN_SIMD_NEON] = {"neon", NULL, NULL},
#endif
};

/* Right before anybody has chosen, on every machine. */
const OmenKernels *omen_kernels = &omen_kernels_scalar;
const OmenMatrixKernels *omen_matrix = &omen_matrix_scalar;

#if defined(__x86_64__)

/* CPUID leaf 1, register ecx. */
#define OM_CPU_FMA			(UINT32_C(1) << 12)
#define OM_CPU_OSXSAVE		(UINT32_C(1) << 27)
#define OM_CPU_F16C			(UINT32_C(1) << 29)

/* CPUID leaf 7, registers ebx and ecx. */
#define OM_CPU_AVX2			(UINT32_C(1) << 5)
#define OM_CPU_AVX512F		(UINT32_C(1) << 16)
#define OM_CPU_AVX512DQ		(UINT32_C(1) << 17)
#define OM_CPU_AVX512BW		(UINT32_C(1) << 30)
#define OM_CPU_AVX512VL		(UINT32_C(1) << 31)
#define OM_CPU_AVX512VNNI	(UINT32_C(1) << 11)

/* What the levels need, of leaf 1, leaf 7 and XCR0. */
#define OM_NEED_AVX2_1		(OM_CPU_FMA | OM_CPU_OSXSAVE | OM_CPU_F16C)
#define OM_NEED_AVX2_7B		OM_CPU_AVX2
#define OM_NEED_AVX512_7B	(OM_CPU_AVX512F | OM_CPU_AVX512DQ | \
							 OM_CPU_AVX512BW | OM_CPU_AVX512VL)
#define OM_XCR0_YMM			UINT32_C(0x06)
#define OM_XCR0_ZMM			UINT32_C(0xe6)

static inline bool
om_has(uint32_t word, uint32_t bits)
{
	return (word & bits) == bits;
}

/* The low half of XCR0; only where OM_CPU_OSXSAVE is set. */
static uint32_t
om_xcr0(void)
{
	uint32_t	low;
	uint32_t	high;

	__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

static bool
om_cpu_supports(OmenSimdLevel level)
{
	uint32_t	eax;
	uint32_t	ebx;
	uint32_t	ecx;
	uint32_t	edx;
	uint32_t	xcr0;

	if (level == OMEN_SIMD_SCALAR)
		return true;

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) ||
		!om_has(ecx, OM_NEED_AVX2_1))
		return false;
	xcr0 = om_xcr0();

	if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) ||
		!om_has(ebx, OM_NEED_AVX2_7B) || !om_has(xcr0, OM_XCR0_YMM))
		return false;
	if (level == OMEN_SIMD_AVX2)
		return true;

	return om_has(ebx, OM_NEED_AVX512_7B) &&
		om_has(ecx, OM_CPU_AVX512VNNI) && om_has(xcr0, OM_XCR0_ZMM);
}

#else

/* NEON is part of every aarch64, so what is compiled in can be run. */
static bool
om_cpu_supports(OmenSimdLevel level)
{
	return true;
}

#endif

bool
OmenSimdSupported(OmenSimdLevel level)
{
	return om_sets[level].kernels != NULL && om_cpu_supports(level);
}

OmenSimdLevel
OmenSimdBest(void)
{
	/* Levels of one architecture are listed in ascending order. */
	for (int level = OMEN_SIMD_LEVELS - 1; level > OMEN_SIMD_SCALAR; level--)
	{
		if (OmenSimdSupported((OmenSimdLevel) level))
			return (OmenSimdLevel) level;
	}
	return OMEN_SIMD_SCALAR;
}

const char *
OmenSimdName(OmenSimdLevel level)
{
	return om_sets[level].name;
}

bool
OmenSimdUse(OmenSimdLevel level)
{
	if (!OmenSimdSupported(level))
		return false;

	omen_kernels = om_sets[level].kernels;
	omen_matrix = om_sets[level].matrix;
	return true;
}
