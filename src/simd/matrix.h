/*-------------------------------------------------------------------------
 *
 * matrix.h
 *		Distance-matrix kernels of the batch builder, one set for each
 *		instruction set.
 *
 * Layer 0: no PostgreSQL header is used here.
 *
 * All kernels work on 7-bit codes, because AVX2 multiplies these at twice the
 * rate of 8-bit ones: the products of four dimensions, 0..127 times -64..63,
 * can be summed in 16 bits without overflow.  A row holds values 0..127, one
 * byte a dimension; a column holds the same values less 64.  Columns come in
 * panels of 16: byte k * 64 + c * 4 + j of a panel is dimension 4 * k + j of
 * column c.
 *
 * For L1 distances there is no multiplication to be had, and all 8 bits are
 * used: rows and columns hold values 0..255, and byte k * 128 + c * 8 + j of a
 * panel is dimension 8 * k + j of column c, so that the sum of eight absolute
 * differences is one instruction on x86.  A "product" is then the negated
 * distance, and everything that works on products serves both.
 *
 * What a kernel returns is defined here to the bit, and is the same for every
 * instruction set.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_MATRIX_H
#define OMEN_MATRIX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Columns of a panel, and bytes of a panel of "width" dimensions. */
#define OMEN_PANEL				16
#define OMEN_PANEL_BYTES(width) ((size_t) (width) * OMEN_PANEL)
#define OMEN_PANELS(n)			(((n) + OMEN_PANEL - 1) / OMEN_PANEL)

/* A row of n values 0..127 as a column: what is taken off each value. */
#define OMEN_COLUMN_SHIFT		64

/*
 * A product this low belongs to no neighbour: padding columns, and a row's
 * product with itself.  Real products are far above.
 */
#define OMEN_NO_PRODUCT			(-(1 << 30))

/* The key of no neighbour; the most candidates that select() looks at. */
#define OMEN_NO_KEY				UINT32_MAX
#define OMEN_SELECT_MAX			64

/* The most keys that merge() takes. */
#define OMEN_MERGE_MAX			256

