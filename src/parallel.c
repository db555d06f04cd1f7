/*-------------------------------------------------------------------------
 *
 * parallel.c
 *		Parallel workers of CREATE INDEX.
 *
 * The leader and its workers scan the table together, each as fast as it can;
 * who comes late finds less to do.  After the scan they are a team (team.h),
 * and wait for each other.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unistd.h>

#include "access/genam.h"
#include "access/table.h"
#include "catalog/index.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/paths.h"
#include "pgstat.h"
#include "storage/spin.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "ambuild.h"

/* Keys of the shared memory. */
#define OMEN_KEY_SHARED			UINT64CONST(1)
#define OMEN_KEY_TEAM			UINT64CONST(2)
#define OMEN_KEY_SCAN			UINT64CONST(3)
#define OMEN_KEY_QUERY			UINT64CONST(4)
#define OMEN_KEY_WAL_USAGE		UINT64CONST(5)
#define OMEN_KEY_BUFFER_USAGE	UINT64CONST(6)

/* Least maintenance_work_mem, in kB, of each member. */
#define OMEN_MEMBER_MEMORY		(32 * 1024)

/* What the members share. */
typedef struct OmenBuildShared
{
	Oid			heap;
	Oid			index;
	bool		concurrent;
	double		expected;		/* rows to be indexed, about */
	int			members;		/* at most */

	slock_t		mutex;			/* protects what follows */
	double		reltuples;
	double		indtuples;
	bool		broken_hot_chain;
} OmenBuildShared;

/*
 * Expressions and predicate of an index have to be safe in workers, which
 * evaluate them.
 */
static bool
om_parallel_safe(Relation index)
{
	PlannerInfo *root = makeNode(PlannerInfo);
	Node	   *expressions = (Node *) RelationGetIndexExpressions(index);
	Node	   *predicate = (Node *) RelationGetIndexPredicate(index);

	root->parse = makeNode(Query);
	root->glob = makeNode(PlannerGlobal);
	root->query_level = 1;
	return is_parallel_safe(root, expressions) &&
		is_parallel_safe(root, predicate);
}

/*
 * Workers for the size of a table, its large values counted in.  More processes
 * than CPUs would only wait for each other: a build reads the table in a small
 * part of its time.
 */
static int
om_workers_by_size(Relation heap)
{
	RelOptInfo *rel = makeNode(RelOptInfo);
	double		pages = RelationGetNumberOfBlocks(heap);
	int			workers;

	if (OidIsValid(heap->rd_rel->reltoastrelid))
	{
		Relation	toast = table_open(heap->rd_rel->reltoastrelid,
									   AccessShareLock);

		pages += RelationGetNumberOfBlocks(toast);
		table_close(toast, AccessShareLock);
	}
	rel->reloptkind = RELOPT_BASEREL;
	rel->rel_parallel_workers = -1;
	workers = compute_parallel_worker(rel, pages, -1,
									  max_parallel_maintenance_workers);
	workers = Min(workers, (int) Max(sysconf(_SC_NPROCESSORS_ONLN) - 1, 0));
	while (workers > 0 &&
		   maintenance_work_mem / (workers + 1) < OMEN_MEMBER_MEMORY)
		workers--;
	return workers;
}

/*
 * The rules are those of PostgreSQL's own index builds, except that large
 * values count for the size of the table, and that there are no more processes
 * than CPUs unless the table's parallel_workers asks for them.
 */
int
OmenPlanWorkers(Relation heap)
{
	int			setting = RelationGetParallelWorkers(heap, -1);

	if (max_parallel_maintenance_workers == 0 ||
		RelationUsesLocalBuffers(heap))
		return 0;
	if (setting >= 0)
		return Min(setting, max_parallel_maintenance_workers);
	return om_workers_by_size(heap);
}

/* Room in the shared memory for "size" bytes under a key. */
static void
om_estimate(ParallelContext *pcxt, Size size)
{
	shm_toc_estimate_chunk(&pcxt->estimator, size);
	shm_toc_estimate_keys(&pcxt->estimator, 1);
}

