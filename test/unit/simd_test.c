/*-------------------------------------------------------------------------
 *
 * simd_test.c
 *		Test of the kernels, without a server.
 *
 *		simd_test			compare every kernel set that this CPU can run
 *		simd_test --bench	time them, in nanoseconds a call
 *
 * Three things are compared.  The distances of every set, with sums made in
 * double precision.  The code kernels of every vector set, with the scalar
 * ones, bit for bit.  And the scalar ones, with what simd.h says of them in
 * other words: a matrix for the rotation, sums over single dimensions for the
 * codes.
 *
 * Every array ends where an inaccessible page begins, or up to 15 bytes
 * before, and is surrounded by bytes of a known pattern: a kernel that reads
 * past the end crashes, and one that writes there is found out.
 *
 *-------------------------------------------------------------------------
 */
#define _GNU_SOURCE
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "simd/matrix.h"
#include "simd/simd.h"

#define MAX_WIDTH 16032
#define PATTERN 0xa5
#define MARGIN 64				/* bytes of pattern before an array */
#define GAPS 16					/* bytes after it: 0 .. 15 */

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

static long passed = 0;
static long failed = 0;
static const char *level_name = "";

/*-----------------------------------------------------------------------
 * Reporting, random numbers, arrays
 *-----------------------------------------------------------------------
 */

static void check(bool good, const char *format,...)
__attribute__((format(printf, 2, 3)));

/* Count a comparison; say what went wrong, but not a thousand times. */
static void
check(bool good, const char *format,...)
{
	va_list		args;

	if (good)
	{
		passed++;
		return;
	}
	if (++failed > 20)
		return;
	printf("FAILED %s: ", level_name);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

static uint32_t random_state = 20240229;

static uint32_t
random_bits(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

/* An integer in 0 .. n - 1. */
static int
random_below(int n)
{
	return (int) (random_bits() % (uint32_t) n);
}

/* A float in -1 .. 1. */
static float
random_float(void)
{
	return (float) random_bits() / 2147483648.0f - 1;
}

static void
random_bytes(void *array, size_t size)
{
	uint8_t    *bytes = array;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t) (random_bits() >> 8);
}

/* An array that ends "gap" bytes before a page that cannot be touched. */
typedef struct Array
{
	char	   *end;			/* the page; NULL before first use */
	size_t		room;
	char	   *start;			/* of the array in use */
	size_t		size;
} Array;

static void
array_map(Array *array)
{
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);
	size_t		pages = (MAX_WIDTH * 16 + MARGIN + GAPS + page - 1) / page;
	size_t		room = pages * page;
	char	   *base = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
							MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED || mprotect(base + room, page, PROT_NONE) != 0)
	{
		perror("simd_test");
		exit(2);
	}
	array->end = base + room;
	array->room = room;
}

static void *
array_take(Array *array, size_t size, int gap)
{
	if (array->end == NULL)
		array_map(array);
	if (size + gap + MARGIN > array->room)
	{
		fprintf(stderr, "simd_test: array too small\n");
		exit(2);
	}
	array->size = size;
	array->start = array->end - gap - size;
	memset(array->start - MARGIN, PATTERN, MARGIN + size + gap);
	return array->start;
}

/* Is the pattern around the array as it was? */
static bool
array_intact(const Array *array)
{
	for (const char *p = array->start - MARGIN; p < array->end; p++)
	{
		if (p == array->start)
			p += array->size;
		if (p < array->end && *p != (char) PATTERN)
			return false;
	}
	return true;
}

static Array input[20];
static Array output[8];

static bool
outputs_intact(int n)
{
	for (int i = 0; i < n; i++)
	{
		if (!array_intact(&output[i]))
			return false;
	}
	return true;
}

/* Gaps that keep elements of a size aligned to that size. */
static int
random_gap(size_t element)
{
	return (int) (random_below((int) (GAPS / element)) * element);
}

/*-----------------------------------------------------------------------
 * Half floats
 *-----------------------------------------------------------------------
 */

/* The value of a finite half float. */
static double
half_value(uint16_t half)
{
	int			exponent = half >> 10 & 0x1f;
	int			mantissa = half & 0x3ff;
	double		value = exponent == 0 ? ldexp(mantissa, -24) :
		ldexp(mantissa + 1024, exponent - 25);

	return half & 0x8000 ? -value : value;
}

static uint16_t
random_half(void)
{
	uint16_t	half = (uint16_t) random_bits();

	/* finite: the highest exponent stands for infinity and NaN */
	return (half & 0x7c00) == 0x7c00 ? half & 0x83ff : half;
}

static void
test_half_to_float(const OmenKernels *k)
{
	static uint16_t half[65536];
	static float out[65536];
	static float scalar[65536];

	for (int i = 0; i < 65536; i++)
		half[i] = (uint16_t) i;
	k->half_to_float(65536, half, out);
	omen_kernels_scalar.half_to_float(65536, half, scalar);
	check(memcmp(out, scalar, sizeof(out)) == 0, "half_to_float: not scalar");

	for (int i = 0; i < 65536; i++)
	{
		if ((i & 0x7fff) < 0x7c00)
			check(out[i] == half_value(i) && !signbit(out[i]) == (i < 0x8000),
				  "half_to_float(%04x) = %a", i, out[i]);
		else if ((i & 0x7fff) == 0x7c00)
			check(isinf(out[i]) && !signbit(out[i]) == (i < 0x8000),
				  "half_to_float(%04x) is not infinite", i);
		else
			check(isnan(out[i]), "half_to_float(%04x) is a number", i);
	}
}

