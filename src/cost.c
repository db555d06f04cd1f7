/*-------------------------------------------------------------------------
 *
 * cost.c
 *		What an index scan costs, and what a distance costs.
 *
 * All constants were measured, on tables in memory, and are in PostgreSQL's
 * usual unit.  What that is in time depends on the plan: in a sequential scan
 * it stood for .4 microseconds where a page holds two rows, and for 2 where it
 * holds many; in core's work for each row for 4 to 5; in the pages of a bitmap
 * scan for .2.  We take it for 2, so that an operator is 5 nanoseconds.
 *
 * The cost of a scan is no straight line.  A search for ef_search nodes comes
 * before the first row, and its rows then cost next to nothing; beyond them
 * each row costs several visits to nodes, as searches go on with twice the ef
 * and look at all again.  The planner draws a straight line from start-up cost
 * to total cost; so we lay it through the point that counts, the number of
 * rows that the query will take, which follows from LIMIT and from the
 * selectivity of the filter.
 *
 * A distance is a function with a cost of its own, by the size of the vectors
 * and by where they are: values out of line (TOAST) cost many times as much as
 * those in the row.  Without that, scanning and sorting the table would seem
 * far cheaper than it is, since its pages hold nothing but pointers then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/detoast.h"
#include "access/genam.h"
#include "access/heaptoast.h"
#include "nodes/supportnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"

#include "cache.h"
#include "omen.h"
#include "pending.h"
#include "search.h"

/*
 * A segment is searched for this many nodes, plus so many for each of ef:
 * beginning and directory, and nodes on the way and nodes that only seemed
 * near.  Measured for each of ef: 1.8 on images, 3 on SIFT, 5.4 on texts.
 */
#define OMEN_FIRST_VISITS		20
#define OMEN_VISITS_PER_EF		3.5

/*
 * Rows beyond ef: visits for each, over all rounds; visits for each node, if
 * the segment is read to its end; and operators for each row and round, for
 * heaps, hash tables and queues that grow out of the CPU's caches.
 */
#define OMEN_VISITS_PER_ROW		8
#define OMEN_VISITS_PER_NODE	3
#define OMEN_ROW_OPERATORS		50

/* A page that is in shared buffers, as a share of random_page_cost. */
#define OMEN_HOT_PAGE_SHARE		0.01

/*
 * A visit: operators at all, and bytes of code and edge codes for another.
 * Measured: 0.6 microseconds on SIFT and texts, 0.9 on images of 784
 * dimensions.
 */
#define OMEN_VISIT_OPERATORS	100
#define OMEN_VISIT_BYTES		40

/* L1: as many slots take the time of a visit and of the neighbors' slots. */
#define OMEN_VISIT_SLOTS		3

/*
 * A pending row: operators, and bytes for another.  Measured: 20 nanoseconds
 * for 152 bytes, 32 for 408, 35 for 808.
 */
#define OMEN_PENDING_OPERATORS	3
#define OMEN_PENDING_BYTES		256

/*
 * A distance as a function: operators, and bytes for another.  Measured, with
 * the reading of the vector: 40 nanoseconds for 3 dimensions, 200 for 128, 250
 * for 384, 400 for 784.
 */
#define OMEN_DISTANCE_OPERATORS	8
#define OMEN_DISTANCE_BYTES		45

/* Dimensions of vectors if nothing tells. */
#define OMEN_LIKELY_DIMS		768

/*
 * Operators for each chunk of a value out of line.  Measured: 1 microsecond if
 * they are read in the order of the table, 1.7 if not.
 */
#define OMEN_CHUNK_OPERATORS	250

/*
 * How many rows the query will take from the index: all, but for LIMIT or a
 * cursor; more if some do not pass the filter.  A join may lose any share of
 * its rows, so there the scan should be thought to go on.
 */
static double
om_rows_wanted(PlannerInfo *root, IndexOptInfo *info)
{
	double		rows = Max(info->tuples, 1);
	double		passing = Min(Max(info->rel->rows, 1), rows);
	double		wanted = rows;

	if (root->limit_tuples >= 0)
		wanted = root->limit_tuples * (rows / passing);
	else if (root->tuple_fraction > 0 && root->tuple_fraction < 1)
		wanted = root->tuple_fraction * rows;
	if (bms_membership(root->all_baserels) == BMS_MULTIPLE)
		wanted = Max(wanted, 2.0 * omen_ef_search);
	return Min(Max(wanted, 1), rows);
}

/*
 * An access to a page of the index.  What fits the cache is taken to be in
 * shared buffers: the pages near a few entries are visited all the time.
 */
static Cost
om_page_cost(IndexOptInfo *info)
{
	double		random_cost;
	double		missing = 0;

	get_tablespace_page_costs(info->reltablespace, &random_cost, NULL);
	if (info->pages > effective_cache_size)
		missing = 1 - (double) effective_cache_size / info->pages;
	return random_cost * Max(missing, OMEN_HOT_PAGE_SHARE);
}

