/*-------------------------------------------------------------------------
 *
 * matrix_neon.c
 *		Distance-matrix kernels for aarch64.
 *
 * Only what every aarch64 CPU has is used: no dot product instructions.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__aarch64__)

#include <arm_neon.h>

#include "simd/matrix.h"
#include "simd/matrix_network.h"
#include "simd/target.h"

/* Rows of a register block. */
#define OM_ROWS		2

/* Transpose 4 vectors of 4 dwords. */
OM_INLINE void
om_transpose(uint32x4_t *r)
{
	uint32x4x2_t a = vtrnq_u32(r[0], r[1]);
	uint32x4x2_t b = vtrnq_u32(r[2], r[3]);

	r[0] = vcombine_u32(vget_low_u32(a.val[0]), vget_low_u32(b.val[0]));
	r[1] = vcombine_u32(vget_low_u32(a.val[1]), vget_low_u32(b.val[1]));
	r[2] = vcombine_u32(vget_high_u32(a.val[0]), vget_high_u32(b.val[0]));
	r[3] = vcombine_u32(vget_high_u32(a.val[1]), vget_high_u32(b.val[1]));
}

static void
om_pack(int width, int n, const uint8_t *const *rows, int8_t *panel)
{
	const uint8x16_t shift = vdupq_n_u8(OMEN_COLUMN_SHIFT);

	for (int i = 0; i < width; i += 16)
		for (int quarter = 0; quarter < 4; quarter++)
		{
			int8_t	   *out = panel + (size_t) i * OMEN_PANEL + quarter * 16;
			uint32x4_t	r[4];

			for (int c = 0; c < 4; c++)
			{
				int			row = quarter * 4 + c;
				uint8x16_t	x = row < n ? vld1q_u8(rows[row] + i) : shift;

				r[c] = vreinterpretq_u32_u8(vsubq_u8(x, shift));
			}
			om_transpose(r);
			for (int k = 0; k < 4; k++)
				vst1q_s8(out + k * 64, vreinterpretq_s8_u32(r[k]));
		}
}

/* Four dimensions of a row, for each of four columns. */
OM_INLINE int8x16_t
om_broadcast(const uint8_t *row)
{
	uint32_t	dword;

	memcpy(&dword, row, sizeof(dword));
	return vreinterpretq_s8_u32(vdupq_n_u32(dword));
}

/*
 * Products of nrows <= OM_ROWS rows with one panel.  The products of 16
 * dimensions are summed four by four in 16 bits, which holds 4 * 127 * 64.
 */
OM_INLINE void
om_block(int width, const int nrows, const uint8_t *const *rows,
		 const int8_t *panel, const int32_t *init, int32_t *products,
		 size_t stride)
{
	int32x4_t	sum[OM_ROWS][8];

	for (int r = 0; r < nrows; r++)
		for (int j = 0; j < 8; j++)
			sum[r][j] = vdupq_n_s32(0);
	for (int i = 0; i < width; i += 16)
	{
		const int8_t *b = panel + (size_t) i * OMEN_PANEL;

		for (int r = 0; r < nrows; r++)
		{
			int8x16_t	a[4];

			for (int k = 0; k < 4; k++)
				a[k] = om_broadcast(rows[r] + i + k * 4);
			for (int j = 0; j < 4; j++)
			{
				int8x16_t	x = vld1q_s8(b + j * 16);
				int16x8_t	low = vmull_s8(vget_low_s8(a[0]), vget_low_s8(x));
				int16x8_t	high = vmull_high_s8(a[0], x);

				for (int k = 1; k < 4; k++)
				{
					x = vld1q_s8(b + k * 64 + j * 16);
					low = vmlal_s8(low, vget_low_s8(a[k]), vget_low_s8(x));
					high = vmlal_high_s8(high, a[k], x);
				}
				sum[r][2 * j] = vpadalq_s16(sum[r][2 * j], low);
				sum[r][2 * j + 1] = vpadalq_s16(sum[r][2 * j + 1], high);
			}
		}
	}
	for (int r = 0; r < nrows; r++)
		for (int j = 0; j < 4; j++)
		{
			int32x4_t	s = vpaddq_s32(sum[r][2 * j], sum[r][2 * j + 1]);

			vst1q_s32(products + r * stride + j * 4,
					  vaddq_s32(vld1q_s32(init + j * 4), vshlq_n_s32(s, 1)));
		}
}

