/*-------------------------------------------------------------------------
 *
 * shrink.c
 *		Giving space back to the file system.
 *
 * A merge needs the space of the old segments and of the new one at once, so a
 * file is at times twice as large as what it holds.  VACUUM makes it smaller:
 * it moves pages from the end into the free space before, and cuts off the end.
 *
 * A page that is moved keeps its name (owner and logical number), and the old
 * copy stays what it is until the block is used again; so readers may use
 * either, and find out as ever if a block belongs to somebody else by then
 * (OmenCheckRetired).  Pages do not change meanwhile: dead bits are set under
 * the producer lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/storage.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "fault.h"
#include "shrink.h"
#include "watch.h"

/* A file is sparse if one block of so many is free. */
#define OMEN_SPARSE			8

/* Blocks moved in one step, and the fewest that are worth an extent. */
#define OMEN_MOVE_STEP		1024
#define OMEN_MIN_MOVE		16

/* The fewest blocks to cut off. */
#define OMEN_MIN_TRUNCATE	64

/* How often, and how long apart, to try for the lock. */
#define OMEN_LOCK_TRIES		10
#define OMEN_LOCK_WAIT_MS	50

/* Some blocks at the end of an extent of a segment, and their new place. */
typedef struct OmenMove
{
	uint32		segment;		/* positions in the metapage's arrays */
	uint32		extent;
	OmenExtent	from;
	OmenExtent	to;
	uint32		logical;		/* number of the first page */
} OmenMove;

static BlockNumber
om_end(OmenExtent extent)
{
	return extent.start + extent.nblocks;
}

bool
OmenIsSparse(const OmenMetaData *meta)
{
	uint64		nfree = 0;
	uint32		i;

	for (i = 0; i < meta->nfree; i++)
		nfree += meta->free[i].nblocks;
	return nfree >= OMEN_MIN_TRUNCATE && nfree * OMEN_SPARSE >= meta->nblocks;
}

/* Where the free space at the end of the file begins. */
static BlockNumber
om_used_end(const OmenMetaData *meta)
{
	if (meta->nfree > 0 && om_end(meta->free[meta->nfree - 1]) == meta->nblocks)
		return meta->free[meta->nfree - 1].start;
	return meta->nblocks;
}

/* The extent that ends there, if a segment has it. */
static bool
om_find_extent(const OmenMetaData *meta, BlockNumber end, OmenMove *move)
{
	uint32		s,
				e;

	for (s = 0; s < meta->nsegments; s++)
	{
		const OmenSegmentData *segment = &meta->segments[s];
		uint32		logical = 0;

		for (e = 0; e < segment->nextents; e++)
		{
			logical += segment->extents[e].nblocks;
			if (om_end(segment->extents[e]) != end)
				continue;
			move->segment = s;
			move->extent = e;
			move->from = segment->extents[e];
			move->logical = logical;
			return true;
		}
	}
	return false;
}

/*
 * The next step: of the last extent in the file the last blocks, to the first
 * free space that is large enough.  They are put where all of them would end,
 * so that several steps give one extent.
 */
static bool
om_plan_move(const OmenMetaData *meta, OmenMove *move)
{
	const OmenExtent *from = &move->from;
	bool		splits;
	uint32		i;

	if (!OmenIsSparse(meta) ||
		!om_find_extent(meta, om_used_end(meta), move))
		return false;
	splits = meta->segments[move->segment].nextents <
		OMEN_MAX_SEGMENT_EXTENTS;
	for (i = 0; i < meta->nfree && meta->free[i].start < from->start; i++)
	{
		uint32		n = Min(meta->free[i].nblocks, from->nblocks);
		uint32		step = splits ? Min(n, OMEN_MOVE_STEP) : n;

		/* A part of an extent is one more, and should be worth it. */
		if (n < from->nblocks && (n < OMEN_MIN_MOVE || !splits))
			continue;
		move->to.start = meta->free[i].start + n - step;
		move->to.nblocks = step;
		move->from.start = om_end(*from) - step;
		move->from.nblocks = step;
		move->logical -= step;
		return true;
	}
	return false;
}

/*
 * Take the new place from the free list, as a reservation.  False if an
 * inserter has taken some of it meanwhile.
 */
static bool
om_reserve_place(Relation index, const OmenMove *move)
{
	OmenMetaChange change;

	OmenMetaBegin(index, &change);
	if (!OmenTakeRange(change.meta, move->to))
	{
		OmenMetaAbort(&change);
		return false;
	}
	change.meta->reserved[0] = move->to;
	change.meta->nreserved = 1;
	OMEN_FAULT_POINT("move-before-reserve");
	OmenMetaCommit(&change);
	OMEN_FAULT_POINT("move-after-reserve");
	return true;
}

static void
om_copy_pages(Relation index, const OmenMove *move, uint32 owner)
{
	uint32		i;

	for (i = 0; i < move->from.nblocks; i++)
	{
		PGAlignedBlock copy;
		OmenPageSpecial *special = OmenPageGetSpecial(copy.data);
		Buffer		buffer;

		OmenVacuumDelayPoint();
		buffer = ReadBuffer(index, move->from.start + i);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		memcpy(copy.data, BufferGetPage(buffer), BLCKSZ);
		UnlockReleaseBuffer(buffer);
		if (special->page_id != OMEN_PAGE_ID || special->owner != owner ||
			special->logical != move->logical + i)
			OmenReportDamage(index, move->from.start + i,
							 "It does not belong to its segment.");
		buffer = OmenOverwriteBuffer(index, move->to.start + i);
		memcpy(BufferGetPage(buffer), copy.data, BLCKSZ);
		MarkBufferDirty(buffer);
		UnlockReleaseBuffer(buffer);
	}
	OmenLogExtent(index, move->to);
}

