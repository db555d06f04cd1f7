/*-------------------------------------------------------------------------
 *
 * compact.h
 *		Flush and merge: pending rows and segments into one new segment.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_COMPACT_H
#define OMEN_COMPACT_H

#include "segment.h"

/* Segments that stay after a flush, unless rows come in fast. */
#define OMEN_WANTED_SEGMENTS	3

typedef enum OmenCompactScope
{
	OMEN_COMPACT_RELIEF,		/* pending rows, and segments only if there
								 * are many: somebody waits for it */
	OMEN_COMPACT_FLUSH,			/* pending rows, and segments that are small
								 * beside them */
	OMEN_COMPACT_VACUUM,		/* also segments with many dead rows, and all
								 * if many rows are outside the largest */
	OMEN_COMPACT_ALL			/* everything into one segment */
} OmenCompactScope;

typedef enum OmenCompactResult
{
	OMEN_COMPACTED,				/* done */
	OMEN_COMPACT_PUT_OFF,		/* rows came in so fast that segments were not
								 * merged */
	OMEN_COMPACT_GAVE_WAY		/* somebody waits for the producer lock, or for
								 * a lock on the index, its table or its
								 * database that this backend holds in a mode
								 * which others may have to wait for */
} OmenCompactResult;

/*
 * Build pending rows, and the segments that the scope says, into one segment,
 * and publish it in place of them.  Does nothing if there is nothing to gain.
 * The caller holds the producer lock.
 *
 * Whoever gets OMEN_COMPACT_PUT_OFF should come back: there may be a sealed
 * list that waits to be flushed.
 */
extern OmenCompactResult OmenCompact(Relation index, OmenCompactScope scope);

/*
 * Build rows, of which there are some, into a segment and write it; they are
 * in the order of its nodes then.  "bulk" and
 * the result as in OmenWriteSegment.  All members of the store's team call
 * this together.
 */
extern void OmenBuildSegment(Relation index, const OmenFrozen *frozen,
							 OmenRows *rows, bool bulk,
							 OmenBuildProgress build_progress,
							 OmenPageProgress page_progress, void *arg,
							 OmenSegmentData *segment);

/*
 * Publish a segment (NULL: none), in one step that also removes the sealed
 * pending list (if remove_sealed) and the segments whose bits are set in
 * "replaced".
 */
extern void OmenPublishSegment(Relation index, const OmenSegmentData *segment,
							   uint32 replaced, bool remove_sealed);

/*
 * Bytes of arrays that "rows" rows take while they are built, and a store for
 * them, in CurrentMemoryContext.
 */
extern Size OmenBuildSize(const OmenFrozen *frozen, double rows);
extern OmenStore *OmenCreateBuildStore(const OmenFrozen *frozen, double rows,
									   OmenTeam *team);

/* The parameters of the batch builder for an index. */
extern void OmenFillBuildParams(const OmenFrozen *frozen,
								OmenBuildParams *params);

/*
 * Set the index's quantizer, trained from a sample of n vectors of "dims"
 * floats, and return it.
 */
extern OmenQuantizer *OmenCreateQuantizer(Relation index,
										  const OmenFrozen *frozen,
										  const float *sample, uint32 n);

#endif							/* OMEN_COMPACT_H */
