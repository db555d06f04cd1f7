/*-------------------------------------------------------------------------
 *
 * matrix_avx512.c
 *		Distance-matrix kernels for AVX-512 F, BW, DQ, VL and VNNI.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include <immintrin.h>

#include "simd/matrix.h"
#include "simd/matrix_network.h"
#include "simd/target.h"

OM_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

/* Rows of a register block: with 2 sums for each, 16 of 32 registers. */
#define OM_ROWS		8

static const int32_t om_iota[16] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
};

/* Transpose 16 vectors of 16 dwords. */
OM_INLINE void
om_transpose(__m512i *r)
{
	__m512i		t[16];

	for (int i = 0; i < 8; i++)
	{
		t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
		t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
	}
	for (int i = 0; i < 16; i += 4)
	{
		r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
		r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
		r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
		r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	for (int i = 0; i < 4; i++)
	{
		t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
		t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
		t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
		t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
	}
	for (int i = 0; i < 4; i++)
	{
		r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
		r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
		r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
		r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
	}
}

static void
om_pack(int width, int n, const uint8_t *const *rows, int8_t *panel)
{
	const __m512i shift = _mm512_set1_epi8(OMEN_COLUMN_SHIFT);

	for (int i = 0; i < width; i += 64)
	{
		__mmask64	part = width - i >= 64 ? ~(__mmask64) 0 : 0xffffffff;
		int			steps = width - i >= 64 ? 16 : 8;
		__m512i		r[16];

		for (int c = 0; c < 16; c++)
			r[c] = c < n ? _mm512_maskz_loadu_epi8(part, rows[c] + i) : shift;
		for (int c = 0; c < 16; c++)
			r[c] = _mm512_sub_epi8(r[c], shift);
		om_transpose(r);
		for (int k = 0; k < steps; k++)
			_mm512_store_si512(panel + (size_t) i * OMEN_PANEL + k * 64, r[k]);
	}
}

/* Products of nrows <= OM_ROWS rows with npanels <= 2 panels. */
OM_INLINE void
om_block(int width, const int nrows, const uint8_t *const *rows,
		 const int npanels, const int8_t *panel, const int32_t *init,
		 int32_t *products, size_t stride)
{
	const int8_t *panel1 = panel + OMEN_PANEL_BYTES(width);
	__m512i		sum[OM_ROWS][2];

	for (int r = 0; r < nrows; r++)
		sum[r][0] = sum[r][1] = _mm512_setzero_si512();
	for (int i = 0; i < width; i += 4)
	{
		__m512i		b0 = _mm512_load_si512(panel + (size_t) i * OMEN_PANEL);
		__m512i		b1 = b0;

		if (npanels == 2)
			b1 = _mm512_load_si512(panel1 + (size_t) i * OMEN_PANEL);
		for (int r = 0; r < nrows; r++)
		{
			int32_t		dword;
			__m512i		a;

			memcpy(&dword, rows[r] + i, sizeof(dword));
			a = _mm512_set1_epi32(dword);
			sum[r][0] = _mm512_dpbusd_epi32(sum[r][0], a, b0);
			if (npanels == 2)
				sum[r][1] = _mm512_dpbusd_epi32(sum[r][1], a, b1);
		}
	}
	for (int p = 0; p < npanels; p++)
	{
		__m512i		b = _mm512_load_si512(init + p * OMEN_PANEL);

		for (int r = 0; r < nrows; r++)
			_mm512_store_si512(products + r * stride + p * OMEN_PANEL,
							   _mm512_add_epi32(b, _mm512_slli_epi32(sum[r][p],
																	 1)));
	}
}

/* Products of nrows <= OM_ROWS rows with all panels. */
OM_INLINE void
om_blocks(int width, const int nrows, const uint8_t *const *rows, int npanels,
		  const int8_t *panels, const int32_t *init, int32_t *products,
		  size_t stride)
{
	int			p = 0;

	for (; p + 2 <= npanels; p += 2)
		om_block(width, nrows, rows, 2, panels + p * OMEN_PANEL_BYTES(width),
				 init + p * OMEN_PANEL, products + p * OMEN_PANEL, stride);
	if (p < npanels)
		om_block(width, nrows, rows, 1, panels + p * OMEN_PANEL_BYTES(width),
				 init + p * OMEN_PANEL, products + p * OMEN_PANEL, stride);
}

static void
om_multiply(int width, int nrows, const uint8_t *const *rows, int npanels,
			const int8_t *panels, const int32_t *init, int32_t *products,
			size_t stride)
{
	int			r = 0;

	for (; r + 8 <= nrows; r += 8)
		om_blocks(width, 8, rows + r, npanels, panels, init,
				  products + r * stride, stride);
	for (; r + 3 <= nrows; r += 3)
		om_blocks(width, 3, rows + r, npanels, panels, init,
				  products + r * stride, stride);
	for (; r < nrows; r++)
		om_blocks(width, 1, rows + r, npanels, panels, init,
				  products + r * stride, stride);
}

/*
 * Negated distances of nrows <= OM_ROWS rows to one panel.  Each sum of eight
 * differences fills 64 bits, so half a panel a register.
 */
OM_INLINE void
om_subtract_block(int width, const int nrows, const uint8_t *const *rows,
				  const int8_t *panel, const int32_t *init,
				  int32_t *products, size_t stride)
{
	__m512i		b = _mm512_load_si512(init);
	__m512i		sum[OM_ROWS][2];

	for (int r = 0; r < nrows; r++)
		sum[r][0] = sum[r][1] = _mm512_setzero_si512();
	for (int i = 0; i < width; i += 8, panel += 128)
	{
		__m512i		b0 = _mm512_load_si512(panel);
		__m512i		b1 = _mm512_load_si512(panel + 64);

		for (int r = 0; r < nrows; r++)
		{
			int64_t		qword;
			__m512i		a;

			memcpy(&qword, rows[r] + i, sizeof(qword));
			a = _mm512_set1_epi64(qword);
			sum[r][0] = _mm512_add_epi64(sum[r][0], _mm512_sad_epu8(a, b0));
			sum[r][1] = _mm512_add_epi64(sum[r][1], _mm512_sad_epu8(a, b1));
		}
	}
	for (int r = 0; r < nrows; r++)
	{
		__m256i		low = _mm512_cvtepi64_epi32(sum[r][0]);
		__m256i		high = _mm512_cvtepi64_epi32(sum[r][1]);
		__m512i		s = _mm512_inserti64x4(_mm512_castsi256_si512(low), high,
										   1);

		_mm512_store_si512(products + r * stride, _mm512_sub_epi32(b, s));
	}
}

/* Negated distances of nrows <= OM_ROWS rows to all panels. */
OM_INLINE void
om_subtract_blocks(int width, const int nrows, const uint8_t *const *rows,
				   int npanels, const int8_t *panels, const int32_t *init,
				   int32_t *products, size_t stride)
{
	for (int p = 0; p < npanels; p++)
		om_subtract_block(width, nrows, rows,
						  panels + p * OMEN_PANEL_BYTES(width),
						  init + p * OMEN_PANEL, products + p * OMEN_PANEL,
						  stride);
}

static void
om_subtract(int width, int nrows, const uint8_t *const *rows, int npanels,
			const int8_t *panels, const int32_t *init, int32_t *products,
			size_t stride)
{
	int			r = 0;

	for (; r + 8 <= nrows; r += 8)
		om_subtract_blocks(width, 8, rows + r, npanels, panels, init,
						   products + r * stride, stride);
	for (; r + 3 <= nrows; r += 3)
		om_subtract_blocks(width, 3, rows + r, npanels, panels, init,
						   products + r * stride, stride);
	for (; r < nrows; r++)
		om_subtract_blocks(width, 1, rows + r, npanels, panels, init,
						   products + r * stride, stride);
}

static void
om_mirror(int n, int panel, const int32_t *base, int32_t *products,
		  size_t stride)
{
	int			first = panel * OMEN_PANEL;

	for (int c = first + OMEN_PANEL; c < n; c += OMEN_PANEL)
	{
		__m512i		row_base = _mm512_loadu_si512(base + first);
		__m512i		v[16];

		for (int i = 0; i < 16; i++)
			v[i] = _mm512_load_si512(products + (first + i) * stride + c);
		om_transpose(v);
		for (int i = 0; i < 16 && c + i < n; i++)
		{
			__m512i		d = _mm512_sub_epi32(_mm512_set1_epi32(base[c + i]),
											 row_base);

			_mm512_store_si512(products + (c + i) * stride + first,
							   _mm512_add_epi32(v[i], d));
		}
	}
}

static void
om_nearest(int nrows, int npanels, const int32_t *products, size_t stride,
		   uint16_t *column)
{
	const __m512i iota = _mm512_loadu_si512(om_iota);

	for (int r = 0; r < nrows; r++)
	{
		const int32_t *row = products + r * stride;
		__m512i		best = _mm512_load_si512(row);
		__m512i		where = iota;
		int32_t		greatest;
		__mmask16	equal;

		for (int p = 1; p < npanels; p++)
		{
			__m512i		x = _mm512_load_si512(row + p * OMEN_PANEL);
			__mmask16	more = _mm512_cmpgt_epi32_mask(x, best);

			best = _mm512_max_epi32(best, x);
			where = _mm512_mask_add_epi32(where, more, iota,
										  _mm512_set1_epi32(p * OMEN_PANEL));
		}
		greatest = _mm512_reduce_max_epi32(best);
		equal = _mm512_cmpeq_epi32_mask(best, _mm512_set1_epi32(greatest));
		column[r] = (uint16_t) _mm512_mask_reduce_min_epu32(equal, where);
	}
}

#define OM_ORDER(v, a, b) \
	do { \
		__m512i		lesser = _mm512_min_epi32((v)[a], (v)[b]); \
		(v)[b] = _mm512_max_epi32((v)[a], (v)[b]); \
		(v)[a] = lesser; \
	} while (0)

/*
 * The lesser 16 of two ascending lists of 16 in each lane, in ascending
 * order, into v; w is used up.
 */
OM_INLINE void
om_lesser16(__m512i *v, const __m512i *w)
{
	for (int i = 0; i < 16; i++)
		v[i] = _mm512_min_epi32(v[i], w[15 - i]);
	OM_CLEAN16(v);
}

/*
 * Thresholds of up to 16 rows, as defined for select().  Maxima are negated,
 * so that the networks need one order only.
 */
OM_INLINE void
om_thresholds(int nrows, int npanels, const int32_t *products, size_t stride,
			  const int groups, int k, int32_t *threshold)
{
	__m512i		maxima[2][16];

	for (int r = 0; r < 16; r++)
	{
		const int32_t *row = products + (r < nrows ? r : 0) * stride;
		__m512i		max[2];
		int			p = 0;

		max[0] = max[1] = _mm512_set1_epi32(OMEN_NO_PRODUCT);
		for (; p + groups <= npanels; p += groups)
			for (int g = 0; g < groups; g++)
				max[g] = _mm512_max_epi32(max[g],
										  _mm512_load_si512(row + (p + g) *
															OMEN_PANEL));
		if (p < npanels)
			max[0] = _mm512_max_epi32(max[0],
									  _mm512_load_si512(row + p * OMEN_PANEL));
		for (int g = 0; g < groups; g++)
			maxima[g][r] = _mm512_sub_epi32(_mm512_setzero_si512(), max[g]);
	}
	for (int g = 0; g < groups; g++)
	{
		om_transpose(maxima[g]);
		OM_SORT16(maxima[g]);
	}
	if (groups == 2)
		om_lesser16(maxima[0], maxima[1]);
	_mm512_storeu_si512(threshold,
						_mm512_sub_epi32(_mm512_setzero_si512(),
										 maxima[0][k - 1]));
}

OM_INLINE __m512i
om_labels(const uint16_t *labels)
{
	return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *) labels));
}

