/*-------------------------------------------------------------------------
 *
 * segment.h
 *		Segments: writing one from a graph, reading its pages.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_SEGMENT_H
#define OMEN_SEGMENT_H

#include "build/build.h"
#include "cache.h"
#include "rows.h"

/* Called after each page; for progress and interrupts. */
typedef void (*OmenPageProgress) (void *arg, uint32 done, uint32 total);

/*
 * Write a segment of rows that are sorted by node (OmenSortRows) and their
 * graph: reserve space in the metapage, write all pages, log them.  The result
 * describes the segment and is to be published by the caller
 * (OmenPublishSegment); until then nobody can see it, and after a crash the
 * next producer takes its space back.  The caller holds the producer lock.
 *
 * "bulk" says that nobody else uses the index yet: its pages are written past
 * shared buffers, at the end of the file.  All members of the store's
 * team call this together, and only then may there be more than one.
 */
extern void OmenWriteSegment(Relation index, const OmenFrozen *frozen,
							 const OmenRows *rows, const OmenGraph *graph,
							 bool bulk, OmenPageProgress progress, void *arg,
							 OmenSegmentData *segment);

/*
 * Put back what a producer reserved: after an error or crash of it.  Called by
 * each producer when it starts, under the producer lock.
 */
extern void OmenReclaimReserved(Relation index);

/*
 * Read a page of a segment and lock it in the given mode.  InvalidBuffer if
 * the page is not there any more: the segment was retired since the metapage
 * was read.
 */
extern Buffer OmenReadSegmentPage(Relation index, OmenCache *cache,
								  const OmenSegmentData *segment,
								  OmenPageType type, uint32 logical,
								  int mode);

/*
 * Read a node's slot.  If slots share pages, the result is on one, locked in
 * shared mode, and *buffer is that page, for the caller to unlock and release.
 * Otherwise it is put together in "copy", of slot_size bytes, and *buffer is
 * InvalidBuffer.  NULL, and no buffer, if the segment was retired.
 */
extern char *OmenReadSlot(Relation index, OmenCache *cache,
						  const OmenSegmentData *segment, uint32 node,
						  char *copy, Buffer *buffer);

/* Logical pages of the other two regions. */
static inline uint32
OmenTidLogical(const OmenLayout *layout, const OmenSegmentData *segment,
			   uint32 position)
{
	return OmenSlotPages(layout, segment) + position / OMEN_TIDS_PER_PAGE;
}

static inline uint32
OmenDirectoryLogical(const OmenLayout *layout,
					 const OmenSegmentData *segment, uint32 block)
{
	return OmenSlotPages(layout, segment) + OmenTidPages(segment) +
		block / layout->entry_blocks_per_page;
}

/*
 * What a reader does that found a page gone: fetches the metapage anew.  If
 * that still says that the block is the owner's, the page is damaged, and an
 * error is raised.
 */
extern void OmenCheckRetired(Relation index, uint32 owner,
							 BlockNumber block);

#endif							/* OMEN_SEGMENT_H */