static void
check_to_half(const OmenKernels *k, float x, uint16_t expected)
{
	float		in[16];
	uint16_t	out[16];

	/* one element is a tail; sixteen fill a register */
	for (int i = 0; i < 16; i++)
		in[i] = x;
	k->float_to_half(16, in, out);
	check(out[0] == expected && out[15] == expected,
		  "float_to_half(%a) = %04x, not %04x", x, out[0], expected);
	k->float_to_half(1, in, out);
	check(out[0] == expected, "float_to_half(%a) alone = %04x, not %04x",
		  x, out[0], expected);
}

static void
test_float_to_half(const OmenKernels *k)
{
	const float quiet = nanf("");
	float		scalar_in = quiet;
	uint16_t	out;
	uint16_t	scalar;

	/* Each finite half float, and what lies between it and the next one. */
	for (int sign = 0; sign <= 0x8000; sign += 0x8000)
	{
		for (int h = sign; h < sign + 0x7bff; h++)
		{
			float		low = (float) half_value(h);
			float		high = (float) half_value(h + 1);
			float		middle = (low + high) / 2;

			check_to_half(k, low, h);
			check_to_half(k, middle, h % 2 == 0 ? h : h + 1);
			check_to_half(k, nextafterf(middle, low), h);
			check_to_half(k, nextafterf(middle, high), h + 1);
		}
	}
	check_to_half(k, 65504, 0x7bff);
	check_to_half(k, nextafterf(65520, 0), 0x7bff);
	check_to_half(k, 65520, 0x7c00);
	check_to_half(k, -65520, 0xfc00);
	check_to_half(k, FLT_MAX, 0x7c00);
	check_to_half(k, INFINITY, 0x7c00);
	check_to_half(k, -INFINITY, 0xfc00);
	check_to_half(k, 0x1p-149f, 0);
	check_to_half(k, -0x1p-149f, 0x8000);
	check_to_half(k, -0.0f, 0x8000);

	k->float_to_half(1, &scalar_in, &out);
	omen_kernels_scalar.float_to_half(1, &scalar_in, &scalar);
	check(out == scalar && (out & 0x7c00) == 0x7c00 && (out & 0x3ff) != 0,
		  "float_to_half(NaN) = %04x", out);
}

/* Conversions of every length: the tail, and nothing past it. */
static void
test_conversion_lengths(const OmenKernels *k)
{
	for (int n = 0; n <= 130; n++)
	{
		int			gap = random_gap(sizeof(float));
		uint16_t   *half = array_take(&input[0], n * sizeof(uint16_t), gap);
		float	   *wide = array_take(&output[0], n * sizeof(float), gap);
		uint16_t   *back = array_take(&output[1], n * sizeof(uint16_t), gap);

		for (int i = 0; i < n; i++)
			half[i] = random_half();
		k->half_to_float(n, half, wide);
		k->float_to_half(n, wide, back);
		check(memcmp(half, back, n * sizeof(uint16_t)) == 0,
			  "half to float and back changes values, n = %d", n);
		check(outputs_intact(2), "conversion writes past its end, n = %d", n);
	}
}

/*-----------------------------------------------------------------------
 * Distances
 *-----------------------------------------------------------------------
 */

typedef enum Metric
{
	L2_SQUARED,
	INNER_PRODUCT,
	L1
} Metric;

/* What the elements of the vectors look like. */
typedef enum Values
{
	PLAIN,						/* -1 .. 1 */
	TINY,						/* subnormal: squares vanish */
	HUGE_VALUES,				/* 1e17: squares just fit */
	MIXED,						/* any exponent that squares fit, -0.0 */
	EQUAL,						/* both vectors the same */
	VALUES
} Values;

static float
random_value(Values values)
{
	switch (values)
	{
		case TINY:
			return random_float() * 0x1p-126f;
		case HUGE_VALUES:
			return random_float() * 1e17f;
		case MIXED:
			if (random_below(8) == 0)
				return -0.0f;
			return ldexpf(random_float(), random_below(110) - 60);
		default:
			return random_float();
	}
}

/* A sum in double precision, and the sum of its absolute terms. */
typedef struct Reference
{
	double		sum;
	double		size;
} Reference;

static void
reference_add(Reference *reference, double term)
{
	reference->sum += term;
	reference->size += fabs(term);
}

/*
 * Sums of n terms in any order differ by no more than n roundings of the sum
 * of absolute terms; each term has at most three roundings of its own, and
 * may lose what is below the smallest subnormal.
 */
static void
check_sum(const char *what, int n, float got, Reference reference)
{
	double		bound = (n + 4) * 0x1p-24 * reference.size + n * 0x1p-148;

	check(fabs(got - reference.sum) <= bound,
		  "%s: n = %d: %.9g, not %.9g (bound %.3g)", what, n, got,
		  reference.sum, bound);
}

static Reference
reference_distance(Metric metric, int n, const double *a, const double *b)
{
	Reference	reference = {0, 0};

	for (int i = 0; i < n; i++)
	{
		double		diff = a[i] - b[i];

		reference_add(&reference, metric == L2_SQUARED ? diff * diff :
					  metric == L1 ? fabs(diff) : a[i] * b[i]);
	}
	return reference;
}

