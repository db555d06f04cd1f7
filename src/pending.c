/*-------------------------------------------------------------------------
 *
 * pending.c
 *		The pending list: rows that no segment holds yet.
 *
 * Rows are appended to the last page of one of several stripes; a backend
 * keeps to one stripe, so that concurrent inserters rarely want the same
 * page.  An append locks one page and writes one WAL record.  Only when a page
 * is full is the metapage locked, to link another one.
 *
 * A flush works on a list that no longer changes: sealing moves the stripes
 * to another place in the metapage, in one record, and then marks the last
 * page of each closed.  An inserter that still has the old metapage in mind
 * finds its page closed, and starts again; one that came before the mark has
 * added its row where the flush will find it.
 *
 * Pages of a list are numbered within (owner, stripe), and every reader checks
 * that it got the page it asked for.
 *
 * A row that is larger than a page gets as many pages as it needs, all added by
 * one WAL record, in which the metapage comes last: nobody looks at a page that
 * the metapage has not counted, so nobody sees a part of a row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"

#include "fault.h"
#include "pending.h"
#include "segment.h"

/* Blocks that the pending list takes from the free space at a time. */
#define OMEN_SPARE_BLOCKS	16

static uint32
om_pending_logical(int stripe, uint32 page)
{
	return (uint32) stripe * OMEN_MAX_STRIPE_PAGES + page;
}

/* Put a row onto a page that has room. */
static void
om_put_row(const OmenLayout *layout, Page page, ItemPointer tid,
		   const void *elements)
{
	OmenPendingHead *head = OmenPageGetPending(page);
	OmenTid    *row = OmenPageGetPendingRow(layout, page, head->nrows);

	memset(row, 0, layout->pending_row_size);
	row->tid = *tid;
	memcpy(OmenPendingRowVector(row), elements, layout->vector_size);
	head->nrows++;
	((PageHeader) page)->pd_lower += layout->pending_row_size;
}

/* Do a page's row count and its header agree on where the next row goes? */
static bool
om_rows_end_at_lower(const OmenLayout *layout, Page page)
{
	return ((PageHeader) page)->pd_lower == SizeOfPageHeaderData +
		sizeof(OmenPendingHead) +
		(Size) OmenPageGetPending(page)->nrows * layout->pending_row_size;
}

/*
 * Try to append to the last page of the stripe.  False if there is no such
 * page, or it is full, or it was sealed.
 */
static bool
om_append_to_tail(Relation index, OmenCache *cache, uint32 owner, int stripe,
				  const OmenStripe *data, ItemPointer tid,
				  const void *elements)
{
	OmenRecord *record;
	Buffer		buffer;
	Page		page;

	if (data->tail == InvalidBlockNumber ||
		cache->layout.pending_pages_per_row > 1)
		return false;
	buffer = OmenReadBuffer(index, &cache->hints, data->tail,
							BUFFER_LOCK_EXCLUSIVE);
	page = BufferGetPage(buffer);
	if (!OmenPageIs(page, OMEN_PAGE_PENDING, owner,
					om_pending_logical(stripe, data->npages - 1)) ||
		(OmenPageGetSpecial(page)->flags & OMEN_PENDING_CLOSED) ||
		OmenPageGetPending(page)->nrows >=
		cache->layout.pending_rows_per_page)
	{
		UnlockReleaseBuffer(buffer);
		return false;
	}
	if (!om_rows_end_at_lower(&cache->layout, page))
		OmenReportDamage(index, data->tail,
						 "Its header does not agree with its row count.");
	record = OmenStartRecord(index);
	page = OmenRecordPage(record, buffer, false);
	om_put_row(&cache->layout, page, tid, elements);
	OMEN_FAULT_POINT("append-before-wal");
	OmenFinishRecord(record);
	OMEN_FAULT_POINT("append-after-wal");
	UnlockReleaseBuffer(buffer);
	return true;
}

/* Take one block for the pending list. */
static BlockNumber
om_take_block(OmenMetaChange *change)
{
	OmenExtent *spare = &change->meta->spare;

	if (spare->nblocks == 0)
		*spare = OmenTakeExtent(change, OMEN_SPARE_BLOCKS);
	spare->nblocks--;
	return spare->start++;
}

