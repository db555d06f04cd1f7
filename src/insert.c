/*-------------------------------------------------------------------------
 *
 * insert.c
 *		INSERT, COPY, UPDATE: append to the pending list.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compact.h"
#include "omen.h"
#include "pending.h"
#include "worker.h"

/* At so many times omen.pending_limit, a worker is not waited for. */
#define OMEN_BACK_PRESSURE	4

/* After a flush that failed, leave it to others for so long. */
#define OMEN_FLUSH_PAUSE_MS	60000

/*
 * The last flush that this backend began and did not finish.  If it failed,
 * the insert failed with it; the next one should not have to try the same.  A
 * flush that gave way did finish.
 */
static Oid	om_unfinished_index = InvalidOid;
static TimestampTz om_unfinished_since;

/*
 * Have the pending rows built into the graph if they are more than allowed: by
 * a background worker, or if there is none, or if it does not keep up, here;
 * unless somebody is at it already, or it failed lately: then the list may grow
 * for a while.
 */
static void
om_flush_if_needed(Relation index)
{
	OmenMetaData meta;
	uint64		rows;

	OmenReadMeta(index, &meta);
	rows = OmenPendingRows(&OmenGetCache(index)->layout, &meta.pending);
	if (rows < omen_pending_limit)
		return;
	if (rows < (uint64) omen_pending_limit * OMEN_BACK_PRESSURE &&
		OmenRequestWorker(index, &meta))
		return;
	if (om_unfinished_index == RelationGetRelid(index) &&
		!TimestampDifferenceExceeds(om_unfinished_since,
									GetCurrentTimestamp(),
									OMEN_FLUSH_PAUSE_MS))
		return;
	if (!OmenTryLockProducer(index))
		return;
	om_unfinished_index = RelationGetRelid(index);
	om_unfinished_since = GetCurrentTimestamp();
	OmenCompact(index, OMEN_COMPACT_FLUSH);
	om_unfinished_index = InvalidOid;
	OmenUnlockProducer(index);
}

bool
omeninsert(Relation index, Datum *values, bool *isnull, ItemPointer heap_tid,
		   Relation heap, IndexUniqueCheck checkUnique, bool indexUnchanged,
		   IndexInfo *indexInfo)
{
	const OmenOpclass *opclass;
	const void *elements;
	MemoryContext context;
	MemoryContext old;
	OmenCache  *cache;
	int			dims;

	if (isnull[0])
		return false;

	/* Owns what detoasting and flushing leave; deleted at the end. */
	context = AllocSetContextCreate(CurrentMemoryContext, "omen insert",
									ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(context);

	opclass = OmenGetOpclass(index);
	elements = OmenGetElements(opclass, values[0], &dims);
	cache = OmenGetCache(index);
	if (dims != cache->frozen.dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected %u dimensions, not %d",
						cache->frozen.dims, dims)));
	if (!OmenIsZero(opclass, elements, dims) &&
		OmenAppendPending(index, heap_tid, elements))
		om_flush_if_needed(index);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return false;
}
