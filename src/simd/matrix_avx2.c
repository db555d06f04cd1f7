/*-------------------------------------------------------------------------
 *
 * matrix_avx2.c
 *		Distance-matrix kernels for AVX2.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)

#include <immintrin.h>

#include "simd/matrix.h"
#include "simd/matrix_network.h"
#include "simd/target.h"

OM_TARGET_BEGIN("avx2")

/* Rows of a register block: with 2 sums for each, 12 of 16 registers. */
#define OM_ROWS		6

/* Transpose 8 vectors of 8 dwords. */
OM_INLINE void
om_transpose(__m256i *r)
{
	__m256i		t[8];

	for (int i = 0; i < 8; i += 2)
	{
		t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
		t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
	}
	for (int i = 0; i < 8; i += 4)
	{
		r[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
		r[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
		r[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
		r[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	for (int i = 0; i < 4; i++)
	{
		__m256i		lower = r[i];

		r[i] = _mm256_permute2x128_si256(lower, r[i + 4], 0x20);
		r[i + 4] = _mm256_permute2x128_si256(lower, r[i + 4], 0x31);
	}
}

static void
om_pack(int width, int n, const uint8_t *const *rows, int8_t *panel)
{
	const __m256i shift = _mm256_set1_epi8(OMEN_COLUMN_SHIFT);

	for (int i = 0; i < width; i += 32)
		for (int half = 0; half < 2; half++)
		{
			int8_t	   *out = panel + (size_t) i * OMEN_PANEL + half * 32;
			__m256i		r[8];

			for (int c = 0; c < 8; c++)
			{
				int			row = half * 8 + c;

				r[c] = row < n ?
					_mm256_loadu_si256((const __m256i *) (rows[row] + i)) :
					shift;
				r[c] = _mm256_sub_epi8(r[c], shift);
			}
			om_transpose(r);
			for (int k = 0; k < 8; k++)
				_mm256_store_si256((__m256i *) (out + k * 64), r[k]);
		}
}

/* Add four dimensions of 8 columns, twice, to 8 sums. */
OM_INLINE __m256i
om_multiply_add(__m256i sum, __m256i a0, __m256i a1, const int8_t *b)
{
	__m256i		b0 = _mm256_load_si256((const __m256i *) b);
	__m256i		b1 = _mm256_load_si256((const __m256i *) (b + 64));
	__m256i		s = _mm256_add_epi16(_mm256_maddubs_epi16(a0, b0),
									 _mm256_maddubs_epi16(a1, b1));

	return _mm256_add_epi32(sum, _mm256_madd_epi16(s, _mm256_set1_epi16(1)));
}

/* Products of one block of nrows <= OM_ROWS rows with one panel. */
OM_INLINE void
om_block(int width, const int nrows, const uint8_t *const *rows,
		 const int8_t *panel, const int32_t *init, int32_t *const *out)
{
	__m256i		sum[OM_ROWS][2];

	for (int r = 0; r < nrows; r++)
		sum[r][0] = sum[r][1] = _mm256_setzero_si256();
	for (int i = 0; i < width; i += 8)
	{
		const int8_t *b = panel + (size_t) i * OMEN_PANEL;

		for (int r = 0; r < nrows; r++)
		{
			int32_t		dword[2];
			__m256i		a0;
			__m256i		a1;

			memcpy(dword, rows[r] + i, sizeof(dword));
			a0 = _mm256_set1_epi32(dword[0]);
			a1 = _mm256_set1_epi32(dword[1]);
			sum[r][0] = om_multiply_add(sum[r][0], a0, a1, b);
			sum[r][1] = om_multiply_add(sum[r][1], a0, a1, b + 32);
		}
	}
	for (int r = 0; r < nrows; r++)
		for (int half = 0; half < 2; half++)
		{
			__m256i		b = _mm256_load_si256((const __m256i *)
											  (init + half * 8));

			_mm256_store_si256((__m256i *) (out[r] + half * 8),
							   _mm256_add_epi32(b,
												_mm256_slli_epi32(sum[r][half],
																  1)));
		}
}

/* Products of one block of nrows <= OM_ROWS rows with all panels. */
OM_INLINE void
om_blocks(int width, const int nrows, const uint8_t *const *rows, int npanels,
		  const int8_t *panels, const int32_t *init, int32_t *products,
		  size_t stride)
{
	int32_t    *out[OM_ROWS];

	for (int r = 0; r < nrows; r++)
		out[r] = products + r * stride;
	for (int p = 0; p < npanels; p++)
	{
		om_block(width, nrows, rows, panels + p * OMEN_PANEL_BYTES(width),
				 init + p * OMEN_PANEL, out);
		for (int r = 0; r < nrows; r++)
			out[r] += OMEN_PANEL;
	}
}

static void
om_multiply(int width, int nrows, const uint8_t *const *rows, int npanels,
			const int8_t *panels, const int32_t *init, int32_t *products,
			size_t stride)
{
	int			r = 0;

	for (; r + 6 <= nrows; r += 6)
		om_blocks(width, 6, rows + r, npanels, panels, init,
				  products + r * stride, stride);
	for (; r + 2 <= nrows; r += 2)
		om_blocks(width, 2, rows + r, npanels, panels, init,
				  products + r * stride, stride);
	if (r < nrows)
		om_blocks(width, 1, rows + r, npanels, panels, init,
				  products + r * stride, stride);
}

/*
 * Negated distances of one block of nrows <= OM_ROWS rows to half a panel.
 * Each sum of eight differences fills 64 bits, so four columns a register.
 */
OM_INLINE void
om_subtract_block(int width, const int nrows, const uint8_t *const *rows,
				  const int8_t *panel, const int32_t *init,
				  int32_t *const *out, int half)
{
	__m256i		sum[OM_ROWS][2];
	__m256i		b = _mm256_load_si256((const __m256i *) (init + half * 8));

	for (int r = 0; r < nrows; r++)
		sum[r][0] = sum[r][1] = _mm256_setzero_si256();
	panel += half * 64;
	for (int i = 0; i < width; i += 8, panel += 128)
	{
		__m256i		b0 = _mm256_load_si256((const __m256i *) panel);
		__m256i		b1 = _mm256_load_si256((const __m256i *) (panel + 32));

		for (int r = 0; r < nrows; r++)
		{
			int64_t		qword;
			__m256i		a;

			memcpy(&qword, rows[r] + i, sizeof(qword));
			a = _mm256_set1_epi64x(qword);
			sum[r][0] = _mm256_add_epi64(sum[r][0], _mm256_sad_epu8(a, b0));
			sum[r][1] = _mm256_add_epi64(sum[r][1], _mm256_sad_epu8(a, b1));
		}
	}
	for (int r = 0; r < nrows; r++)
	{
		__m256		low = _mm256_shuffle_ps(_mm256_castsi256_ps(sum[r][0]),
											_mm256_castsi256_ps(sum[r][1]),
											0x88);
		__m256i		s = _mm256_permute4x64_epi64(_mm256_castps_si256(low),
												 0xd8);

		_mm256_store_si256((__m256i *) (out[r] + half * 8),
						   _mm256_sub_epi32(b, s));
	}
}

/* Negated distances of one block of nrows <= OM_ROWS rows to all panels. */
OM_INLINE void
om_subtract_blocks(int width, const int nrows, const uint8_t *const *rows,
				   int npanels, const int8_t *panels, const int32_t *init,
				   int32_t *products, size_t stride)
{
	int32_t    *out[OM_ROWS];

	for (int p = 0; p < npanels; p++)
	{
		for (int r = 0; r < nrows; r++)
			out[r] = products + r * stride + p * OMEN_PANEL;
		for (int half = 0; half < 2; half++)
			om_subtract_block(width, nrows, rows,
							  panels + p * OMEN_PANEL_BYTES(width),
							  init + p * OMEN_PANEL, out, half);
	}
}

static void
om_subtract(int width, int nrows, const uint8_t *const *rows, int npanels,
			const int8_t *panels, const int32_t *init, int32_t *products,
			size_t stride)
{
	int			r = 0;

	for (; r + 6 <= nrows; r += 6)
		om_subtract_blocks(width, 6, rows + r, npanels, panels, init,
						   products + r * stride, stride);
	for (; r + 2 <= nrows; r += 2)
		om_subtract_blocks(width, 2, rows + r, npanels, panels, init,
						   products + r * stride, stride);
	if (r < nrows)
		om_subtract_blocks(width, 1, rows + r, npanels, panels, init,
						   products + r * stride, stride);
}

/* Mirror 8 rows from row on, in 8 columns from column on. */
OM_INLINE void
om_mirror_tile(int n, int row, int column, const int32_t *base,
			   int32_t *products, size_t stride)
{
	__m256i		row_base = _mm256_loadu_si256((const __m256i *) (base + row));
	__m256i		v[8];

	for (int i = 0; i < 8; i++)
		v[i] = _mm256_load_si256((const __m256i *)
								 (products + (row + i) * stride + column));
	om_transpose(v);
	for (int i = 0; i < 8 && column + i < n; i++)
	{
		__m256i		d = _mm256_sub_epi32(_mm256_set1_epi32(base[column + i]),
										 row_base);

		_mm256_store_si256((__m256i *)
						   (products + (column + i) * stride + row),
						   _mm256_add_epi32(v[i], d));
	}
}

static void
om_mirror(int n, int panel, const int32_t *base, int32_t *products,
		  size_t stride)
{
	int			first = panel * OMEN_PANEL;

	for (int c = first + OMEN_PANEL; c < n; c += 8)
	{
		om_mirror_tile(n, first, c, base, products, stride);
		om_mirror_tile(n, first + 8, c, base, products, stride);
	}
}

OM_INLINE __m256i
om_load(const void *from)
{
	return _mm256_loadu_si256((const __m256i *) from);
}

/* The greatest of 8 lanes, in every lane. */
OM_INLINE __m256i
om_greatest(__m256i v)
{
	v = _mm256_max_epi32(v, _mm256_permute2x128_si256(v, v, 1));
	v = _mm256_max_epi32(v, _mm256_shuffle_epi32(v, 0x4e));
	return _mm256_max_epi32(v, _mm256_shuffle_epi32(v, 0xb1));
}

static void
om_nearest(int nrows, int npanels, const int32_t *products, size_t stride,
		   uint16_t *column)
{
	const __m256i iota = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);

	for (int r = 0; r < nrows; r++)
	{
		const int32_t *row = products + r * stride;
		__m256i		best = _mm256_load_si256((const __m256i *) row);
		__m256i		where = _mm256_setzero_si256();
		__m256i		equal;

		for (int c = 8; c < npanels * OMEN_PANEL; c += 8)
		{
			__m256i		x = _mm256_load_si256((const __m256i *) (row + c));
			__m256i		more = _mm256_cmpgt_epi32(x, best);

			best = _mm256_max_epi32(best, x);
			where = _mm256_blendv_epi8(where, _mm256_set1_epi32(c), more);
		}

		/* The lowest column: the greatest of the negated columns. */
		where = _mm256_sub_epi32(_mm256_setzero_si256(),
								 _mm256_add_epi32(where, iota));
		equal = _mm256_cmpeq_epi32(best, om_greatest(best));
		where = om_greatest(_mm256_blendv_epi8(_mm256_set1_epi32(-65536),
											   where, equal));
		column[r] = (uint16_t) -_mm256_cvtsi256_si32(where);
	}
}

#define OM_ORDER(v, a, b) \
	do { \
		__m256i		lesser = _mm256_min_epi32((v)[a], (v)[b]); \
		(v)[b] = _mm256_max_epi32((v)[a], (v)[b]); \
		(v)[a] = lesser; \
	} while (0)

/*
 * Negated maxima of 8 of the 16 lanes of every groups-th panel of 8 rows;
 * vector i holds those of lane i, and its lane r those of row r.
 */
OM_INLINE void
om_maxima(int nrows, int npanels, const int32_t *products, size_t stride,
		  const int groups, __m256i *maxima)
{
	for (int r = 0; r < 8; r++)
	{
		const int32_t *row = products + (r < nrows ? r : 0) * stride;
		__m256i		max = _mm256_set1_epi32(OMEN_NO_PRODUCT);

		for (int p = 0; p < npanels; p += groups)
			max = _mm256_max_epi32(max,
								   _mm256_load_si256((const __m256i *)
													 (row + p * OMEN_PANEL)));
		maxima[r] = _mm256_sub_epi32(_mm256_setzero_si256(), max);
	}
	om_transpose(maxima);
}

/* Thresholds of up to 8 rows, as defined for select(). */
OM_INLINE void
om_thresholds(int nrows, int npanels, const int32_t *products, size_t stride,
			  const int groups, int k, int32_t *threshold)
{
	__m256i		maxima[2][16];

	for (int g = 0; g < groups; g++)
	{
		const int32_t *first = products + g * OMEN_PANEL;

		om_maxima(nrows, npanels - g, first, stride, groups, maxima[g]);
		om_maxima(nrows, npanels - g, first + 8, stride, groups,
				  maxima[g] + 8);
		OM_SORT16(maxima[g]);
	}
	if (groups == 2)
	{
		for (int i = 0; i < 16; i++)
			maxima[0][i] = _mm256_min_epi32(maxima[0][i], maxima[1][15 - i]);
		OM_CLEAN16(maxima[0]);
	}
	_mm256_storeu_si256((__m256i *) threshold,
						_mm256_sub_epi32(_mm256_setzero_si256(),
										 maxima[0][k - 1]));
}

/*
 * Columns of a row with a product >= threshold, as bits of up to 64 columns
 * of 4 panels.
 */
OM_INLINE uint64_t
om_reach(int npanels, const int32_t *row, __m256i below)
{
	uint64_t	mask = 0;

	for (int c = 0; c < npanels * OMEN_PANEL; c += 8)
	{
		__m256i		x = _mm256_load_si256((const __m256i *) (row + c));
		__m256i		more = _mm256_cmpgt_epi32(x, below);

		mask |= (uint64_t) _mm256_movemask_ps(_mm256_castsi256_ps(more)) << c;
	}
	return mask;
}

/* Eight keys; distance less than 2 gives 0. */
OM_INLINE __m256i
om_keys(__m256i distance, __m256i label)
{
	__m256i		real = _mm256_cmpgt_epi32(distance, _mm256_set1_epi32(1));
	__m256i		bits = _mm256_castps_si256(_mm256_cvtepi32_ps(distance));

	bits = _mm256_sub_epi32(_mm256_srli_epi32(bits, 12),
							_mm256_set1_epi32(127 << 11));
	bits = _mm256_and_si256(bits, real);
	return _mm256_or_si256(_mm256_slli_epi32(bits, 16), label);
}

/*
 * Keys of the columns of a row with a product >= threshold, at least 16 *
 * groups values with the padding.
 */
OM_INLINE void
om_collect(int npanels, const int32_t *row, int32_t threshold, int32_t base,
		   const int groups, const uint16_t *labels, uint32_t *keys)
{
	int32_t		product[OMEN_SELECT_MAX + 8];
	int32_t		label[OMEN_SELECT_MAX + 8];
	__m256i		below;
	int			n = 0;

	below = _mm256_set1_epi32((threshold > OMEN_NO_PRODUCT ? threshold :
							   OMEN_NO_PRODUCT + 1) - 1);
	for (int p = 0; p < npanels; p += 4)
	{
		int			first = p * OMEN_PANEL;
		uint64_t	mask = om_reach(npanels - p < 4 ? npanels - p : 4,
									row + first, below);

		for (; mask != 0 && n < OMEN_SELECT_MAX; mask &= mask - 1, n++)
		{
			int			c = first + __builtin_ctzll(mask);

			product[n] = row[c];
			label[n] = labels[c];
		}
	}
	for (int i = n; i < n + 8; i++)
		product[i] = label[i] = 0;
	for (int i = 0; i < n || i < OMEN_PANEL * groups; i += 8)
	{
		__m256i		key = _mm256_set1_epi32(-1);

		if (i < n)
		{
			__m256i		d = _mm256_sub_epi32(_mm256_set1_epi32(base),
											 om_load(product + i));

			key = om_keys(d, om_load(label + i));
		}
		_mm256_storeu_si256((__m256i *) (keys + i), key);
	}
	for (int i = n; (i & 7) != 0; i++)
		keys[i] = OMEN_NO_KEY;
	if (n > OMEN_PANEL * groups)
		OmenSmallestKeys(keys, n, 8 * groups);
}

#undef OM_ORDER
#define OM_ORDER(v, a, b) \
	do { \
		__m256i		lesser = _mm256_min_epu32((v)[a], (v)[b]); \
		(v)[b] = _mm256_max_epu32((v)[a], (v)[b]); \
		(v)[a] = lesser; \
	} while (0)

/* Sort 16 * groups keys of each of 8 rows and write the first 8 * groups. */
OM_INLINE void
om_sort_keys(uint32_t (*keys)[OMEN_SELECT_MAX + 8], const int groups,
			 int nrows, uint32_t *out)
{
	__m256i		v[2][16];

	for (int g = 0; g < groups; g++)
	{
		for (int i = 0; i < 16; i += 8)
		{
			for (int r = 0; r < 8; r++)
				v[g][i + r] = om_load(keys[r < nrows ? r : 0] + g * 16 + i);
			om_transpose(v[g] + i);
		}
		OM_SORT16(v[g]);
	}
	if (groups == 2)
	{
		for (int i = 0; i < 16; i++)
			v[0][i] = _mm256_min_epu32(v[0][i], v[1][15 - i]);
		OM_CLEAN16(v[0]);
	}
	for (int g = 0; g < groups; g++)
	{
		om_transpose(v[0] + g * 8);
		for (int r = 0; r < nrows; r++)
			_mm256_storeu_si256((__m256i *) (out + (r * groups + g) * 8),
								v[0][g * 8 + r]);
	}
}

OM_INLINE void
om_select_groups(int nrows, int npanels, const int32_t *products,
				 size_t stride, const int32_t *base, const int groups, int k,
				 const uint16_t *labels, uint32_t *keys)
{
	for (int i = 0; i < nrows; i += 8)
	{
		int			n = nrows - i < 8 ? nrows - i : 8;
		int32_t		threshold[8];
		uint32_t	found[8][OMEN_SELECT_MAX + 8];
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
		for (int p = 0; p < npanels; p++)
			masks[r * npanels + p] = (uint16_t)
				om_reach(1, products + r * stride + p * OMEN_PANEL,
						 _mm256_set1_epi32(limit[r]));
}

/*
 * Keys of 48 bits are merged as doubles, which have a minimum and a maximum
 * where 64-bit integers have none: with this exponent they are numbers
 * between 2^52 and 2^53, in the same order.
 */
#define OM_EXPONENT		INT64_C(0x4330000000000000)
#define OM_NO_NUMBER	INT64_C(0x433fffffffffffff)

OM_INLINE __m256d
om_reverse(__m256d v)
{
	return _mm256_permute4x64_pd(v, 0x1b);
}

/* Sort a vector of 4 that ascends and then descends. */
OM_INLINE __m256d
om_clean(__m256d v)
{
	__m256d		mate = _mm256_permute4x64_pd(v, 0x4e);

	v = _mm256_blend_pd(_mm256_min_pd(v, mate), _mm256_max_pd(v, mate), 0xc);
	mate = _mm256_permute_pd(v, 0x5);
	return _mm256_blend_pd(_mm256_min_pd(v, mate), _mm256_max_pd(v, mate),
						   0xa);
}

/*
 * Merge two ascending lists of "half" vectors each (half >= 2), which lie one
 * after the other at v: bitonic merge, the second list taken backwards.
 */
OM_INLINE void
om_merge_two(__m256d *v, const int half)
{
	for (int i = 0; i < half / 2; i++)
	{
		__m256d		a = v[i];
		__m256d		b = om_reverse(v[2 * half - 1 - i]);
		__m256d		c = v[half - 1 - i];
		__m256d		d = om_reverse(v[half + i]);

		v[i] = _mm256_min_pd(a, b);
		v[half + i] = _mm256_max_pd(a, b);
		v[half - 1 - i] = _mm256_min_pd(c, d);
		v[2 * half - 1 - i] = _mm256_max_pd(c, d);
	}
	for (int step = half / 2; step > 0; step /= 2)
		for (int i = 0; i < 2 * half; i++)
			if ((i & step) == 0)
			{
				__m256d		a = v[i];

				v[i] = _mm256_min_pd(a, v[i + step]);
				v[i + step] = _mm256_max_pd(a, v[i + step]);
			}
	for (int i = 0; i < 2 * half; i++)
		v[i] = om_clean(v[i]);
}

/* Four keys of a line as numbers; padding as OM_NO_NUMBER. */
OM_INLINE __m256d
om_resolve(const uint32_t *line, const uint32_t *members)
{
	const __m128i none = _mm_set1_epi32(-1);
	__m128i		key = _mm_loadu_si128((const __m128i *) line);
	__m128i		label = _mm_and_si128(key, _mm_set1_epi32(0xffff));
	__m128i		unused = _mm_cmpeq_epi32(key, none);
	__m128i		member = _mm_mask_i32gather_epi32(label, (const int *) members,
												  label,
												  _mm_xor_si128(unused, none),
												  4);
	__m256i		number = _mm256_cvtepu32_epi64(_mm_srli_epi32(key, 16));

	number = _mm256_or_si256(_mm256_slli_epi64(number, 32),
							 _mm256_cvtepu32_epi64(member));
	number = _mm256_or_si256(number, _mm256_set1_epi64x(OM_EXPONENT));
	number = _mm256_blendv_epi8(number, _mm256_set1_epi64x(OM_NO_NUMBER),
								_mm256_cvtepi32_epi64(unused));
	return _mm256_castsi256_pd(number);
}

/* The distinct of n sorted numbers, at most limit, as keys into out. */
OM_INLINE int
om_distinct(int n, const __m256d *v, int limit, uint64_t *out)
{
	uint64_t	last = OM_NO_NUMBER;
	int			found = 0;

	for (int i = 0; i < n && found < limit; i += 4)
	{
		uint64_t	number[4];

		_mm256_storeu_pd((double *) number, v[i / 4]);
		for (int j = 0; j < 4; j++)
		{
			out[found] = number[j] - OM_EXPONENT;
			found += number[j] != last && number[j] != OM_NO_NUMBER;
			last = number[j];
		}
	}
	return found < limit ? found : limit;
}

static int
om_merge(int nlines, int line_keys, const uint32_t *const *lines,
		 const uint32_t *const *members, int limit, uint64_t *out)
{
	__m256d		v[OMEN_MERGE_MAX / 4];
	int			per_line = line_keys / 4;
	int			n = nlines * per_line;
	int			full;

	for (int i = 0; i < n; i++)
		v[i] = om_resolve(lines[i / per_line] + i % per_line * 4,
						  members[i / per_line]);
	for (full = per_line; full < n; full *= 2)
		;
	for (int i = n; i < full; i++)
		v[i] = _mm256_castsi256_pd(_mm256_set1_epi64x(OM_NO_NUMBER));

	/* Each line ascends already. */
	if (per_line == 2 && full >= 4)
		for (int i = 0; i < n; i += 4)
			om_merge_two(v + i, 2);
	if (full >= 8)
		for (int i = 0; i < n; i += 8)
			om_merge_two(v + i, 4);
	if (full >= 16)
		for (int i = 0; i < n; i += 16)
			om_merge_two(v + i, 8);
	if (full >= 32)
		for (int i = 0; i < n; i += 32)
			om_merge_two(v + i, 16);
	if (full >= 64)
		om_merge_two(v, 32);
	return om_distinct(full * 4, v, limit, out);
}

OM_TARGET_END

const OmenMatrixKernels omen_matrix_avx2 = {
	.name = "avx2",
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
