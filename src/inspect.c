/*-------------------------------------------------------------------------
 *
 * inspect.c
 *		omen_index_info(): what an index consists of.
 *
 * Segments are described by the metapage alone.  The rows of the pending
 * lists, of which there are few, are counted page by page.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "omen.h"
#include "pending.h"

#define OMEN_INFO_COLUMNS	12

/*
 * Copy the metapage and count the lists that it names, until no flush comes
 * in between.
 */
static void
om_read_index(Relation index, OmenMetaData *meta, OmenPendingCounts *counts)
{
	OmenCache  *cache;

	do
	{
		CHECK_FOR_INTERRUPTS();
		memset(counts, 0, sizeof(OmenPendingCounts));
		OmenReadMeta(index, meta);
		cache = OmenGetCacheFor(index, meta);
	} while (!OmenCountPending(index, cache, &meta->sealed, counts) ||
			 !OmenCountPending(index, cache, &meta->pending, counts));
}

static void
om_put_info(FunctionCallInfo fcinfo, const Datum *values, const bool *nulls)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	tuplestore_putvalues(result->setResult, result->setDesc,
						 unconstify(Datum *, values),
						 unconstify(bool *, nulls));
}

static void
om_put_segment(FunctionCallInfo fcinfo, Relation index,
			   const OmenMetaData *meta, const OmenSegmentData *segment)
{
	static const bool nulls[OMEN_INFO_COLUMNS] = {false};
	Datum		values[OMEN_INFO_COLUMNS];
	int64		pages = 0;
	uint32		i;

	/* Nothing else reads it; the type's output function would complain. */
	if (!IS_VALID_TIMESTAMP(segment->born))
		OmenReportDamage(index, OMEN_METAPAGE,
						 "A segment was made at an impossible time.");
	for (i = 0; i < segment->nextents; i++)
		pages += segment->extents[i].nblocks;
	values[0] = CStringGetTextDatum("segment");
	values[1] = Int64GetDatum(segment->owner);
	values[2] = Int64GetDatum(segment->ntids);
	values[3] = Int64GetDatum(segment->nnodes);
	values[4] = Int64GetDatum(segment->ndead);
	values[5] = Int64GetDatum(pages);
	values[6] = Int64GetDatum(pages * BLCKSZ);
	values[7] = Int32GetDatum(meta->frozen.degree);
	values[8] = Int32GetDatum(meta->frozen.edge_dims);
	values[9] = Int64GetDatum(segment->ndirectory);
	values[10] = TimestampTzGetDatum(segment->born);
	values[11] = Int32GetDatum(meta->version);
	om_put_info(fcinfo, values, nulls);
}

/* A pending row has no graph: no nodes, edges, entries, nor date. */
static void
om_put_pending(FunctionCallInfo fcinfo, const OmenMetaData *meta,
			   const OmenPendingCounts *counts)
{
	static const bool nulls[OMEN_INFO_COLUMNS] = {
		false, true, false, true, false, false, false, true, true, true, true,
		false
	};
	Datum		values[OMEN_INFO_COLUMNS] = {0};

	values[0] = CStringGetTextDatum("pending");
	values[2] = Int64GetDatum(counts->rows);
	values[4] = Int64GetDatum(counts->dead);
	values[5] = Int64GetDatum(counts->pages);
	values[6] = Int64GetDatum(counts->pages * BLCKSZ);
	values[11] = Int32GetDatum(meta->version);
	om_put_info(fcinfo, values, nulls);
}

PG_FUNCTION_INFO_V1(omen_index_info);

/*
 * omen_index_info(index regclass) returns setof (kind text, number bigint,
 * rows bigint, nodes bigint, dead bigint, pages bigint, bytes bigint, degree
 * integer, edge_bits integer, entries bigint, born timestamptz, format integer)
 *
 * No row if there is no such relation, or not any more: so the view
 * omen_indexes does not mind an index that is dropped meanwhile.
 */
Datum
omen_index_info(PG_FUNCTION_ARGS)
{
	Relation	index = try_relation_open(PG_GETARG_OID(0), AccessShareLock);
	OmenMetaData meta;
	OmenPendingCounts counts;
	uint32		i;

	InitMaterializedSRF(fcinfo, 0);
	if (index == NULL)
		return (Datum) 0;
	OmenCheckReadable(index, false);

	om_read_index(index, &meta, &counts);
	for (i = 0; i < meta.nsegments; i++)
		om_put_segment(fcinfo, index, &meta, &meta.segments[i]);
	om_put_pending(fcinfo, &meta, &counts);
	relation_close(index, AccessShareLock);
	return (Datum) 0;
}
