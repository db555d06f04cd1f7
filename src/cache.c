/*-------------------------------------------------------------------------
 *
 * cache.c
 *		What a backend keeps of an index between scans.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "cache.h"

#define OMEN_MAX_HINTS		((uint32) 131072)
#define OMEN_MIN_HINTS		((uint32) 256)

/* Hints for about each block, within limits. */
static uint32
om_wanted_hints(const OmenMetaData *meta)
{
	uint32		nhints = OMEN_MIN_HINTS;

	while (nhints < OMEN_MAX_HINTS && nhints < meta->nblocks)
		nhints *= 2;
	return nhints;
}

static OmenCache *
om_make_cache(Relation index, const OmenMetaData *meta)
{
	uint32		nhints = om_wanted_hints(meta);
	Size		hints_offset = MAXALIGN(sizeof(OmenCache));
	Size		quantizer_offset = hints_offset +
		MAXALIGN(nhints * sizeof(OmenHint));
	Size		size = quantizer_offset;
	OmenLayout	layout;
	OmenCache  *cache;

	OmenComputeLayout(&meta->frozen, &layout);
	if (meta->quantizer.owner != 0)
		size += OmenQuantizerSize(&meta->frozen);
	cache = MemoryContextAllocZero(index->rd_indexcxt, size);
	cache->frozen = meta->frozen;
	cache->layout = layout;
	cache->hints.nhints = nhints;
	cache->hints.hints = (OmenHint *) ((char *) cache + hints_offset);

	/* A piece without an owner is freed if reading the quantizer fails. */
	PG_TRY();
	{
		if (meta->quantizer.owner != 0)
			cache->quantizer = OmenLoadQuantizer(index, &meta->frozen,
												 &meta->quantizer,
												 (char *) cache +
												 quantizer_offset);
	}
	PG_CATCH();
	{
		pfree(cache);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return cache;
}

OmenCache *
OmenGetCacheFor(Relation index, const OmenMetaData *meta)
{
	OmenCache  *cache = (OmenCache *) index->rd_amcache;

	if (cache != NULL &&
		(cache->quantizer != NULL) == (meta->quantizer.owner != 0) &&
		cache->hints.nhints >= om_wanted_hints(meta))
		return cache;

	if (cache != NULL)
	{
		index->rd_amcache = NULL;
		pfree(cache);
	}
	cache = om_make_cache(index, meta);
	index->rd_amcache = cache;
	return cache;
}

OmenCache *
OmenGetCache(Relation index)
{
	OmenMetaData meta;

	if (index->rd_amcache != NULL)
		return (OmenCache *) index->rd_amcache;
	OmenReadMeta(index, &meta);
	return OmenGetCacheFor(index, &meta);
}
