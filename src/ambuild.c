/*-------------------------------------------------------------------------
 *
 * ambuild.c
 *		CREATE INDEX.
 *
 * A sample of the table's blocks is read first, to learn how to code vectors.
 * Then the table is scanned, each vector is coded as it comes, the batch
 * builder makes a graph of all codes at once, and the segment is written.  What
 * does not fit maintenance_work_mem lies in temporary files meanwhile
 * (store.c).
 *
 * All of this after the sample is done by a team (team.h): the backend, which
 * leads it, and parallel workers, if the table is large enough and there are
 * some.
 *
 * A table of few rows gets no graph: its rows go to the pending list, which
 * is scanned exactly.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tableam.h"
#include "catalog/index.h"
#include "commands/progress.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/backend_progress.h"
#include "utils/memutils.h"
#include "utils/sampling.h"

#include "ambuild.h"
#include "pending.h"

/* Blocks read for the sample at most, however few rows they have. */
#define OMEN_SAMPLE_BLOCKS	4000

/*
 * Phases for pg_stat_progress_create_index: scanning, those of the batch
 * builder, and writing.
 */
#define OMEN_PROGRESS_SAMPLE	2
#define OMEN_PROGRESS_SCAN		3
#define OMEN_PROGRESS_BUILD		4	/* + OmenBuildPhase */
#define OMEN_PROGRESS_WRITE		(OMEN_PROGRESS_BUILD + OMEN_BUILD_PHASES)

/* Units between two reports of progress. */
#define OMEN_REPORT_STEP	1024

char *
omenbuildphasename(int64 phasenum)
{
	switch (phasenum)
	{
		case PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE:
			return "initializing";
		case OMEN_PROGRESS_SAMPLE:
			return "sampling table";
		case OMEN_PROGRESS_SCAN:
			return "scanning table";
		case OMEN_PROGRESS_WRITE:
			return "writing pages";
		default:
			if (phasenum >= OMEN_PROGRESS_BUILD &&
				phasenum < OMEN_PROGRESS_WRITE)
				return unconstify(char *,
								  OmenBuildPhaseName(phasenum -
													 OMEN_PROGRESS_BUILD));
			return NULL;
	}
}

/* Note how long the phase took that ends now. */
static void
om_end_phase(OmenBuildState *state)
{
	instr_time	now;
	instr_time	duration;

	INSTR_TIME_SET_CURRENT(now);
	duration = now;
	INSTR_TIME_SUBTRACT(duration, state->phase_start);
	if (state->phase != 0)
		appendStringInfo(&state->times, "%s%s %.3f s",
						 state->times.len > 0 ? ", " : "",
						 omenbuildphasename(state->phase),
						 INSTR_TIME_GET_DOUBLE(duration));
	state->phase_start = now;
}

/*
 * Report the phase, and done of total units as tuples.  The units are nodes,
 * or pages while these are written.  Only the leader reports.
 */
static void
om_report(OmenBuildState *state, int phase, uint32 done, uint32 total)
{
	CHECK_FOR_INTERRUPTS();
	OmenStoreRelax(state->store);
	if (!OmenTeamLeads(state->team))
		return;
	if (phase != state->phase)
	{
		const int	what[] = {
			PROGRESS_CREATEIDX_SUBPHASE, PROGRESS_CREATEIDX_TUPLES_TOTAL,
			PROGRESS_CREATEIDX_TUPLES_DONE
		};
		const int64 values[] = {phase, total, done};

		pgstat_progress_update_multi_param(lengthof(what), what, values);
		om_end_phase(state);
		state->phase = phase;
	}
	else
		pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, done);
}

static void
om_report_build(void *arg, OmenBuildPhase phase, uint32 done, uint32 total)
{
	om_report(arg, OMEN_PROGRESS_BUILD + phase, done, total);
}

static void
om_report_page(void *arg, uint32 done, uint32 total)
{
	om_report(arg, OMEN_PROGRESS_WRITE, done, total);
}

void
OmenChooseFrozen(OmenFrozen *frozen, const OmenOpclass *opclass, int32 dims,
				 const OmenOptions *options)
{
	if (dims < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column does not have dimensions"),
				 errhint("Declare the column with its number of dimensions, or index a cast to a type that has it.")));
	if (dims > opclass->max_dims)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("column cannot have more than %d dimensions for omen index",
						opclass->max_dims)));

	memset(frozen, 0, sizeof(OmenFrozen));
	frozen->metric = opclass->metric;
	frozen->element = opclass->element;
	frozen->dims = dims;
	frozen->degree = 2 * options->m;
	frozen->m = options->m;
	frozen->ef_construction = options->ef_construction;
	frozen->chunk_size = options->chunk_size;

	/*
	 * The same data should give the same index wherever it is built, so the
	 * seed is a constant.  It needs no secrecy: whoever knows it may choose
	 * vectors that are coded badly, and gets a slow index of his own.
	 */
	frozen->seed = UINT64CONST(0x6F6D656E76656331);
	OmenChooseWidths(frozen, options->edge_bits);
}

