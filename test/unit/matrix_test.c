/*-------------------------------------------------------------------------
 *
 * matrix_test.c
 *		Every instruction set against the meaning of matrix.h, to the bit.
 *
 * The plain C set is checked against the definitions directly; the others
 * are checked against it, over many shapes and kinds of values.
 *
 *-------------------------------------------------------------------------
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "simd/matrix.h"
#include "simd/simd.h"

#define MAX_WIDTH	1600
#define MAX_ROWS	40
#define MAX_PANELS	12
#define STRIDE		(MAX_PANELS * OMEN_PANEL)

static int	passed;
static int	failed;
static uint64_t random_state = 1;

static uint8_t values[MAX_ROWS + STRIDE][MAX_WIDTH];
static const uint8_t *rows[MAX_ROWS];
static const uint8_t *columns[STRIDE];
static int32_t init[STRIDE] __attribute__((aligned(64)));
static int32_t base[MAX_ROWS];
static int32_t products[MAX_ROWS * STRIDE] __attribute__((aligned(64)));
static int8_t panels[MAX_PANELS * OMEN_PANEL_BYTES(MAX_WIDTH)]
	__attribute__((aligned(64)));

static void
check(bool ok, const char *what, const char *set, int a, int b)
{
	if (ok)
		passed++;
	else
	{
		failed++;
		printf("FAILED: %s, set %s, case %d, %d\n", what, set, a, b);
	}
}

/* Knuth's MMIX generator; the low bits are poor, so take high ones. */
static uint32_t
random_below(uint32_t n)
{
	random_state = random_state * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return (uint32_t) ((random_state >> 33) % n);
}

/*
 * Rows and columns of a kind: 0 any values, 1 the extremes (largest sums), 2
 * few values, so that many distances are equal, 3 all the same.
 */
static void
make_values(int width, int kind)
{
	for (int r = 0; r < MAX_ROWS + STRIDE; r++)
		for (int i = 0; i < width; i++)
			values[r][i] = kind == 0 ? random_below(128) :
				kind == 1 ? (r < MAX_ROWS ? 127 : 127 * random_below(2)) :
				kind == 2 ? 60 + random_below(i < 3 ? 2 : 1) : 17;
	for (int r = 0; r < MAX_ROWS; r++)
		rows[r] = values[r];
	for (int c = 0; c < STRIDE; c++)
		columns[c] = values[MAX_ROWS + c];
}

static int32_t
squared_distance(int width, const uint8_t *a, const uint8_t *b)
{
	int32_t		sum = 0;

	for (int i = 0; i < width; i++)
		sum += (a[i] - b[i]) * (a[i] - b[i]);
	return sum;
}

static int32_t
squared_length(int width, const uint8_t *a)
{
	int32_t		sum = 0;

	for (int i = 0; i < width; i++)
		sum += (a[i] - OMEN_COLUMN_SHIFT) * (a[i] - OMEN_COLUMN_SHIFT);
	return sum;
}

static int32_t
l1_distance(int width, const uint8_t *a, const uint8_t *b)
{
	int32_t		sum = 0;

	for (int i = 0; i < width; i++)
		sum += abs(a[i] - b[i]);
	return sum;
}

/*
 * Fill panels, init and products from the columns and rows, for L1; init is
 * not 0 since the builder raises it.
 */
static void
make_l1_products(const OmenMatrixKernels *set, int width, int nrows,
				 int ncolumns)
{
	for (int c = 0; c < STRIDE; c++)
		init[c] = c < ncolumns ? c * 1000 : OMEN_NO_PRODUCT;
	for (int p = 0; p * OMEN_PANEL < ncolumns; p++)
	{
		int			n = ncolumns - p * OMEN_PANEL;

		OmenPackL1(width, n < OMEN_PANEL ? n : OMEN_PANEL,
				   columns + p * OMEN_PANEL,
				   panels + p * OMEN_PANEL_BYTES(width));
	}
	set->subtract(width, nrows, rows, OMEN_PANELS(ncolumns), panels, init,
				  products, STRIDE);
}