static void *
om_allocate(ParallelContext *pcxt, uint64 key, Size size)
{
	void	   *memory = shm_toc_allocate(pcxt->toc, size);

	shm_toc_insert(pcxt->toc, key, memory);
	return memory;
}

static void
om_fill_shared(OmenBuildState *state, OmenBuildShared *shared)
{
	shared->heap = RelationGetRelid(state->heap);
	shared->index = RelationGetRelid(state->index);
	shared->concurrent = state->indexInfo->ii_Concurrent;
	shared->members = state->pcxt->nworkers + 1;
	shared->expected = state->expected;
	SpinLockInit(&shared->mutex);
	shared->reltuples = 0;
	shared->indtuples = 0;
	shared->broken_hot_chain = false;
	state->shared = shared;
}

/* Start up to "workers" workers; their number is known after. */
static void
om_launch(OmenBuildState *state, int workers, Snapshot snapshot)
{
	ParallelContext *pcxt;
	const char *query = debug_query_string ? debug_query_string : "";
	Size		scan_size = table_parallelscan_estimate(state->heap, snapshot);
	Size		wal_size;
	Size		buffer_size;
	OmenTeamShared *team;
	ParallelTableScanDesc scan;

	pcxt = CreateParallelContext("omenvec", "OmenBuildWorkerMain", workers);
	state->pcxt = pcxt;
	wal_size = mul_size(sizeof(WalUsage), workers);
	buffer_size = mul_size(sizeof(BufferUsage), workers);
	om_estimate(pcxt, sizeof(OmenBuildShared));
	om_estimate(pcxt, OmenTeamSize());
	om_estimate(pcxt, scan_size);
	om_estimate(pcxt, strlen(query) + 1);
	om_estimate(pcxt, wal_size);
	om_estimate(pcxt, buffer_size);
	InitializeParallelDSM(pcxt);
	if (pcxt->seg == NULL)
		return;

	om_fill_shared(state, om_allocate(pcxt, OMEN_KEY_SHARED,
									  sizeof(OmenBuildShared)));
	team = om_allocate(pcxt, OMEN_KEY_TEAM, OmenTeamSize());
	OmenTeamInit(team, pcxt->seg, state->shared->members);
	scan = om_allocate(pcxt, OMEN_KEY_SCAN, scan_size);
	table_parallelscan_initialize(state->heap, scan, snapshot);
	strcpy(om_allocate(pcxt, OMEN_KEY_QUERY, strlen(query) + 1), query);
	om_allocate(pcxt, OMEN_KEY_WAL_USAGE, wal_size);
	om_allocate(pcxt, OMEN_KEY_BUFFER_USAGE, buffer_size);

	LaunchParallelWorkers(pcxt);
	state->team = OmenJoinTeam(team, pcxt->seg, true);
	state->scan = table_beginscan_parallel(state->heap, scan);
}

/* A member's share of the work. */
static void
om_take_share(OmenBuildState *state)
{
	double		rows = state->shared->expected;

	state->expected = rows / state->shared->members;
	state->store = OmenCreateBuildStore(&state->frozen, rows, state->team);
}

void
OmenEndParallel(OmenBuildState *state)
{
	ParallelContext *pcxt = state->pcxt;

	WaitForParallelWorkersToFinish(pcxt);
	for (int i = 0; i < pcxt->nworkers_launched; i++)
	{
		BufferUsage *buffers = shm_toc_lookup(pcxt->toc,
											  OMEN_KEY_BUFFER_USAGE, false);
		WalUsage   *wal = shm_toc_lookup(pcxt->toc, OMEN_KEY_WAL_USAGE, false);

		InstrAccumParallelQuery(&buffers[i], &wal[i]);
	}
	if (IsMVCCSnapshot(state->snapshot))
		UnregisterSnapshot(state->snapshot);
	DestroyParallelContext(pcxt);
	ExitParallelMode();
}