static void
om_multiply(int width, int nrows, const uint8_t *const *rows, int npanels,
			const int8_t *panels, const int32_t *init, int32_t *products,
			size_t stride)
{
	for (int p = 0; p < npanels; p++)
	{
		const int8_t *panel = panels + p * OMEN_PANEL_BYTES(width);
		const int32_t *first = init + p * OMEN_PANEL;
		int32_t    *out = products + p * OMEN_PANEL;
		int			r = 0;

		for (; r + 2 <= nrows; r += 2)
			om_block(width, 2, rows + r, panel, first, out + r * stride,
					 stride);
		if (r < nrows)
			om_block(width, 1, rows + r, panel, first, out + r * stride,
					 stride);
	}
}

/* Steps of eight dimensions whose differences, two by two, fit 16 bits. */
#define OM_STEPS	128

/*
 * Add the distances of nrows <= OM_ROWS rows to one panel, over at most
 * OM_STEPS steps; sum[r][j] has two parts of each of two columns.
 */
OM_INLINE void
om_subtract_steps(int steps, const int nrows, const uint8_t *const *rows,
				  int from, const uint8_t *panel, uint32x4_t (*sum)[8])
{
	uint16x8_t	part[OM_ROWS][8];

	for (int r = 0; r < nrows; r++)
		for (int j = 0; j < 8; j++)
			part[r][j] = vdupq_n_u16(0);
	for (int s = 0; s < steps; s++, panel += 128)
		for (int r = 0; r < nrows; r++)
		{
			uint8x8_t	eight = vld1_u8(rows[r] + from + s * 8);
			uint8x16_t	a = vcombine_u8(eight, eight);

			for (int j = 0; j < 8; j++)
				part[r][j] = vpadalq_u8(part[r][j],
										vabdq_u8(a, vld1q_u8(panel + j * 16)));
		}
	for (int r = 0; r < nrows; r++)
		for (int j = 0; j < 8; j++)
			sum[r][j] = vpadalq_u16(sum[r][j], part[r][j]);
}

/* Negated distances of nrows <= OM_ROWS rows to one panel. */
OM_INLINE void
om_subtract_block(int width, const int nrows, const uint8_t *const *rows,
				  const int8_t *panel, const int32_t *init,
				  int32_t *products, size_t stride)
{
	uint32x4_t	sum[OM_ROWS][8];

	for (int r = 0; r < nrows; r++)
		for (int j = 0; j < 8; j++)
			sum[r][j] = vdupq_n_u32(0);
	for (int i = 0; i < width; i += OM_STEPS * 8)
	{
		int			steps = (width - i) / 8;

		om_subtract_steps(steps < OM_STEPS ? steps : OM_STEPS, nrows, rows, i,
						  (const uint8_t *) panel + (size_t) i * OMEN_PANEL,
						  sum);
	}
	for (int r = 0; r < nrows; r++)
		for (int j = 0; j < 4; j++)
		{
			uint32x4_t	s = vpaddq_u32(sum[r][2 * j], sum[r][2 * j + 1]);

			vst1q_s32(products + r * stride + j * 4,
					  vsubq_s32(vld1q_s32(init + j * 4),
								vreinterpretq_s32_u32(s)));
		}
}