/* Fill panels, init, base and products from the columns and rows. */
static void
make_products(const OmenMatrixKernels *set, int width, int nrows, int ncolumns)
{
	for (int c = 0; c < STRIDE; c++)
	{
		int32_t		sum = 0;

		for (int i = 0; i < width; i++)
			sum += columns[c][i] - OMEN_COLUMN_SHIFT;
		init[c] = c < ncolumns ?
			-squared_length(width, columns[c]) - 128 * sum : OMEN_NO_PRODUCT;
	}
	for (int r = 0; r < nrows; r++)
		base[r] = squared_length(width, rows[r]);
	for (int p = 0; p * OMEN_PANEL < ncolumns; p++)
	{
		int			n = ncolumns - p * OMEN_PANEL;

		set->pack(width, n < OMEN_PANEL ? n : OMEN_PANEL,
				  columns + p * OMEN_PANEL,
				  panels + p * OMEN_PANEL_BYTES(width));
	}
	set->multiply(width, nrows, rows, OMEN_PANELS(ncolumns), panels, init,
				  products, STRIDE);
}

/* The product is |a|^2 less the squared distance, padding has none. */
static void
test_definition(void)
{
	static const int widths[] = {32, 64, 96, 128, 800, 1600};

	for (int w = 0; w < 6; w++)
		for (int kind = 0; kind < 4; kind++)
		{
			int			width = widths[w];
			bool		ok = true;

			make_values(width, kind);
			make_products(&omen_matrix_scalar, width, 7, 20);
			for (int r = 0; r < 7; r++)
				for (int c = 0; c < 32; c++)
					ok &= products[r * STRIDE + c] ==
						(c < 20 ? base[r] -
						 squared_distance(width, rows[r], columns[c]) :
						 OMEN_NO_PRODUCT);
			check(ok, "definition of products", "scalar", width, kind);
		}
}

/* Values of all 8 bits; kind as for make_values(). */
static void
make_bytes(int width, int kind)
{
	make_values(width, kind);
	for (int r = 0; r < MAX_ROWS + STRIDE; r++)
		for (int i = 0; i < width; i++)
			values[r][i] = kind == 0 ? random_below(256) :
				kind == 1 ? values[r][i] * 255 / 127 : values[r][i] + 128;
}

/* What is left of init is the distance; padding has none that counts. */
static void
test_l1_definition(void)
{
	static const int widths[] = {32, 64, 96, 128, 800, 1600};

	for (int w = 0; w < 6; w++)
		for (int kind = 0; kind < 4; kind++)
		{
			int			width = widths[w];
			bool		ok = true;

			make_bytes(width, kind);
			make_l1_products(&omen_matrix_scalar, width, 7, 20);
			for (int r = 0; r < 7; r++)
				for (int c = 0; c < 32; c++)
					ok &= c < 20 ? products[r * STRIDE + c] == init[c] -
						l1_distance(width, rows[r], columns[c]) :
						products[r * STRIDE + c] <= OMEN_NO_PRODUCT;
			check(ok, "definition of L1 products", "scalar", width, kind);
		}
}

/* Compare subtract() of a set with plain C. */
static void
compare_l1_products(const OmenMatrixKernels *set, int width, int kind)
{
	static int32_t expected[MAX_ROWS * STRIDE];

	for (int i = 0; i < 24; i++)
	{
		int			nrows = 1 + random_below(i < 12 ? 10 : MAX_ROWS);
		int			ncolumns = 1 + random_below(i < 12 ? 33 : STRIDE);
		bool		same = true;

		make_l1_products(&omen_matrix_scalar, width, nrows, ncolumns);
		memcpy(expected, products, sizeof(products));
		memset(products, 0, sizeof(products));
		make_l1_products(set, width, nrows, ncolumns);
		for (int r = 0; r < nrows; r++)
			same &= memcmp(products + r * STRIDE, expected + r * STRIDE,
						   OMEN_PANELS(ncolumns) * OMEN_PANEL * 4) == 0;
		check(same, "subtract", set->name, nrows, ncolumns);
	}
}

static void
test_distance_keys(void)
{
	bool		ok = OmenDistanceKey(0) == 0;

	for (int32_t d = 1; d < 400000000; d += 1 + d / 5000)
	{
		float		back = OmenKeyDistance(OmenDistanceKey(d));

		ok &= OmenDistanceKey(d) >= OmenDistanceKey(d - 1) &&
			OmenDistanceKey(d) < 0xffff;
		ok &= d == 1 ? back == 0 :
			d <= 4096 ? back == d : back <= d * 1.0001f && back >= d * 0.999f;
	}
	check(ok, "distance keys", "scalar", 0, 0);
}

