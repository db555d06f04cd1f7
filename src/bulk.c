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
	PGAlignedBlock *memory;
};

OmenBulk *
OmenStartBulk(Relation index)
{
	OmenBulk   *bulk = palloc0(sizeof(OmenBulk));

	bulk->index = index;
	bulk->memory = palloc(XLR_MAX_BLOCK_ID * sizeof(PGAlignedBlock));
	for (int i = 0; i < XLR_MAX_BLOCK_ID; i++)
		bulk->pages[i] = (Page) bulk->memory[i].data;
	return bulk;
}

/* WAL first, since the pages get its position. */
static void
om_write(OmenBulk *bulk)
{
	Relation	index = bulk->index;
	int			npages = bulk->npages;

	bulk->npages = 0;
	if (npages > 0 && RelationNeedsWAL(index))
		log_newpages(&OmenRelationLocator(index), MAIN_FORKNUM, npages,
					 bulk->blocks, bulk->pages, true);
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

void
OmenSyncBulk(Relation index, XLogRecPtr redo)
{
	if (RelationNeedsWAL(index) && GetRedoRecPtr() != redo)
		smgrimmedsync(RelationGetSmgr(index), MAIN_FORKNUM);
}