/*
 * Keys of the columns of a row with a product >= threshold, at least 16 *
 * groups values with the padding.
 */
OM_INLINE void
om_collect(int npanels, const int32_t *row, int32_t threshold, int32_t base,
		   const int groups, const uint16_t *labels, uint32_t *keys)
{
	int32_t		product[OMEN_SELECT_MAX + OMEN_PANEL];
	uint32_t	label[OMEN_SELECT_MAX + OMEN_PANEL];
	__m512i		bound;
	int			n = 0;

	if (threshold <= OMEN_NO_PRODUCT)
		threshold = OMEN_NO_PRODUCT + 1;
	bound = _mm512_set1_epi32(threshold);
	for (int p = 0; p < npanels && n < OMEN_SELECT_MAX; p++)
	{
		__m512i		x = _mm512_load_si512(row + p * OMEN_PANEL);
		__m512i		y = om_labels(labels + p * OMEN_PANEL);
		__mmask16	take = _mm512_cmpge_epi32_mask(x, bound);

		_mm512_storeu_si512(product + n, _mm512_maskz_compress_epi32(take, x));
		_mm512_storeu_si512(label + n, _mm512_maskz_compress_epi32(take, y));
		n += __builtin_popcount(take);
	}
	if (n > OMEN_SELECT_MAX)
		n = OMEN_SELECT_MAX;
	for (int i = 0; i < n || i < OMEN_PANEL * groups; i += OMEN_PANEL)
	{
		__mmask16	valid = n - i >= 16 ? 0xffff :
			n > i ? (1u << (n - i)) - 1 : 0;
		__m512i		d = _mm512_sub_epi32(_mm512_set1_epi32(base),
										 _mm512_maskz_loadu_epi32(valid,
																  product + i));
		__mmask16	zero = _mm512_cmplt_epi32_mask(d, _mm512_set1_epi32(2));

		d = _mm512_castps_si512(_mm512_cvtepi32_ps(d));
		d = _mm512_sub_epi32(_mm512_srli_epi32(d, 12),
							 _mm512_set1_epi32(127 << 11));
		d = _mm512_mask_mov_epi32(d, zero, _mm512_setzero_si512());
		d = _mm512_or_si512(_mm512_slli_epi32(d, 16),
							_mm512_maskz_loadu_epi32(valid, label + i));
		_mm512_storeu_si512(keys + i,
							_mm512_mask_mov_epi32(_mm512_set1_epi32(-1),
												  valid, d));
	}
	if (n > OMEN_PANEL * groups)
		OmenSmallestKeys(keys, n, 8 * groups);
}

