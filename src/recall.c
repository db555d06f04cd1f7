/*-------------------------------------------------------------------------
 *
 * recall.c
 *		omen_recall(): how many of the nearest rows does an index find?
 *
 * Rows drawn at random from the table are the queries.  Their exact nearest
 * neighbors are found by one pass over the table, which compares each row
 * with all queries; then each query is put to the index, and what it returns
 * is held against them.  A row is no neighbor of itself: it is left out on
 * both sides.
 *
 * The index is scanned here as the executor does it (nodeIndexscan.c), but
 * with no plan: a planner could choose another index of the table.  So there
 * is no query text either in which names would have to be quoted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "common/pg_prng.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "lastscan.h"
#include "omen.h"
#include "search.h"

#define OMEN_RECALL_MAX_K		10000
#define OMEN_RECALL_MAX_SAMPLES	100000
#define OMEN_RECALL_COLUMNS		5

/* The operator of the index's operator class has this strategy. */
#define OMEN_DISTANCE_STRATEGY	1

/* A row that is a query. */
typedef struct OmenSample
{
	ItemPointerData tid;
	Datum		value;			/* of the indexed column or expression */
	OmenNearest nearest;		/* distances of the k rows nearest to it */
} OmenSample;

typedef struct OmenRecall
{
	Relation	heap;
	Relation	index;
	const OmenOpclass *opclass;
	IndexInfo  *info;
	FmgrInfo	distance;		/* function of the operator */
	Snapshot	snapshot;

	/* for the indexed value of a row */
	EState	   *estate;
	ExprState  *predicate;
	TupleTableSlot *slot;

	uint32		k;
	uint32		max_samples;
	OmenSample *samples;
	uint32		nsamples;
	uint64		nrows;			/* drawn from */

	/* sums over the queries */
	uint64		wanted;
	uint64		found;
	uint64		pages;
	uint64		distances;
} OmenRecall;

/* Called for each row of the table that the index holds. */
typedef void (*OmenRowCallback) (OmenRecall *recall, Datum value);

/*
 * The indexed value of the row in the slot, in memory that lasts until the
 * next row.  False if the index leaves the row out.
 */
static bool
om_indexed_value(OmenRecall *recall, Datum *value)
{
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];
	ExprContext *context = GetPerTupleExprContext(recall->estate);
	MemoryContext old;
	const void *elements;
	int			dims;

	ResetExprContext(context);
	context->ecxt_scantuple = recall->slot;
	if (!ExecQual(recall->predicate, context))
		return false;
	old = MemoryContextSwitchTo(context->ecxt_per_tuple_memory);
	FormIndexDatum(recall->info, recall->slot, recall->estate, values, nulls);
	if (!nulls[0])
	{
		*value = PointerGetDatum(PG_DETOAST_DATUM(values[0]));
		elements = OmenGetElements(recall->opclass, *value, &dims);
		nulls[0] = OmenIsZero(recall->opclass, elements, dims);
	}
	MemoryContextSwitchTo(old);
	return !nulls[0];
}

/* Call back for all rows of the table that the index should hold. */
static void
om_scan_heap(OmenRecall *recall, OmenRowCallback callback)
{
	TableScanDesc scan = table_beginscan(recall->heap, recall->snapshot, 0,
										 NULL);

	while (table_scan_getnextslot(scan, ForwardScanDirection, recall->slot))
	{
		Datum		value;

		CHECK_FOR_INTERRUPTS();
		if (om_indexed_value(recall, &value))
			callback(recall, value);
	}
	table_endscan(scan);
}

/* Draw the samples: each row stays with the same chance (reservoir). */
static void
om_draw_row(OmenRecall *recall, Datum value)
{
	OmenSample *sample;
	uint64		place = recall->nrows++;

	if (place >= recall->max_samples)
	{
		place = pg_prng_uint64_range(&pg_global_prng_state, 0, place);
		if (place >= recall->max_samples)
			return;
	}
	sample = &recall->samples[place];
	if (place == recall->nsamples)
		recall->nsamples++;
	else
		pfree(DatumGetPointer(sample->value));
	sample->tid = recall->slot->tts_tid;
	sample->value = datumCopy(value, false, -1);
}

/*
 * The distance of a value from a query, as the operator says.  It may be NaN,
 * which is no distance.
 */
