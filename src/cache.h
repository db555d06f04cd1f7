/*-------------------------------------------------------------------------
 *
 * cache.h
 *		What a backend keeps of an index between scans.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_CACHE_H
#define OMEN_CACHE_H

#include "quantizer.h"
#include "storage.h"

/*
 * Kept in rd_amcache, in one piece of memory.  It can vanish whenever
 * invalidation messages are taken in, so get it anew after anything that may
 * lock a relation or read a catalog.
 */
typedef struct OmenCache
{
	OmenFrozen	frozen;
	OmenLayout	layout;
	OmenHints	hints;
	OmenQuantizer *quantizer;	/* NULL: the index has none yet */
} OmenCache;

/* The cache of an index, made if need be. */
extern OmenCache *OmenGetCache(Relation index);

/*
 * The cache, made again if it does not suit the metapage that the caller has
 * read: if the index got a quantizer or grew much.
 */
extern OmenCache *OmenGetCacheFor(Relation index, const OmenMetaData *meta);

#endif							/* OMEN_CACHE_H */
