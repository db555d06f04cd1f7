/*-------------------------------------------------------------------------
 *
 * explain.c
 *		EXPLAIN (ANALYZE): what an index scan did.
 *
 * PostgreSQL 18 asks extensions for more lines about each node of a plan; on
 * earlier versions there is omen_last_scan() alone.  The numbers are the scan's
 * own, read while it is still open, and those of all its loops together, as
 * core has it for buffers.  What parallel workers did is not in them, since
 * each has a scan of its own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/explain.h"
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif

#include "lastscan.h"
#include "omen.h"

#if PG_VERSION_NUM >= 180000

static explain_per_node_hook_type om_next_hook = NULL;

/* One line; what seldom happens only if it did. */
static void
om_explain_text(const OmenScanCounts *counts, ExplainState *es)
{
	ExplainIndentText(es);
	appendStringInfo(es->str, "Omen: nodes=" UINT64_FORMAT
					 " estimates=" UINT64_FORMAT " pages=" UINT64_FORMAT
					 " segments=" UINT64_FORMAT,
					 counts->nodes, counts->estimates, counts->pages,
					 counts->segments);
	if (counts->pending_rows > 0)
		appendStringInfo(es->str, " pending_rows=" UINT64_FORMAT,
						 counts->pending_rows);
	appendStringInfo(es->str, " rounds=" UINT64_FORMAT, counts->rounds);
	if (counts->restarts > 0)
		appendStringInfo(es->str, " restarts=" UINT64_FORMAT,
						 counts->restarts);
	appendStringInfo(es->str, " returned=" UINT64_FORMAT, counts->returned);
	if (counts->late > 0)
		appendStringInfo(es->str, " late=" UINT64_FORMAT, counts->late);
	appendStringInfo(es->str, " max_ef=" UINT64_FORMAT "\n", counts->max_ef);
}

static void
om_explain_group(const OmenScanCounts *counts, ExplainState *es)
{
	ExplainOpenGroup("Omen", "Omen", true, es);
	ExplainPropertyUInteger("Nodes", NULL, counts->nodes, es);
	ExplainPropertyUInteger("Estimates", NULL, counts->estimates, es);
	ExplainPropertyUInteger("Pages", NULL, counts->pages, es);
	ExplainPropertyUInteger("Segments", NULL, counts->segments, es);
	ExplainPropertyUInteger("Pending Rows", NULL, counts->pending_rows, es);
	ExplainPropertyUInteger("Rounds", NULL, counts->rounds, es);
	ExplainPropertyUInteger("Restarts", NULL, counts->restarts, es);
	ExplainPropertyUInteger("Returned", NULL, counts->returned, es);
	ExplainPropertyUInteger("Late", NULL, counts->late, es);
	ExplainPropertyUInteger("Max Ef", NULL, counts->max_ef, es);
	ExplainCloseGroup("Omen", "Omen", true, es);
}

static void
om_explain_scan(const IndexScanState *state, ExplainState *es)
{
	OmenScanCounts counts = {0};

	/* There is no scan before the first row is asked for. */
	if (state->iss_ScanDesc != NULL)
		OmenGetScanCounts(state->iss_ScanDesc, &counts);
	if (es->format != EXPLAIN_FORMAT_TEXT)
		om_explain_group(&counts, es);
	else if (OidIsValid(counts.index))
		om_explain_text(&counts, es);
}

static void
om_explain_node(PlanState *state, List *ancestors, const char *relationship,
				const char *plan_name, ExplainState *es)
{
	if (om_next_hook)
		om_next_hook(state, ancestors, relationship, plan_name, es);
	if (es->analyze && IsA(state, IndexScanState))
	{
		const IndexScanState *scan = (const IndexScanState *) state;

		if (OmenIsIndex(scan->iss_RelationDesc))
			om_explain_scan(scan, es);
	}
}

#endif

void
OmenInitExplain(void)
{
#if PG_VERSION_NUM >= 180000
	om_next_hook = explain_per_node_hook;
	explain_per_node_hook = om_explain_node;
#endif
}