static double
om_distance(OmenRecall *recall, const OmenSample *sample, Datum value)
{
	ExprContext *context = GetPerTupleExprContext(recall->estate);
	MemoryContext old = MemoryContextSwitchTo(context->ecxt_per_tuple_memory);
	Datum		distance;

	distance = FunctionCall2Coll(&recall->distance,
								 recall->index->rd_indcollation[0], value,
								 sample->value);
	MemoryContextSwitchTo(old);
	return DatumGetFloat8(distance);
}

/* Compare a row with all samples but itself. */
static void
om_compare_row(OmenRecall *recall, Datum value)
{
	uint32		i;

	for (i = 0; i < recall->nsamples; i++)
	{
		OmenSample *sample = &recall->samples[i];
		double		distance;

		if (ItemPointerEquals(&sample->tid, &recall->slot->tts_tid))
			continue;
		distance = om_distance(recall, sample, value);
		if (!isnan(distance))
			OmenAddNearest(&sample->nearest, distance);
	}
}

/*
 * The next row that the index finds for a sample, in the slot, and its lower
 * bound.  False if there is none.
 */
static bool
om_next_found(OmenRecall *recall, IndexScanDesc scan, double *bound)
{
	if (!index_getnext_slot(scan, ForwardScanDirection, recall->slot))
		return false;
	*bound = scan->xs_orderbynulls[0] ? -INFINITY :
		DatumGetFloat8(scan->xs_orderbyvals[0]);
	return true;
}

/*
 * Put a sample to the index until the executor would have returned k rows:
 * when no bound to come is below the k-th distance.
 */
static void
om_search_sample(OmenRecall *recall, OmenSample *sample, OmenNearest *found)
{
	IndexScanDesc scan;
	ScanKeyData key;
	double		bound;

	ScanKeyEntryInitialize(&key, SK_ORDER_BY, 1, OMEN_DISTANCE_STRATEGY,
						   InvalidOid, recall->index->rd_indcollation[0],
						   recall->distance.fn_oid, sample->value);
	scan = OmenBeginIndexScan(recall->heap, recall->index, recall->snapshot);
	index_rescan(scan, NULL, 0, &key, 1);
	while (om_next_found(recall, scan, &bound))
	{
		Datum		value;
		double		distance;

		CHECK_FOR_INTERRUPTS();
		if (found->n == found->size && bound >= OmenNearestLimit(found))
			break;
		if (ItemPointerEquals(&sample->tid, &recall->slot->tts_tid) ||
			!om_indexed_value(recall, &value))
			continue;
		distance = om_distance(recall, sample, value);
		if (!isnan(distance))
			OmenAddNearest(found, distance);
	}
	index_endscan(scan);
}

/*
 * Search for a sample and count.  A row as near as the k-th nearest is found,
 * whichever of several such rows it is.
 */
static void
om_count_sample(OmenRecall *recall, OmenSample *sample)
{
	double		limit = OmenNearestLimit(&sample->nearest);
	const OmenScanCounts *counts;
	OmenNearest found;
	uint32		i;

	OmenInitNearest(&found, recall->k);
	om_search_sample(recall, sample, &found);
	for (i = 0; i < found.n; i++)
		if (found.distances[i] <= limit)
			recall->found++;
	recall->wanted += sample->nearest.n;
	pfree(found.distances);

	counts = OmenLastScan();
	recall->pages += counts->pages;
	recall->distances += counts->nodes + counts->estimates +
		counts->pending_rows;
}

/* Prepare to evaluate the index's expression, predicate and operator. */
static void
om_init(OmenRecall *recall)
{
	Relation	index = recall->index;
	Oid			type = index->rd_opcintype[0];
	Oid			operator = get_opfamily_member(index->rd_opfamily[0], type,
											   type, OMEN_DISTANCE_STRATEGY);

	if (!OidIsValid(operator))
		elog(ERROR, "missing operator %d(%u,%u) in opfamily %u",
			 OMEN_DISTANCE_STRATEGY, type, type, index->rd_opfamily[0]);
	fmgr_info(get_opcode(operator), &recall->distance);
	recall->opclass = OmenGetOpclass(index);
	recall->info = BuildIndexInfo(index);
	recall->snapshot = GetActiveSnapshot();
	recall->estate = CreateExecutorState();
	recall->predicate = ExecPrepareQual(recall->info->ii_Predicate,
										recall->estate);
	recall->slot = table_slot_create(recall->heap, NULL);
	recall->samples = palloc_extended(mul_size(recall->max_samples,
											   sizeof(OmenSample)),
									  MCXT_ALLOC_HUGE);
}

