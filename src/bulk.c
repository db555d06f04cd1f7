/*-------------------------------------------------------------------------
 *
 * bulk.c
 *		Pages of a new index, written past shared buffers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xloginsert.h"
#include "access/xlogrecord.h"
#include "storage/smgr.h"

#include "bulk.h"

struct OmenBulk
{
	Relation	index;
	int			npages;
	BlockNumber blocks[XLR_MAX_BLOCK_ID];
	Page		pages[XLR_MAX_BLOCK_ID];
	void	   *memory;
};

/* Direct I/O, which newer servers may use, wants this alignment. */
#define OMEN_IO_ALIGNMENT	4096

OmenBulk *
OmenStartBulk(Relation index)
{
	OmenBulk   *bulk = palloc0(sizeof(OmenBulk));

	bulk->index = index;
	bulk->memory = palloc(XLR_MAX_BLOCK_ID * BLCKSZ + OMEN_IO_ALIGNMENT);
	for (int i = 0; i < XLR_MAX_BLOCK_ID; i++)
		bulk->pages[i] = (Page) TYPEALIGN(OMEN_IO_ALIGNMENT, bulk->memory) +
			i * BLCKSZ;
	return bulk;
}

/*
 * Log the pages.  The WAL writer is asked to write that out while we go on.
 * Else we would soon have filled all WAL buffers, would write them out
 * ourselves, one by one, and wait for the disk at the end of each file of WAL.
 */
static void
om_log(OmenBulk *bulk, int npages)
{
	log_newpages(&OmenRelationLocator(bulk->index), MAIN_FORKNUM, npages,
				 bulk->blocks, bulk->pages, true);
	XLogSetAsyncXactLSN(PageGetLSN(bulk->pages[npages - 1]));
}

/* WAL first, since the pages get its position. */
static void
om_write(OmenBulk *bulk)
{
	Relation	index = bulk->index;
	int			npages = bulk->npages;

	bulk->npages = 0;
	if (npages > 0 && RelationNeedsWAL(index))
		om_log(bulk, npages);
	for (int i = 0; i < npages; i++)
	{
		PageSetChecksumInplace(bulk->pages[i], bulk->blocks[i]);
		smgrwrite(RelationGetSmgr(index), MAIN_FORKNUM, bulk->blocks[i],
				  (char *) bulk->pages[i], false);
	}
}

Page
OmenBulkPage(OmenBulk *bulk, BlockNumber block)
{
	if (bulk->npages == XLR_MAX_BLOCK_ID)
		om_write(bulk);
	bulk->blocks[bulk->npages] = block;
	return bulk->pages[bulk->npages++];
}

void
OmenEndBulk(OmenBulk *bulk)
{
	om_write(bulk);
	pfree(bulk->memory);
	pfree(bulk);
}

/*
 * The blocks of a concurrent build are in an index that others may open, to
 * look at its pages, if not to search it.  What such a reader has brought into
 * shared buffers before we wrote is a hole, and has to go.
 */
void
OmenSyncBulk(Relation index, BlockNumber first, XLogRecPtr redo)
{
	if (!OmenIsNewRelation(index))
		OmenDropBuffers(index, first);
	if (RelationNeedsWAL(index) && GetRedoRecPtr() != redo)
		smgrimmedsync(RelationGetSmgr(index), MAIN_FORKNUM);
}