static void
om_subtract(int width, int nrows, const uint8_t *const *rows, int npanels,
			const int8_t *panels, const int32_t *init, int32_t *products,
			size_t stride)
{
	for (int p = 0; p < npanels; p++)
	{
		const int8_t *panel = panels + p * OMEN_PANEL_BYTES(width);
		const int32_t *first = init + p * OMEN_PANEL;
		int32_t    *out = products + p * OMEN_PANEL;
		int			r = 0;

		for (; r + 2 <= nrows; r += 2)
			om_subtract_block(width, 2, rows + r, panel, first,
							  out + r * stride, stride);
		if (r < nrows)
			om_subtract_block(width, 1, rows + r, panel, first,
							  out + r * stride, stride);
	}
}

/* Mirror 4 rows from row on, in 4 columns from column on. */
OM_INLINE void
om_mirror_tile(int n, int row, int column, const int32_t *base,
			   int32_t *products, size_t stride)
{
	int32x4_t	row_base = vld1q_s32(base + row);
	uint32x4_t	v[4];

	for (int i = 0; i < 4; i++)
		v[i] = vreinterpretq_u32_s32(vld1q_s32(products + (row + i) * stride +
											   column));
	om_transpose(v);
	for (int i = 0; i < 4 && column + i < n; i++)
	{
		int32x4_t	d = vsubq_s32(vdupq_n_s32(base[column + i]), row_base);

		vst1q_s32(products + (column + i) * stride + row,
				  vaddq_s32(vreinterpretq_s32_u32(v[i]), d));
	}
}

static void
om_mirror(int n, int panel, const int32_t *base, int32_t *products,
		  size_t stride)
{
	int			first = panel * OMEN_PANEL;

	for (int c = first + OMEN_PANEL; c < n; c += 4)
		for (int r = first; r < first + OMEN_PANEL; r += 4)
			om_mirror_tile(n, r, c, base, products, stride);
}

static void
om_nearest(int nrows, int npanels, const int32_t *products, size_t stride,
		   uint16_t *column)
{
	static const int32_t first[4] = {0, 1, 2, 3};
	const int32x4_t iota = vld1q_s32(first);

	for (int r = 0; r < nrows; r++)
	{
		const int32_t *row = products + r * stride;
		int32x4_t	best = vld1q_s32(row);
		int32x4_t	where = vdupq_n_s32(0);
		uint32x4_t	equal;

		for (int c = 4; c < npanels * OMEN_PANEL; c += 4)
		{
			int32x4_t	x = vld1q_s32(row + c);

			where = vbslq_s32(vcgtq_s32(x, best), vdupq_n_s32(c), where);
			best = vmaxq_s32(best, x);
		}
		equal = vceqq_s32(best, vdupq_n_s32(vmaxvq_s32(best)));
		where = vbslq_s32(equal, vaddq_s32(where, iota),
						  vdupq_n_s32(INT32_MAX));
		column[r] = (uint16_t) vminvq_s32(where);
	}
}

#define OM_ORDER(v, a, b) \
	do { \
		int32x4_t	lesser = vminq_s32((v)[a], (v)[b]); \
		(v)[b] = vmaxq_s32((v)[a], (v)[b]); \
		(v)[a] = lesser; \
	} while (0)

/*
 * Negated maxima of the 16 lanes of every groups-th panel of 4 rows; vector i
 * holds those of lane i, and its lane r those of row r.
 */
OM_INLINE void
om_maxima(int nrows, int npanels, const int32_t *products, size_t stride,
		  const int groups, int32x4_t *maxima)
{
	for (int j = 0; j < 4; j++)
	{
		uint32x4_t	max[4];

		for (int r = 0; r < 4; r++)
		{
			const int32_t *row = products + (r < nrows ? r : 0) * stride;
			int32x4_t	m = vdupq_n_s32(OMEN_NO_PRODUCT);

			for (int p = 0; p < npanels; p += groups)
				m = vmaxq_s32(m, vld1q_s32(row + p * OMEN_PANEL + j * 4));
			max[r] = vreinterpretq_u32_s32(vnegq_s32(m));
		}
		om_transpose(max);
		for (int i = 0; i < 4; i++)
			maxima[j * 4 + i] = vreinterpretq_s32_u32(max[i]);
	}
}