static void
check_cosine(const char *what, int n, const double *a, const double *b,
			 const float *sums)
{
	check_sum(what, n, sums[0], reference_distance(INNER_PRODUCT, n, a, b));
	check_sum(what, n, sums[1], reference_distance(INNER_PRODUCT, n, a, a));
	check_sum(what, n, sums[2], reference_distance(INNER_PRODUCT, n, b, b));
}

static void
test_distance(const OmenKernels *k, int n, Values values, int gap)
{
	static double wide_a[MAX_WIDTH];
	static double wide_b[MAX_WIDTH];
	float	   *a = array_take(&input[0], n * sizeof(float), gap);
	float	   *b = array_take(&input[1], n * sizeof(float),
							   random_gap(sizeof(float)));
	float		sums[3];

	for (int i = 0; i < n; i++)
	{
		wide_a[i] = a[i] = random_value(values);
		wide_b[i] = b[i] = values == EQUAL ? a[i] : random_value(values);
	}
	check_sum("l2_squared", n, k->l2_squared(n, a, b),
			  reference_distance(L2_SQUARED, n, wide_a, wide_b));
	check_sum("inner_product", n, k->inner_product(n, a, b),
			  reference_distance(INNER_PRODUCT, n, wide_a, wide_b));
	check_sum("l1", n, k->l1(n, a, b),
			  reference_distance(L1, n, wide_a, wide_b));
	k->cosine(n, a, b, &sums[0], &sums[1], &sums[2]);
	check_cosine("cosine", n, wide_a, wide_b, sums);
}

static void
test_half_distance(const OmenKernels *k, int n, Values values, int gap)
{
	static double wide_a[MAX_WIDTH];
	static double wide_b[MAX_WIDTH];
	uint16_t   *a = array_take(&input[0], n * sizeof(uint16_t), gap);
	uint16_t   *b = array_take(&input[1], n * sizeof(uint16_t),
							   random_gap(sizeof(uint16_t)));
	float		sums[3];

	for (int i = 0; i < n; i++)
	{
		a[i] = random_half();
		b[i] = values == EQUAL ? a[i] : random_half();
		wide_a[i] = half_value(a[i]);
		wide_b[i] = half_value(b[i]);
	}
	check_sum("half_l2_squared", n, k->half_l2_squared(n, a, b),
			  reference_distance(L2_SQUARED, n, wide_a, wide_b));
	check_sum("half_inner_product", n, k->half_inner_product(n, a, b),
			  reference_distance(INNER_PRODUCT, n, wide_a, wide_b));
	check_sum("half_l1", n, k->half_l1(n, a, b),
			  reference_distance(L1, n, wide_a, wide_b));
	k->half_cosine(n, a, b, &sums[0], &sums[1], &sums[2]);
	check_cosine("half_cosine", n, wide_a, wide_b, sums);
}

/* Infinity and NaN must come out, wherever in the vector they are. */
static void
test_not_finite(const OmenKernels *k, int n)
{
	float	   *a = array_take(&input[0], n * sizeof(float), 0);
	float	   *b = array_take(&input[1], n * sizeof(float), 0);

	for (int i = 0; i < n; i++)
	{
		a[i] = 1;
		b[i] = 2;
	}
	for (int i = 0; i < n; i++)
	{
		a[i] = FLT_MAX;
		check(isinf(k->l2_squared(n, a, b)), "l2_squared: no overflow");
		check(isinf(k->inner_product(n, a, b)), "inner_product: no overflow");
		a[i] = nanf("");
		check(isnan(k->l2_squared(n, a, b)), "l2_squared: NaN is lost");
		check(isnan(k->l1(n, a, b)), "l1: NaN is lost");
		a[i] = 1;
	}
}

static void
test_distances(const OmenKernels *k)
{
	static const int longer[] = {255, 256, 257, 1000, 1536, 4099, MAX_WIDTH};

	for (int n = 0; n <= 130; n++)
	{
		for (int v = 0; v < VALUES; v++)
		{
			for (int gap = 0; gap < GAPS; gap += sizeof(float))
				test_distance(k, n, (Values) v, gap);
		}
		for (int gap = 0; gap < GAPS; gap += sizeof(uint16_t))
			test_half_distance(k, n, gap == 0 ? EQUAL : PLAIN, gap);
	}
	for (size_t i = 0; i < lengthof(longer); i++)
	{
		for (int v = 0; v < VALUES; v++)
		{
			test_distance(k, longer[i], (Values) v, random_gap(sizeof(float)));
			test_half_distance(k, longer[i], (Values) v,
							   random_gap(sizeof(uint16_t)));
		}
	}
	test_not_finite(k, 97);
}

/*-----------------------------------------------------------------------
 * Codes
 *-----------------------------------------------------------------------
 */

/* Widths that the code kernels are tried with: all small ones, some large. */
static int
next_width(int width)
{
	static const int larger[] = {768, 800, 1024, 1536, 2016, 4096, MAX_WIDTH};

	if (width < 512)
		return width + 32;
	for (size_t i = 0; i < lengthof(larger); i++)
	{
		if (width < larger[i])
			return larger[i];
	}
	return 0;
}

static OmenRotation
make_rotation(int width)
{
	static uint32_t signs[4 * MAX_WIDTH];
	OmenRotation rotation = {.width = width, .block = 64, .signs = signs};

	while (rotation.block * 2 <= width)
		rotation.block *= 2;
	rotation.rounds = rotation.block == width ? 2 : 4;
	for (int i = 0; i < rotation.rounds * width; i++)
		signs[i] = random_bits() & UINT32_C(0x80000000);
	return rotation;
}

