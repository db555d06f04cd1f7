/*-------------------------------------------------------------------------
 *
 * ambuild.h
 *		CREATE INDEX: its state, and its parallel workers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_AMBUILD_H
#define OMEN_AMBUILD_H

#include "access/parallel.h"
#include "access/tableam.h"
#include "lib/stringinfo.h"
#include "portability/instr_time.h"

#include "compact.h"
#include "omen.h"

/* State of one member of the team that builds an index. */
typedef struct OmenBuildState
{
	Relation	heap;
	Relation	index;
	IndexInfo  *indexInfo;
	const OmenOpclass *opclass;
	OmenFrozen	frozen;
	OmenQuantizer *quantizer;

	/* the sample */
	float	   *sample;
	uint32		nsample;
	uint32		wanted;			/* rows that are enough */
	double		nseen;			/* rows of the sampled blocks */
	double		expected;		/* rows of the table to be indexed, about */

	/* rows of a graph, or the first rows as elements while few */
	OmenStore  *store;
	OmenRows   *rows;
	double		reltuples;		/* scanned */
	double		indtuples;		/* indexed so far */
	MemoryContext tuple_context;	/* reset after each tuple */

	/* the team; NULL, and a serial scan, if the backend is alone */
	OmenTeam   *team;
	struct OmenBuildShared *shared;
	ParallelContext *pcxt;		/* the leader's */
	Snapshot	snapshot;		/* likewise */
	TableScanDesc scan;

	int			phase;			/* last reported, and since when */
	instr_time	phase_start;
	StringInfoData times;		/* of phases before */
} OmenBuildState;

/*
 * The parameters that stay with an index of vectors of "dims" dimensions.
 * Raises an error if there can be none (dims is negative if the column does
 * not say).
 */
extern void OmenChooseFrozen(OmenFrozen *frozen, const OmenOpclass *opclass,
							 int32 dims, const OmenOptions *options);

/*
 * Scan, build, write: what all members do.  False if there was nothing to
 * build; else the segment is to be published by the leader, who holds the
 * producer lock on return.
 */
extern bool OmenBuildTogether(OmenBuildState *state, OmenSegmentData *segment);

/*
 * Parallel workers that a build of an index on a table will ask for, if the
 * index's expressions and predicate are safe in workers.
 */
extern int	OmenPlanWorkers(Relation heap);

/*
 * Make a team for the backend to lead, and start its workers: sets team,
 * shared, scan and store.  If there are no workers, for whatever reason,
 * leaves the state as it was: the backend goes on alone.
 */
extern void OmenBeginParallel(OmenBuildState *state);

/*
 * After the scan: wait until all workers have come, since then all are
 * needed, and add up what each of them counted.
 */
extern void OmenMeetTeam(OmenBuildState *state);

/* Wait until the workers are gone, and give up what the team needed. */
extern void OmenEndParallel(OmenBuildState *state);

/* Entry point of a worker, found by its name. */
extern PGDLLEXPORT void OmenBuildWorkerMain(dsm_segment *segment,
											shm_toc *toc);

#endif							/* OMEN_AMBUILD_H */
