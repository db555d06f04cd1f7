/*-------------------------------------------------------------------------
 *
 * worker.c
 *		Compaction in the background, and omen_compact().
 *
 * An inserter that finds the pending list too long asks for a background
 * worker, which flushes it, goes on as long as the list keeps filling up, and
 * ends after some idle time.  Nothing has to be preloaded for that, and no
 * memory is shared: that a worker lives is known from the locks it holds, and
 * that one was asked for from a time in the metapage.
 *
 * Locks of a worker, all of them by a transaction per round:
 *
 *	database		RowExclusiveLock.  Whoever wants to drop, move or copy the
 *					database waits for it, and the worker ends.
 *	worker of index	an object lock that nothing else uses: one worker an index.
 *	slot			likewise: so many workers in all.
 *	index			ShareUpdateExclusiveLock while it compacts.  Inserts,
 *					scans and VACUUM do not mind; DDL waits, and it gives way.
 *
 * It never waits for any of them, nor for the producer lock, so that it takes
 * part in no deadlock.  The table is not locked: nothing of it is read.
 *
 * A worker belongs to no user, as those of autovacuum: it does what its table's
 * owner may do, and runs no function but this extension's own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "cache.h"
#include "compact.h"
#include "compat.h"
#include "omen.h"
#include "pending.h"
#include "watch.h"
#include "worker.h"

/* For so long after one was asked for, no worker is asked for again. */
#define OMEN_REQUEST_PAUSE_MS	10000

/* The same, if a worker could do nothing because of others. */
#define OMEN_BUSY_PAUSE_MS		1000

/* A worker looks again so often, and ends after so many looks in vain. */
#define OMEN_LOOK_MS			20
#define OMEN_IDLE_LOOKS			100

/*
 * When a merge was put off, none is begun for twice as long as it took, within
 * these bounds.
 */
#define OMEN_MERGE_PAUSE_MS		1000
#define OMEN_MERGE_MAX_PAUSE_MS	10000

/* What a worker is told, in bgw_extra. */
typedef struct OmenWorkerRequest
{
	Oid			database;
	Oid			index;
	int			pending_limit;	/* settings of the session that asked */
	int			workers;
} OmenWorkerRequest;

StaticAssertDecl(sizeof(OmenWorkerRequest) <= BGW_EXTRALEN,
				 "OmenWorkerRequest does not fit");

/* What came of one look at the index. */
typedef enum OmenLook
{
	OMEN_LOOK_WORKED,			/* flushed */
	OMEN_LOOK_IDLE,				/* nothing to do */
	OMEN_LOOK_WAITS,			/* merges are to be done, but not now */
	OMEN_LOOK_END				/* somebody else wants the index, or has it */
} OmenLook;

/*
 * Object locks that PostgreSQL itself does not use: no object of these classes
 * has such a number, or these sub-objects are not locked.
 */
static void
om_set_index_tag(LOCKTAG *tag, Oid index)
{
	SET_LOCKTAG_OBJECT(*tag, MyDatabaseId, RelationRelationId, index, 1);
}

static void
om_set_slot_tag(LOCKTAG *tag, int slot)
{
	SET_LOCKTAG_OBJECT(*tag, InvalidOid, AccessMethodRelationId, InvalidOid,
					   slot + 1);
}