/* The transform as a product with its matrix, in double precision. */
static void
reference_transform(double *x, int n)
{
	static double sum[MAX_WIDTH];

	for (int i = 0; i < n; i++)
	{
		sum[i] = 0;
		for (int j = 0; j < n; j++)
			sum[i] += __builtin_parity(i & j) ? -x[j] : x[j];
	}
	for (int i = 0; i < n; i++)
		x[i] = sum[i] / sqrt(n);
}

static void
reference_rotate(const OmenRotation *rotation, double *x)
{
	int			width = rotation->width;

	for (int round = 0; round < rotation->rounds; round++)
	{
		for (int i = 0; i < width; i++)
		{
			if (rotation->signs[round * width + i] != 0)
				x[i] = -x[i];
		}
		reference_transform(round % 2 == 0 ? x : x + width - rotation->block,
							rotation->block);
		for (int i = 0; i < width / 2 && rotation->block != width; i++)
		{
			double		a = x[i];
			double		b = x[i + width / 2];

			x[i] = (a + b) * M_SQRT1_2;
			x[i + width / 2] = (a - b) * M_SQRT1_2;
		}
	}
}

static void
test_rotate_reference(int width)
{
	static float x[MAX_WIDTH];
	static double exact[MAX_WIDTH];
	OmenRotation rotation = make_rotation(width);
	double		norm = 0;
	double		error = 0;

	for (int i = 0; i < width; i++)
	{
		exact[i] = x[i] = random_float();
		norm += exact[i] * exact[i];
	}
	reference_rotate(&rotation, exact);
	omen_kernels_scalar.rotate(&rotation, x);
	for (int i = 0; i < width; i++)
		error += (x[i] - exact[i]) * (x[i] - exact[i]);
	check(error < 1e-11 * norm, "rotate: width %d: error %g of %g", width,
		  error, norm);
}

static void
test_rotate(const OmenKernels *k, int width, int gap)
{
	size_t		size = width * sizeof(float);
	OmenRotation rotation = make_rotation(width);
	uint32_t   *signs = array_take(&input[0], size * rotation.rounds, gap);
	float	   *expected = array_take(&output[0], size, 0);
	float	   *x = array_take(&output[1], size, gap);

	memcpy(signs, rotation.signs, size * rotation.rounds);
	rotation.signs = signs;
	for (int i = 0; i < width; i++)
		expected[i] = random_value(gap == 0 ? PLAIN : MIXED);
	memcpy(x, expected, size);

	omen_kernels_scalar.rotate(&rotation, expected);
	k->rotate(&rotation, x);
	check(memcmp(x, expected, size) == 0, "rotate: width %d", width);
	check(outputs_intact(2), "rotate writes past its end, width %d", width);
}

/*
 * Numbers that quantize may find hard, in units of its step.  With far, some
 * lie so far out that their error hides that of all others.
 */
static float
random_scaled(bool far)
{
	static const float special[] = {
		0, -0.0f, 126.5f, -126.5f, 127, -127, 127.5f, -127.5f,
		0x1p-140f, -0x1p-140f, 0.49999997f, -0.49999997f, 1e30f, -1e30f
	};

	switch (random_below(4))
	{
		case 0:
			return special[random_below(lengthof(special) - (far ? 0 : 2))];
		case 1:
			/* halfway between two codes */
			return random_below(254) - 127 + 0.5f;
		default:
			return random_float() * 130;
	}
}

static void
test_quantize(const OmenKernels *k, int width, int gap)
{
	const float inv_step = gap == 0 ? 1.0f : 3.1415927f;
	float	   *x = array_take(&input[0], width * sizeof(float),
							   random_gap(sizeof(float)));
	int8_t	   *expected = array_take(&output[0], width, 0);
	int8_t	   *code = array_take(&output[1], width, gap);
	float		expected_error;
	float		error;
	int32_t		norm = 0;

	for (int i = 0; i < width; i++)
		x[i] = random_scaled(gap % 2 == 1) / inv_step;
	check(omen_kernels_scalar.quantize(width, x, inv_step, expected,
									   &expected_error) ==
		  k->quantize(width, x, inv_step, code, &error),
		  "quantize: norm, width %d", width);
	check(memcmp(code, expected, width) == 0, "quantize: width %d", width);
	check(memcmp(&error, &expected_error, sizeof(error)) == 0,
		  "quantize: width %d: error %a, not %a", width, error,
		  expected_error);
	check(outputs_intact(2), "quantize writes past its end, width %d", width);

	for (int i = 0; i < width; i++)
	{
		float		scaled = x[i] * inv_step;
		double		off = fabs((double) scaled - code[i]);

		norm += code[i] * code[i];
		check(fabsf(scaled) > 127 ? code[i] == (scaled > 0 ? 127 : -127) :
			  off < 0.5 || (off == 0.5 && code[i] % 2 == 0),
			  "quantize: %.9g gives %d", scaled, code[i]);
	}
	check(norm == k->quantize(width, x, inv_step, code, &error),
		  "quantize: norm is not that of the code, width %d", width);
}