/* select() of plain C against the nearest by full sorting, at k = all. */
static void
test_select_exact(void)
{
	uint32_t	keys[MAX_ROWS * 16];
	uint16_t	labels[STRIDE];
	bool		ok = true;

	for (int c = 0; c < STRIDE; c++)
		labels[c] = 1000 + c;
	make_values(64, 0);
	make_products(&omen_matrix_scalar, 64, 9, 40);
	omen_matrix_scalar.select(9, 3, products, STRIDE, base, 2, 12, labels,
							  keys);
	for (int r = 0; r < 9; r++)
		for (int i = 0; i < 12; i++)
		{
			uint32_t	key = keys[r * 16 + i];
			int			smaller = 0;

			for (int c = 0; c < 40; c++)
			{
				int32_t		d = squared_distance(64, rows[r], columns[c]);

				smaller += (OmenDistanceKey(d) << 16 | labels[c]) < key;
				if (labels[c] == (key & 0xffff))
					ok &= key >> 16 == OmenDistanceKey(d);
			}
			ok &= smaller == i;
		}
	check(ok, "select() finds the nearest", "scalar", 0, 0);
}

/* merge() of plain C: ascending, distinct, each from some line. */
static void
test_merge_exact(void)
{
	static const uint32_t lines[24] = {
		5 << 16 | 1, 7 << 16 | 0, 9 << 16 | 2, OMEN_NO_KEY, OMEN_NO_KEY,
		OMEN_NO_KEY, OMEN_NO_KEY, OMEN_NO_KEY,
		5 << 16 | 0, 5 << 16 | 1, 8 << 16 | 2, OMEN_NO_KEY, OMEN_NO_KEY,
		OMEN_NO_KEY, OMEN_NO_KEY, OMEN_NO_KEY,
		OMEN_NO_KEY, OMEN_NO_KEY, OMEN_NO_KEY, OMEN_NO_KEY, OMEN_NO_KEY,
		OMEN_NO_KEY, OMEN_NO_KEY, OMEN_NO_KEY
	};
	static const uint32_t first[3] = {10, 20, 30};
	static const uint32_t second[3] = {20, 25, 40};
	const uint32_t *const members[3] = {first, second, second};
	const uint32_t *const parts[3] = {lines, lines + 8, lines + 16};
	static const uint64_t expected[5] = {
		UINT64_C(5) << 32 | 20, UINT64_C(5) << 32 | 25, UINT64_C(7) << 32 | 10,
		UINT64_C(8) << 32 | 40, UINT64_C(9) << 32 | 30
	};

	for (int level = 0; level < OMEN_SIMD_LEVELS; level++)
		for (int limit = 1; limit <= 6; limit++)
		{
			uint64_t	out[14];
			int			want = limit < 5 ? limit : 5;
			int			n;

			if (!OmenSimdUse(level))
				continue;
			n = omen_matrix->merge(3, 8, parts, members, limit, out);
			check(n == want &&
				  memcmp(out, expected, want * sizeof(uint64_t)) == 0,
				  "merge() by example", omen_matrix->name, limit, 0);
		}
}

/* Compare pack(), multiply() and nearest() of a set with plain C. */
static void
compare_products(const OmenMatrixKernels *set, int width, int kind)
{
	static int32_t expected[MAX_ROWS * STRIDE];
	static int8_t packed[sizeof(panels)];

	for (int i = 0; i < 24; i++)
	{
		int			nrows = 1 + random_below(i < 12 ? 10 : MAX_ROWS);
		int			ncolumns = 1 + random_below(i < 12 ? 33 : STRIDE);
		size_t		used = OMEN_PANELS(ncolumns) * OMEN_PANEL_BYTES(width);
		uint16_t	column[2][MAX_ROWS];
		bool		same = true;

		make_products(&omen_matrix_scalar, width, nrows, ncolumns);
		memcpy(expected, products, sizeof(products));
		memcpy(packed, panels, used);
		memset(products, 0, sizeof(products));
		make_products(set, width, nrows, ncolumns);
		check(memcmp(packed, panels, used) == 0, "pack", set->name, width,
			  ncolumns);
		for (int r = 0; r < nrows; r++)
			same &= memcmp(products + r * STRIDE, expected + r * STRIDE,
						   OMEN_PANELS(ncolumns) * OMEN_PANEL * 4) == 0;
		check(same, "multiply", set->name, nrows, ncolumns);
		omen_matrix_scalar.nearest(nrows, OMEN_PANELS(ncolumns), products,
								   STRIDE, column[0]);
		set->nearest(nrows, OMEN_PANELS(ncolumns), products, STRIDE,
					 column[1]);
		check(memcmp(column[0], column[1], nrows * sizeof(uint16_t)) == 0,
			  "nearest", set->name, nrows, kind);
	}
}

/*
 * The rows as columns: all products by multiply() are what mirror() makes of
 * those on and above the diagonal panels.
 */