void
OmenBeginParallel(OmenBuildState *state)
{
	int			workers = OmenPlanWorkers(state->heap);

	if (workers == 0 || !om_parallel_safe(state->index))
		return;
	EnterParallelMode();
	state->snapshot = SnapshotAny;
	if (state->indexInfo->ii_Concurrent)
		state->snapshot = RegisterSnapshot(GetTransactionSnapshot());
	om_launch(state, workers, state->snapshot);
	if (state->pcxt->nworkers_launched == 0)
	{
		if (state->scan != NULL)
			table_endscan(state->scan);
		state->scan = NULL;
		OmenEndParallel(state);
		state->team = NULL;
		state->shared = NULL;
		return;
	}
	om_take_share(state);
}

void
OmenMeetTeam(OmenBuildState *state)
{
	OmenBuildShared *shared = state->shared;
	int			members = 0;

	SpinLockAcquire(&shared->mutex);
	shared->reltuples += state->reltuples;
	shared->indtuples += state->indtuples;
	shared->broken_hot_chain |= state->indexInfo->ii_BrokenHotChain;
	SpinLockRelease(&shared->mutex);
	if (OmenTeamLeads(state->team))
	{
		WaitForParallelWorkersToAttach(state->pcxt);
		members = state->pcxt->nworkers_launched + 1;
	}
	OmenTeamMeet(state->team, members);
	state->reltuples = shared->reltuples;
	state->indtuples = shared->indtuples;
	state->indexInfo->ii_BrokenHotChain = shared->broken_hot_chain;
}

void
OmenBuildWorkerMain(dsm_segment *segment, shm_toc *toc)
{
	OmenBuildShared *shared = shm_toc_lookup(toc, OMEN_KEY_SHARED, false);
	LOCKMODE	heap_lock = shared->concurrent ? ShareUpdateExclusiveLock :
		ShareLock;
	LOCKMODE	index_lock = shared->concurrent ? RowExclusiveLock :
		AccessExclusiveLock;
	BufferUsage *buffers = shm_toc_lookup(toc, OMEN_KEY_BUFFER_USAGE, false);
	WalUsage   *wal = shm_toc_lookup(toc, OMEN_KEY_WAL_USAGE, false);
	OmenBuildState state = {0};
	OmenSegmentData result;
	OmenMetaData *meta = palloc(sizeof(OmenMetaData));

	debug_query_string = shm_toc_lookup(toc, OMEN_KEY_QUERY, false);
	pgstat_report_activity(STATE_RUNNING, debug_query_string);
	state.heap = table_open(shared->heap, heap_lock);
	state.index = index_open(shared->index, index_lock);
	state.indexInfo = BuildIndexInfo(state.index);
	state.indexInfo->ii_Concurrent = shared->concurrent;
	state.opclass = OmenGetOpclass(state.index);

	/* not the cache's, which goes when an invalidation comes in the scan */
	OmenReadMeta(state.index, meta);
	state.frozen = meta->frozen;
	state.quantizer =
		OmenLoadQuantizer(state.index, &state.frozen, &meta->quantizer,
						  palloc(OmenQuantizerSize(&state.frozen)));
	state.shared = shared;
	state.team = OmenJoinTeam(shm_toc_lookup(toc, OMEN_KEY_TEAM, false),
							  segment, false);
	state.scan = table_beginscan_parallel(state.heap,
										  shm_toc_lookup(toc, OMEN_KEY_SCAN,
														 false));
	om_take_share(&state);
	state.tuple_context = AllocSetContextCreate(CurrentMemoryContext,
												"omen build tuple",
												ALLOCSET_DEFAULT_SIZES);

	InstrStartParallelQuery();
	(void) OmenBuildTogether(&state, &result);
	OmenFreeRows(state.rows);
	InstrEndParallelQuery(&buffers[ParallelWorkerNumber],
						  &wal[ParallelWorkerNumber]);
	index_close(state.index, index_lock);
	table_close(state.heap, heap_lock);
}
