/*-------------------------------------------------------------------------
 *
 * matrix_scalar.c
 *		Distance-matrix kernels in plain C.
 *
 * The plain meaning of matrix.h, against which the other sets are tested,
 * and the set for CPUs without any of their instructions.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "simd/matrix.h"

static void
om_pack(int width, int n, const uint8_t *const *rows, int8_t *panel)
{
	memset(panel, 0, OMEN_PANEL_BYTES(width));
	for (int c = 0; c < n; c++)
		for (int i = 0; i < width; i++)
			panel[(size_t) (i / 4) * 64 + c * 4 + i % 4] =
				(int8_t) (rows[c][i] - OMEN_COLUMN_SHIFT);
}

/*
 * One row by one panel.  The sum over four dimensions is made in the order of
 * the panel's bytes, so that the compiler can vectorize it.
 */
static void
om_multiply_panel(int width, const uint8_t *row, const int8_t *panel,
				  const int32_t *init, int32_t *products)
{
	int32_t		sum[OMEN_PANEL] = {0};

	for (int i = 0; i < width; i += 4, panel += 64)
		for (int c = 0; c < OMEN_PANEL; c++)
			sum[c] += row[i] * panel[c * 4] + row[i + 1] * panel[c * 4 + 1] +
				row[i + 2] * panel[c * 4 + 2] + row[i + 3] * panel[c * 4 + 3];
	for (int c = 0; c < OMEN_PANEL; c++)
		products[c] = init[c] + 2 * sum[c];
}

static void
om_multiply(int width, int nrows, const uint8_t *const *rows, int npanels,
			const int8_t *panels, const int32_t *init, int32_t *products,
			size_t stride)
{
	for (int p = 0; p < npanels; p++)
		for (int r = 0; r < nrows; r++)
			om_multiply_panel(width, rows[r],
							  panels + p * OMEN_PANEL_BYTES(width),
							  init + p * OMEN_PANEL,
							  products + r * stride + p * OMEN_PANEL);
}

void
OmenPackL1(int width, int n, const uint8_t *const *rows, int8_t *panel)
{
	for (int i = 0; i < width; i += 8, panel += 128)
	{
		for (int c = 0; c < n; c++)
			memcpy(panel + c * 8, rows[c] + i, 8);
		memset(panel + n * 8, 0, (OMEN_PANEL - n) * 8);
	}
}

static void
om_subtract_panel(int width, const uint8_t *row, const uint8_t *panel,
				  const int32_t *init, int32_t *products)
{
	int32_t		sum[OMEN_PANEL] = {0};

	for (int i = 0; i < width; i += 8, panel += 128)
		for (int c = 0; c < OMEN_PANEL; c++)
			for (int j = 0; j < 8; j++)
				sum[c] += abs(row[i + j] - panel[c * 8 + j]);
	for (int c = 0; c < OMEN_PANEL; c++)
		products[c] = init[c] - sum[c];
}

static void
om_subtract(int width, int nrows, const uint8_t *const *rows, int npanels,
			const int8_t *panels, const int32_t *init, int32_t *products,
			size_t stride)
{
	for (int p = 0; p < npanels; p++)
		for (int r = 0; r < nrows; r++)
			om_subtract_panel(width, rows[r], (const uint8_t *) panels +
							  p * OMEN_PANEL_BYTES(width),
							  init + p * OMEN_PANEL,
							  products + r * stride + p * OMEN_PANEL);
}

static void
om_mirror(int n, int panel, const int32_t *base, int32_t *products,
		  size_t stride)
{
	int			first = panel * OMEN_PANEL;

	for (int c = first + OMEN_PANEL; c < n; c++)
		for (int r = first; r < first + OMEN_PANEL; r++)
			products[c * stride + r] = products[r * stride + c] + base[c] -
				base[r];
}

static void
om_nearest(int nrows, int npanels, const int32_t *products, size_t stride,
		   uint16_t *column)
{
	for (int r = 0; r < nrows; r++)
	{
		const int32_t *row = products + r * stride;
		int			best = 0;

		for (int c = 1; c < npanels * OMEN_PANEL; c++)
			if (row[c] > row[best])
				best = c;
		column[r] = (uint16_t) best;
	}
}