/* The parameters that stay with the index. */
static void
om_choose_frozen(OmenFrozen *frozen, Relation index,
				 const OmenOpclass *opclass)
{
	OmenOptions options = OmenGetOptions(index);

	OmenChooseFrozen(frozen, opclass,
					 TupleDescAttr(RelationGetDescr(index), 0)->atttypmod,
					 &options);
}

/*
 * The elements of a row to be indexed, in the tuple context; NULL if the row
 * is not indexed.
 */
static const void *
om_row_elements(OmenBuildState *state, Datum *values, bool *isnull)
{
	const void *elements;
	int			dims;

	if (isnull[0])
		return NULL;
	elements = OmenGetElements(state->opclass, values[0], &dims);
	if (dims != state->frozen.dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected %u dimensions, not %d",
						state->frozen.dims, dims)));
	return elements;
}

static void
om_sample_callback(Relation index, ItemPointer tid, Datum *values,
				   bool *isnull, bool tupleIsAlive, void *arg)
{
	OmenBuildState *state = arg;
	MemoryContext old = MemoryContextSwitchTo(state->tuple_context);
	const void *elements = om_row_elements(state, values, isnull);

	if (elements != NULL)
		state->nseen++;
	if (elements != NULL && state->nsample < state->wanted)
	{
		OmenElementsToFloats(&state->frozen, elements, state->sample +
							 (Size) state->nsample * state->frozen.dims);
		state->nsample++;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->tuple_context);
}

/*
 * Read random blocks until there are enough rows.  Rows that only some
 * snapshot sees are left out (anyvisible is false), because the scan of a
 * concurrent build cannot deal with them.
 */
static void
om_sample(OmenBuildState *state)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(state->heap);
	BlockNumber nread = 0;
	uint32		bytes = state->frozen.dims * sizeof(float);
	BlockSamplerData sampler;

	state->wanted = OmenSampleRows(&state->frozen);
	om_report(state, OMEN_PROGRESS_SAMPLE, 0, state->wanted);
	state->sample = OmenStoreAlloc(state->store, CurrentMemoryContext,
								   mul_size(state->wanted, bytes));
	BlockSampler_Init(&sampler, nblocks, OMEN_SAMPLE_BLOCKS,
					  (uint32) state->frozen.seed);
	while (BlockSampler_HasMore(&sampler) && state->nsample < state->wanted)
	{
		BlockNumber block = BlockSampler_Next(&sampler);

		table_index_build_range_scan(state->heap, state->index,
									 state->indexInfo, false, false, false,
									 block, 1, om_sample_callback, state,
									 NULL);
		nread++;
		om_report(state, OMEN_PROGRESS_SAMPLE, state->nsample,
				  state->wanted);
	}
	if (nread > 0)
		state->expected = state->nseen * nblocks / nread;
}

static void
om_scan_callback(Relation index, ItemPointer tid, Datum *values,
				 bool *isnull, bool tupleIsAlive, void *arg)
{
	OmenBuildState *state = arg;
	MemoryContext old = MemoryContextSwitchTo(state->tuple_context);
	const void *elements = om_row_elements(state, values, isnull);
	OmenCodeInfo info;

	if (elements != NULL &&
		OmenEncode(state->quantizer, elements, OmenNextCode(state->rows),
				   &info))
	{
		OmenAddRow(state->rows, &info, tid);
		state->indtuples++;
		if (state->rows->ntids % OMEN_REPORT_STEP == 0)
			om_report(state, OMEN_PROGRESS_SCAN, state->rows->ntids,
					  state->expected);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->tuple_context);
}

static void
om_pending_callback(Relation index, ItemPointer tid, Datum *values,
					bool *isnull, bool tupleIsAlive, void *arg)
{
	OmenBuildState *state = arg;
	MemoryContext old = MemoryContextSwitchTo(state->tuple_context);
	const void *elements = om_row_elements(state, values, isnull);

	if (elements != NULL &&
		!OmenIsZero(state->opclass, elements, state->frozen.dims))
	{
		OmenAppendPending(index, tid, elements);
		state->indtuples++;
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->tuple_context);
}

/*
 * Scan, build, write: what all members do.  False if there was nothing to
 * build.
 */