/* The extents of a segment after a move. */
static void
om_replace_extents(OmenSegmentData *segment, const OmenMove *move)
{
	OmenExtent	extents[OMEN_MAX_SEGMENT_EXTENTS];
	uint32		nextents = segment->nextents;
	bool		fits = true;
	uint32		i;

	memcpy(extents, segment->extents, sizeof(extents));
	segment->nextents = 0;
	for (i = 0; i < nextents; i++)
	{
		OmenExtent	extent = extents[i];

		if (i == move->extent)
			extent.nblocks -= move->from.nblocks;
		if (extent.nblocks > 0)
			fits = fits && OmenAppendExtent(segment->extents,
											&segment->nextents,
											OMEN_MAX_SEGMENT_EXTENTS, extent);
		if (i == move->extent)
			fits = fits && OmenAppendExtent(segment->extents,
											&segment->nextents,
											OMEN_MAX_SEGMENT_EXTENTS,
											move->to);
	}
	if (!fits)
		elog(ERROR, "too many extents in a segment");
}

static void
om_publish_move(Relation index, const OmenMove *move)
{
	OmenMetaChange change;

	OmenMetaBegin(index, &change);
	om_replace_extents(&change.meta->segments[move->segment], move);
	OmenFreeExtent(change.meta, move->from);
	change.meta->nreserved = 0;
	OMEN_FAULT_POINT("move-before-publish");
	OmenMetaCommit(&change);
	OMEN_FAULT_POINT("move-after-publish");
}

/* The pending list's store of blocks may lie at the end; it can do without. */
static void
om_give_back_spare(Relation index)
{
	OmenMetaChange change;

	OmenMetaBegin(index, &change);
	OmenFreeExtent(change.meta, change.meta->spare);
	change.meta->spare.nblocks = 0;
	OmenMetaCommit(&change);
}

void
OmenMoveDown(Relation index)
{
	OmenMetaData *meta = palloc(sizeof(OmenMetaData));
	OmenWatch	watch;
	OmenMove	move;
	uint32		moved = 0;

	OmenReadMeta(index, meta);
	if (OmenIsSparse(meta))
	{
		om_give_back_spare(index);
		OmenReadMeta(index, meta);
	}
	OmenStartWatch(index, &watch);
	while (om_plan_move(meta, &move) && !OmenSomebodyWaits(&watch))
	{
		CHECK_FOR_INTERRUPTS();
		if (om_reserve_place(index, &move))
		{
			om_copy_pages(index, &move, meta->segments[move.segment].owner);
			om_publish_move(index, &move);
			moved += move.to.nblocks;
		}
		OmenReadMeta(index, meta);
	}
	if (moved > 0)
		elog(DEBUG1, "moved %u pages of index \"%s\"", moved,
			 RelationGetRelationName(index));
	pfree(meta);
}

/* Is there enough at the end to be worth the lock? */
static bool
om_can_truncate(const OmenMetaData *meta)
{
	BlockNumber nblocks = meta->nblocks - om_used_end(meta);

	return nblocks >= OMEN_MIN_TRUNCATE &&
		(uint64) nblocks * OMEN_SPARSE >= meta->nblocks;
}

/*
 * Nobody may read or write the index while its file gets shorter, since others
 * may remember how long it was.  Do not wait long, and never in the queue.
 */
static bool
om_lock_for_truncate(Relation index)
{
	int			tries = 0;

	while (!ConditionalLockRelation(index, AccessExclusiveLock))
	{
		if (++tries == OMEN_LOCK_TRIES)
			return false;
		WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
				  OMEN_LOCK_WAIT_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return true;
}

/*
 * The metapage comes first: a crash in between leaves blocks at the end that
 * are not accounted for, as after any extension of the file.
 */
void
OmenTruncate(Relation index)
{
	OmenMetaData *meta = palloc(sizeof(OmenMetaData));
	OmenMetaChange change;
	BlockNumber end;

	OmenReadMeta(index, meta);

	/* On a primary the lock takes a transaction ID, which workers cannot. */
	if (om_can_truncate(meta) && !IsInParallelMode() &&
		om_lock_for_truncate(index))
	{
		OmenMetaBegin(index, &change);
		end = om_used_end(change.meta);
		if (end < change.meta->nblocks)
			change.meta->nfree--;
		change.meta->nblocks = end;
		OMEN_FAULT_POINT("truncate-before-wal");
		OmenMetaCommit(&change);
		OMEN_FAULT_POINT("truncate-after-wal");
		if (RelationGetNumberOfBlocks(index) > end)
			RelationTruncate(index, end);
		elog(DEBUG1, "truncated index \"%s\" to %u pages",
			 RelationGetRelationName(index), end);
		UnlockRelation(index, AccessExclusiveLock);
	}
	pfree(meta);
}