/* The k-th greatest of the class maxima of a row. */
static int32_t
om_threshold(int ncolumns, const int32_t *row, int classes, int k)
{
	int32_t		max[OMEN_PANEL * 2];

	for (int i = 0; i < classes; i++)
		max[i] = OMEN_NO_PRODUCT;
	for (int c = 0; c < ncolumns; c++)
		if (row[c] > max[c % classes])
			max[c % classes] = row[c];
	for (int i = 0; i < k; i++)
		for (int j = i + 1; j < classes; j++)
			if (max[j] > max[i])
			{
				int32_t		swap = max[i];

				max[i] = max[j];
				max[j] = swap;
			}
	return max[k - 1];
}

static void
om_select(int nrows, int npanels, const int32_t *products, size_t stride,
		  const int32_t *base, int groups, int k, const uint16_t *labels,
		  uint32_t *keys)
{
	int			ncolumns = npanels * OMEN_PANEL;
	int			nkeys = 8 * groups;

	for (int r = 0; r < nrows; r++)
	{
		const int32_t *row = products + r * stride;
		int32_t		threshold = om_threshold(ncolumns, row,
											 groups * OMEN_PANEL, k);
		uint32_t	found[OMEN_SELECT_MAX];
		int			n = 0;

		for (int c = 0; c < ncolumns && n < OMEN_SELECT_MAX; c++)
			if (row[c] >= threshold && row[c] > OMEN_NO_PRODUCT)
				found[n++] = OmenDistanceKey(base[r] - row[c]) << 16 |
					labels[c];
		while (n < nkeys)
			found[n++] = OMEN_NO_KEY;
		OmenSmallestKeys(found, n, nkeys);
		memcpy(keys + r * nkeys, found, nkeys * sizeof(uint32_t));
	}
}

static void
om_exceed(int nrows, int npanels, const int32_t *products, size_t stride,
		  const int32_t *limit, uint16_t *masks)
{
	for (int r = 0; r < nrows; r++)
		for (int p = 0; p < npanels; p++)
		{
			const int32_t *row = products + r * stride + p * OMEN_PANEL;
			unsigned	mask = 0;

			for (int c = 0; c < OMEN_PANEL; c++)
				mask |= (unsigned) (row[c] > limit[r]) << c;
			masks[r * npanels + p] = (uint16_t) mask;
		}
}

/* The lesser heads of two ascending lists, into out, which is neither. */
static void
om_merge_two(const uint64_t *a, int na, const uint64_t *b, int nb,
			 uint64_t *out)
{
	while (na > 0 && nb > 0)
	{
		if (*a <= *b)
		{
			*out++ = *a++;
			na--;
		}
		else
		{
			*out++ = *b++;
			nb--;
		}
	}
	memcpy(out, a, na * sizeof(uint64_t));
	memcpy(out + na, b, nb * sizeof(uint64_t));
}

/* One line after the other is merged into what there is. */
int
OmenMergeLines(int nlines, int line_keys, const uint32_t *const *lines,
			   const uint32_t *const *members, int limit, uint64_t *out)
{
	uint64_t	buffer[2][OMEN_MERGE_MAX];
	uint64_t   *from = buffer[0];
	uint64_t   *to = buffer[1];
	int			total = 0;
	int			n = 0;

	for (int i = 0; i < nlines; i++)
	{
		uint64_t	line[OMEN_PANEL];
		uint64_t   *swap = from;
		int			m = 0;

		for (; m < line_keys && lines[i][m] != OMEN_NO_KEY; m++)
			line[m] = (uint64_t) (lines[i][m] >> 16) << 32 |
				members[i][lines[i][m] & 0xffff];
		om_merge_two(from, total, line, m, to);
		total += m;
		from = to;
		to = swap;
	}
	for (int i = 0; i < total && n < limit; i++)
		if (i == 0 || from[i] != from[i - 1])
			out[n++] = from[i];
	return n;
}

/* Insertion into the sorted front: n is small, and keep smaller. */
void
OmenSmallestKeys(uint32_t *keys, int n, int keep)
{
	for (int i = 1; i < n; i++)
	{
		uint32_t	key = keys[i];
		int			j = i < keep ? i : keep;

		if (i >= keep)
		{
			if (key >= keys[keep - 1])
				continue;
			keys[i] = keys[keep - 1];
			j = keep - 1;
		}
		for (; j > 0 && keys[j - 1] > key; j--)
			keys[j] = keys[j - 1];
		keys[j] = key;
	}
}

const OmenMatrixKernels omen_matrix_scalar = {
	.name = "scalar",
	.pack = om_pack,
	.multiply = om_multiply,
	.subtract = om_subtract,
	.mirror = om_mirror,
	.nearest = om_nearest,
	.select = om_select,
	.exceed = om_exceed,
	.merge = OmenMergeLines
};
