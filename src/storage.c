/*-------------------------------------------------------------------------
 *
 * storage.c
 *		Pages of an omen index: reading with checks, the metapage, space.
 *
 * Space is handed out as extents.  What is free is listed in the metapage;
 * meta->nblocks says how far the file is accounted for.  A crash between
 * extending the file and logging the metapage leaves blocks beyond nblocks,
 * which the next extension simply uses: nothing leaks.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xloginsert.h"
#include "catalog/pg_control.h"
#include "commands/tablespace.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "storage/buf_internals.h"
#include "storage/lmgr.h"
#include "storage/smgr.h"

#include "fault.h"
#include "storage.h"

/* Free extents of less than this share of what is wanted are left alone. */
#define OMEN_CRUMBS			64

/* Blocks by which the file grows under one lock of its extension. */
#define OMEN_EXTEND_STEP	512

/* After a miss, expect more for so many reads. */
#define OMEN_COLD_READS		64

void
OmenInitPage(Page page, OmenPageType type, uint32 owner, uint32 logical)
{
	OmenPageSpecial *special;

	PageInit(page, BLCKSZ, sizeof(OmenPageSpecial));
	special = OmenPageGetSpecial(page);
	special->owner = owner;
	special->logical = logical;
	special->type = type;
	special->page_id = OMEN_PAGE_ID;
}

static uint32
om_crc(const void *data, Size size)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, data, size);
	FIN_CRC32C(crc);
	return crc;
}

uint16
OmenPageChecksum(Page page)
{
	Size		lower = ((PageHeader) page)->pd_lower;
	uint32		crc;

	crc = om_crc(PageGetContents(page),
				 Min(lower, BLCKSZ) - Min(lower, SizeOfPageHeaderData));
	return (uint16) (crc ^ crc >> 16);
}

void
OmenSealPage(Page page)
{
	OmenPageGetSpecial(page)->checksum = OmenPageChecksum(page);
}

bool
OmenPageIs(Page page, OmenPageType type, uint32 owner, uint32 logical)
{
	OmenPageSpecial *special = OmenPageGetSpecial(page);

	return special->page_id == OMEN_PAGE_ID && special->type == type &&
		special->owner == owner && special->logical == logical;
}

void
OmenReportDamage(Relation index, BlockNumber block, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INDEX_CORRUPTED),
			 errmsg("index \"%s\" contains corrupted page at block %u",
					RelationGetRelationName(index), block),
			 errdetail("%s", what),
			 errhint("Please REINDEX it.")));
}

void
OmenCheckContents(Relation index, Buffer buffer, Size size)
{
	PageHeader	header = (PageHeader) BufferGetPage(buffer);

	if (header->pd_lower != SizeOfPageHeaderData + size ||
		header->pd_upper != SizeOfPageHeaderData + OMEN_PAGE_ROOM ||
		header->pd_special != header->pd_upper)
		OmenReportDamage(index, BufferGetBlockNumber(buffer),
						 "Its header does not agree with its contents.");
}

/*
 * ReadRecentBuffer does not raise a buffer's usage count, and the hottest pages
 * would be the first to be evicted.  A backend that has a pin may raise it, by
 * compare-and-exchange while the header is not locked, as PinBuffer does.  If
 * another backend comes in between, the buffer is in use, and that will do.
 */
static inline void
om_count_usage(Buffer buffer)
{
	BufferDesc *desc = GetBufferDescriptor(buffer - 1);
	uint32		state = pg_atomic_read_u32(&desc->state);

	if (!(state & BM_LOCKED) &&
		BUF_STATE_GET_USAGECOUNT(state) < BM_MAX_USAGE_COUNT)
		(void) pg_atomic_compare_exchange_u32(&desc->state, &state,
											  state + BUF_USAGECOUNT_ONE);
}

/*
 * ReadBuffer costs four dependent cache misses for a page that is in shared
 * buffers; ReadRecentBuffer, given the right buffer, costs two.  It compares
 * the buffer's tag, so a hint need not be right.
 */