/*
 * The visits to nodes: *first for the first round, *more for the rounds that
 * it takes to get the rows wanted.
 */
static void
om_count_visits(const OmenMetaData *meta, double ef_search, double wanted,
				double *first, double *more)
{
	double		total = 0;
	uint32		i;

	for (i = 0; i < meta->nsegments; i++)
		total += meta->segments[i].ntids;
	*first = *more = 0;
	for (i = 0; i < meta->nsegments; i++)
	{
		const OmenSegmentData *segment = &meta->segments[i];
		double		share = segment->ntids / total;

		*first += Min(OMEN_FIRST_VISITS + OMEN_VISITS_PER_EF *
					  OmenShareOfEf(ef_search, share), segment->nnodes);
		if (wanted > ef_search)
			*more += Min(OMEN_VISITS_PER_ROW * wanted * share,
						 (double) OMEN_VISITS_PER_NODE * segment->nnodes);
	}
}

static Cost
om_visit_cost(const OmenFrozen *frozen, const OmenLayout *layout,
			  Cost page_cost)
{
	double		slots = frozen->edge_dims == 0 ? OMEN_VISIT_SLOTS : 1;
	double		bytes = frozen->width +
		(double) frozen->degree * frozen->edge_dims / BITS_PER_BYTE;

	return slots * (layout->pages_per_slot * page_cost + cpu_operator_cost *
					(OMEN_VISIT_OPERATORS + bytes / OMEN_VISIT_BYTES));
}

/* Each row of a pending list is compared. */
static Cost
om_pending_cost(const OmenMetaData *meta, const OmenLayout *layout,
				const OmenPendingData *pending, Cost page_cost)
{
	double		pages = 0;
	int			i;

	for (i = 0; i < OMEN_MAX_STRIPES; i++)
		pages += pending->stripes[i].npages;
	return pages * page_cost +
		OmenPendingRows(layout, pending) * cpu_operator_cost *
		(OMEN_PENDING_OPERATORS +
		 (double) OmenPendingForm(layout, pending)->size /
		 OMEN_PENDING_BYTES);
}

/*
 * What the planner will miss of the heap's pages, for each row: it spreads
 * those of a scan to the end over all rows, but the first rows are on a page
 * of their own each.
 */
static Cost
om_missed_heap_cost(PlannerInfo *root, IndexOptInfo *info, double wanted,
					double loop_count)
{
	double		rows = Max(info->tuples, 1);
	double		random_cost;
	double		first;
	double		all;

	get_tablespace_page_costs(info->rel->reltablespace, &random_cost, NULL);
	first = index_pages_fetched(wanted * loop_count, info->rel->pages,
								info->pages, root) / (wanted * loop_count);
	all = index_pages_fetched(rows * loop_count, info->rel->pages,
							  info->pages, root) / (rows * loop_count);
	return random_cost * Max(first - all, 0);
}

/*
 * Size of the vectors that a distance compares: that of a constant, or what
 * the type modifier of a column says, where an element has 4 bytes at most.
 * 0 if unknown.
 */
static double
om_vector_size(List *args, List *vars)
{
	ListCell   *cell;

	foreach(cell, args)
	{
		Const	   *value = lfirst(cell);

		if (IsA(value, Const) && !value->constisnull &&
			value->constlen == -1)
			return toast_raw_datum_size(value->constvalue);
	}
	foreach(cell, vars)
	{
		Var		   *var = lfirst(cell);

		if (var->vartypmod > 0)
			return VARHDRSZ + sizeof(float) * ((double) var->vartypmod + 1);
	}
	return 0;
}

/*
 * The metapage; or, for an index that an extension only makes the planner
 * believe in, what it would be after CREATE INDEX.  Such an index has no file.
 */
static void
om_get_meta(IndexPath *path, OmenMetaData *meta)
{
	IndexOptInfo *info = path->indexinfo;
	Relation	index;
	List	   *vars;
	double		size;

	if (!info->hypothetical)
	{
		index = index_open(info->indexoid, NoLock);
		OmenReadMeta(index, meta);
		index_close(index, NoLock);
		return;
	}

	vars = pull_var_clause((Node *) path->indexorderbys,
						   PVC_RECURSE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS |
						   PVC_RECURSE_PLACEHOLDERS);
	size = om_vector_size(NIL, vars);
	list_free(vars);
	memset(meta, 0, sizeof(OmenMetaData));
	meta->frozen.metric = OMEN_METRIC_L2;
	meta->frozen.element = OMEN_ELEMENT_FLOAT;
	meta->frozen.dims = size > 0 ?
		(size - VARHDRSZ) / sizeof(float) - 1 : OMEN_LIKELY_DIMS;
	meta->frozen.degree = 2 * OMEN_DEFAULT_M;
	OmenChooseWidths(&meta->frozen, 0);
	meta->nsegments = 1;
	meta->segments[0].ntids = Max(info->tuples, 1);
	meta->segments[0].nnodes = meta->segments[0].ntids;
}