/* NaN gives code 0, and an error that is no number either. */
static void
test_quantize_nan(const OmenKernels *k)
{
	float		x[64] = {0};
	int8_t		code[64];
	float		error;

	for (int i = 0; i < 64; i++)
	{
		x[i] = nanf("");
		code[i] = 1;
		check(k->quantize(64, x, 1, code, &error) == 0 && code[i] == 0 &&
			  isnan(error), "quantize: NaN gives %d", code[i]);
		x[i] = 0;
	}
}

static void
test_code_dot(const OmenKernels *k, int width, int gap)
{
	int			limit = INT32_MAX / 127 / width;
	int16_t    *query = array_take(&input[0], width * sizeof(int16_t),
								   random_gap(sizeof(int16_t)));
	int8_t	   *code = array_take(&input[1], width, gap);
	int64_t		sum = 0;

	if (limit > INT16_MAX)
		limit = INT16_MAX;
	for (int i = 0; i < width; i++)
	{
		/* with no gap the largest sum possible, then the smallest */
		code[i] = gap == 0 ? 127 : gap == 1 ? -127 : random_below(255) - 127;
		query[i] = gap <= 1 ? limit : random_below(2 * limit + 1) - limit;
		sum += query[i] * code[i];
	}
	check(k->code_dot(width, query, code) == sum,
		  "code_dot: width %d: not %ld", width, (long) sum);
}

static void
test_code_l1(const OmenKernels *k, int width, int gap)
{
	int8_t	   *a = array_take(&input[0], width, random_below(GAPS));
	int8_t	   *b = array_take(&input[1], width, gap);
	int32_t		sum = 0;

	for (int i = 0; i < width; i++)
	{
		/* with no gap the largest sum possible */
		a[i] = gap == 0 ? -127 : random_below(255) - 127;
		b[i] = gap == 0 ? 127 : random_below(255) - 127;
		sum += abs(a[i] - b[i]);
	}
	check(k->code_l1(width, a, b) == sum && k->code_l1(width, b, a) == sum,
		  "code_l1: width %d: not %d", width, sum);
}

/* What the codes of a node and its neighbours look like. */
typedef enum Codes
{
	RANDOM_CODES,
	CLOSE_CODES,				/* neighbours differ by -1, 0, 1 */
	HIGH_CODES,					/* neighbours 127, node -127 */
	LOW_CODES,					/* neighbours -127, node 127 */
	CODES
} Codes;

static int8_t
neighbour_code(Codes codes, int8_t u)
{
	int			near = u + random_below(3) - 1;

	switch (codes)
	{
		case CLOSE_CODES:
			return near > 127 ? 127 : near < -127 ? -127 : near;
		case HIGH_CODES:
			return 127;
		case LOW_CODES:
			return -127;
		default:
			return random_below(255) - 127;
	}
}

/* What encode_block writes. */
typedef struct Encoded
{
	uint8_t    *block;
	int32_t    *sums;			/* 16 each of rr, s1, us */
} Encoded;

static Encoded
encode(const OmenKernels *k, Array *arrays, int width, int c, const int8_t *u,
	   const int8_t *const *x, int n, int gap)
{
	Encoded		result;

	result.block = array_take(&arrays[0], OMEN_BLOCK_BYTES(c), gap);
	result.sums = array_take(&arrays[1], 48 * sizeof(int32_t), 0);
	k->encode_block(width, c, u, x, n, result.block, result.sums,
					result.sums + 16, result.sums + 32);
	return result;
}

/* The sums and bits of one lane, one dimension after the other. */
static void
check_lane(int width, int c, const int8_t *u, const int8_t *x, int lane,
		   Encoded encoded)
{
	int64_t		rr = 0;
	int64_t		s1 = 0;
	int64_t		us = 0;
	int			wrong = 0;

	for (int i = 0; i < width; i++)
	{
		int			r = x[i] - u[i];
		int			byte = i / 32 * 64 + lane * 4 + i % 4;

		rr += r * r;
		if (i >= c)
			continue;
		s1 += abs(r);
		us += r > 0 ? u[i] : -u[i];
		wrong += (encoded.block[byte] >> i % 32 / 4 & 1) != (r > 0);
	}
	check(wrong == 0, "encode_block: %d bits of lane %d", wrong, lane);
	check(encoded.sums[lane] == rr && encoded.sums[lane + 16] == s1 &&
		  encoded.sums[lane + 32] == us,
		  "encode_block: sums of lane %d, width %d, c %d", lane, width, c);
}

static bool
lane_is_zero(Encoded encoded, int c, int lane)
{
	for (int i = 0; i < c; i++)
	{
		if (encoded.block[i / 32 * 64 + lane * 4 + i % 4] != 0)
			return false;
	}
	return encoded.sums[lane] == 0 && encoded.sums[lane + 16] == 0 &&
		encoded.sums[lane + 32] == 0;
}