static bool
om_try_lock(const LOCKTAG *tag, LOCKMODE mode)
{
	return LockAcquire(tag, mode, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

/* Can the lock be had just now? */
static bool
om_is_unlocked(const LOCKTAG *tag)
{
	if (!om_try_lock(tag, ExclusiveLock))
		return false;
	LockRelease(tag, ExclusiveLock, false);
	return true;
}

/*
 * Is the time in the metapage one to wait for?  A clock that was set back must
 * not keep workers away.
 */
static bool
om_is_pause(const OmenMetaData *meta, TimestampTz now)
{
	return meta->no_worker_before > now &&
		meta->no_worker_before <=
		TimestampTzPlusMilliseconds(now, OMEN_REQUEST_PAUSE_MS);
}

/*
 * Write a pause into the metapage.  Of several backends that have seen the same
 * metapage only one succeeds.
 */
static bool
om_set_pause(Relation index, int64 expected, int64 pause)
{
	OmenMetaChange change;

	OmenMetaBegin(index, &change);
	if (change.meta->no_worker_before != expected)
	{
		OmenMetaAbort(&change);
		return false;
	}
	change.meta->no_worker_before = pause;
	OmenMetaCommit(&change);
	return true;
}

static bool
om_register(Oid index)
{
	BackgroundWorker worker;
	OmenWorkerRequest request = {0};

	request.database = MyDatabaseId;
	request.index = index;
	request.pending_limit = omen_pending_limit;
	request.workers = omen_compaction_workers;

	memset(&worker, 0, sizeof(worker));
	strlcpy(worker.bgw_name, "omen compactor", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "omen compactor", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "omenvec", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "OmenWorkerMain", BGW_MAXLEN);
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	memcpy(worker.bgw_extra, &request, sizeof(request));
	return RegisterDynamicBackgroundWorker(&worker, NULL);
}

bool
OmenRequestWorker(Relation index, const OmenMetaData *meta)
{
	TimestampTz now = GetCurrentTimestamp();
	LOCKTAG		tag;
	int			slot;

	/* A worker must be able to see the index, and its pages. */
	if (omen_compaction_workers == 0 || RelationUsesLocalBuffers(index) ||
		OmenIsNewFile(index))
		return false;
	if (om_is_pause(meta, now))
		return true;
	om_set_index_tag(&tag, RelationGetRelid(index));
	if (!om_is_unlocked(&tag))
		return true;
	for (slot = 0; slot < omen_compaction_workers; slot++)
	{
		om_set_slot_tag(&tag, slot);
		if (om_is_unlocked(&tag))
			break;
	}
	if (slot == omen_compaction_workers)
		return false;
	if (!om_set_pause(index, meta->no_worker_before,
					  TimestampTzPlusMilliseconds(now, OMEN_REQUEST_PAUSE_MS)))
		return true;
	return om_register(RelationGetRelid(index));
}

/* Take the locks of a worker's round; false if one of them is not to be had. */
static bool
om_take_locks(const OmenWorkerRequest *request)
{
	LOCKTAG		tag;
	int			slot;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, MyDatabaseId, 0);
	if (!om_try_lock(&tag, RowExclusiveLock))
		return false;
	om_set_index_tag(&tag, request->index);
	if (!om_try_lock(&tag, ExclusiveLock))
		return false;
	for (slot = 0; slot < request->workers; slot++)
	{
		om_set_slot_tag(&tag, slot);
		if (om_try_lock(&tag, ExclusiveLock))
			return true;
	}
	return false;
}

/* Compact as the table's owner. */
static OmenCompactResult
om_compact_as_owner(Relation index, OmenCompactScope scope)
{
	Oid			user;
	int			context;
	int			guc_level;
	OmenCompactResult result;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(index->rd_rel->relowner,
						   context | SECURITY_RESTRICTED_OPERATION);
	guc_level = NewGUCNestLevel();
	OmenRestrictSearchPath();
	result = OmenCompact(index, scope);
	AtEOXact_GUC(false, guc_level);
	SetUserIdAndSecContext(user, context);
	return result;
}

/*
 * A merge that began then was put off.  The next one is likely to be put off,
 * too, and is not to cost as much again soon.
 */
static TimestampTz
om_next_merge(TimestampTz began)
{
	TimestampTz now = GetCurrentTimestamp();
	long		ms = TimestampDifferenceMilliseconds(began, now);

	return TimestampTzPlusMilliseconds(now, Min(Max(2 * ms,
													OMEN_MERGE_PAUSE_MS),
												OMEN_MERGE_MAX_PAUSE_MS));
}

/*
 * The worker's work on the index that it has opened.  No merge is to be begun
 * before *next_merge.
 */
static OmenLook
om_look_at(Relation index, TimestampTz *next_merge)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		merges_wait = now < *next_merge && *next_merge <=
		TimestampTzPlusMilliseconds(now, OMEN_MERGE_MAX_PAUSE_MS);
	OmenMetaData meta;
	uint32		next_owner;
	OmenCompactResult result;

	OmenReadMeta(index, &meta);
	if (meta.sealed.owner == 0 &&
		(merges_wait || meta.nsegments <= OMEN_WANTED_SEGMENTS) &&
		OmenPendingFill(&OmenGetCacheFor(index, &meta)->layout,
						&meta.pending) < 1)
		return meta.nsegments > OMEN_WANTED_SEGMENTS ? OMEN_LOOK_WAITS :
			OMEN_LOOK_IDLE;
	if (!OmenTryLockProducer(index))
		return OMEN_LOOK_IDLE;

	/* No snapshot of catalogs may hold back VACUUM meanwhile. */
	InvalidateCatalogSnapshot();
	next_owner = meta.next_owner;
	result = om_compact_as_owner(index, merges_wait ? OMEN_COMPACT_RELIEF :
								 OMEN_COMPACT_FLUSH);
	OmenUnlockProducer(index);
	if (result == OMEN_COMPACT_GAVE_WAY)
		return OMEN_LOOK_END;
	if (result == OMEN_COMPACT_PUT_OFF)
		*next_merge = om_next_merge(now);

	/* Whatever was built has a number. */
	OmenReadMeta(index, &meta);
	return meta.next_owner == next_owner ? OMEN_LOOK_IDLE : OMEN_LOOK_WORKED;
}