/*
 * Lock the metapage, to add pages to a stripe.  NULL, and nothing locked, if
 * the stripe is not as the caller knew it any more.
 *
 * Locks are taken in the order metapage, new pages, last page.  Nobody waits
 * for the metapage while holding a pending page.
 */
static OmenStripe *
om_begin_link(Relation index, OmenMetaChange *change, uint32 owner, int stripe,
			  BlockNumber tail)
{
	OmenPendingData *pending;
	OmenStripe *data;

	OmenMetaBegin(index, change);
	pending = &change->meta->pending;
	data = &pending->stripes[stripe];
	if (pending->owner != owner || data->tail != tail ||
		data->npages >= OMEN_MAX_STRIPE_PAGES)
	{
		OmenMetaAbort(change);
		return NULL;
	}
	if (owner == 0)
		pending->owner = change->meta->next_owner++;
	return data;
}

/* A new page of the stripe, with no rows. */
static void
om_init_pending_page(Page page, uint32 owner, int stripe, uint32 position)
{
	OmenInitPage(page, OMEN_PAGE_PENDING, owner,
				 om_pending_logical(stripe, position));
	OmenPageGetPending(page)->next = InvalidBlockNumber;
	OmenPageGetPending(page)->nrows = 0;
	((PageHeader) page)->pd_lower += sizeof(OmenPendingHead);
}

/*
 * Lock the last page of a stripe, which is to be linked to a new one;
 * InvalidBuffer if there is none.
 */
static Buffer
om_lock_tail(Relation index, uint32 owner, int stripe, const OmenStripe *data)
{
	Buffer		buffer;

	if (data->tail == InvalidBlockNumber)
		return InvalidBuffer;
	buffer = ReadBuffer(index, data->tail);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	if (!OmenPageIs(BufferGetPage(buffer), OMEN_PAGE_PENDING, owner,
					om_pending_logical(stripe, data->npages - 1)))
		OmenReportDamage(index, data->tail,
						 "It is not the last page of the pending list.");
	return buffer;
}

/* The stripe has n more pages, from block "first" to block "last". */
static void
om_extend_stripe(OmenStripe *data, uint32 n, BlockNumber first,
				 BlockNumber last)
{
	if (data->tail == InvalidBlockNumber)
		data->head = first;
	data->tail = last;
	data->npages += n;
}

/*
 * Append a page with one row to the stripe.  False if the stripe is not as
 * the caller knew it any more.
 */
static bool
om_append_page(Relation index, OmenCache *cache, uint32 owner, int stripe,
			   BlockNumber tail, ItemPointer tid, const void *elements)
{
	OmenMetaChange change;
	OmenStripe *data;
	Buffer		buffer;
	Buffer		tail_buffer;
	Page		page;
	BlockNumber block;

	data = om_begin_link(index, &change, owner, stripe, tail);
	if (data == NULL)
		return false;
	block = om_take_block(&change);
	OMEN_FAULT_POINT("link-before-page");
	buffer = OmenOverwriteBuffer(index, block);
	page = OmenRecordPage(change.record, buffer, true);
	om_init_pending_page(page, change.meta->pending.owner, stripe,
						 data->npages);
	om_put_row(&cache->layout, page, tid, elements);

	tail_buffer = om_lock_tail(index, owner, stripe, data);
	if (BufferIsValid(tail_buffer))
	{
		page = OmenRecordPage(change.record, tail_buffer, false);
		OmenPageGetPending(page)->next = block;
	}
	om_extend_stripe(data, 1, block, block);
	OMEN_FAULT_POINT("link-before-wal");
	OmenMetaCommit(&change);
	OMEN_FAULT_POINT("link-after-wal");
	UnlockReleaseBuffer(buffer);
	if (BufferIsValid(tail_buffer))
		UnlockReleaseBuffer(tail_buffer);
	return true;
}

/*
 * The pages of a long row, which stand one after the other in memory: their
 * contents, but for the links and what they are.
 */