static void
test_encode_block(const OmenKernels *k, int width, int c, int n, Codes codes,
				  int gap)
{
	const int8_t *x[OMEN_LANES];
	int8_t	   *u = array_take(&input[16], width, gap);
	Encoded		expected;
	Encoded		encoded;

	for (int i = 0; i < width; i++)
		u[i] = codes == HIGH_CODES ? -127 : codes == LOW_CODES ? 127 :
			random_below(255) - 127;
	for (int j = 0; j < n; j++)
	{
		int8_t	   *neighbour = array_take(&input[j], width,
										   (gap + j) % GAPS);

		for (int i = 0; i < width; i++)
			neighbour[i] = neighbour_code(codes, u[i]);
		x[j] = neighbour;
	}

	expected = encode(&omen_kernels_scalar, &output[0], width, c, u, x, n, 0);
	encoded = encode(k, &output[2], width, c, u, x, n, gap);
	check(memcmp(encoded.block, expected.block, OMEN_BLOCK_BYTES(c)) == 0,
		  "encode_block: block, width %d, c %d, n %d", width, c, n);
	check(memcmp(encoded.sums, expected.sums, 48 * sizeof(int32_t)) == 0,
		  "encode_block: sums, width %d, c %d, n %d", width, c, n);
	check(outputs_intact(4), "encode_block writes past its end, c %d", c);

	for (int lane = 0; lane < OMEN_LANES; lane++)
	{
		if (lane < n)
			check_lane(width, c, u, x[lane], lane, encoded);
		else
			check(lane_is_zero(encoded, c, lane),
				  "encode_block: lane %d of %d is not zero", lane, n);
	}
}

/* What a block and a query look like. */
typedef enum Blocks
{
	RANDOM_BLOCK,
	FULL_HIGH,					/* all bits set, query 127 */
	FULL_LOW,					/* all bits set, query -127 */
	EMPTY_BLOCK,
	BLOCKS
} Blocks;

typedef struct Estimate
{
	int			c;
	uint8_t    *block;
	int8_t	   *query;
	uint16_t   *t;
	uint8_t    *a;
	float		y;
	float		scale;
	float		shift;
	float		limit;
} Estimate;

static Estimate
make_estimate(int c, Blocks blocks, int gap)
{
	size_t		size = OMEN_BLOCK_BYTES(c);
	Estimate	e = {.c = c};

	e.block = array_take(&input[0], size, gap);
	e.query = array_take(&input[1], c, (gap + 5) % GAPS);
	e.t = array_take(&input[2], OMEN_LANES * sizeof(uint16_t),
					 random_gap(sizeof(uint16_t)));
	e.a = array_take(&input[3], OMEN_LANES, random_gap(1));
	random_bytes(e.block, size);
	if (blocks != RANDOM_BLOCK)
		memset(e.block, blocks == EMPTY_BLOCK ? 0 : 0xff, size);
	for (int i = 0; i < c; i++)
		e.query[i] = blocks == FULL_HIGH ? 127 : blocks == FULL_LOW ? -127 :
			random_below(255) - 127;
	for (int lane = 0; lane < OMEN_LANES; lane++)
	{
		e.t[lane] = OmenCodeEdgeT(random_float() * 100);
		e.a[lane] = random_below(256);
	}
	e.y = random_float();
	e.scale = random_float() * 0.01f;
	e.shift = random_float();
	e.limit = random_float() * 100;
	return e;
}

static uint32_t
estimate(const OmenKernels *k, const Estimate *e, float *est)
{
	return k->estimate_block(e->c, e->block, e->query, e->t, e->a, e->y,
							 e->scale, e->shift, e->limit, est);
}

/* What the codes of factors mean, by arithmetic instead of bits. */
static float
edge_t_value(uint16_t code)
{
	int			exponent = code >> 7 & 0xff;
	float		magnitude = exponent == 0 ? ldexpf(code & 0x7f, -133) :
		ldexpf(128 + (code & 0x7f), exponent - 134);

	return code >> 15 ? -magnitude : magnitude;
}

static float
edge_a_value(uint8_t code)
{
	return -ldexpf(16 + code % 16, code / 16 - 2);
}

/* Codes of factors are the nearest that there are. */
static void
test_edge_factors(void)
{
	for (int code = 0; code < 256; code++)
	{
		float		a = edge_a_value(code);
		float		next = code < 255 ? edge_a_value(code + 1) : 2 * a;

		check(OmenEdgeA(code) == a, "a of code %d is %a", code,
			  OmenEdgeA(code));
		check(OmenCodeEdgeA(a) == code, "code of a = %a", a);
		check(OmenCodeEdgeA(a + (next - a) * .49f) == code,
			  "code of less than a = %a", a);
		check(OmenCodeEdgeA(next - (next - a) * .49f) ==
			  (code < 255 ? code + 1 : 255), "code of more than a = %a", a);
	}
	check(OmenCodeEdgeA(0) == 0 && OmenCodeEdgeA(-3) == 0 &&
		  OmenCodeEdgeA(-1e30f) == 255, "codes of a beyond the range");
	for (int code = 0; code < 0x7f80; code++)
	{
		float		t = edge_t_value(code);
		float		half = (edge_t_value(code + 1) - t) / 2;

		if (code == 0x7f7f)
			half = 0;
		for (int sign = 0; sign < 2; sign++)
		{
			int			expected = code | sign << 15;
			float		s = sign ? -1 : 1;

			check(OmenEdgeT(expected) == s * t, "t of code %04x", expected);
			check(OmenCodeEdgeT(s * t) == expected, "code of t %a", s * t);
			check(OmenCodeEdgeT(s * (t + half * .98f)) == expected,
				  "code of less than t = %a", s * t);
		}
	}
}

static int32_t
lane_dot(const Estimate *e, int lane)
{
	int32_t		dot = 0;

	for (int i = 0; i < e->c; i++)
	{
		int			byte = e->block[i / 32 * 64 + lane * 4 + i % 4];

		dot += (byte >> i % 32 / 4 & 1) * e->query[i];
	}
	return dot;
}