Buffer
OmenReadBuffer(Relation index, OmenHints *hints, BlockNumber block, int mode)
{
	OmenHint   *hint = &hints->hints[block & (hints->nhints - 1)];
	Buffer		buffer = hint->buffer;

	if (hint->block != block || !BufferIsValid(buffer) ||
		BufferIsLocal(buffer) || !OmenReadRecentBuffer(index, block, buffer))
	{
		/* A page that was there and is gone: others will be gone too. */
		bool		was_there = hint->block == block && BufferIsValid(buffer);

		buffer = ReadBuffer(index, block);
		if (was_there && buffer != hint->buffer)
			hints->cold = OMEN_COLD_READS;
		hint->block = block;
		hint->buffer = buffer;
	}
	else
	{
		om_count_usage(buffer);
		if (hints->cold > 0)
			hints->cold--;
	}
	LockBuffer(buffer, mode);
	return buffer;
}

void
OmenPrefetch(Relation index, OmenHints *hints, BlockNumber block,
			 uint32 offset, uint32 size)
{
	OmenHint   *hint = &hints->hints[block & (hints->nhints - 1)];
	char	   *page;
	uint32		i;

	if (hint->block != block || !BufferIsValid(hint->buffer) ||
		hints->cold > 0)
	{
		PrefetchBufferResult result = PrefetchBuffer(index, MAIN_FORKNUM,
													 block);

		if (!BufferIsValid(result.recent_buffer))
		{
			hints->cold = OMEN_COLD_READS;
			return;
		}
		hint->block = block;
		hint->buffer = result.recent_buffer;
	}
	if (BufferIsLocal(hint->buffer))
		return;
	page = (char *) BufferGetPage(hint->buffer);
	__builtin_prefetch(GetBufferDescriptor(hint->buffer - 1));
	__builtin_prefetch(OmenPageGetSpecial(page));
	for (i = 0; i < size; i += OMEN_CACHE_LINE)
		__builtin_prefetch(page + offset + i);
}

/*
 * Make the file at least nblocks long, with zeros, or with a hole before the
 * last block.  No buffer has these blocks
 * yet, so it can be done below the buffer manager, as hash indexes do when they
 * double.  The extension lock is taken for form: everybody who extends an omen
 * index holds the metapage's lock, or owns the blocks.
 */
static void
om_extend_to(Relation index, BlockNumber nblocks, bool hole)
{
	BlockNumber block;

	LockRelationForExtension(index, ExclusiveLock);
	block = RelationGetNumberOfBlocks(index);
	OMEN_FAULT_POINT("extend-before");
	if (block < nblocks)
		OmenZeroExtend(index, hole ? nblocks - 1 : block, nblocks);
	OMEN_FAULT_POINT("extend-after");
	UnlockRelationForExtension(index, ExclusiveLock);
}

Buffer
OmenOverwriteBuffer(Relation index, BlockNumber block)
{
	if (block >= RelationGetNumberOfBlocks(index))
		om_extend_to(index, block + 1, false);
	return ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_ZERO_AND_LOCK,
							  NULL);
}

/*
 * A metapage has two checksums: of what shapes pages and codes, which is
 * short, and compared whenever the page is read; and of what lists segments,
 * pending pages and free space, compared before it is changed, since blocks
 * that are wrongly taken for free would be overwritten.
 */
static void
om_seal_meta(OmenMetaData *meta)
{
	meta->checksum = om_crc(&meta->frozen, OMEN_FROZEN_SIZE);
	meta->list_checksum = om_crc(&meta->nblocks, OMEN_LISTS_SIZE);
}

