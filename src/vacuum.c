/*-------------------------------------------------------------------------
 *
 * vacuum.c
 *		VACUUM: dead bits, and rewriting of segments with many of them.
 *
 * Only TID pages and pending pages are read: 8 bytes a row of a segment.  A
 * dead row's node stays in the graph, to be walked through, until its segment
 * is built again without it.
 *
 * All is done under the producer lock, so that no row moves from the pending
 * list into a segment meanwhile, and the callback is called for every row.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "commands/vacuum.h"

#include "compact.h"
#include "compat.h"
#include "fault.h"
#include "omen.h"
#include "pending.h"
#include "shrink.h"

/* State of one pass. */
typedef struct OmenVacuum
{
	Relation	index;
	OmenCache  *cache;
	IndexBulkDeleteCallback callback;
	void	   *callback_state;
	IndexBulkDeleteResult *stats;
} OmenVacuum;

/*
 * Mark the dead among n TIDs of a page that is locked exclusively; "stride"
 * is the distance from one to the next in bytes.  Sets *ndead to the number of
 * TIDs that are dead now.
 */
static void
om_mark_page(OmenVacuum *vacuum, Buffer buffer, Size offset, Size stride,
			 uint32 n, uint32 *ndead)
{
	Page		page = BufferGetPage(buffer);
	OmenRecord *record = NULL;
	uint32		i;

	*ndead = 0;
	for (i = 0; i < n; i++)
	{
		OmenTid    *entry = (OmenTid *) (page + offset + i * stride);

		if (!(entry->flags & OMEN_TID_DEAD))
		{
			/* Callbacks take it for granted that it is one. */
			if (!ItemPointerIsValid(&entry->tid))
				OmenReportDamage(vacuum->index, BufferGetBlockNumber(buffer),
								 "A TID is none.");
			if (!vacuum->callback(&entry->tid, vacuum->callback_state))
			{
				vacuum->stats->num_index_tuples++;
				continue;
			}
			if (record == NULL)
			{
				/* From here on, "page" is the copy that will be logged. */
				record = OmenStartRecord(vacuum->index);
				page = OmenRecordPage(record, buffer, false);
				entry = (OmenTid *) (page + offset + i * stride);
			}
			entry->flags |= OMEN_TID_DEAD;
			vacuum->stats->tuples_removed++;
		}
		(*ndead)++;
	}
	if (record == NULL)
		return;
	OMEN_FAULT_POINT("mark-before-wal");
	OmenFinishRecord(record);
	OMEN_FAULT_POINT("mark-after-wal");
}

/* One segment's TID region. */
static void
om_vacuum_segment(OmenVacuum *vacuum, const OmenSegmentData *segment)
{
	uint32		base = OmenSlotPages(&vacuum->cache->layout, segment);
	uint32		npages = OmenTidPages(segment);
	uint32		total_dead = 0;
	OmenMetaChange change;
	uint32		p;
	uint32		i;

	for (p = 0; p < npages; p++)
	{
		uint32		n = Min(OMEN_TIDS_PER_PAGE,
							segment->ntids - p * OMEN_TIDS_PER_PAGE);
		uint32		ndead;
		Buffer		buffer;

		OmenVacuumDelayPoint();
		buffer = OmenReadSegmentPage(vacuum->index, vacuum->cache, segment,
									 OMEN_PAGE_TIDS, base + p,
									 BUFFER_LOCK_EXCLUSIVE);
		if (!BufferIsValid(buffer))
			OmenReportDamage(vacuum->index,
							 OmenExtentBlock(segment->extents,
											 segment->nextents, base + p),
							 "It is not the TID page that it should be.");
		OmenCheckContents(vacuum->index, buffer, n * sizeof(OmenTid));
		om_mark_page(vacuum, buffer, SizeOfPageHeaderData, sizeof(OmenTid), n,
					 &ndead);
		UnlockReleaseBuffer(buffer);
		total_dead += ndead;
	}
	if (total_dead == segment->ndead)
		return;

	/* The count is for statistics and for deciding what to rewrite. */
	OMEN_FAULT_POINT("count-before-wal");
	OmenMetaBegin(vacuum->index, &change);
	for (i = 0; i < change.meta->nsegments; i++)
		if (change.meta->segments[i].owner == segment->owner)
			change.meta->segments[i].ndead = total_dead;
	OmenMetaCommit(&change);
	OMEN_FAULT_POINT("count-after-wal");
}

