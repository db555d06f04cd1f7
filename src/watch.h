/*-------------------------------------------------------------------------
 *
 * watch.h
 *		Does anybody wait for a lock that this backend holds?
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_WATCH_H
#define OMEN_WATCH_H

#include "storage/lock.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* Producer lock, index, table, database. */
#define OMEN_WATCHED_LOCKS	4

typedef struct OmenWatch
{
	int			nlocks;
	LOCKTAG		tags[OMEN_WATCHED_LOCKS];
	LOCKMODE	modes[OMEN_WATCHED_LOCKS];
	TimestampTz next;			/* when to look again */
} OmenWatch;

/*
 * Watch those locks of this backend that others may have to wait for: the
 * producer lock of an index, strong ones on the index and its table, and a
 * worker's on the database.
 */
extern void OmenStartWatch(Relation index, OmenWatch *watch);

/*
 * Does anybody wait?  Looks every 50 ms only, so that it costs little to ask.
 */
extern bool OmenSomebodyWaits(OmenWatch *watch);

#endif							/* OMEN_WATCH_H */
