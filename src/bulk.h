/*-------------------------------------------------------------------------
 *
 * bulk.h
 *		Pages of a new index, written past shared buffers.
 *
 * CREATE INDEX fills blocks that nobody has ever read.  They need no buffers:
 * each page is made in local memory, logged with some of its neighbours in one
 * record, and written to its place in the file.
 *
 * The blocks exist before, as a hole in the file (OmenTakeHole), so several
 * processes can fill them at the same time, in any order.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_BULK_H
#define OMEN_BULK_H

#include "access/xlog.h"

#include "storage.h"

typedef struct OmenBulk OmenBulk;

/* Start to write, in CurrentMemoryContext. */
extern OmenBulk *OmenStartBulk(Relation index);

/*
 * Room for the page of a block, to be filled before the next call of any
 * function here.
 */
extern Page OmenBulkPage(OmenBulk *bulk, BlockNumber block);

/* Log and write what is left, and free the memory. */
extern void OmenEndBulk(OmenBulk *bulk);

/*
 * A checkpoint that begins after some page was logged, and before it is
 * written, may not sync it, and a crash later would not replay it.  So whoever
 * has a file written asks first where a replay would begin, and when all is
 * written, by whatever process, gives this to OmenSyncBulk, which syncs the
 * file if a checkpoint has moved it.  "first" is the first of the blocks, which
 * go up to the end of the file.
 */
static inline XLogRecPtr
OmenBulkRedo(void)
{
	return GetRedoRecPtr();
}

extern void OmenSyncBulk(Relation index, BlockNumber first, XLogRecPtr redo);

#endif							/* OMEN_BULK_H */