static void
om_cut_row(const OmenLayout *layout, char *pages, ItemPointer tid,
		   const void *elements)
{
	char	   *row = palloc0(layout->pending_row_size);
	uint32		part;

	((OmenTid *) row)->tid = *tid;
	memcpy(OmenPendingRowVector(row), elements, layout->vector_size);
	for (part = 0; part < layout->pending_pages_per_row; part++)
	{
		Page		page = pages + (Size) part * BLCKSZ;
		Size		size = OmenPartSize(layout->pending_row_size,
										OMEN_PENDING_ROOM, part);

		OmenPageGetPending(page)->nrows = part == 0 ? 1 : 0;
		memcpy((char *) OmenPageGetPending(page) + sizeof(OmenPendingHead),
			   row + part * OMEN_PENDING_ROOM, size);
		((PageHeader) page)->pd_lower += size;
	}
	pfree(row);
}

/*
 * Append the pages of one long row to the stripe.  False if the stripe is not
 * as the caller knew it any more.
 */
static bool
om_append_long(Relation index, OmenCache *cache, uint32 owner, int stripe,
			   BlockNumber tail, ItemPointer tid, const void *elements)
{
	uint32		npages = cache->layout.pending_pages_per_row;
	uint32		n = npages;		/* to be logged */
	char	   *pages = palloc(mul_size(npages + 1, BLCKSZ));
	Buffer	   *buffers = palloc(mul_size(npages + 1, sizeof(Buffer)));
	BlockNumber *blocks = palloc(mul_size(npages, sizeof(BlockNumber)));
	OmenMetaChange change;
	OmenStripe *data;
	uint32		i;

	data = om_begin_link(index, &change, owner, stripe, tail);
	if (data == NULL)
		return false;
	for (i = 0; i < npages; i++)
	{
		blocks[i] = om_take_block(&change);
		OMEN_FAULT_POINT("long-before-page");
		buffers[i] = OmenOverwriteBuffer(index, blocks[i]);
		om_init_pending_page(pages + (Size) i * BLCKSZ,
							 change.meta->pending.owner, stripe,
							 data->npages + i);
	}
	om_cut_row(&cache->layout, pages, tid, elements);
	for (i = 0; i + 1 < npages; i++)
		OmenPageGetPending(pages + (Size) i * BLCKSZ)->next = blocks[i + 1];

	buffers[npages] = om_lock_tail(index, owner, stripe, data);
	if (BufferIsValid(buffers[npages]))
	{
		Page		page = pages + (Size) npages * BLCKSZ;

		memcpy(page, BufferGetPage(buffers[npages]), BLCKSZ);
		OmenPageGetPending(page)->next = blocks[0];
		n++;
	}
	om_extend_stripe(data, npages, blocks[0], blocks[npages - 1]);
	OMEN_FAULT_POINT("long-before-wal");
	OmenMetaCommitImages(&change, n, buffers, pages);
	OMEN_FAULT_POINT("long-after-wal");
	for (i = 0; i < n; i++)
		UnlockReleaseBuffer(buffers[i]);
	pfree(blocks);
	pfree(buffers);
	pfree(pages);
	return true;
}

bool
OmenAppendPending(Relation index, OmenCache *cache, ItemPointer tid,
				  const void *elements)
{
	int			stripe = MyProcPid % OMEN_MAX_STRIPES;

	for (;;)
	{
		OmenMetaData meta;
		const OmenStripe *data = &meta.pending.stripes[stripe];
		uint32		owner;

		CHECK_FOR_INTERRUPTS();
		OmenReadMeta(index, &meta);
		owner = meta.pending.owner;
		OMEN_FAULT_POINT("append-before-lock");
		if (om_append_to_tail(index, cache, owner, stripe, data, tid,
							  elements))
			return false;
		if (cache->layout.pending_pages_per_row > 1 ?
			om_append_long(index, cache, owner, stripe, data->tail, tid,
						   elements) :
			om_append_page(index, cache, owner, stripe, data->tail, tid,
						   elements))
			return true;
	}
}

uint64
OmenPendingRows(const OmenLayout *layout, const OmenPendingData *pending)
{
	uint64		npages = 0;
	int			i;

	for (i = 0; i < OMEN_MAX_STRIPES; i++)
		npages += pending->stripes[i].npages;
	return npages / layout->pending_pages_per_row *
		layout->pending_rows_per_page;
}

