/*-------------------------------------------------------------------------
 *
 * insert.c
 *		INSERT, COPY, UPDATE: append to the pending list.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "compact.h"
#include "omen.h"
#include "pending.h"
#include "worker.h"

/*
 * An inserter that finds so many times the rows that may wait flushes them; or
 * if somebody is at it, naps until there are fewer, but only for a while: it
 * may be a VACUUM, or a check of the index.
 */
#define OMEN_MAX_PRESSURE	8
#define OMEN_NAP_MS			5
#define OMEN_MAX_NAPS		20

/* After a flush that failed, leave it to others for so long. */
#define OMEN_FLUSH_PAUSE_MS	60000

/*
 * The last flush that this backend began and did not finish.  If it failed,
 * the insert failed with it; the next one should not have to try the same.  A
 * flush that gave way did finish.
 */
static Oid	om_unfinished_index = InvalidOid;
static TimestampTz om_unfinished_since;

/* Flush, which the caller has the producer lock for. */
static void
om_flush(Relation index, OmenCompactScope scope)
{
	om_unfinished_index = RelationGetRelid(index);
	om_unfinished_since = GetCurrentTimestamp();
	if (OmenCompact(index, scope) == OMEN_COMPACT_PUT_OFF)
		(void) OmenCompact(index, OMEN_COMPACT_RELIEF);
	om_unfinished_index = InvalidOid;
}

/* Has a flush by this backend failed lately? */
static bool
om_failed_lately(Relation index)
{
	return om_unfinished_index == RelationGetRelid(index) &&
		!TimestampDifferenceExceeds(om_unfinished_since,
									GetCurrentTimestamp(),
									OMEN_FLUSH_PAUSE_MS);
}

static bool
om_is_crowded(Relation index, const OmenMetaData *meta)
{
	return OmenPendingPressure(&OmenGetCache(index)->layout, meta) >=
		OMEN_MAX_PRESSURE;
}

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
	bool		crowded;
	int			naps;

	OmenReadMeta(index, &meta);
	crowded = om_is_crowded(index, &meta);
	if (!crowded &&
		(OmenPendingFill(&OmenGetCache(index)->layout, &meta.pending) < 1 ||
		 OmenRequestWorker(index, &meta)))
		return;
	if (om_failed_lately(index))
		return;
	for (naps = 0; !OmenTryLockProducer(index); naps++)
	{
		if (!crowded || naps == OMEN_MAX_NAPS)
			return;
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 OMEN_NAP_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		OmenReadMeta(index, &meta);
		if (!om_is_crowded(index, &meta))
			return;
	}
	om_flush(index, crowded ? OMEN_COMPACT_RELIEF : OMEN_COMPACT_FLUSH);
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
