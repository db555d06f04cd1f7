/*-------------------------------------------------------------------------
 *
 * lastscan.c
 *		omen_last_scan(): what this backend's last index scan did.
 *
 * The numbers are for the eyes of the user, and for omen_recall().  A scan
 * that ended by an error has published nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"

#include "lastscan.h"

#define OMEN_LAST_SCAN_COLUMNS	11

/* Of no index while there was no scan. */
static OmenScanCounts om_last_scan;

void
OmenAddScanCounts(OmenScanCounts *sum, const OmenScanCounts *counts)
{
	sum->index = OidIsValid(sum->index) ? sum->index : counts->index;
	sum->nodes += counts->nodes;
	sum->estimates += counts->estimates;
	sum->pages += counts->pages;
	sum->segments = Max(sum->segments, counts->segments);
	sum->pending_rows += counts->pending_rows;
	sum->rounds += counts->rounds;
	sum->restarts += counts->restarts;
	sum->returned += counts->returned;
	sum->late += counts->late;
	sum->max_ef = Max(sum->max_ef, counts->max_ef);
}

void
OmenPublishScan(const OmenScanCounts *counts)
{
	om_last_scan = *counts;
}

const OmenScanCounts *
OmenLastScan(void)
{
	return OidIsValid(om_last_scan.index) ? &om_last_scan : NULL;
}

PG_FUNCTION_INFO_V1(omen_last_scan);

/*
 * omen_last_scan() returns (index regclass, nodes bigint, estimates bigint,
 * pages bigint, segments bigint, pending_rows bigint, rounds bigint, restarts
 * bigint, returned bigint, late bigint, max_ef bigint)
 *
 * NULLs if there was no scan yet.
 */
Datum
omen_last_scan(PG_FUNCTION_ARGS)
{
	const OmenScanCounts *counts = OmenLastScan();
	Datum		values[OMEN_LAST_SCAN_COLUMNS];
	bool		nulls[OMEN_LAST_SCAN_COLUMNS] = {false};
	TupleDesc	desc;

	if (counts == NULL)
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = ObjectIdGetDatum(counts->index);
	values[1] = Int64GetDatum(counts->nodes);
	values[2] = Int64GetDatum(counts->estimates);
	values[3] = Int64GetDatum(counts->pages);
	values[4] = Int64GetDatum(counts->segments);
	values[5] = Int64GetDatum(counts->pending_rows);
	values[6] = Int64GetDatum(counts->rounds);
	values[7] = Int64GetDatum(counts->restarts);
	values[8] = Int64GetDatum(counts->returned);
	values[9] = Int64GetDatum(counts->late);
	values[10] = Int64GetDatum(counts->max_ef);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values,
											 nulls));
}