void
OmenCreateMeta(Relation index, ForkNumber fork, const OmenFrozen *frozen)
{
	Buffer		buffer;
	OmenRecord *record;
	Page		page;
	OmenMetaData *meta;

	LockRelationForExtension(index, ExclusiveLock);
	buffer = ReadBufferExtended(index, fork, P_NEW, RBM_NORMAL, NULL);
	UnlockRelationForExtension(index, ExclusiveLock);
	OMEN_FAULT_POINT("create-meta-before");
	Assert(BufferGetBlockNumber(buffer) == OMEN_METAPAGE);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);

	/*
	 * The init fork of an unlogged index must be WAL-logged although the
	 * index is not: after a crash it is all that is left.
	 */
	if (fork == INIT_FORKNUM)
	{
		record = NULL;
		page = BufferGetPage(buffer);
	}
	else
	{
		record = OmenStartRecord(index);
		page = OmenRecordPage(record, buffer, true);
	}

	OmenInitPage(page, OMEN_PAGE_META, 0, 0);
	meta = OmenPageGetMeta(page);
	memset(meta, 0, sizeof(OmenMetaData));
	meta->magic = OMEN_MAGIC;
	meta->version = OMEN_VERSION;
	meta->frozen = *frozen;
	meta->next_owner = 1;
	meta->nblocks = 1;
	OmenEmptyPending(&meta->pending);
	OmenEmptyPending(&meta->sealed);
	om_seal_meta(meta);
	((PageHeader) page)->pd_lower += sizeof(OmenMetaData);

	if (record != NULL)
		OmenFinishRecord(record);
	else
	{
		START_CRIT_SECTION();
		MarkBufferDirty(buffer);
		log_newpage_buffer(buffer, true);
		END_CRIT_SECTION();
	}
	OMEN_FAULT_POINT("create-meta-after");
	UnlockReleaseBuffer(buffer);
}

/*
 * Do extents lie within what the file is accounted for?  Gives the sum of their
 * blocks.
 */
static bool
om_extents_possible(const OmenMetaData *meta, const OmenExtent *extents,
					uint32 n, uint64 *nblocks)
{
	uint32		i;

	*nblocks = 0;
	for (i = 0; i < n; i++)
	{
		if (extents[i].start == OMEN_METAPAGE ||
			extents[i].start >= meta->nblocks ||
			extents[i].nblocks > meta->nblocks - extents[i].start)
			return false;
		*nblocks += extents[i].nblocks;
	}
	return true;
}

/* Can a segment have these sizes, in pages that are filled at best? */
static bool
om_segment_possible(const OmenMetaData *meta, const OmenSegmentData *segment)
{
	uint64		nblocks;

	return segment->nextents <= OMEN_MAX_SEGMENT_EXTENTS &&
		om_extents_possible(meta, segment->extents, segment->nextents,
							&nblocks) &&
		segment->nnodes > 0 &&
		segment->nnodes <= nblocks * (OMEN_PAGE_ROOM / sizeof(OmenSlotHead)) &&
		segment->ntids >= segment->nnodes &&
		segment->ntids <= nblocks * OMEN_TIDS_PER_PAGE &&
		segment->ndirectory > 0 && segment->ndirectory <= segment->nnodes;
}

static bool
om_list_possible(const OmenMetaData *meta, const OmenPendingData *list)
{
	uint64		npages = 0;
	int			i;

	if (list->coded > (meta->quantizer.owner != 0 ? 1 : 0))
		return false;
	for (i = 0; i < OMEN_MAX_STRIPES; i++)
	{
		const OmenStripe *stripe = &list->stripes[i];

		if (stripe->npages > 0 &&
			(stripe->head >= meta->nblocks || stripe->tail >= meta->nblocks))
			return false;
		npages += stripe->npages;
	}
	return npages < (list->owner == 0 ? 1 : meta->nblocks);
}

/*
 * Check a metapage.  What is wrong here would cost memory, disk space or time
 * without bounds before a page that is not there, or is another one, is met;
 * and nothing else in this extension looks at the counts again.
 */
static void
om_check_meta(Relation index, Buffer buffer)
{
	Page		page = BufferGetPage(buffer);
	OmenMetaData *meta = OmenPageGetMeta(page);
	uint64		nblocks;
	uint32		i;

	if (!OmenPageIs(page, OMEN_PAGE_META, 0, 0) || meta->magic != OMEN_MAGIC)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" has no valid omen metapage",
						RelationGetRelationName(index)),
				 errhint("Please REINDEX it.")));
	if (meta->version < OMEN_MIN_VERSION || meta->version > OMEN_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" has format version %u, but this omenvec supports versions %d to %d",
						RelationGetRelationName(index), meta->version,
						OMEN_MIN_VERSION, OMEN_VERSION),
				 errhint("Please REINDEX it.")));
	OmenCheckContents(index, buffer, sizeof(OmenMetaData));
	if (meta->checksum != om_crc(&meta->frozen, OMEN_FROZEN_SIZE))
		OmenReportDamage(index, OMEN_METAPAGE,
						 "Its parameters do not agree with their checksum.");
	if (meta->nsegments > OMEN_MAX_SEGMENTS || meta->nfree > OMEN_MAX_FREE ||
		meta->nreserved > OMEN_MAX_SEGMENT_EXTENTS)
		OmenReportDamage(index, OMEN_METAPAGE, "A list is too long.");
	if (!om_extents_possible(meta, meta->free, meta->nfree, &nblocks) ||
		!om_extents_possible(meta, meta->reserved, meta->nreserved,
							 &nblocks) ||
		!om_extents_possible(meta, &meta->spare,
							 meta->spare.nblocks > 0 ? 1 : 0, &nblocks))
		OmenReportDamage(index, OMEN_METAPAGE,
						 "Free space is not where it can be.");
	for (i = 0; i < meta->nsegments; i++)
		if (!om_segment_possible(meta, &meta->segments[i]))
			OmenReportDamage(index, OMEN_METAPAGE,
							 "A segment has impossible sizes.");
	if (!om_list_possible(meta, &meta->pending) ||
		!om_list_possible(meta, &meta->sealed))
		OmenReportDamage(index, OMEN_METAPAGE,
						 "A pending list is not possible.");
}

