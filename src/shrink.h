/*-------------------------------------------------------------------------
 *
 * shrink.h
 *		Giving space back to the file system.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_SHRINK_H
#define OMEN_SHRINK_H

#include "storage.h"

/*
 * Is so much of the file free that it is worth while to move pages?
 */
extern bool OmenIsSparse(const OmenMetaData *meta);

/*
 * If the index is sparse, move pages of segments from the end of the file into
 * free space before them.  The caller holds the producer lock.  Gives way to
 * others who wait for it, with what was moved until then.
 */
extern void OmenMoveDown(Relation index);

/*
 * Cut off free space at the end of the file, if there is much of it and if
 * nobody uses the index just now.  The caller does not hold the producer lock.
 */
extern void OmenTruncate(Relation index);

#endif							/* OMEN_SHRINK_H */