#undef OM_ORDER
#define OM_ORDER(v, a, b) \
	do { \
		__m512i		lesser = _mm512_min_epu32((v)[a], (v)[b]); \
		(v)[b] = _mm512_max_epu32((v)[a], (v)[b]); \
		(v)[a] = lesser; \
	} while (0)

/* Sort 16 * groups keys of each of 16 rows; the first 16 become valid. */
OM_INLINE void
om_sort_keys(uint32_t (*keys)[OMEN_SELECT_MAX + OMEN_PANEL], const int groups,
			 int nrows, uint32_t *out)
{
	__m512i		v[2][16];

	for (int g = 0; g < groups; g++)
	{
		for (int r = 0; r < 16; r++)
			v[g][r] = _mm512_loadu_si512(keys[r < nrows ? r : 0] + g * 16);
		om_transpose(v[g]);
		OM_SORT16(v[g]);
	}
	if (groups == 2)
	{
		for (int i = 0; i < 16; i++)
			v[0][i] = _mm512_min_epu32(v[0][i], v[1][15 - i]);
		OM_CLEAN16(v[0]);
	}
	om_transpose(v[0]);
	for (int r = 0; r < nrows; r++)
	{
		if (groups == 2)
			_mm512_storeu_si512(out + r * 16, v[0][r]);
		else
			_mm256_storeu_si256((__m256i *) (out + r * 8),
								_mm512_castsi512_si256(v[0][r]));
	}
}

