/*-------------------------------------------------------------------------
 *
 * lastscan.h
 *		What a scan did, in numbers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_LASTSCAN_H
#define OMEN_LASTSCAN_H

#include "access/genam.h"

/*
 * Counted by a scan while it runs, by plain additions to its own memory.
 * Everything is a sum over rounds and restarts, but for segments and max_ef.
 */
typedef struct OmenScanCounts
{
	Oid			index;
	uint64		nodes;			/* visited: distances from codes of vectors */
	uint64		estimates;		/* distances from codes of edges */
	uint64		pages;			/* reads of the index's pages */
	uint64		segments;		/* searched */
	uint64		pending_rows;	/* compared */
	uint64		rounds;			/* of searches */
	uint64		restarts;
	uint64		returned;		/* rows given to the executor */
	uint64		late;			/* rows dropped, to keep the strict order */
	uint64		max_ef;
} OmenScanCounts;

/* Add what another scan of the same index did. */
extern void OmenAddScanCounts(OmenScanCounts *sum,
							  const OmenScanCounts *counts);

/*
 * What an open scan has done so far, all its rescans together; all zero, index
 * included, if it was never started.  In scan.c.
 */
extern void OmenGetScanCounts(IndexScanDesc scan, OmenScanCounts *counts);

/*
 * A scan ended, or starts anew: its counts are this backend's last ones from
 * now on.
 */
extern void OmenPublishScan(const OmenScanCounts *counts);

/* The counts published last; NULL if there were none yet. */
extern const OmenScanCounts *OmenLastScan(void);

#endif							/* OMEN_LASTSCAN_H */