/* A path without an order: nothing that the index could do. */
static void
om_refuse(IndexPath *path, Cost *startup, Cost *total,
		  Selectivity *selectivity, double *correlation, double *pages)
{
	*startup = get_float8_infinity();
	*total = get_float8_infinity();
	*selectivity = 0;
	*correlation = 0;
	*pages = 0;
#if PG_VERSION_NUM >= 180000
	path->path.disabled_nodes = 2;
#endif
}

void
omencostestimate(PlannerInfo *root, IndexPath *path, double loop_count,
				 Cost *indexStartupCost, Cost *indexTotalCost,
				 Selectivity *indexSelectivity, double *indexCorrelation,
				 double *indexPages)
{
	IndexOptInfo *info = path->indexinfo;
	GenericCosts costs = {0};
	QualCost	recheck;
	OmenMetaData meta;
	OmenLayout	layout;
	double		ef = omen_ef_search;
	double		wanted = om_rows_wanted(root, info);
	double		first;
	double		more;
	Cost		page_cost = om_page_cost(info);
	Cost		visit_cost;
	Cost		row_cost;

	if (path->indexorderbys == NIL)
	{
		om_refuse(path, indexStartupCost, indexTotalCost, indexSelectivity,
				  indexCorrelation, indexPages);
		return;
	}

	genericcostestimate(root, path, loop_count, &costs);
	cost_qual_eval(&recheck, path->indexorderbys, root);
	om_get_meta(path, &meta);
	OmenComputeLayout(&meta.frozen, &layout);
	if (meta.quantizer.lifted)
		ef *= OMEN_LIFTED_EF;

	om_count_visits(&meta, ef, wanted, &first, &more);
	visit_cost = om_visit_cost(&meta.frozen, &layout, page_cost);
	*indexStartupCost = costs.indexStartupCost + recheck.startup +
		first * visit_cost +
		om_pending_cost(&meta, &layout, &meta.pending, page_cost) +
		om_pending_cost(&meta, &layout, &meta.sealed, page_cost);
	row_cost = cpu_index_tuple_cost + recheck.per_tuple +
		om_missed_heap_cost(root, info, wanted, loop_count);
	if (wanted > ef)
		row_cost += more * visit_cost / wanted +
			OMEN_ROW_OPERATORS * cpu_operator_cost *
			log2(wanted / ef);
	*indexTotalCost = *indexStartupCost + Max(info->tuples, 1) * row_cost;
	*indexSelectivity = costs.indexSelectivity;
	*indexCorrelation = 0;
	*indexPages = info->pages;
}

/*
 * Is a column of a table kept out of line?  Statistics tell, for the width
 * that ANALYZE finds in a row is that of a pointer then.  Without, we guess.
 */
static bool
om_is_toasted(PlannerInfo *root, Var *var, double size)
{
	RangeTblEntry *rte;
	int32		width;

	if (var->varlevelsup > 0 || IS_SPECIAL_VARNO(var->varno) ||
		var->varattno <= 0)
		return false;
	rte = planner_rt_fetch(var->varno, root);
	if (rte->rtekind != RTE_RELATION)
		return false;
	width = get_attavgwidth(rte->relid, var->varattno);
	return width > 0 ? width < size / 2 : size > TOAST_TUPLE_TARGET;
}

/* Cost of a distance, given the call's arguments. */
static Cost
om_distance_cost(PlannerInfo *root, List *args)
{
	List	   *vars = pull_var_clause((Node *) args,
									   PVC_RECURSE_AGGREGATES |
									   PVC_RECURSE_WINDOWFUNCS |
									   PVC_RECURSE_PLACEHOLDERS);
	double		size = om_vector_size(args, vars);
	double		operators = OMEN_DISTANCE_OPERATORS +
		size / OMEN_DISTANCE_BYTES;
	ListCell   *cell;

	foreach(cell, vars)
		if (root != NULL && om_is_toasted(root, lfirst(cell), size))
			operators += OMEN_CHUNK_OPERATORS *
				ceil(size / TOAST_MAX_CHUNK_SIZE);
	list_free(vars);
	return operators * cpu_operator_cost;
}

PG_FUNCTION_INFO_V1(omen_distance_support);

/*
 * omen_distance_support(internal) returns internal
 *
 * Planner support function of the functions behind the distance operators.
 */
Datum
omen_distance_support(PG_FUNCTION_ARGS)
{
	SupportRequestCost *request = (SupportRequestCost *) PG_GETARG_POINTER(0);
	Node	   *call;
	List	   *args = NIL;

	if (!IsA(request, SupportRequestCost))
		PG_RETURN_POINTER(NULL);
	call = request->node;
	if (call != NULL && IsA(call, FuncExpr))
		args = ((FuncExpr *) call)->args;
	else if (call != NULL && IsA(call, OpExpr))
		args = ((OpExpr *) call)->args;
	request->startup = 0;
	request->per_tuple = om_distance_cost(request->root, args);
	PG_RETURN_POINTER(request);
}