bool
OmenBuildTogether(OmenBuildState *state, OmenSegmentData *segment)
{
	state->rows = OmenMakeRows(state->store, state->frozen.width,
							   state->expected);
	om_report(state, OMEN_PROGRESS_SCAN, 0, state->expected);
	state->reltuples = table_index_build_scan(state->heap, state->index,
											  state->indexInfo, true,
											  OmenTeamLeads(state->team),
											  om_scan_callback, state,
											  state->scan);
	OmenRowsDone(state->rows);
	if (state->team != NULL)
		OmenMeetTeam(state);
	state->rows = OmenGatherRows(state->rows);

	/* Not earlier: the scan may need locks that go before this one. */
	if (OmenTeamLeads(state->team))
		OmenLockProducer(state->index);
	if (state->rows->ncodes > 0)
		OmenBuildSegment(state->index, &state->frozen, state->rows, true,
						 om_report_build, om_report_page, state, segment);
	return state->rows->ncodes > 0;
}

static void
om_log_build(OmenBuildState *state)
{
	const char *name = RelationGetRelationName(state->index);
	OmenStoreUse use = OmenStoreGetUse(state->store);

	om_end_phase(state);
	elog(DEBUG1, "omen index \"%s\": %u rows, %u nodes of %u dimensions (edges: %u), degree %u",
		 name, state->rows->ntids, state->rows->ncodes, state->frozen.width,
		 state->frozen.edge_dims, state->frozen.degree);
	elog(DEBUG1, "omen index \"%s\": used %zu MB of memory and %zu MB of temporary files, %d processes",
		 name, use.most_memory / (1024 * 1024), use.most_files / (1024 * 1024),
		 OmenTeamMembers(state->team));
	elog(DEBUG1, "omen index \"%s\": %s", name, state->times.data);
}

static void
om_build_graph(OmenBuildState *state)
{
	OmenSegmentData segment;
	bool		any;

	state->quantizer = OmenCreateQuantizer(state->index, &state->frozen,
										   state->sample, state->nsample);
	OmenStoreFree(state->store, state->sample);
	state->store = OmenCreateBuildStore(&state->frozen, state->expected, NULL);
	OmenBeginParallel(state);
	any = OmenBuildTogether(state, &segment);
	om_log_build(state);
	OmenFreeRows(state->rows);
	if (state->team != NULL)
		OmenEndParallel(state);
	if (any)
		OmenPublishSegment(state->index, &segment, 0, false);
	OmenUnlockProducer(state->index);
}

/*
 * Scan a small table into the pending list.  If it turns out not to be small,
 * because the sample missed most of its rows, a graph is built after all.
 */
static void
om_build_flat(OmenBuildState *state)
{
	om_report(state, OMEN_PROGRESS_SCAN, 0, state->expected);
	state->reltuples = table_index_build_scan(state->heap, state->index,
											  state->indexInfo, true, true,
											  om_pending_callback, state,
											  NULL);
	if (state->indtuples > OMEN_FLAT_ROWS)
	{
		OmenLockProducer(state->index);
		OmenCompact(state->index, OMEN_COMPACT_FLUSH);
		OmenUnlockProducer(state->index);
	}
}

IndexBuildResult *
omenbuild(Relation heap, Relation index, IndexInfo *indexInfo)
{
	IndexBuildResult *result;
	OmenBuildState state;
	MemoryContext context;
	MemoryContext old;

	if (RelationGetNumberOfBlocks(index) != 0)
		elog(ERROR, "index \"%s\" already contains data",
			 RelationGetRelationName(index));

	context = AllocSetContextCreate(CurrentMemoryContext, "omen build",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);

	memset(&state, 0, sizeof(state));
	state.heap = heap;
	state.index = index;
	state.indexInfo = indexInfo;
	state.opclass = OmenGetOpclass(index);
	state.store = OmenCreateStore((Size) maintenance_work_mem * 1024, 0,
								  NULL);
	state.tuple_context = AllocSetContextCreate(context, "omen build tuple",
												ALLOCSET_DEFAULT_SIZES);
	initStringInfo(&state.times);
	om_choose_frozen(&state.frozen, index, state.opclass);
	OmenCreateMeta(index, MAIN_FORKNUM, &state.frozen);

	om_sample(&state);
	if (state.nsample > 0 && state.expected > OMEN_FLAT_ROWS)
		om_build_graph(&state);
	else
		om_build_flat(&state);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	result = palloc(sizeof(IndexBuildResult));
	result->heap_tuples = state.reltuples;
	result->index_tuples = state.indtuples;
	return result;
}

void
omenbuildempty(Relation index)
{
	OmenFrozen	frozen;

	om_choose_frozen(&frozen, index, OmenGetOpclass(index));
	OmenCreateMeta(index, INIT_FORKNUM, &frozen);
}
