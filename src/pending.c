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
 * Once the index has a quantizer, a new list is of codes, as the segments are:
 * they are a fraction of the vectors to log and to compare, and a flush takes
 * them over.  What a list is of is decided when it gets its owner number, and
 * stays.  Before, and where codes would be larger, it is of vectors.
 *
 * A row that is larger than a page gets as many pages as it needs, all added by
 * one WAL record, in which the metapage comes last: nobody looks at a page that
 * the metapage has not counted, so nobody sees a part of a row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/pg_crc32c.h"

#include "fault.h"
#include "pending.h"
#include "segment.h"

/* Pages of pending rows that a scan may have to read, about. */
#define OMEN_LIMIT_PAGES	2048

/* Blocks that the pending list takes from the free space at a time. */
#define OMEN_SPARE_BLOCKS	16

static uint32
om_pending_logical(int stripe, uint32 page)
{
	return (uint32) stripe * OMEN_MAX_STRIPE_PAGES + page;
}

/* A row that is to be appended, and what the metapage said about where. */
typedef struct OmenAppend
{
	Relation	index;
	OmenCache  *cache;
	bool		coded;			/* of the list */
	const OmenRowForm *form;
	char	   *row;			/* form->size bytes */
	uint32		owner;			/* of the list; 0: there is none */
	int			stripe;
	OmenStripe	known;			/* the stripe */
} OmenAppend;

static uint32
om_coded_row_checksum(const OmenCodedRow *row, uint32 width)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &row->tid.tid, sizeof(ItemPointerData));
	COMP_CRC32C(crc, &row->norm2, offsetof(OmenCodedRow, checksum) -
				offsetof(OmenCodedRow, norm2));
	COMP_CRC32C(crc, row->code, width);
	FIN_CRC32C(crc);
	return crc;
}

void
OmenCheckCodedRow(Relation index, BlockNumber block, const OmenCodedRow *row,
				  uint32 width)
{
	if (row->checksum != om_coded_row_checksum(row, width))
		OmenReportDamage(index, block,
						 "A row does not agree with its checksum.");
}

/* Make the row of a vector. */
static void
om_make_row(OmenAppend *append, ItemPointer tid, const void *elements)
{
	OmenCache  *cache = append->cache;
	OmenCodedRow *coded;
	OmenCodeInfo info;

	append->row = palloc0(append->form->size);
	((OmenTid *) append->row)->tid = *tid;
	if (!append->coded)
	{
		memcpy(OmenPendingRowVector(append->row), elements,
			   cache->layout.vector_size);
		return;
	}
	coded = (OmenCodedRow *) append->row;
	if (!OmenEncode(cache->quantizer, elements, coded->code, &info))
		elog(ERROR, "vector cannot be coded");
	coded->norm2 = info.norm2;
	coded->error = info.error;
	coded->excess = info.excess;
	coded->checksum = om_coded_row_checksum(coded, cache->frozen.width);
}

/* Put a row onto a page that has room. */
static void
om_put_row(const OmenAppend *append, Page page)
{
	OmenPendingHead *head = OmenPageGetPending(page);

	memcpy(OmenPageGetPendingRow(append->form, page, head->nrows),
		   append->row, append->form->size);
	head->nrows++;
	((PageHeader) page)->pd_lower += append->form->size;
}

/* A page's number among those that make up a row. */
static uint32
om_part(const OmenRowForm *form, Page page)
{
	return OmenPageGetSpecial(page)->logical % OMEN_MAX_STRIPE_PAGES %
		form->pages_per_row;
}

uint32
OmenPendingPageRows(Relation index, const OmenRowForm *form, Buffer buffer)
{
	Page		page = BufferGetPage(buffer);
	uint32		nrows = OmenPageGetPending(page)->nrows;
	Size		size;

	if (nrows > (om_part(form, page) == 0 ? form->rows_per_page : 0))
		OmenReportDamage(index, BufferGetBlockNumber(buffer),
						 "It has more rows than fit.");
	size = form->pages_per_row == 1 ? (Size) nrows * form->size :
		OmenPartSize(form->size, OMEN_PENDING_ROOM, om_part(form, page));
	OmenCheckContents(index, buffer, sizeof(OmenPendingHead) + size);
	return nrows;
}