/*
 * Look at the index once, in a transaction with the locks of a round.  The
 * index may have been dropped, and its number given to something else.
 */
static OmenLook
om_look(const OmenWorkerRequest *request, TimestampTz *next_merge)
{
	OmenLook	result = OMEN_LOOK_END;
	Relation	index;

	if (!ConditionalLockRelationOid(request->index, ShareUpdateExclusiveLock))
		return OMEN_LOOK_END;
	index = try_relation_open(request->index, NoLock);
	if (index == NULL)
		return OMEN_LOOK_END;
	if (OmenIsIndex(index) && index->rd_index->indisready)
	{
		pgstat_report_activity(STATE_RUNNING, RelationGetRelationName(index));
		result = om_look_at(index, next_merge);
		pgstat_report_activity(STATE_IDLE, NULL);
	}
	relation_close(index, ShareUpdateExclusiveLock);
	return result;
}

/* Let inserters ask for a worker again: soon, or at once. */
static void
om_end_pause(const OmenWorkerRequest *request, bool at_once)
{
	Relation	index;
	OmenMetaData meta;

	if (!ConditionalLockRelationOid(request->index, RowExclusiveLock))
		return;
	index = try_relation_open(request->index, NoLock);
	if (index == NULL)
		return;
	if (OmenIsIndex(index))
	{
		OmenReadMeta(index, &meta);
		if (meta.no_worker_before != 0)
			om_set_pause(index, meta.no_worker_before, at_once ? 0 :
						 TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													 OMEN_BUSY_PAUSE_MS));
	}
	relation_close(index, RowExclusiveLock);
}

/*
 * One round: a look, and if there was nothing to do a short sleep, with
 * no lock on the index.  Keeps count of looks in vain.
 */
static bool
om_round(const OmenWorkerRequest *request, TimestampTz *next_merge, int *idle)
{
	OmenLook	look = OMEN_LOOK_END;
	bool		go_on;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (om_take_locks(request))
	{
		look = om_look(request, next_merge);
		*idle = look == OMEN_LOOK_IDLE ? *idle + 1 : 0;
		go_on = look != OMEN_LOOK_END && *idle < OMEN_IDLE_LOOKS;
		if (!go_on)
			om_end_pause(request, look != OMEN_LOOK_END);
		else if (look != OMEN_LOOK_WORKED)
		{
			InvalidateCatalogSnapshot();
			WaitLatch(MyLatch,
					  WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					  OMEN_LOOK_MS, PG_WAIT_EXTENSION);
			ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
		}
	}
	else
		go_on = false;
	CommitTransactionCommand();
	return go_on;
}

/* Let omen.pending_limit be what it is for who asked. */
static void
om_take_setting(int pending_limit)
{
	char		value[12];

	snprintf(value, sizeof(value), "%d", pending_limit);
	SetConfigOption("omen.pending_limit", value, PGC_USERSET, PGC_S_SESSION);
}

void
OmenWorkerMain(Datum arg)
{
	OmenWorkerRequest request;
	TimestampTz next_merge = 0;
	int			idle = 0;

	memcpy(&request, MyBgworkerEntry->bgw_extra, sizeof(request));
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(request.database, InvalidOid, 0);
	om_take_setting(request.pending_limit);

	while (om_round(&request, &next_merge, &idle))
	{
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	}
	proc_exit(0);
}

PG_FUNCTION_INFO_V1(omen_compact);

/*
 * omen_compact(index regclass) returns boolean
 *
 * Everything into one segment.  If VACUUM wants to go on meanwhile, it may, and
 * then this starts over; if the index or its table is wanted, this ends.
 */
Datum
omen_compact(PG_FUNCTION_ARGS)
{
	Oid			indexid = PG_GETARG_OID(0);
	Oid			heap = IndexGetRelation(indexid, true);
	Relation	index;
	OmenWatch	watch;
	OmenCompactResult result;

	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("recovery is in progress"),
				 errhint("omen_compact() cannot be executed during recovery.")));
	OmenCheckMaintainable(indexid, heap);
	index = relation_open(indexid, ShareUpdateExclusiveLock);
	OmenCheckReadable(index, false);
	if (index->rd_index->indrelid != heap)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("could not open parent table of index \"%s\"",
						RelationGetRelationName(index))));

	do
	{
		CHECK_FOR_INTERRUPTS();
		OmenLockProducer(index);
		result = om_compact_as_owner(index, OMEN_COMPACT_ALL);
		OmenUnlockProducer(index);
		OmenStartWatch(index, &watch);
	} while (result != OMEN_COMPACTED && !OmenSomebodyWaits(&watch));
	relation_close(index, ShareUpdateExclusiveLock);
	PG_RETURN_BOOL(result == OMEN_COMPACTED);
}
