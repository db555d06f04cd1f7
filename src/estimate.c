/*-------------------------------------------------------------------------
 *
 * estimate.c
 *		omen_build_estimate(): what a CREATE INDEX will take.
 *
 * Sizes follow from the number of rows and the layout.  Time follows from a
 * trial: a small graph is built in memory, so that the CPU, its instruction
 * set, the dimensions and the parameters are those that count.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/heaptoast.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "common/pg_prng.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "ambuild.h"
#include "compat.h"

#define OMEN_ESTIMATE_COLUMNS	6

/* Nodes of the trial, and places that they lie about. */
#define OMEN_TRIAL_NODES		2000
#define OMEN_TRIAL_PLACES		64

/*
 * How much longer a node takes with ten times as many of them, since less of
 * what it needs is in the caches.  Measured from 10,000 to 1,000,000 nodes on
 * a Zen 5.
 */
#define OMEN_TENFOLD_GROWTH		0.4

/* Seconds to read a page of the table, and to make one of the index. */
#define OMEN_READ_SECONDS		4e-6
#define OMEN_WRITE_SECONDS		15e-6

/* What a second process adds to the speed of the first. */
#define OMEN_WORKER_SHARE		0.7

/* Memory of a backend that builds, besides the arrays. */
#define OMEN_BACKEND_MEMORY		(8 * 1024 * 1024)

typedef struct OmenEstimate
{
	Relation	heap;
	OmenFrozen	frozen;
	double		rows;
	double		pages;			/* of the table and its large values */
	int			workers;
	double		memory;
	double		temp;
	double		index;
	double		seconds;
} OmenEstimate;

/* Open the table, of which the user must be allowed to read the column. */
static Relation
om_open_table(Oid relid, const char *column, AttrNumber *attribute)
{
	Relation	heap = table_open(relid, AccessShareLock);
	const char *name = RelationGetRelationName(heap);

	*attribute = get_attnum(relid, column);
	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		(*attribute <= 0 ||
		 pg_attribute_aclcheck(relid, *attribute, GetUserId(),
							   ACL_SELECT) != ACLCHECK_OK))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, name);
	if (heap->rd_rel->relkind != RELKIND_RELATION &&
		heap->rd_rel->relkind != RELKIND_MATVIEW)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table or materialized view", name),
				 heap->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ?
				 errhint("Ask for its partitions one by one.") : 0));
	if (*attribute <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						column, name)));
	return heap;
}

/* The operator class of this name, or the default one, for a column's type. */
static const OmenOpclass *
om_find_opclass(Oid type, const char *name)
{
	List	   *names = name == NULL ? NIL : OmenQualifiedName(name);
	Oid			opclass = ResolveOpClass(names, type, "omen",
										 get_index_am_oid("omen", false));
	Oid			family;
	Oid			input;
	Oid			support;

	family = get_opclass_family(opclass);
	input = get_opclass_input_type(opclass);
	support = get_opfamily_proc(family, input, input, OMEN_SUPPORT_PROC);
	return (const OmenOpclass *) DatumGetPointer(OidFunctionCall0(support));
}

static int
om_get_option(FunctionCallInfo fcinfo, int arg, const char *name, int min,
			  int max)
{
	int			value = PG_GETARG_INT32(arg);

	if (value < min || value > max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" must be between %d and %d", name, min, max)));
	return value;
}

/*
 * Rows by the planner's rule: the density when the table was last analyzed
 * times the pages that it has now.  Until then, the density follows from the
 * width of the column, where values are in the rows.
 */
static void
om_count_rows(OmenEstimate *estimate, AttrNumber attribute)
{
	Relation	heap = estimate->heap;
	int			natts = RelationGetNumberOfAttributes(heap);
	int32	   *widths = palloc0((natts + 1) * sizeof(int32));
	BlockNumber pages;
	double		visible;
	Size		width = estimate->frozen.dims *
		(estimate->frozen.element == OMEN_ELEMENT_FLOAT ?
		 sizeof(float) : sizeof(uint16));

	if (TupleDescAttr(RelationGetDescr(heap),
					  attribute - 1)->attstorage == TYPSTORAGE_PLAIN ||
		width < TOAST_TUPLE_TARGET)
		widths[attribute] = width;
	table_relation_estimate_size(heap, widths, &pages, &estimate->rows,
								 &visible);
	estimate->rows = rint(estimate->rows);
	estimate->pages = pages;
	if (OidIsValid(heap->rd_rel->reltoastrelid))
	{
		Relation	toast = table_open(heap->rd_rel->reltoastrelid,
									   AccessShareLock);

		estimate->pages += RelationGetNumberOfBlocks(toast);
		table_close(toast, AccessShareLock);
	}
}