static void
compare_mirror(const OmenMatrixKernels *set, int width, int kind)
{
	static int32_t expected[MAX_ROWS * STRIDE];

	for (int n = 1; n <= MAX_ROWS; n++)
	{
		bool		same = true;

		for (int c = 0; c < n; c++)
			columns[c] = rows[c];
		make_products(&omen_matrix_scalar, width, n, n);
		memcpy(expected, products, sizeof(products));
		for (int r = OMEN_PANEL; r < n; r++)
			memset(products + r * STRIDE, 0x55, r / OMEN_PANEL * 64);
		for (int p = 0; p < OMEN_PANELS(n); p++)
			set->mirror(n, p, base, products, STRIDE);
		for (int r = 0; r < n; r++)
			same &= memcmp(products + r * STRIDE, expected + r * STRIDE,
						   OMEN_PANELS(n) * OMEN_PANEL * 4) == 0;
		check(same, "mirror", set->name, n, kind);
	}
}

/* Compare select(), exceed() and merge() of a set with plain C. */
static void
compare_selection(const OmenMatrixKernels *set, int width, int kind)
{
	for (int i = 0; i < 24; i++)
	{
		int			groups = 1 + i % 2;
		int			nrows = 1 + random_below(MAX_ROWS);
		int			ncolumns = 1 + random_below(i < 8 ? 33 : STRIDE);
		int			npanels = OMEN_PANELS(ncolumns);
		int			k = 1 + random_below(8 * groups);
		int			nlines = random_below(16) + 1;
		int			limit = 1 + random_below(200);
		uint16_t	labels[STRIDE];
		uint32_t	keys[2][MAX_ROWS * 16];
		uint16_t	masks[2][MAX_ROWS * MAX_PANELS];
		int32_t		bounds[MAX_ROWS];
		uint32_t	members[STRIDE];
		const uint32_t *lists[16];
		const uint32_t *lines[16];
		uint64_t	out[2][208];
		int			n;

		make_products(&omen_matrix_scalar, width, nrows, ncolumns);
		for (int c = 0; c < STRIDE; c++)
		{
			labels[c] = c;
			members[c] = c * 20000000U + random_below(1000);
		}
		for (int r = 0; r < nrows; r++)
		{
			products[r * STRIDE + random_below(ncolumns)] = OMEN_NO_PRODUCT;
			bounds[r] = products[r * STRIDE + random_below(ncolumns)];
		}
		omen_matrix_scalar.select(nrows, npanels, products, STRIDE, base,
								  groups, k, labels, keys[0]);
		set->select(nrows, npanels, products, STRIDE, base, groups, k, labels,
					keys[1]);
		check(memcmp(keys[0], keys[1], nrows * groups * 32) == 0, "select",
			  set->name, ncolumns, kind);

		omen_matrix_scalar.exceed(nrows, npanels, products, STRIDE, bounds,
								  masks[0]);
		set->exceed(nrows, npanels, products, STRIDE, bounds, masks[1]);
		check(memcmp(masks[0], masks[1], nrows * npanels * 2) == 0, "exceed",
			  set->name, ncolumns, kind);

		/* Lines of one member list repeat keys of each other, as leaves do. */
		if (nlines > nrows)
			nlines = nrows;
		for (int j = 0; j < nlines; j++)
		{
			lists[j] = members;
			lines[j] = keys[0] + j * 8 * groups;
		}
		n = omen_matrix_scalar.merge(nlines, 8 * groups, lines, lists, limit,
									 out[0]);
		check(set->merge(nlines, 8 * groups, lines, lists, limit,
						 out[1]) == n &&
			  memcmp(out[0], out[1], n * sizeof(uint64_t)) == 0, "merge",
			  set->name, nlines, limit);
	}
}

int
main(void)
{
	static const int widths[] = {32, 64, 96, 128, 160, 384, 1600};

	test_definition();
	test_l1_definition();
	test_distance_keys();
	test_select_exact();
	test_merge_exact();
	for (int level = 0; level < OMEN_SIMD_LEVELS; level++)
	{
		if (!OmenSimdUse(level))
			continue;
		check(strcmp(omen_matrix->name, OmenSimdName(level)) == 0,
			  "the set in use", omen_matrix->name, level, 0);
		for (int w = 0; w < 7; w++)
			for (int kind = 0; kind < 4; kind++)
			{
				make_values(widths[w], kind);
				compare_products(omen_matrix, widths[w], kind);
				compare_selection(omen_matrix, widths[w], kind);
				compare_mirror(omen_matrix, widths[w], kind);
				make_bytes(widths[w], kind);
				compare_l1_products(omen_matrix, widths[w], kind);
			}
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