static void
test_estimate_block(const OmenKernels *k, int c, Blocks blocks, int gap)
{
	Estimate	e = make_estimate(c, blocks, gap);
	float	   *expected = array_take(&output[0], 64, 0);
	float	   *est = array_take(&output[1], 64, random_gap(sizeof(float)));
	uint32_t	mask = 0;

	for (int lane = 0; lane < OMEN_LANES; lane++)
	{
		/* volatile: no two of these may be fused */
		volatile float base = e.y + edge_t_value(e.t[lane]);
		volatile float slope = e.scale * (float) lane_dot(&e, lane);

		slope = slope - e.shift;
		slope = edge_a_value(e.a[lane]) * slope;
		expected[lane] = base + slope;
		mask |= (uint32_t) (expected[lane] < e.limit) << lane;
	}
	check(estimate(k, &e, est) == mask, "estimate_block: mask, c %d", c);
	check(memcmp(est, expected, 64) == 0, "estimate_block: c %d", c);
	check(outputs_intact(2), "estimate_block writes past its end, c %d", c);

	/* A limit is no hit, nor is a number compared with NaN. */
	e.limit = est[0];
	check((estimate(k, &e, est) & 1) == 0, "estimate_block: limit reached");
	e.limit = nanf("");
	check(estimate(k, &e, est) == 0, "estimate_block: NaN as limit");
}

static void
test_codes(const OmenKernels *k)
{
	for (int width = 32; width != 0; width = next_width(width))
	{
		/* large widths are there for their size, not for their alignment */
		int			step = width <= 512 ? 1 : 7;

		for (int gap = 0; gap < GAPS; gap += step)
		{
			int			c = 32 + random_below(width / 32) * 32;

			test_quantize(k, width, gap);
			test_code_dot(k, width, gap);
			test_code_l1(k, width, gap);
			test_estimate_block(k, width, (Blocks) (gap % BLOCKS), gap);
			test_encode_block(k, width, gap % 2 == 0 ? width : c,
							  1 + random_below(OMEN_LANES),
							  (Codes) (gap / 2 % CODES), gap);
		}
		test_encode_block(k, width, width, OMEN_LANES, RANDOM_CODES, 0);
		test_encode_block(k, width, 32, 1, HIGH_CODES, 1);
		for (int gap = 0; gap < GAPS && width >= 64; gap += sizeof(float))
			test_rotate(k, width, gap);
	}
	test_quantize_nan(k);
}

/*-----------------------------------------------------------------------
 * Choice of a level
 *-----------------------------------------------------------------------
 */

static void
test_choice(void)
{
	static const char *const names[OMEN_SIMD_LEVELS] = {
		"scalar", "avx2", "avx512", "neon"
	};

	level_name = "choice";
	check(OmenSimdSupported(OMEN_SIMD_SCALAR), "no scalar kernels");
	check(OmenSimdSupported(OmenSimdBest()), "best level is not supported");
	for (int i = 0; i < OMEN_SIMD_LEVELS; i++)
	{
		OmenSimdLevel level = (OmenSimdLevel) i;
		const OmenKernels *before = omen_kernels;
		const OmenMatrixKernels *matrix_before = omen_matrix;

		check(strcmp(OmenSimdName(level), names[i]) == 0, "name of %d", i);
		check(OmenSimdUse(level) == OmenSimdSupported(level),
			  "%s: use and support differ", names[i]);
		if (OmenSimdSupported(level))
			check(strcmp(omen_kernels->name, names[i]) == 0,
				  "%s is %s", names[i], omen_kernels->name);
		else
			check(omen_kernels == before && omen_matrix == matrix_before,
				  "%s: refused, but something changed", names[i]);
	}
}

/*-----------------------------------------------------------------------
 * Timing
 *-----------------------------------------------------------------------
 */

#define BENCH_WIDTH 800

typedef struct Bench
{
	int			width;
	float		a[BENCH_WIDTH];
	float		b[BENCH_WIDTH];
	uint16_t	half_a[BENCH_WIDTH];
	uint16_t	half_b[BENCH_WIDTH];
	int16_t		query[BENCH_WIDTH];
	int8_t		codes[OMEN_LANES + 1][BENCH_WIDTH];
	const int8_t *neighbours[OMEN_LANES];
	uint8_t		block[OMEN_BLOCK_BYTES(BENCH_WIDTH)];
	int32_t		sums[3][OMEN_LANES];
	float		est[OMEN_LANES];
	OmenRotation rotation;
	volatile float sink;
} Bench;

static void
bench_l2(const OmenKernels *k, Bench *b)
{
	b->sink = k->l2_squared(b->width, b->a, b->b);
}

static void
bench_inner_product(const OmenKernels *k, Bench *b)
{
	b->sink = k->inner_product(b->width, b->a, b->b);
}

static void
bench_l1(const OmenKernels *k, Bench *b)
{
	b->sink = k->l1(b->width, b->a, b->b);
}

static void
bench_cosine(const OmenKernels *k, Bench *b)
{
	k->cosine(b->width, b->a, b->b, &b->est[0], &b->est[1], &b->est[2]);
}

static void
bench_half_l2(const OmenKernels *k, Bench *b)
{
	b->sink = k->half_l2_squared(b->width, b->half_a, b->half_b);
}

static void
bench_half_cosine(const OmenKernels *k, Bench *b)
{
	k->half_cosine(b->width, b->half_a, b->half_b, &b->est[0], &b->est[1],
				   &b->est[2]);
}