/*
 * A backend alone has all arrays in memory, or all in files with as many of
 * their pages in memory as maintenance_work_mem allows; a team has them in
 * files.
 */
static void
om_estimate_sizes(OmenEstimate *estimate, const OmenBuildParams *params)
{
	double		limit = (double) maintenance_work_mem * 1024;
	double		arrays = OmenBuildSize(&estimate->frozen, estimate->rows);
	OmenLayout	layout;
	OmenSegmentData segment = {0};

	OmenComputeLayout(&estimate->frozen, &layout);
	segment.nnodes = segment.ntids = (uint32) estimate->rows;
	segment.ndirectory = OmenEntryCount(segment.nnodes);
	estimate->index = BLCKSZ *
		(1.0 + OmenQuantizerPages(&estimate->frozen) +
		 OmenSegmentPages(&layout, &segment));
	estimate->memory = Min(arrays, limit) +
		OMEN_BACKEND_MEMORY * (double) (estimate->workers + 1);
	if (estimate->workers > 0 || arrays > limit)
		estimate->temp = arrays;
}

/* At most so many rows are not made a graph. */
static void
om_estimate_flat(OmenEstimate *estimate)
{
	OmenLayout	layout;

	OmenComputeLayout(&estimate->frozen, &layout);
	estimate->workers = 0;
	estimate->index = BLCKSZ *
		(1.0 + ceil(estimate->rows / layout.vector_rows.rows_per_page) *
		 layout.vector_rows.pages_per_row);
	estimate->memory = OMEN_BACKEND_MEMORY;
	estimate->seconds = (estimate->pages + estimate->index / BLCKSZ) *
		(OMEN_READ_SECONDS + OMEN_WRITE_SECONDS);
}

/* Codes that lie about some places. */
static void
om_trial_codes(uint32 width, int8 *codes)
{
	pg_prng_state prng;

	pg_prng_seed(&prng, 1);
	for (uint32 i = 0; i < OMEN_TRIAL_NODES; i++)
		for (uint32 j = 0; j < width; j++)
		{
			int8	   *code = codes + (Size) i * width + j;

			*code = (int8) pg_prng_uint64_range(&prng, 0, 32) - 16;
			if (i < OMEN_TRIAL_PLACES)
				*code *= 4;
			else
				*code += codes[(Size) (i % OMEN_TRIAL_PLACES) * width + j];
		}
}

/* Code the edges of the trial's graph, if there are any such codes. */
static void
om_trial_edges(const OmenFrozen *frozen, const int8 *codes,
			   const OmenGraph *graph)
{
	uint8	   *edges = palloc(OMEN_BLOCK_BYTES(frozen->edge_dims));
	int32		sums[3][OMEN_LANES];

	for (uint32 i = 0; i < OMEN_TRIAL_NODES && frozen->edge_dims > 0; i++)
		for (uint32 j = 0; j < graph->degrees[i]; j += OMEN_LANES)
		{
			const int8 *neighbors[OMEN_LANES];
			uint32		n = Min(OMEN_LANES, graph->degrees[i] - j);

			for (uint32 k = 0; k < n; k++)
				neighbors[k] = codes + (Size) frozen->width *
					graph->order[graph->neighbors[(Size) i * graph->degree +
												  j + k]];
			omen_kernels->encode_block(frozen->width, frozen->edge_dims,
									   codes + (Size) graph->order[i] *
									   frozen->width, neighbors, n, edges,
									   sums[0], sums[1], sums[2]);
		}
}