void
OmenSealPending(Relation index)
{
	OmenMetaChange change;
	OmenMetaData *meta;
	OmenPendingData sealed;
	int			i;

	OmenMetaBegin(index, &change);
	meta = change.meta;
	if (meta->sealed.owner == 0 && meta->pending.owner != 0)
	{
		meta->sealed = meta->pending;
		meta->pending.owner = 0;
		for (i = 0; i < OMEN_MAX_STRIPES; i++)
		{
			meta->pending.stripes[i].head = InvalidBlockNumber;
			meta->pending.stripes[i].tail = InvalidBlockNumber;
			meta->pending.stripes[i].npages = 0;
		}
		sealed = meta->sealed;
		OMEN_FAULT_POINT("seal-before-wal");
		OmenMetaCommit(&change);
		OMEN_FAULT_POINT("seal-after-wal");
	}
	else
	{
		sealed = meta->sealed;
		OmenMetaAbort(&change);
	}

	/*
	 * An earlier producer may have died before it closed the pages, so this
	 * is done whether or not the list was sealed just now.
	 */
	for (i = 0; i < OMEN_MAX_STRIPES; i++)
	{
		const OmenStripe *stripe = &sealed.stripes[i];
		OmenRecord *record;
		Buffer		buffer;
		Page		page;

		if (sealed.owner == 0 || stripe->npages == 0)
			continue;
		buffer = ReadBuffer(index, stripe->tail);
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		page = BufferGetPage(buffer);
		if (!OmenPageIs(page, OMEN_PAGE_PENDING, sealed.owner,
						om_pending_logical(i, stripe->npages - 1)))
			OmenReportDamage(index, stripe->tail,
							 "It is not the last page of the pending list.");
		if (!(OmenPageGetSpecial(page)->flags & OMEN_PENDING_CLOSED))
		{
			record = OmenStartRecord(index);
			page = OmenRecordPage(record, buffer, false);
			OmenPageGetSpecial(page)->flags |= OMEN_PENDING_CLOSED;
			OMEN_FAULT_POINT("close-before-wal");
			OmenFinishRecord(record);
			OMEN_FAULT_POINT("close-after-wal");
		}
		UnlockReleaseBuffer(buffer);
	}
}

void
OmenStartPendingWalk(OmenPendingWalk *walk, const OmenPendingData *pending)
{
	memset(walk, 0, sizeof(OmenPendingWalk));
	walk->pending = pending;
	walk->stripe = -1;
	walk->block = InvalidBlockNumber;
	walk->buffer = InvalidBuffer;
}

/*
 * A walk ends after the pages that the metapage counted: rows that came later
 * are not visible to a snapshot taken before the metapage was read.
 */
Buffer
OmenNextPendingPage(Relation index, OmenCache *cache, OmenPendingWalk *walk,
					int mode, bool *retired)
{
	const OmenPendingData *pending = walk->pending;
	Buffer		buffer;
	Page		page;

	*retired = false;
	if (pending->owner == 0)
		return InvalidBuffer;
	while (walk->stripe < 0 ||
		   walk->page == pending->stripes[walk->stripe].npages)
	{
		if (++walk->stripe == OMEN_MAX_STRIPES)
		{
			walk->stripe = OMEN_MAX_STRIPES - 1;
			return InvalidBuffer;
		}
		walk->page = 0;
		walk->block = pending->stripes[walk->stripe].head;
	}

	CHECK_FOR_INTERRUPTS();
	if (walk->block == InvalidBlockNumber)
		OmenReportDamage(index, OMEN_METAPAGE,
						 "The pending list is shorter than it should be.");
	if (walk->block >= RelationGetNumberOfBlocks(index))
		OmenReportDamage(index, walk->block,
						 "A pending list leads beyond the end of the file.");
	buffer = OmenReadBuffer(index, &cache->hints, walk->block, mode);
	page = BufferGetPage(buffer);
	if (!OmenPageIs(page, OMEN_PAGE_PENDING, pending->owner,
					om_pending_logical(walk->stripe, walk->page)))
	{
		UnlockReleaseBuffer(buffer);
		OmenCheckRetired(index, pending->owner, walk->block);
		*retired = true;
		return InvalidBuffer;
	}
	walk->block = OmenPageGetPending(page)->next;
	walk->page++;
	walk->nread++;
	return buffer;
}