/*
 * Try to append to the last page of the stripe.  False if there is no such
 * page, or it is full, or it was sealed.
 */
static bool
om_append_to_tail(const OmenAppend *append)
{
	const OmenStripe *known = &append->known;
	OmenRecord *record;
	Buffer		buffer;
	Page		page;

	if (known->tail == InvalidBlockNumber || append->form->pages_per_row > 1)
		return false;
	buffer = OmenReadBuffer(append->index, &append->cache->hints, known->tail,
							BUFFER_LOCK_EXCLUSIVE);
	page = BufferGetPage(buffer);
	if (!OmenPageIs(page, OMEN_PAGE_PENDING, append->owner,
					om_pending_logical(append->stripe, known->npages - 1)) ||
		(OmenPageGetSpecial(page)->flags & OMEN_PENDING_CLOSED) ||
		OmenPendingPageRows(append->index, append->form, buffer) ==
		append->form->rows_per_page)
	{
		UnlockReleaseBuffer(buffer);
		return false;
	}
	record = OmenStartRecord(append->index);
	page = OmenRecordPage(record, buffer, false);
	om_put_row(append, page);
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
om_begin_link(const OmenAppend *append, OmenMetaChange *change)
{
	OmenPendingData *pending;
	OmenStripe *data;

	OmenMetaBegin(append->index, change);
	pending = &change->meta->pending;
	data = &pending->stripes[append->stripe];
	if (pending->owner != append->owner || data->tail != append->known.tail ||
		data->npages >= OMEN_MAX_STRIPE_PAGES)
	{
		OmenMetaAbort(change);
		return NULL;
	}
	if (append->owner == 0)
	{
		pending->owner = change->meta->next_owner++;
		pending->coded = append->coded;
	}
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
 * Lock the last page of a stripe, which is to be linked to a new one, or
 * closed; InvalidBuffer if there is none.
 */
static Buffer
om_lock_tail(Relation index, const OmenRowForm *form, uint32 owner, int stripe,
			 const OmenStripe *data)
{
	Buffer		buffer;

	if (data->npages == 0)
		return InvalidBuffer;
	buffer = ReadBuffer(index, data->tail);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	if (!OmenPageIs(BufferGetPage(buffer), OMEN_PAGE_PENDING, owner,
					om_pending_logical(stripe, data->npages - 1)))
		OmenReportDamage(index, data->tail,
						 "It is not the last page of the pending list.");
	(void) OmenPendingPageRows(index, form, buffer);
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
om_append_page(const OmenAppend *append)
{
	OmenMetaChange change;
	OmenStripe *data;
	Buffer		buffer;
	Buffer		tail_buffer;
	Page		page;
	BlockNumber block;

	data = om_begin_link(append, &change);
	if (data == NULL)
		return false;
	block = om_take_block(&change);
	OMEN_FAULT_POINT("link-before-page");
	buffer = OmenOverwriteBuffer(append->index, block);
	page = OmenRecordPage(change.record, buffer, true);
	om_init_pending_page(page, change.meta->pending.owner, append->stripe,
						 data->npages);
	om_put_row(append, page);

	tail_buffer = om_lock_tail(append->index, append->form, append->owner,
							   append->stripe, data);
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
om_cut_row(const OmenAppend *append, char *pages)
{
	uint32		part;

	for (part = 0; part < append->form->pages_per_row; part++)
	{
		Page		page = pages + (Size) part * BLCKSZ;
		Size		size = OmenPartSize(append->form->size,
										OMEN_PENDING_ROOM, part);

		OmenPageGetPending(page)->nrows = part == 0 ? 1 : 0;
		memcpy((char *) OmenPageGetPending(page) + sizeof(OmenPendingHead),
			   append->row + part * OMEN_PENDING_ROOM, size);
		((PageHeader) page)->pd_lower += size;
	}
}

/*
 * Append the pages of one long row to the stripe.  False if the stripe is not
 * as the caller knew it any more.
 */
static bool
om_append_long(const OmenAppend *append)
{
	uint32		npages = append->form->pages_per_row;
	uint32		n = npages;		/* to be logged */
	char	   *pages = palloc(mul_size(npages + 1, BLCKSZ));
	Buffer	   *buffers = palloc(mul_size(npages + 1, sizeof(Buffer)));
	BlockNumber *blocks = palloc(mul_size(npages, sizeof(BlockNumber)));
	OmenMetaChange change;
	OmenStripe *data;
	uint32		i;

	data = om_begin_link(append, &change);
	if (data == NULL)
		return false;
	for (i = 0; i < npages; i++)
	{
		blocks[i] = om_take_block(&change);
		OMEN_FAULT_POINT("long-before-page");
		buffers[i] = OmenOverwriteBuffer(append->index, blocks[i]);
		om_init_pending_page(pages + (Size) i * BLCKSZ,
							 change.meta->pending.owner, append->stripe,
							 data->npages + i);
	}
	om_cut_row(append, pages);
	for (i = 0; i + 1 < npages; i++)
		OmenPageGetPending(pages + (Size) i * BLCKSZ)->next = blocks[i + 1];

	buffers[npages] = om_lock_tail(append->index, append->form, append->owner,
								   append->stripe, data);
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

/* Is a list that begins now to be of codes? */
static bool
om_wants_codes(const OmenMetaData *meta, const OmenLayout *layout)
{
	return meta->quantizer.owner != 0 &&
		layout->coded_rows.size < layout->vector_rows.size;
}

/* Look where to append, and make the row if it is not what that list is of. */
static void
om_prepare_append(OmenAppend *append, ItemPointer tid, const void *elements)
{
	OmenMetaData meta;
	const OmenPendingData *pending = &meta.pending;
	bool		coded;

	OmenReadMeta(append->index, &meta);
	append->cache = OmenGetCacheFor(append->index, &meta);
	append->owner = pending->owner;
	append->known = pending->stripes[append->stripe];
	coded = pending->owner != 0 ? pending->coded :
		om_wants_codes(&meta, &append->cache->layout);
	append->form = coded ? &append->cache->layout.coded_rows :
		&append->cache->layout.vector_rows;
	if (append->row != NULL && append->coded == coded)
		return;
	append->coded = coded;
	om_make_row(append, tid, elements);
}

bool
OmenAppendPending(Relation index, ItemPointer tid, const void *elements)
{
	OmenAppend	append = {0};

	append.index = index;
	append.stripe = MyProcPid % OMEN_MAX_STRIPES;
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		om_prepare_append(&append, tid, elements);
		OMEN_FAULT_POINT("append-before-lock");
		if (om_append_to_tail(&append))
			return false;
		if (append.form->pages_per_row > 1 ? om_append_long(&append) :
			om_append_page(&append))
			return true;
	}
}

uint64
OmenPendingRows(const OmenLayout *layout, const OmenPendingData *pending)
{
	const OmenRowForm *form = OmenPendingForm(layout, pending);
	uint64		npages = 0;
	int			i;

	for (i = 0; i < OMEN_MAX_STRIPES; i++)
		npages += pending->stripes[i].npages;
	return npages / form->pages_per_row * form->rows_per_page;
}

double
OmenPendingFill(const OmenLayout *layout, const OmenPendingData *pending)
{
	const OmenRowForm *form = OmenPendingForm(layout, pending);
	uint32		rows = OMEN_LIMIT_PAGES / form->pages_per_row *
		form->rows_per_page;

	return OmenPendingRows(layout, pending) /
		(double) Min(omen_pending_limit, Max(rows, OMEN_FLAT_ROWS));
}

double
OmenPendingPressure(const OmenLayout *layout, const OmenMetaData *meta)
{
	return OmenPendingFill(layout, &meta->pending) +
		OmenPendingFill(layout, &meta->sealed);
}

/*
 * Mark the last page of each stripe of the sealed list closed.  An earlier
 * producer may have died before it came to that, so some may be open.
 */
static void
om_close_pages(Relation index, const OmenPendingData *sealed)
{
	const OmenRowForm *form = OmenPendingForm(&OmenGetCache(index)->layout,
											  sealed);
	int			i;

	for (i = 0; i < OMEN_MAX_STRIPES; i++)
	{
		Buffer		buffer = om_lock_tail(index, form, sealed->owner, i,
										  &sealed->stripes[i]);
		OmenRecord *record;
		Page		page;

		if (!BufferIsValid(buffer))
			continue;
		page = BufferGetPage(buffer);
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
OmenSealPending(Relation index)
{
	OmenMetaChange change;
	OmenMetaData *meta;
	OmenPendingData sealed;

	OmenMetaBegin(index, &change);
	meta = change.meta;
	if (meta->sealed.owner == 0 && meta->pending.owner != 0)
	{
		meta->sealed = meta->pending;
		OmenEmptyPending(&meta->pending);
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
	if (sealed.owner != 0)
		om_close_pages(index, &sealed);
}

void
OmenStartPendingWalk(OmenPendingWalk *walk, const OmenLayout *layout,
					 const OmenPendingData *pending)
{
	memset(walk, 0, sizeof(OmenPendingWalk));
	walk->pending = pending;
	walk->form = OmenPendingForm(layout, pending);
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
	if (walk->block >= walk->nblocks)
		walk->nblocks = RelationGetNumberOfBlocks(index);
	if (walk->block >= walk->nblocks)
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
	walk->at = walk->block;
	walk->block = OmenPageGetPending(page)->next;
	walk->page++;
	walk->nread++;
	return buffer;
}

/*
 * Put together a row that begins on the page at hand, which is released.  NULL
 * if the list was retired.
 */
static OmenTid *
om_gather_row(Relation index, OmenCache *cache, OmenPendingWalk *walk,
			  bool *retired)
{
	const OmenRowForm *form = walk->form;
	uint32		part;

	if (walk->copy == NULL)
		walk->copy = palloc(form->size);
	for (part = 0; part < form->pages_per_row; part++)
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
			   OmenPageGetPendingRow(form, BufferGetPage(walk->buffer), 0),
			   OmenPartSize(form->size, OMEN_PENDING_ROOM, part));
		OmenEndPendingWalk(walk);
	}
	return (OmenTid *) walk->copy;
}

const OmenTid *
OmenNextPendingRow(Relation index, OmenCache *cache, OmenPendingWalk *walk,
				   bool *retired)
{
	const OmenRowForm *form = walk->form;

	*retired = false;
	for (;;)
	{
		while (BufferIsValid(walk->buffer) && walk->row < walk->nrows)
		{
			OmenTid    *row = OmenPageGetPendingRow(form,
													BufferGetPage(walk->buffer),
													walk->row++);

			if ((row->flags & OMEN_TID_DEAD) && !walk->dead_too)
				continue;
			return form->pages_per_row == 1 ? row :
				om_gather_row(index, cache, walk, retired);
		}
		OmenEndPendingWalk(walk);
		walk->buffer = OmenNextPendingPage(index, cache, walk,
										   BUFFER_LOCK_SHARE, retired);
		if (!BufferIsValid(walk->buffer))
			return NULL;
		walk->row = 0;
		walk->nrows = OmenPendingPageRows(index, form, walk->buffer);
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

	OmenStartPendingWalk(&walk, &cache->layout, pending);
	while ((buffer = OmenNextPendingPage(index, cache, &walk,
										 BUFFER_LOCK_SHARE,
										 &retired)) != InvalidBuffer)
	{
		Page		page = BufferGetPage(buffer);
		uint32		nrows = OmenPendingPageRows(index, walk.form, buffer);
		uint32		i;

		for (i = 0; i < nrows; i++)
			if (OmenPageGetPendingRow(walk.form, page, i)->flags &
				OMEN_TID_DEAD)
				counts->dead++;
		counts->rows += nrows;
		counts->pages++;
		UnlockReleaseBuffer(buffer);
	}
	return !retired;
}
