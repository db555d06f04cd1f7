/*-------------------------------------------------------------------------
 *
 * cost.c
 *		What an index scan costs.
 *
 * A scan pays nearly everything before its first row: the pending list, and
 * about ef_search pages with the distances computed on each.  Rows beyond the
 * ef_search first ones cost about a page each, which makes a scan of the whole
 * table dearer than sorting it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "utils/float.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"

#include "cache.h"
#include "omen.h"
#include "pending.h"

/*
 * A search touches this many pages besides ef_search: directory, way to the
 * neighbourhood, TIDs.
 */
#define OMEN_EXTRA_PAGES	20

/*
 * Hot pages are found in shared buffers nearly always, and a random page
 * access that hits them costs far less than random_page_cost says.
 */
#define OMEN_PAGE_COST_SHARE	0.1

/* Distances computed with one SIMD instruction stream, per operator call. */
#define OMEN_DISTANCES_PER_OPERATOR	8

void
omencostestimate(PlannerInfo *root, IndexPath *path, double loop_count,
				 Cost *indexStartupCost, Cost *indexTotalCost,
				 Selectivity *indexSelectivity, double *indexCorrelation,
				 double *indexPages)
{
	IndexOptInfo *info = path->indexinfo;
	GenericCosts costs;
	Relation	index;
	OmenMetaData meta;
	OmenLayout	layout;
	double		rows = Max(info->tuples, 1);
	double		page_cost;
	double		pages;
	double		pending_pages = 0;
	double		per_page_cpu;
	double		graph_rows = 0;
	int			i;

	/* Without an order there is nothing that the index could do. */
	if (path->indexorderbys == NIL)
	{
		*indexStartupCost = get_float8_infinity();
		*indexTotalCost = get_float8_infinity();
		*indexSelectivity = 0;
		*indexCorrelation = 0;
		*indexPages = 0;
#if PG_VERSION_NUM >= 180000
		path->path.disabled_nodes = 2;
#endif
		return;
	}

	MemSet(&costs, 0, sizeof(costs));
	genericcostestimate(root, path, loop_count, &costs);

	index = index_open(info->indexoid, NoLock);
	OmenReadMeta(index, &meta);
	index_close(index, NoLock);
	OmenComputeLayout(&meta.frozen, &layout);

	get_tablespace_page_costs(info->reltablespace, &page_cost, NULL);
	page_cost *= OMEN_PAGE_COST_SHARE;
	for (i = 0; i < meta.nsegments; i++)
		graph_rows += meta.segments[i].ntids;
	for (i = 0; i < OMEN_MAX_STRIPES; i++)
		pending_pages += meta.pending.stripes[i].npages +
			meta.sealed.stripes[i].npages;

	/* A segment is searched for at least a few pages. */
	pages = Min(omen_ef_search, graph_rows) +
		OMEN_EXTRA_PAGES * meta.nsegments;
	per_page_cpu = cpu_operator_cost *
		(1 + meta.frozen.degree / OMEN_DISTANCES_PER_OPERATOR);

	*indexStartupCost = costs.indexStartupCost +
		pages * (page_cost + per_page_cpu) +
		pending_pages * (page_cost + cpu_operator_cost *
						 layout.pending_rows_per_page);
	*indexTotalCost = *indexStartupCost +
		Max(rows - omen_ef_search, 0) * (page_cost + per_page_cpu) +
		rows * cpu_index_tuple_cost;
	*indexSelectivity = costs.indexSelectivity;
	*indexCorrelation = 0;
	*indexPages = costs.numIndexPages;
}