/* Thresholds of up to 4 rows, as defined for select(). */
OM_INLINE void
om_thresholds(int nrows, int npanels, const int32_t *products, size_t stride,
			  const int groups, int k, int32_t *threshold)
{
	int32x4_t	maxima[2][16];

	for (int g = 0; g < groups; g++)
	{
		om_maxima(nrows, npanels - g, products + g * OMEN_PANEL, stride,
				  groups, maxima[g]);
		OM_SORT16(maxima[g]);
	}
	if (groups == 2)
	{
		for (int i = 0; i < 16; i++)
			maxima[0][i] = vminq_s32(maxima[0][i], maxima[1][15 - i]);
		OM_CLEAN16(maxima[0]);
	}
	vst1q_s32(threshold, vnegq_s32(maxima[0][k - 1]));
}

/* Mask of the columns of a panel with a product > below. */
OM_INLINE uint32_t
om_reach(const int32_t *row, int32x4_t below)
{
	static const uint32_t bits[4] = {1, 2, 4, 8};
	const uint32x4_t bit = vld1q_u32(bits);
	uint32_t	mask = 0;

	for (int j = 0; j < 4; j++)
	{
		uint32x4_t	more = vcgtq_s32(vld1q_s32(row + j * 4), below);

		mask |= vaddvq_u32(vandq_u32(more, bit)) << (j * 4);
	}
	return mask;
}

/* The nkeys least keys of a row among those of a product >= threshold. */
static void
om_collect(int npanels, const int32_t *row, int32_t threshold, int32_t base,
		   int nkeys, const uint16_t *labels, uint32_t *keys)
{
	uint32_t	found[OMEN_SELECT_MAX];
	int			n = 0;
	int32x4_t	below;

	if (threshold <= OMEN_NO_PRODUCT)
		threshold = OMEN_NO_PRODUCT + 1;
	below = vdupq_n_s32(threshold - 1);
	for (int p = 0; p < npanels; p++)
	{
		uint32_t	mask = om_reach(row + p * OMEN_PANEL, below);

		for (; mask != 0 && n < OMEN_SELECT_MAX; mask &= mask - 1)
		{
			int			c = p * OMEN_PANEL + __builtin_ctz(mask);

			found[n++] = OmenDistanceKey(base - row[c]) << 16 | labels[c];
		}
	}
	while (n < nkeys)
		found[n++] = OMEN_NO_KEY;
	OmenSmallestKeys(found, n, nkeys);
	memcpy(keys, found, nkeys * sizeof(uint32_t));
}

static void
om_select(int nrows, int npanels, const int32_t *products, size_t stride,
		  const int32_t *base, int groups, int k, const uint16_t *labels,
		  uint32_t *keys)
{
	for (int i = 0; i < nrows; i += 4)
	{
		int			n = nrows - i < 4 ? nrows - i : 4;
		const int32_t *first = products + i * stride;
		int32_t		threshold[4];

		if (groups == 1)
			om_thresholds(n, npanels, first, stride, 1, k, threshold);
		else
			om_thresholds(n, npanels, first, stride, 2, k, threshold);
		for (int r = 0; r < n; r++)
			om_collect(npanels, first + r * stride, threshold[r], base[i + r],
					   8 * groups, labels, keys + (i + r) * 8 * groups);
	}
}

static void
om_exceed(int nrows, int npanels, const int32_t *products, size_t stride,
		  const int32_t *limit, uint16_t *masks)
{
	for (int r = 0; r < nrows; r++)
		for (int p = 0; p < npanels; p++)
			masks[r * npanels + p] = (uint16_t)
				om_reach(products + r * stride + p * OMEN_PANEL,
						 vdupq_n_s32(limit[r]));
}

const OmenMatrixKernels omen_matrix_neon = {
	.name = "neon",
	.pack = om_pack,
	.multiply = om_multiply,
	.subtract = om_subtract,
	.mirror = om_mirror,
	.nearest = om_nearest,
	.select = om_select,
	.exceed = om_exceed,
	.merge = OmenMergeLines
};

#endif							/* __aarch64__ */
