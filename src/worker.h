/*-------------------------------------------------------------------------
 *
 * worker.h
 *		Compaction in the background.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_WORKER_H
#define OMEN_WORKER_H

#include "storage.h"

/*
 * See to it that a background worker flushes the pending list of an index,
 * which "meta", a fresh copy of the metapage, says is too long.  True if one
 * is at work, or has been asked for lately; false if there is none to be had,
 * so that the caller should do it.
 */
extern bool OmenRequestWorker(Relation index, const OmenMetaData *meta);

/* Entry point of the worker; known to the postmaster by its name. */
PGDLLEXPORT extern void OmenWorkerMain(Datum arg);

#endif							/* OMEN_WORKER_H */