uint32
OmenPendingPageRows(Relation index, const OmenLayout *layout, Buffer buffer)
{
	Page		page = BufferGetPage(buffer);
	uint32		nrows = OmenPageGetPending(page)->nrows;
	uint32		position = OmenPageGetSpecial(page)->logical %
		OMEN_MAX_STRIPE_PAGES;

	if (nrows > (position % layout->pending_pages_per_row == 0 ?
				 layout->pending_rows_per_page : 0))
		OmenReportDamage(index, BufferGetBlockNumber(buffer),
						 "It has more rows than fit.");
	return nrows;
}

/*
 * Put together a row that begins on the page at hand, which is released.  NULL
 * if the list was retired.
 */
static OmenTid *
om_gather_row(Relation index, OmenCache *cache, OmenPendingWalk *walk,
			  bool *retired)
{
	const OmenLayout *layout = &cache->layout;
	uint32		part;

	if (walk->copy == NULL)
		walk->copy = palloc(layout->pending_row_size);
	for (part = 0; part < layout->pending_pages_per_row; part++)
	{
		if (part > 0)
			walk->buffer = OmenNextPendingPage(index, cache, walk,
											   BUFFER_LOCK_SHARE, retired);
		if (*retired)
			return NULL;
		if (!BufferIsValid(walk->buffer))
			OmenReportDamage(index, OMEN_METAPAGE,
							 "The pending list ends within a row.");
		memcpy(walk->copy + part * OMEN_PENDING_ROOM,
			   OmenPageGetPendingRow(layout, BufferGetPage(walk->buffer), 0),
			   OmenPartSize(layout->pending_row_size, OMEN_PENDING_ROOM,
							part));
		OmenEndPendingWalk(walk);
	}
	return (OmenTid *) walk->copy;
}

const OmenTid *
OmenNextPendingRow(Relation index, OmenCache *cache, OmenPendingWalk *walk,
				   bool *retired)
{
	const OmenLayout *layout = &cache->layout;

	*retired = false;
	for (;;)
	{
		while (BufferIsValid(walk->buffer) && walk->row < walk->nrows)
		{
			OmenTid    *row = OmenPageGetPendingRow(layout,
													BufferGetPage(walk->buffer),
													walk->row++);

			if (row->flags & OMEN_TID_DEAD)
				continue;
			return layout->pending_pages_per_row == 1 ? row :
				om_gather_row(index, cache, walk, retired);
		}
		OmenEndPendingWalk(walk);
		walk->buffer = OmenNextPendingPage(index, cache, walk,
										   BUFFER_LOCK_SHARE, retired);
		if (!BufferIsValid(walk->buffer))
			return NULL;
		walk->row = 0;
		walk->nrows = OmenPendingPageRows(index, layout, walk->buffer);
	}
}

void
OmenEndPendingWalk(OmenPendingWalk *walk)
{
	if (BufferIsValid(walk->buffer))
		UnlockReleaseBuffer(walk->buffer);
	walk->buffer = InvalidBuffer;
}

bool
OmenCountPending(Relation index, OmenCache *cache,
				 const OmenPendingData *pending, OmenPendingCounts *counts)
{
	OmenPendingWalk walk;
	Buffer		buffer;
	bool		retired;

	OmenStartPendingWalk(&walk, pending);
	while ((buffer = OmenNextPendingPage(index, cache, &walk,
										 BUFFER_LOCK_SHARE,
										 &retired)) != InvalidBuffer)
	{
		Page		page = BufferGetPage(buffer);
		uint32		nrows = OmenPendingPageRows(index, &cache->layout, buffer);
		uint32		i;

		for (i = 0; i < nrows; i++)
			if (OmenPageGetPendingRow(&cache->layout, page, i)->flags &
				OMEN_TID_DEAD)
				counts->dead++;
		counts->rows += nrows;
		counts->pages++;
		UnlockReleaseBuffer(buffer);
	}
	return !retired;
}
