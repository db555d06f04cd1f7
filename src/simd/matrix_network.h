/*-------------------------------------------------------------------------
 *
 * matrix_network.h
 *		Sorting networks over vectors, for the sets of matrix.h.
 *
 * v[0..15] are vectors; each lane is sorted by itself, so one network sorts
 * as many lists of 16 as there are lanes.  OM_ORDER(v, a, b), defined by the
 * file that includes this one, puts the lesser of v[a] and v[b] into v[a] and
 * the greater into v[b], lane by lane.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_MATRIX_NETWORK_H
#define OMEN_MATRIX_NETWORK_H

/* Sort 16 by Green's network of 60 comparators (Knuth, TAOCP 3, 5.3.4). */
#define OM_SORT16(v) \
	do { \
		OM_ORDER(v, 0, 1); OM_ORDER(v, 2, 3); OM_ORDER(v, 4, 5); \
		OM_ORDER(v, 6, 7); OM_ORDER(v, 8, 9); OM_ORDER(v, 10, 11); \
		OM_ORDER(v, 12, 13); OM_ORDER(v, 14, 15); \
		OM_ORDER(v, 0, 2); OM_ORDER(v, 1, 3); OM_ORDER(v, 4, 6); \
		OM_ORDER(v, 5, 7); OM_ORDER(v, 8, 10); OM_ORDER(v, 9, 11); \
		OM_ORDER(v, 12, 14); OM_ORDER(v, 13, 15); \
		OM_ORDER(v, 0, 4); OM_ORDER(v, 1, 5); OM_ORDER(v, 2, 6); \
		OM_ORDER(v, 3, 7); OM_ORDER(v, 8, 12); OM_ORDER(v, 9, 13); \
		OM_ORDER(v, 10, 14); OM_ORDER(v, 11, 15); \
		OM_ORDER(v, 0, 8); OM_ORDER(v, 1, 9); OM_ORDER(v, 2, 10); \
		OM_ORDER(v, 3, 11); OM_ORDER(v, 4, 12); OM_ORDER(v, 5, 13); \
		OM_ORDER(v, 6, 14); OM_ORDER(v, 7, 15); \
		OM_ORDER(v, 5, 10); OM_ORDER(v, 6, 9); OM_ORDER(v, 3, 12); \
		OM_ORDER(v, 13, 14); OM_ORDER(v, 4, 8); OM_ORDER(v, 7, 11); \
		OM_ORDER(v, 1, 2); \
		OM_ORDER(v, 1, 4); OM_ORDER(v, 7, 13); OM_ORDER(v, 2, 8); \
		OM_ORDER(v, 11, 14); \
		OM_ORDER(v, 2, 4); OM_ORDER(v, 5, 6); OM_ORDER(v, 9, 10); \
		OM_ORDER(v, 11, 13); OM_ORDER(v, 3, 8); OM_ORDER(v, 7, 12); \
		OM_ORDER(v, 6, 8); OM_ORDER(v, 10, 12); OM_ORDER(v, 3, 5); \
		OM_ORDER(v, 7, 9); \
		OM_ORDER(v, 3, 4); OM_ORDER(v, 5, 6); OM_ORDER(v, 7, 8); \
		OM_ORDER(v, 9, 10); OM_ORDER(v, 11, 12); \
		OM_ORDER(v, 6, 7); OM_ORDER(v, 8, 9); \
	} while (0)

/* Sort 16 that ascend and then descend, or the reverse (bitonic). */
#define OM_CLEAN16(v) \
	do { \
		OM_ORDER(v, 0, 8); OM_ORDER(v, 1, 9); OM_ORDER(v, 2, 10); \
		OM_ORDER(v, 3, 11); OM_ORDER(v, 4, 12); OM_ORDER(v, 5, 13); \
		OM_ORDER(v, 6, 14); OM_ORDER(v, 7, 15); \
		OM_ORDER(v, 0, 4); OM_ORDER(v, 1, 5); OM_ORDER(v, 2, 6); \
		OM_ORDER(v, 3, 7); OM_ORDER(v, 8, 12); OM_ORDER(v, 9, 13); \
		OM_ORDER(v, 10, 14); OM_ORDER(v, 11, 15); \
		OM_ORDER(v, 0, 2); OM_ORDER(v, 1, 3); OM_ORDER(v, 4, 6); \
		OM_ORDER(v, 5, 7); OM_ORDER(v, 8, 10); OM_ORDER(v, 9, 11); \
		OM_ORDER(v, 12, 14); OM_ORDER(v, 13, 15); \
		OM_ORDER(v, 0, 1); OM_ORDER(v, 2, 3); OM_ORDER(v, 4, 5); \
		OM_ORDER(v, 6, 7); OM_ORDER(v, 8, 9); OM_ORDER(v, 10, 11); \
		OM_ORDER(v, 12, 13); OM_ORDER(v, 14, 15); \
	} while (0)

#endif							/* OMEN_MATRIX_NETWORK_H */