OM_INLINE void
om_select_groups(int nrows, int npanels, const int32_t *products,
				 size_t stride, const int32_t *base, const int groups, int k,
				 const uint16_t *labels, uint32_t *keys)
{
	for (int i = 0; i < nrows; i += 16)
	{
		int			n = nrows - i < 16 ? nrows - i : 16;
		int32_t		threshold[16];
		uint32_t	found[16][OMEN_SELECT_MAX + OMEN_PANEL];
		int			r = 0;

		om_thresholds(n, npanels, products + i * stride, stride, groups, k,
					  threshold);
		do
		{
			om_collect(npanels, products + (i + r) * stride, threshold[r],
					   base[i + r], groups, labels, found[r]);
		} while (++r < n);
		om_sort_keys(found, groups, n, keys + i * 8 * groups);
	}
}

static void
om_select(int nrows, int npanels, const int32_t *products, size_t stride,
		  const int32_t *base, int groups, int k, const uint16_t *labels,
		  uint32_t *keys)
{
	if (groups == 1)
		om_select_groups(nrows, npanels, products, stride, base, 1, k, labels,
						 keys);
	else
		om_select_groups(nrows, npanels, products, stride, base, 2, k, labels,
						 keys);
}

static void
om_exceed(int nrows, int npanels, const int32_t *products, size_t stride,
		  const int32_t *limit, uint16_t *masks)
{
	for (int r = 0; r < nrows; r++)
	{
		__m512i		bound = _mm512_set1_epi32(limit[r]);

		for (int p = 0; p < npanels; p++)
			masks[r * npanels + p] =
				_mm512_cmpgt_epi32_mask(_mm512_load_si512(products +
														  r * stride +
														  p * OMEN_PANEL),
										bound);
	}
}

