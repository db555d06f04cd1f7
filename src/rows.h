/*-------------------------------------------------------------------------
 *
 * rows.h
 *		Rows on their way into a segment: codes and TIDs.
 *
 * Rows with the same code become one node with many TIDs, so that equal
 * vectors never fill each other's neighbour lists.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_ROWS_H
#define OMEN_ROWS_H

#include "quantizer.h"
#include "store.h"

struct omen_codes_hash;

typedef struct OmenRows
{
	MemoryContext context;		/* owner of everything below */
	OmenStore  *store;			/* of the arrays */
	uint32		width;
	uint32		ncodes;			/* distinct codes */
	uint32		maxcodes;		/* room for codes */
	int8	   *codes;			/* maxcodes * width */
	OmenCodeInfo *infos;		/* maxcodes */
	uint32	   *hashes;			/* maxcodes; what equal codes have in common */
	uint32	   *distinct;		/* ncodes: where they are in codes, in order;
								 * NULL: they are the first */
	uint32		ntids;
	uint32		maxtids;
	ItemPointerData *tids;		/* ntids */
	uint32	   *tid_codes;		/* ntids: the code of each, as a position */
	uint32	   *first_tid;		/* ncodes + 1, once they are sorted by code */
	int8	   *sorted_codes;	/* where codes and infos will be sorted to */
	OmenCodeInfo *sorted_infos;
	struct omen_codes_hash *hash;
} OmenRows;

/* Bytes that n rows take, if all codes differ. */
extern Size OmenRowsSize(uint32 width, uint32 n);

/* Bytes that it takes besides to sort them. */
extern Size OmenSortSize(uint32 width, uint32 n);

/*
 * An empty collection in a new child of CurrentMemoryContext, with room for
 * about "expected" rows at first; it grows as needed.
 */
extern OmenRows *OmenMakeRows(OmenStore *store, uint32 width,
							  double expected);

/*
 * Where to put the next code: width bytes, valid until the next call of any
 * function here.  Then OmenAddRow takes the code from there.
 */
extern int8 *OmenNextCode(OmenRows *rows);
extern void OmenAddRow(OmenRows *rows, const OmenCodeInfo *info,
					   ItemPointer tid);

/* The duplicate finder is not needed once all rows are there. */
extern void OmenRowsDone(OmenRows *rows);

/*
 * Make one collection of those of all members of the store's team, which call
 * this together: TIDs ascending, and codes in the order of their lowest TIDs,
 * so that it does not matter who added what, and in which order.  Takes the
 * place of "rows", on which OmenRowsDone was called.
 */
extern OmenRows *OmenGatherRows(OmenRows *rows);

/*
 * Put rows into the order of the nodes of a graph: code i is what was at
 * position order[i], and its TIDs are those from first_tid[i] to
 * first_tid[i + 1] - 1.  Nodes are near to their neighbours in this order, so
 * that what is written and read together lies together.
 *
 * The members of the store's team call OmenPrepareSort() together.  Then each
 * calls OmenSortRows() as soon as it has time for it, and helps until all is
 * sorted.  Only the leader gets the TIDs.
 */
extern void OmenPrepareSort(OmenRows *rows);
extern void OmenSortRows(OmenRows *rows, const uint32 *order);

extern void OmenFreeRows(OmenRows *rows);

#endif							/* OMEN_ROWS_H */