void
OmenReadMeta(Relation index, OmenMetaData *meta)
{
	Buffer		buffer = ReadBuffer(index, OMEN_METAPAGE);

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	om_check_meta(index, buffer);
	memcpy(meta, OmenPageGetMeta(BufferGetPage(buffer)), sizeof(OmenMetaData));
	UnlockReleaseBuffer(buffer);
}

void
OmenMetaBegin(Relation index, OmenMetaChange *change)
{
	change->index = index;
	change->buffer = ReadBuffer(index, OMEN_METAPAGE);
	LockBuffer(change->buffer, BUFFER_LOCK_EXCLUSIVE);
	om_check_meta(index, change->buffer);
	change->record = OmenStartRecord(index);
	change->meta = OmenPageGetMeta(OmenRecordPage(change->record,
												  change->buffer, false));
	if (change->meta->list_checksum !=
		om_crc(&change->meta->nblocks, OMEN_LISTS_SIZE))
		OmenReportDamage(index, OMEN_METAPAGE,
						 "Its lists do not agree with their checksum.");
}

void
OmenMetaCommit(OmenMetaChange *change)
{
	om_seal_meta(change->meta);
	OMEN_FAULT_POINT("meta-before-wal");
	OmenFinishRecord(change->record);
	OMEN_FAULT_POINT("meta-after-wal");
	UnlockReleaseBuffer(change->buffer);
	OMEN_FAULT_POINT("meta-unlocked");
}

/*
 * A record of changes has four pages at most, so this is one of images.  Replay
 * restores them one by one in this order, the metapage last: a reader on a
 * standby that sees the new metapage finds the pages that it names.
 */
void
OmenMetaCommitImages(OmenMetaChange *change, int n, const Buffer *buffers,
					 const char *pages)
{
	PGAlignedBlock meta;
	XLogRecPtr	record;
	int			i;

	om_seal_meta(change->meta);
	memcpy(meta.data, (char *) change->meta - MAXALIGN(SizeOfPageHeaderData),
		   BLCKSZ);
	OMEN_FAULT_POINT("images-before-wal");
	if (RelationNeedsWAL(change->index))
		XLogEnsureRecordSpace(n, 0);

	START_CRIT_SECTION();
	for (i = 0; i < n; i++)
	{
		memcpy(BufferGetPage(buffers[i]), pages + (Size) i * BLCKSZ, BLCKSZ);
		MarkBufferDirty(buffers[i]);
	}
	memcpy(BufferGetPage(change->buffer), meta.data, BLCKSZ);
	MarkBufferDirty(change->buffer);
	if (RelationNeedsWAL(change->index))
	{
		XLogBeginInsert();
		for (i = 0; i < n; i++)
			XLogRegisterBuffer(i, buffers[i],
							   REGBUF_FORCE_IMAGE | REGBUF_STANDARD);
		XLogRegisterBuffer(n, change->buffer,
						   REGBUF_FORCE_IMAGE | REGBUF_STANDARD);
		record = XLogInsert(RM_XLOG_ID, XLOG_FPI);
		for (i = 0; i < n; i++)
			PageSetLSN(BufferGetPage(buffers[i]), record);
		PageSetLSN(BufferGetPage(change->buffer), record);
	}
	END_CRIT_SECTION();
	UnlockReleaseBuffer(change->buffer);
	OMEN_FAULT_POINT("images-unlocked");
}