/* Reverse the 8 quadwords of a vector. */
OM_INLINE __m512i
om_reverse(__m512i v)
{
	return _mm512_permutexvar_epi64(_mm512_set_epi64(0, 1, 2, 3, 4, 5, 6, 7),
									v);
}

/* One stage of a merge inside of vectors: order each lane with its mate. */
OM_INLINE __m512i
om_stage(__m512i v, __m512i mate, __mmask8 upper)
{
	return _mm512_mask_max_epu64(_mm512_min_epu64(v, mate), upper, v, mate);
}

/* Sort a vector of 8 that ascends and then descends. */
OM_INLINE __m512i
om_clean(__m512i v)
{
	v = om_stage(v, _mm512_shuffle_i64x2(v, v, 0x4e), 0xf0);
	v = om_stage(v, _mm512_permutex_epi64(v, 0x4e), 0xcc);
	return om_stage(v, _mm512_permutex_epi64(v, 0xb1), 0xaa);
}

/*
 * Merge two ascending lists of "half" vectors each, which lie one after the
 * other at v: bitonic merge, the second list taken backwards.
 */
OM_INLINE void
om_merge_two(__m512i *v, const int half)
{
	for (int i = 0; i < (half + 1) / 2; i++)
	{
		__m512i		a = v[i];
		__m512i		b = om_reverse(v[2 * half - 1 - i]);
		__m512i		c = v[half - 1 - i];
		__m512i		d = om_reverse(v[half + i]);

		v[i] = _mm512_min_epu64(a, b);
		v[half + i] = _mm512_max_epu64(a, b);
		if (i != half - 1 - i)
		{
			v[half - 1 - i] = _mm512_min_epu64(c, d);
			v[2 * half - 1 - i] = _mm512_max_epu64(c, d);
		}
	}
	for (int step = half / 2; step > 0; step /= 2)
		for (int i = 0; i < 2 * half; i++)
			if ((i & step) == 0)
			{
				__m512i		a = v[i];

				v[i] = _mm512_min_epu64(a, v[i + step]);
				v[i + step] = _mm512_max_epu64(a, v[i + step]);
			}
	for (int i = 0; i < 2 * half; i++)
		v[i] = om_clean(v[i]);
}