static void
bench_float_to_half(const OmenKernels *k, Bench *b)
{
	k->float_to_half(b->width, b->a, b->half_a);
}

static void
bench_rotate(const OmenKernels *k, Bench *b)
{
	k->rotate(&b->rotation, b->a);
}

static void
bench_quantize(const OmenKernels *k, Bench *b)
{
	b->sink = k->quantize(b->width, b->a, 100, b->codes[0], &b->est[0]);
}

static void
bench_code_dot(const OmenKernels *k, Bench *b)
{
	b->sink = k->code_dot(b->width, b->query, b->codes[0]);
}

static void
bench_code_l1(const OmenKernels *k, Bench *b)
{
	b->sink = k->code_l1(b->width, b->codes[0], b->codes[1]);
}

static void
bench_encode_32(const OmenKernels *k, Bench *b)
{
	for (int block = 0; block < 2; block++)
		k->encode_block(b->width, b->width, b->codes[OMEN_LANES],
						b->neighbours, OMEN_LANES, b->block, b->sums[0],
						b->sums[1], b->sums[2]);
}

static void
bench_estimate_16(const OmenKernels *k, Bench *b)
{
	b->sink = k->estimate_block(b->width, b->block, b->codes[0], b->half_b,
								(uint8_t *) b->half_a, 1, 2, 3, 4, b->est);
}

typedef void (*BenchKernel) (const OmenKernels *k, Bench *b);

static const struct
{
	const char *name;
	BenchKernel run;
}			benches[] = {
	{"l2_squared", bench_l2},
	{"inner_product", bench_inner_product},
	{"l1", bench_l1},
	{"cosine", bench_cosine},
	{"half_l2_squared", bench_half_l2},
	{"half_cosine", bench_half_cosine},
	{"float_to_half", bench_float_to_half},
	{"rotate", bench_rotate},
	{"quantize", bench_quantize},
	{"code_dot", bench_code_dot},
	{"code_l1", bench_code_l1},
	{"encode_block, 32 lanes", bench_encode_32},
	{"estimate_block", bench_estimate_16}
};

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

/* Nanoseconds a call: the best of several short runs. */
static double
time_kernel(BenchKernel run, const OmenKernels *k, Bench *b)
{
	double		best = HUGE_VAL;
	int			calls = 1;

	for (int i = 0; i < 12; i++)
	{
		double		start = now();
		double		spent;

		for (int call = 0; call < calls; call++)
			run(k, b);
		spent = now() - start;
		if (spent < 1e6)
			calls *= 4;
		else if (spent / calls < best)
			best = spent / calls;
	}
	return best;
}

static void
bench_prepare(Bench *b, int width)
{
	b->width = width;
	b->rotation = make_rotation(width);
	for (int i = 0; i < width; i++)
	{
		b->a[i] = random_float();
		b->b[i] = random_float();
		b->half_b[i] = 0x3800 + random_below(0x400);
		b->query[i] = random_below(2001) - 1000;
	}
	random_bytes(b->codes, sizeof(b->codes));
	for (int j = 0; j < OMEN_LANES; j++)
		b->neighbours[j] = b->codes[j];
}

static void
bench_all(void)
{
	static const int widths[] = {128, 384, BENCH_WIDTH};
	static Bench b;

	for (size_t w = 0; w < lengthof(widths); w++)
	{
		bench_prepare(&b, widths[w]);
		printf("%-24s", "");
		for (int level = 0; level < OMEN_SIMD_LEVELS; level++)
		{
			if (OmenSimdSupported((OmenSimdLevel) level))
				printf("%10s", OmenSimdName((OmenSimdLevel) level));
		}
		printf("   ns, %d dimensions\n", widths[w]);
		for (size_t i = 0; i < lengthof(benches); i++)
		{
			printf("%-24s", benches[i].name);
			for (int level = 0; level < OMEN_SIMD_LEVELS; level++)
			{
				if (OmenSimdUse((OmenSimdLevel) level))
					printf("%10.0f", time_kernel(benches[i].run, omen_kernels,
												 &b));
			}
			printf("\n");
		}
	}
}

/*-----------------------------------------------------------------------
 * All of it
 *-----------------------------------------------------------------------
 */

static void
test_level(OmenSimdLevel level)
{
	level_name = OmenSimdName(level);
	if (!OmenSimdUse(level))
	{
		printf("%s: not run, this build or CPU lacks it\n", level_name);
		return;
	}
	random_state = 20240229;
	test_half_to_float(omen_kernels);
	test_float_to_half(omen_kernels);
	test_conversion_lengths(omen_kernels);
	test_distances(omen_kernels);
	test_codes(omen_kernels);
	printf("%s: run\n", level_name);
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--bench") == 0)
	{
		bench_all();
		return 0;
	}
	if (argc > 1)
	{
		fprintf(stderr, "usage: simd_test [--bench]\n");
		return 2;
	}

	test_choice();
	level_name = "factors";
	test_edge_factors();
	for (int level = 0; level < OMEN_SIMD_LEVELS; level++)
		test_level((OmenSimdLevel) level);

	level_name = "reference";
	test_rotate_reference(64);
	test_rotate_reference(96);
	test_rotate_reference(256);
	test_rotate_reference(800);

	printf("%ld passed, %ld failed\n", passed, failed);
	return failed == 0 ? 0 : 1;
}