void
OmenMetaAbort(OmenMetaChange *change)
{
	UnlockReleaseBuffer(change->buffer);
}

/* Take n blocks from the start of a free extent. */
static OmenExtent
om_take_from(OmenMetaData *meta, uint32 i, uint32 n)
{
	OmenExtent *free = &meta->free[i];
	OmenExtent	result = {free->start, n};

	free->start += n;
	free->nblocks -= n;
	if (free->nblocks == 0)
	{
		memmove(free, free + 1, (meta->nfree - i - 1) * sizeof(OmenExtent));
		meta->nfree--;
	}
	return result;
}

/*
 * The first free extent of n blocks; failing that, the largest; meta->nfree if
 * nothing is free.
 */
static uint32
om_find_free(const OmenMetaData *meta, uint32 n)
{
	uint32		best = meta->nfree;
	uint32		i;

	for (i = 0; i < meta->nfree; i++)
	{
		if (meta->free[i].nblocks >= n)
			return i;
		if (best == meta->nfree ||
			meta->free[i].nblocks > meta->free[best].nblocks)
			best = i;
	}
	return best;
}

uint32
OmenTakeFree(OmenMetaData *meta, uint32 n, OmenExtent *extents,
			 uint32 *nextents, uint32 max)
{
	uint32		least = n / OMEN_CRUMBS;

	while (n > 0)
	{
		uint32		i = om_find_free(meta, n);
		uint32		size = i < meta->nfree ? Min(n, meta->free[i].nblocks) : 0;

		if (size == 0 || size < Min(n, least) ||
			!OmenAppendExtent(extents, nextents, max,
							  (OmenExtent) {meta->free[i].start, size}))
			break;
		(void) om_take_from(meta, i, size);
		n -= size;
	}
	return n;
}

bool
OmenTakeRange(OmenMetaData *meta, OmenExtent range)
{
	uint32		i = 0;
	OmenExtent	before;

	while (i < meta->nfree &&
		   meta->free[i].start + meta->free[i].nblocks <= range.start)
		i++;
	if (i == meta->nfree || range.start < meta->free[i].start ||
		meta->free[i].start + meta->free[i].nblocks <
		range.start + range.nblocks)
		return false;
	before = om_take_from(meta, i, range.start - meta->free[i].start);
	(void) om_take_from(meta, i, range.nblocks);
	OmenFreeExtent(meta, before);
	return true;
}

OmenExtent
OmenTakeExtent(OmenMetaChange *change, uint32 n)
{
	OmenMetaData *meta = change->meta;
	uint32		i = om_find_free(meta, n);

	if (i == meta->nfree || meta->free[i].nblocks < (n + 1) / 2)
		return OmenExtendFile(change, n);
	return om_take_from(meta, i, Min(n, meta->free[i].nblocks));
}

void
OmenExtendAhead(Relation index, BlockNumber nblocks, uint32 n)
{
	BlockNumber end = nblocks + Min(n, MaxBlockNumber - nblocks);

	while (nblocks < end)
	{
		CHECK_FOR_INTERRUPTS();
		nblocks += Min(OMEN_EXTEND_STEP, end - nblocks);
		om_extend_to(index, nblocks, false);
	}
}

/*
 * After a crash of the system the file may be shorter than it is accounted
 * for, but not by more than was free or reserved.
 */
static void
om_check_length(Relation index, const OmenMetaData *meta)
{
	BlockNumber length = RelationGetNumberOfBlocks(index);
	uint64		unused;
	uint64		nblocks;

	if (length >= meta->nblocks)
		return;
	(void) om_extents_possible(meta, meta->free, meta->nfree, &unused);
	(void) om_extents_possible(meta, meta->reserved, meta->nreserved,
							   &nblocks);
	unused += nblocks + meta->spare.nblocks;
	if (meta->nblocks - length > unused)
		OmenReportDamage(index, OMEN_METAPAGE,
						 "The file is shorter than it should be.");
}

