/*-------------------------------------------------------------------------
 *
 * growth_test.c
 *		Work of the batch builder for each node, as their number grows.
 *
 *		growth_test [nodes ...]
 *
 * Work is counted, not timed: the products of a row and a column that the
 * kernels are asked for, by a table of kernels that counts and passes on.
 * With numbers of nodes as arguments these are built, and times are printed
 * too.
 *
 *-------------------------------------------------------------------------
 */
#include "pgshim.h"

#include <time.h>

#include "build/build.h"
#include "common/pg_prng.h"
#include "simd/matrix.h"
#include "simd/simd.h"

/* The data lie about a random subspace. */
#define WIDTH		128
#define INTRINSIC	16

/* By how much the products for each node may grow, from the first size on. */
#define MOST_GROWTH	1.2

static const OmenMatrixKernels *kernels;
static OmenMatrixKernels counting;
static uint64 products;

static void
count_multiply(int width, int nrows, const uint8_t *const *rows, int npanels,
			   const int8_t *panels, const int32_t *init, int32_t *out,
			   size_t stride)
{
	products += (uint64) nrows * npanels * OMEN_PANEL;
	kernels->multiply(width, nrows, rows, npanels, panels, init, out, stride);
}

typedef struct Work
{
	uint64		products[OMEN_BUILD_PHASES];
	uint64		last;
	double		seconds[OMEN_BUILD_PHASES];
	double		last_time;
} Work;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Work is reported when it is done. */
static void
note_work(void *arg, OmenBuildPhase phase, uint32 done, uint32 total)
{
	Work	   *work = arg;
	double		time = now();

	work->products[phase] += products - work->last;
	work->last = products;
	work->seconds[phase] += time - work->last_time;
	work->last_time = time;
}

/* Near enough to normal, of variance 1: Irwin-Hall. */
static float
gauss(pg_prng_state *prng)
{
	uint64		bits = pg_prng_uint64(prng);
	int			sum = 0;

	for (int i = 0; i < 64; i += 16)
		sum += bits >> i & 0xffff;
	return (sum - 2 * 65535) * (1.732f / 65536);
}

static int8 *
make_codes(uint32 n)
{
	int8	   *codes = malloc((Size) n * WIDTH);
	float		basis[INTRINSIC][WIDTH];
	pg_prng_state prng;

	pg_prng_seed(&prng, 1);
	for (int i = 0; i < INTRINSIC; i++)
		for (int j = 0; j < WIDTH; j++)
			basis[i][j] = gauss(&prng);
	for (uint32 i = 0; i < n; i++)
	{
		float		x[WIDTH] = {0};

		for (int k = 0; k < INTRINSIC; k++)
		{
			float		z = 17 * gauss(&prng);

			for (int j = 0; j < WIDTH; j++)
				x[j] += z * basis[k][j];
		}
		for (int j = 0; j < WIDTH; j++)
			codes[(Size) i * WIDTH + j] = (int8)
				Max(-127, Min(127, x[j] + 2 * gauss(&prng)));
	}
	return codes;
}

/* Products for each node, all in all. */
static double
measure(uint32 n, bool timed)
{
	OmenBuildParams params = {
		.width = WIDTH, .degree = 32, .ef_construction = 64,
		.chunk_size = 5000, .seed = 42
	};
	int8	   *codes = make_codes(n);
	Work		work = {{0}};
	double		start = now();
	OmenGraph  *graph;

	products = 0;
	work.last_time = start;
	graph = OmenBuildGraph(&params, codes, NULL, n, note_work, &work);
	OmenFinishGraph(graph);
	OmenFreeGraph(graph);
	printf("%8u nodes, products for each:", n);
	for (int i = 0; i < OMEN_BUILD_PHASES; i++)
		if (work.products[i] > 0)
			printf(" %s %.0f", OmenBuildPhaseName(i),
				   (double) work.products[i] / n);
	printf(", all %.0f\n", (double) products / n);
	if (timed)
	{
		printf("%14s us for each:", "");
		for (int i = 0; i < OMEN_BUILD_PHASES; i++)
			printf(" %s %.2f", OmenBuildPhaseName(i),
				   work.seconds[i] / n * 1e6);
		printf(", all %.2f\n", (now() - start) / n * 1e6);
	}
	free(codes);
	return (double) products / n;
}

int
main(int argc, char **argv)
{
	static const uint32 sizes[] = {10000, 30000, 100000, 300000};
	double		first = 0;
	int			failed = 0;

	ShimStart();
	OmenSimdUse(OmenSimdBest());
	kernels = omen_matrix;
	counting = *omen_matrix;
	counting.multiply = count_multiply;
	omen_matrix = &counting;
	for (int i = 1; i < argc; i++)
		measure(atoi(argv[i]), true);
	for (int i = 0; argc == 1 && i < lengthof(sizes); i++)
	{
		double		each = measure(sizes[i], false);

		if (i == 0)
			first = each;
		if (each <= first * MOST_GROWTH)
			continue;
		failed++;
		printf("FAILED: %.2f times the products of %u nodes, for each\n",
			   each / first, sizes[0]);
	}
	printf("%d passed, %d failed\n", (int) lengthof(sizes) - failed, failed);
	return failed != 0;
}