/* The distinct of n vectors of sorted keys, at most limit, into out. */
OM_INLINE int
om_distinct(int n, const __m512i *v, int limit, uint64_t *out)
{
	__m512i		last = _mm512_set1_epi64(-1);
	int			found = 0;

	for (int i = 0; i < n && found < limit; i++)
	{
		__m512i		before = _mm512_alignr_epi64(v[i], last, 7);
		__mmask8	take = _mm512_cmpneq_epu64_mask(v[i], before) &
			_mm512_cmpneq_epu64_mask(v[i], _mm512_set1_epi64(-1));

		_mm512_storeu_si512(out + found,
							_mm512_maskz_compress_epi64(take, v[i]));
		found += __builtin_popcount(take);
		last = v[i];
	}
	return found < limit ? found : limit;
}

/* Eight keys of a line as (distance key << 32 | member), padding as -1. */
OM_INLINE __m512i
om_resolve(const uint32_t *line, const uint32_t *members)
{
	__m256i		key = _mm256_loadu_si256((const __m256i *) line);
	__mmask8	valid = _mm256_cmpneq_epu32_mask(key, _mm256_set1_epi32(-1));
	__m256i		label = _mm256_and_si256(key, _mm256_set1_epi32(0xffff));
	__m256i		member = _mm256_mmask_i32gather_epi32(label, valid, label,
													  (const int *) members,
													  4);
	__m512i		high = _mm512_cvtepu32_epi64(_mm256_srli_epi32(key, 16));

	return _mm512_mask_or_epi64(_mm512_set1_epi64(-1), valid,
								_mm512_slli_epi64(high, 32),
								_mm512_cvtepu32_epi64(member));
}

static int
om_merge(int nlines, int line_keys, const uint32_t *const *lines,
		 const uint32_t *const *members, int limit, uint64_t *out)
{
	__m512i		v[OMEN_MERGE_MAX / 8];
	int			per_line = line_keys / 8;
	int			n = nlines * per_line;
	int			full;

	for (int i = 0; i < n; i++)
		v[i] = om_resolve(lines[i / per_line] + i % per_line * 8,
						  members[i / per_line]);
	for (full = 2; full < n; full *= 2)
		;
	for (int i = n; i < full; i++)
		v[i] = _mm512_set1_epi64(-1);

	/* Each line ascends already. */
	if (per_line == 1)
		for (int i = 0; i < n; i += 2)
			om_merge_two(v + i, 1);
	if (full >= 4)
		for (int i = 0; i < n; i += 4)
			om_merge_two(v + i, 2);
	if (full >= 8)
		for (int i = 0; i < n; i += 8)
			om_merge_two(v + i, 4);
	if (full >= 16)
		for (int i = 0; i < n; i += 16)
			om_merge_two(v + i, 8);
	if (full >= 32)
		om_merge_two(v, 16);
	return om_distinct(full, v, limit, out);
}

OM_TARGET_END

const OmenMatrixKernels omen_matrix_avx512 = {
	.name = "avx512",
	.pack = om_pack,
	.multiply = om_multiply,
	.subtract = om_subtract,
	.mirror = om_mirror,
	.nearest = om_nearest,
	.select = om_select,
	.exceed = om_exceed,
	.merge = om_merge
};

#endif							/* __x86_64__ */
