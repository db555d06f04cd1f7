/*-------------------------------------------------------------------------
 *
 * pending.h
 *		The pending list: rows that no segment holds yet.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_PENDING_H
#define OMEN_PENDING_H

#include "cache.h"

/*
 * Append a row.  "elements" are vector_size bytes as in the datum, of a vector
 * that is indexed (see OmenEncode).  Returns true if a page was added, so that
 * it is time to look at OmenPendingRows.  Leaves some memory in
 * CurrentMemoryContext.
 */
extern bool OmenAppendPending(Relation index, ItemPointer tid,
							  const void *elements);

/* Rows that the pages of a list have room for: an upper bound of its rows. */
extern uint64 OmenPendingRows(const OmenLayout *layout,
							  const OmenPendingData *pending);

/*
 * The rows of a list relative to those that may wait: omen.pending_limit, or as
 * many as OMEN_LIMIT_PAGES pages hold, but at least OMEN_FLAT_ROWS.
 */
extern double OmenPendingFill(const OmenLayout *layout,
							  const OmenPendingData *pending);

/* The same of both lists, all of which each scan compares. */
extern double OmenPendingPressure(const OmenLayout *layout,
								  const OmenMetaData *meta);

/*
 * Move the pending list to meta->sealed, unless something is sealed already,
 * and close its pages to inserters.  The caller holds the producer lock.
 */
extern void OmenSealPending(Relation index);

/* A walk over the pages of a list, as the metapage once described it. */
typedef struct OmenPendingWalk
{
	const OmenPendingData *pending;
	const OmenRowForm *form;	/* of its rows */
	bool		dead_too;		/* to be set by who wants dead rows as well */
	int			stripe;
	BlockNumber at;				/* the page at hand */
	uint32		page;			/* position of the next one in its stripe */
	BlockNumber block;			/* the next one */
	uint64		nread;			/* pages so far */
	BlockNumber nblocks;		/* of the file, at least */

	/* for OmenNextPendingRow */
	Buffer		buffer;			/* the page at hand, locked */
	uint32		row;			/* the next one there */
	uint32		nrows;
	char	   *copy;			/* of a row that takes several pages */
} OmenPendingWalk;

extern void OmenStartPendingWalk(OmenPendingWalk *walk,
								 const OmenLayout *layout,
								 const OmenPendingData *pending);

/*
 * The next page, locked in the given mode; InvalidBuffer at the end, or (with
 * *retired set) if the list was retired meanwhile.  The caller unlocks and
 * releases each page before it asks for the next one.
 */
extern Buffer OmenNextPendingPage(Relation index, OmenCache *cache,
								  OmenPendingWalk *walk, int mode,
								  bool *retired);

/*
 * The rows that begin on a pending page, checked against its size and header.
 */
extern uint32 OmenPendingPageRows(Relation index, const OmenRowForm *form,
								  Buffer buffer);

/*
 * The next row, unless dead ones are wanted one that is not: an OmenCodedRow or
 * with its elements behind it, as the list says; NULL at the end, or (with
 * *retired set) if the list was retired meanwhile.  A row is valid until the
 * next call; until then its page stays locked in shared mode, unless the row
 * takes several pages and was put together in memory.
 */
extern const OmenTid *OmenNextPendingRow(Relation index, OmenCache *cache,
										 OmenPendingWalk *walk,
										 bool *retired);

/* Raise an error unless a row has the checksum of its contents. */
extern void OmenCheckCodedRow(Relation index, BlockNumber block,
							  const OmenCodedRow *row, uint32 width);

/* Unlock what a walk by rows holds, if it is not to be walked to its end. */
extern void OmenEndPendingWalk(OmenPendingWalk *walk);

/* Rows of a list, dead ones included, and its pages. */
typedef struct OmenPendingCounts
{
	int64		rows;
	int64		dead;
	int64		pages;
} OmenPendingCounts;

/*
 * Add the counts of a list, as the metapage once described it.  False if it
 * was retired meanwhile; the counts are of no use then.
 */
extern bool OmenCountPending(Relation index, OmenCache *cache,
							 const OmenPendingData *pending,
							 OmenPendingCounts *counts);

#endif							/* OMEN_PENDING_H */