static void
om_run(OmenRecall *recall)
{
	uint32		i;

	om_init(recall);
	om_scan_heap(recall, om_draw_row);
	for (i = 0; i < recall->nsamples; i++)
		OmenInitNearest(&recall->samples[i].nearest, recall->k);
	om_scan_heap(recall, om_compare_row);
	for (i = 0; i < recall->nsamples; i++)
		om_count_sample(recall, &recall->samples[i]);
	ExecDropSingleTupleTableSlot(recall->slot);
	FreeExecutorState(recall->estate);
}

/*
 * Open the index and its table, all of whose rows the user must be allowed to
 * see.
 */
static void
om_open(OmenRecall *recall, Oid index)
{
	Oid			heap = IndexGetRelation(index, true);
	char	   *name = get_rel_name(index);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", index)));
	if (!OidIsValid(heap))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an omen index", name)));
	recall->heap = table_open(heap, AccessShareLock);
	recall->index = index_open(index, AccessShareLock);

	/* The index may have been dropped, and its number given to another. */
	if (recall->index->rd_index->indrelid != heap)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("could not open parent table of index \"%s\"",
						RelationGetRelationName(recall->index))));
	OmenCheckReadable(recall->index, true);
	if (pg_class_aclcheck(heap, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE,
					   RelationGetRelationName(recall->heap));
	if (check_enable_rls(heap, InvalidOid, false) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot measure recall on table \"%s\", which has row-level security",
						RelationGetRelationName(recall->heap))));
}

static void
om_set_ef(int ef)
{
	set_config_option("omen.ef_search", psprintf("%d", ef), PGC_USERSET,
					  PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

static uint32
om_get_count(FunctionCallInfo fcinfo, int arg, const char *name, int max)
{
	int			value;

	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("\"%s\" must not be null", name)));
	value = PG_GETARG_INT32(arg);
	if (value < 1 || value > max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" must be between 1 and %d", name, max)));
	return value;
}

static Datum
om_result(FunctionCallInfo fcinfo, const OmenRecall *recall, int ef)
{
	Datum		values[OMEN_RECALL_COLUMNS] = {0};
	bool		nulls[OMEN_RECALL_COLUMNS] = {false};
	double		queries = recall->nsamples;
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	nulls[0] = recall->wanted == 0;
	if (!nulls[0])
		values[0] = Float8GetDatum((double) recall->found / recall->wanted);
	nulls[1] = nulls[2] = recall->nsamples == 0;
	if (!nulls[1])
	{
		values[1] = Float8GetDatum(recall->pages / queries);
		values[2] = Float8GetDatum(recall->distances / queries);
	}
	values[3] = Int32GetDatum(recall->nsamples);
	values[4] = Int32GetDatum(ef);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values,
											 nulls));
}

PG_FUNCTION_INFO_V1(omen_recall);

/*
 * omen_recall(index regclass, k integer, samples integer, ef integer) returns
 * (recall float8, pages float8, distances float8, queries integer,
 * ef_search integer)
 *
 * Functions in the index's expression and predicate run as the table's owner,
 * as they do when the index is built: an administrator who measures somebody's
 * index must not lend them his privileges.
 */
Datum
omen_recall(PG_FUNCTION_ARGS)
{
	OmenRecall	recall = {0};
	int			guc_level;
	int			context;
	int			ef;
	Oid			user;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	recall.k = om_get_count(fcinfo, 1, "k", OMEN_RECALL_MAX_K);
	recall.max_samples = om_get_count(fcinfo, 2, "samples",
									  OMEN_RECALL_MAX_SAMPLES);
	om_open(&recall, PG_GETARG_OID(0));

	GetUserIdAndSecContext(&user, &context);
	guc_level = NewGUCNestLevel();
	if (!PG_ARGISNULL(3))
		om_set_ef(PG_GETARG_INT32(3));
	SetUserIdAndSecContext(recall.heap->rd_rel->relowner,
						   context | SECURITY_RESTRICTED_OPERATION);
	OmenRestrictSearchPath();
	ef = omen_ef_search;
	om_run(&recall);
	AtEOXact_GUC(false, guc_level);
	SetUserIdAndSecContext(user, context);

	index_close(recall.index, AccessShareLock);
	table_close(recall.heap, AccessShareLock);
	return om_result(fcinfo, &recall, ef);
}