/* Seconds for a node of a small graph, its edge codes included. */
static double
om_trial(const OmenFrozen *frozen, OmenBuildParams *params)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "omen trial",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	int8	   *codes = palloc(mul_size(OMEN_TRIAL_NODES, frozen->width));
	instr_time	start;
	instr_time	end;
	OmenGraph  *graph;

	params->store = OmenCreateStore(SIZE_MAX, 0, NULL);
	om_trial_codes(frozen->width, codes);
	INSTR_TIME_SET_CURRENT(start);
	graph = OmenBuildGraph(params, codes, NULL, OMEN_TRIAL_NODES, NULL, NULL);
	OmenFinishGraph(graph);
	om_trial_edges(frozen, codes, graph);
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return INSTR_TIME_GET_DOUBLE(end) / OMEN_TRIAL_NODES;
}

static void
om_estimate_time(OmenEstimate *estimate, OmenBuildParams *params)
{
	double		decades = log10(Max(estimate->rows / OMEN_TRIAL_NODES, 1));
	double		processes = 1 + OMEN_WORKER_SHARE * estimate->workers;

	estimate->seconds = estimate->rows / processes *
		om_trial(&estimate->frozen, params) *
		(1 + OMEN_TENFOLD_GROWTH * decades);
	estimate->seconds += estimate->pages * OMEN_READ_SECONDS +
		estimate->index / BLCKSZ * OMEN_WRITE_SECONDS;
}

static Datum
om_result(FunctionCallInfo fcinfo, const OmenEstimate *estimate)
{
	Datum		values[OMEN_ESTIMATE_COLUMNS];
	bool		nulls[OMEN_ESTIMATE_COLUMNS] = {false};
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int64GetDatum((int64) estimate->rows);
	values[1] = Int32GetDatum(estimate->workers);
	values[2] = Int64GetDatum((int64) estimate->memory);
	values[3] = Int64GetDatum((int64) estimate->temp);
	values[4] = Int64GetDatum((int64) estimate->index);
	values[5] = Float8GetDatum(estimate->seconds);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values,
											 nulls));
}

PG_FUNCTION_INFO_V1(omen_build_estimate);

/*
 * omen_build_estimate(relation regclass, attribute name, opclass text, m
 * integer, ef_construction integer) returns (rows bigint, workers integer,
 * memory_bytes bigint, temp_bytes bigint, index_bytes bigint, seconds float8)
 *
 * For CREATE INDEX with the settings of the session.
 */
Datum
omen_build_estimate(PG_FUNCTION_ARGS)
{
	OmenEstimate estimate = {0};
	OmenOptions options = {0};
	OmenBuildParams params = {0};
	AttrNumber	attribute;
	Form_pg_attribute column;

	for (int i = 0; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i) && i != 2)
			PG_RETURN_NULL();
	estimate.heap = om_open_table(PG_GETARG_OID(0),
								  NameStr(*PG_GETARG_NAME(1)), &attribute);
	options.m = om_get_option(fcinfo, 3, "m", OMEN_MIN_M, OMEN_MAX_M);
	options.ef_construction = om_get_option(fcinfo, 4, "ef_construction",
											OMEN_MIN_EF_CONSTRUCTION,
											OMEN_MAX_EF_CONSTRUCTION);
	options.chunk_size = OMEN_DEFAULT_CHUNK_SIZE;
	OmenCheckOptions(&options);

	column = TupleDescAttr(RelationGetDescr(estimate.heap), attribute - 1);
	OmenChooseFrozen(&estimate.frozen,
					 om_find_opclass(column->atttypid, PG_ARGISNULL(2) ? NULL :
									 text_to_cstring(PG_GETARG_TEXT_PP(2))),
					 column->atttypmod, &options);
	OmenFillBuildParams(&estimate.frozen, &params);
	om_count_rows(&estimate, attribute);
	estimate.workers = OmenPlanWorkers(estimate.heap);
	if (estimate.rows <= OMEN_FLAT_ROWS)
		om_estimate_flat(&estimate);
	else
	{
		om_estimate_sizes(&estimate, &params);
		om_estimate_time(&estimate, &params);
	}
	table_close(estimate.heap, AccessShareLock);
	return om_result(fcinfo, &estimate);
}