static OmenExtent
om_take_end(OmenMetaChange *change, uint32 n, bool hole)
{
	OmenMetaData *meta = change->meta;
	OmenExtent	result;

	if (n > MaxBlockNumber - meta->nblocks)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("index \"%s\" has reached the largest possible size",
						RelationGetRelationName(change->index))));
	om_check_length(change->index, meta);
	om_extend_to(change->index, meta->nblocks + n, hole);
	result.start = meta->nblocks;
	result.nblocks = n;
	meta->nblocks += n;
	return result;
}

OmenExtent
OmenExtendFile(OmenMetaChange *change, uint32 n)
{
	return om_take_end(change, n, false);
}

OmenExtent
OmenTakeHole(OmenMetaChange *change, uint32 n)
{
	return om_take_end(change, n, true);
}

/*
 * The free list is sorted by block, and neighbours are merged.  If it is full
 * (which takes 256 gaps), the smallest gap is given up; its blocks stay unused
 * until the index is rebuilt.
 */
void
OmenFreeExtent(OmenMetaData *meta, OmenExtent extent)
{
	OmenExtent *free = meta->free;
	uint32		i = 0;

	if (extent.nblocks == 0)
		return;
	while (i < meta->nfree && free[i].start < extent.start)
		i++;
	if (i > 0 && free[i - 1].start + free[i - 1].nblocks == extent.start)
	{
		i--;
		free[i].nblocks += extent.nblocks;
	}
	else
	{
		if (meta->nfree == OMEN_MAX_FREE)
		{
			uint32		j,
						smallest = 0;

			for (j = 1; j < meta->nfree; j++)
				if (free[j].nblocks < free[smallest].nblocks)
					smallest = j;
			if (free[smallest].nblocks >= extent.nblocks)
				return;
			memmove(&free[smallest], &free[smallest + 1],
					(meta->nfree - smallest - 1) * sizeof(OmenExtent));
			meta->nfree--;
			if (smallest < i)
				i--;
		}
		memmove(&free[i + 1], &free[i],
				(meta->nfree - i) * sizeof(OmenExtent));
		free[i] = extent;
		meta->nfree++;
	}
	if (i + 1 < meta->nfree &&
		free[i].start + free[i].nblocks == free[i + 1].start)
	{
		free[i].nblocks += free[i + 1].nblocks;
		memmove(&free[i + 1], &free[i + 2],
				(meta->nfree - i - 2) * sizeof(OmenExtent));
		meta->nfree--;
	}
}

bool
OmenAppendExtent(OmenExtent *extents, uint32 *nextents, uint32 max,
				 OmenExtent extent)
{
	OmenExtent *last = *nextents > 0 ? &extents[*nextents - 1] : NULL;

	if (last != NULL && last->start + last->nblocks == extent.start)
		last->nblocks += extent.nblocks;
	else if (*nextents == max)
		return false;
	else
		extents[(*nextents)++] = extent;
	return true;
}

BlockNumber
OmenExtentBlock(const OmenExtent *extents, uint32 nextents, uint32 logical)
{
	uint32		i;

	for (i = 0; i < nextents; i++)
	{
		if (logical < extents[i].nblocks)
			return extents[i].start + logical;
		logical -= extents[i].nblocks;
	}
	return InvalidBlockNumber;
}

void
OmenLogExtent(Relation index, OmenExtent extent)
{
	OMEN_FAULT_POINT("log-before");
	if (RelationNeedsWAL(index))
	{
		log_newpage_range(index, MAIN_FORKNUM, extent.start,
						  extent.start + extent.nblocks, true);
		XLogFlush(XactLastRecEnd);
	}
	OMEN_FAULT_POINT("log-after");
}

/*
 * While a page lock is held, no other heavyweight lock may be taken (but for
 * extending a relation), so what a producer wants to know from catalogs is
 * looked up before: where temporary files go.
 */
void
OmenLockProducer(Relation index)
{
	PrepareTempTablespaces();
	LockPage(index, OMEN_METAPAGE, ExclusiveLock);
}

bool
OmenTryLockProducer(Relation index)
{
	PrepareTempTablespaces();
	return ConditionalLockPage(index, OMEN_METAPAGE, ExclusiveLock);
}

void
OmenUnlockProducer(Relation index)
{
	UnlockPage(index, OMEN_METAPAGE, ExclusiveLock);
}