static void
om_vacuum_pending(OmenVacuum *vacuum, const OmenPendingData *pending)
{
	OmenPendingWalk walk;
	Buffer		buffer;
	bool		retired;

	OmenStartPendingWalk(&walk, &vacuum->cache->layout, pending);
	while ((buffer = OmenNextPendingPage(vacuum->index, vacuum->cache, &walk,
										 BUFFER_LOCK_EXCLUSIVE,
										 &retired)) != InvalidBuffer)
	{
		uint32		nrows = OmenPendingPageRows(vacuum->index, walk.form,
												 buffer);
		uint32		ndead;

		om_mark_page(vacuum, buffer,
					 SizeOfPageHeaderData + sizeof(OmenPendingHead),
					 walk.form->size, nrows, &ndead);
		UnlockReleaseBuffer(buffer);
		OmenVacuumDelayPoint();
	}
	if (retired)
		elog(ERROR, "pending list vanished");
}

IndexBulkDeleteResult *
omenbulkdelete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
			   IndexBulkDeleteCallback callback, void *callback_state)
{
	OmenVacuum	vacuum;
	OmenMetaData meta;
	uint32		i;

	if (stats == NULL)
		stats = palloc0(sizeof(IndexBulkDeleteResult));
	vacuum.index = info->index;
	vacuum.callback = callback;
	vacuum.callback_state = callback_state;
	vacuum.stats = stats;

	/* Each pass counts what is left anew. */
	stats->num_index_tuples = 0;

	OmenLockProducer(info->index);
	OmenReadMeta(info->index, &meta);
	vacuum.cache = OmenGetCacheFor(info->index, &meta);
	for (i = 0; i < meta.nsegments; i++)
		om_vacuum_segment(&vacuum, &meta.segments[i]);
	om_vacuum_pending(&vacuum, &meta.sealed);
	om_vacuum_pending(&vacuum, &meta.pending);
	OmenUnlockProducer(info->index);
	return stats;
}

/*
 * Rows in the index, when no bulk delete has counted them; -1 if a flush came
 * in between.
 */
static double
om_count_rows(Relation index)
{
	OmenMetaData meta;
	OmenCache  *cache;
	OmenPendingCounts counts = {0};
	double		rows = 0;
	uint32		i;

	OmenReadMeta(index, &meta);
	cache = OmenGetCacheFor(index, &meta);
	for (i = 0; i < meta.nsegments; i++)
		rows += meta.segments[i].ntids -
			Min(meta.segments[i].ndead, meta.segments[i].ntids);
	if (!OmenCountPending(index, cache, &meta.sealed, &counts) ||
		!OmenCountPending(index, cache, &meta.pending, &counts))
		return -1;
	rows += counts.rows - counts.dead;
	return rows;
}

IndexBulkDeleteResult *
omenvacuumcleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	Relation	index = info->index;
	double		rows;

	if (info->analyze_only)
		return stats;

	/*
	 * A flush that is under way gives way to us, and we do what it would.
	 * Compacting may leave the file sparse, and then few pending rows are in
	 * the way: a second time does away with them.
	 */
	OmenLockProducer(index);
	if (OmenCompact(index, OMEN_COMPACT_VACUUM) == OMEN_COMPACTED &&
		OmenCompact(index, OMEN_COMPACT_VACUUM) == OMEN_COMPACTED)
		OmenMoveDown(index);
	OmenUnlockProducer(index);
	OmenTruncate(index);

	if (stats == NULL)
	{
		stats = palloc0(sizeof(IndexBulkDeleteResult));
		rows = om_count_rows(index);
		stats->num_index_tuples = rows < 0 ? info->num_heap_tuples : rows;
		stats->estimated_count = rows < 0;
	}
	stats->num_pages = RelationGetNumberOfBlocks(index);
	return stats;
}