typedef struct OmenMatrixKernels
{
	const char *name;

	/*
	 * Make a panel of rows[0..n-1], n <= 16, each of width values (width % 32
	 * == 0).  Columns n..15 are zeroed.  panel is aligned to 64 bytes.
	 */
	void		(*pack) (int width, int n, const uint8_t *const *rows,
						 int8_t *panel);

	/*
	 * products[r * stride + c] = init[c] + 2 * (sum over the dimensions of
	 * row r * column c), for all columns of npanels consecutive panels.
	 *
	 * With init[c] = -(sum of column^2) - 128 * (sum of column) this is 2ab -
	 * bb for the centred values a = row - 64 and b = column; so aa less the
	 * product is the squared distance, exactly.
	 *
	 * init, panels and products are aligned to 64 bytes, stride % 16 == 0.
	 */
	void		(*multiply) (int width, int nrows, const uint8_t *const *rows,
							 int npanels, const int8_t *panels,
							 const int32_t *init, int32_t *products,
							 size_t stride);

	/*
	 * The same for L1 distances, over panels made by OmenPackL1():
	 * products[r * stride + c] = init[c] - (sum over the dimensions of |row r
	 * - column c|).
	 */
	void		(*subtract) (int width, int nrows, const uint8_t *const *rows,
							 int npanels, const int8_t *panels,
							 const int32_t *init, int32_t *products,
							 size_t stride);

	/*
	 * Complete a matrix whose n rows are its columns: with the products of
	 * the rows r of a panel with columns c of later panels, c < n, set
	 * products[c * stride + r] = products[r * stride + c] + base[c] -
	 * base[r], where base[r] is the sum of (row r - 64)^2, or 0 for L1.  That
	 * is the product of row c with column r.
	 */
	void		(*mirror) (int n, int panel, const int32_t *base,
						   int32_t *products, size_t stride);

	/* column[r] = the lowest column with the greatest product of row r. */
	void		(*nearest) (int nrows, int npanels, const int32_t *products,
							size_t stride, uint16_t *column);

	/*----------
	 * Approximate selection of the columns nearest to each row.
	 *
	 * Columns fall into 16 * groups classes (groups 1 or 2) by c % (16 *
	 * groups).  Let t be the k-th greatest of the class maxima of row r, k <=
	 * 8 * groups; classes without a column count OMEN_NO_PRODUCT.  The
	 * candidates are the first OMEN_SELECT_MAX columns with a product >= t
	 * and > OMEN_NO_PRODUCT.  Each gives a key, OmenDistanceKey(base[r] -
	 * product) << 16 | labels[c].  The 8 * groups smallest keys go to keys[r
	 * * 8 * groups ...] in ascending order, filled up with OMEN_NO_KEY.
	 *
	 * At least k of the k nearest are among the candidates, if there are
	 * that many.
	 *----------
	 */
	void		(*select) (int nrows, int npanels, const int32_t *products,
						   size_t stride, const int32_t *base, int groups,
						   int k, const uint16_t *labels, uint32_t *keys);

	/*
	 * Bit c of masks[r * npanels + p] = (product of row r with column c of
	 * panel p) > limit[r].
	 */
	void		(*exceed) (int nrows, int npanels, const int32_t *products,
						   size_t stride, const int32_t *limit,
						   uint16_t *masks);

	/*
	 * Merge lines of keys made by select().  Line i has line_keys (8 or 16)
	 * keys at lines[i]; the label of a key is an index to members[i], whose
	 * elements ascend.  out gets the distinct values of
	 * distance key << 32 | member, in ascending order, at most limit of them;
	 * their number is returned.  nlines * line_keys <= OMEN_MERGE_MAX; out
	 * has room for limit + 8.
	 */
	int			(*merge) (int nlines, int line_keys,
						  const uint32_t *const *lines,
						  const uint32_t *const *members, int limit,
						  uint64_t *out);
} OmenMatrixKernels;

/* The set in use, changed by OmenSimdUse(). */
extern const OmenMatrixKernels *omen_matrix;

extern const OmenMatrixKernels omen_matrix_scalar;
#if defined(__x86_64__)
extern const OmenMatrixKernels omen_matrix_avx2;
extern const OmenMatrixKernels omen_matrix_avx512;
#elif defined(__aarch64__)
extern const OmenMatrixKernels omen_matrix_neon;
#endif

/* As pack(), for subtract(); it moves eight bytes at a time on any CPU. */
extern void OmenPackL1(int width, int n, const uint8_t *const *rows,
					   int8_t *panel);

/* For the sets only: merge() in plain C. */
extern int	OmenMergeLines(int nlines, int line_keys,
						   const uint32_t *const *lines,
						   const uint32_t *const *members, int limit,
						   uint64_t *out);

/*
 * For the sets only: move the "keep" smallest of n keys to the front, in
 * ascending order.
 */
extern void OmenSmallestKeys(uint32_t *keys, int n, int keep);

/*
 * A squared distance in 16 bits: five bits of exponent and the upper eleven
 * of the mantissa.  Ascending; exact up to 4096, but for 1 which becomes 0.
 */
static inline uint32_t
OmenDistanceKey(int32_t distance)
{
	float		f = (float) distance;
	uint32_t	bits;

	if (distance < 2)
		return 0;
	memcpy(&bits, &f, sizeof(bits));
	return (bits >> 12) - (127 << 11);
}

/* The least squared distance that has the key. */
static inline float
OmenKeyDistance(uint32_t key)
{
	uint32_t	bits = (key + (127 << 11)) << 12;
	float		f;

	if (key == 0)
		return 0;
	memcpy(&f, &bits, sizeof(f));
	return f;
}

#endif							/* OMEN_MATRIX_H */
