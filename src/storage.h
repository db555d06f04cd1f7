/*-------------------------------------------------------------------------
 *
 * storage.h
 *		Pages of an omen index: reading with checks, the metapage, space.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_STORAGE_H
#define OMEN_STORAGE_H

#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "compat.h"
#include "layout.h"
#include "page.h"
#include "record.h"

/* What is prefetched at a time; larger lines do no harm. */
#define OMEN_CACHE_LINE		64

/*
 * Where blocks were last seen in shared buffers, by the low bits of the block
 * number.  May be wrong in any way.
 */
typedef struct OmenHint
{
	BlockNumber block;
	Buffer		buffer;			/* InvalidBuffer: unused */
} OmenHint;

typedef struct OmenHints
{
	uint32		nhints;			/* power of two */
	uint32		cold;			/* reads for which to expect more misses */
	OmenHint   *hints;
} OmenHints;

/* A change of the metapage, alone or with up to three other pages. */
typedef struct OmenMetaChange
{
	Relation	index;
	Buffer		buffer;
	OmenRecord *record;
	OmenMetaData *meta;			/* the copy to change */
} OmenMetaChange;

/*
 * Initialize a page and the special area that says what it is.
 */
extern void OmenInitPage(Page page, OmenPageType type, uint32 owner,
						 uint32 logical);

/*
 * The CRC-32C of a page's contents, from the header to pd_lower, folded to 16
 * bits.  Pages of slots, directories and quantizers carry it: what a damaged
 * code, error bound or mean makes of a search cannot be told from a poor
 * answer.  Searches do not compare it; omen_check() does, by its own means.
 */
extern uint16 OmenPageChecksum(Page page);

/* A page that will not change any more has its contents: note the checksum. */
extern void OmenSealPage(Page page);

/*
 * Is this the page that the arguments say?  Anything else than the page that
 * was expected (an all-zero page, another owner's page) gives false.
 */
extern bool OmenPageIs(Page page, OmenPageType type, uint32 owner,
					   uint32 logical);

/*
 * Raise an error unless the header of a locked page says that its contents take
 * "size" bytes.  What is behind them is left out of images and records, and is
 * zero after a change: where the header is wrong, that would lose rows.
 */
extern void OmenCheckContents(Relation index, Buffer buffer, Size size);

/* ereport(ERROR) that a page of the index is damaged. */
OMEN_NORETURN extern void OmenReportDamage(Relation index, BlockNumber block,
										   const char *what);

/*
 * Read a block and lock it in the given mode, by the shortest way: through
 * the hint of where it was last.  The caller checks what the page is.  The
 * block must be within the relation, or an error is raised.
 */
extern Buffer OmenReadBuffer(Relation index, OmenHints *hints,
							 BlockNumber block, int mode);

/*
 * Prefetch what OmenReadBuffer(block) and its caller will touch: "size" bytes
 * of the page from "offset" on, if it was in shared buffers lately; else start
 * to read it from disk.
 */
extern void OmenPrefetch(Relation index, OmenHints *hints, BlockNumber block,
						 uint32 offset, uint32 size);

/*
 * Lock a block that belongs to the caller and will be overwritten.  Extends
 * the relation if a crash of the operating system had lost the block.
 * Returns the buffer locked exclusively, its content of no meaning.
 */
extern Buffer OmenOverwriteBuffer(Relation index, BlockNumber block);

/* Write metapage (and nothing else) of a new index to a fork, WAL-logged. */
extern void OmenCreateMeta(Relation index, ForkNumber fork,
						   const OmenFrozen *frozen);

/*
 * Copy the metapage.  Checks magic number and version, and raises an error
 * that names them if they are not ours.
 */
extern void OmenReadMeta(Relation index, OmenMetaData *meta);

/*
 * Change the metapage: Begin locks it exclusively and gives a copy to change,
 * Commit writes WAL and unlocks, Abort unlocks and forgets.  Lock order: the
 * metapage first, then other pages of the index.
 */
extern void OmenMetaBegin(Relation index, OmenMetaChange *change);
extern void OmenMetaCommit(OmenMetaChange *change);
extern void OmenMetaAbort(OmenMetaChange *change);

/*
 * Commit, together with any number of other pages: n buffers that the caller
 * has locked exclusively, and keeps locked, get the contents of n pages that
 * stand one after the other at "pages".  One WAL record has images of all.
 */
extern void OmenMetaCommitImages(OmenMetaChange *change, int n,
								 const Buffer *buffers, const char *pages);

/*
 * Take up to n blocks, but at least half of them, as a single extent: from the
 * free list, or else by extending the relation, which is done under the
 * metapage's lock.  Only within OmenMetaBegin .. Commit.
 */
extern OmenExtent OmenTakeExtent(OmenMetaChange *change, uint32 n);

/*
 * Take up to n blocks as several extents from the free list, appended to an
 * array of at most max; returns how many blocks are still missing.  Takes as
 * few extents as possible, at the beginning of the file if there is a choice.
 */
extern uint32 OmenTakeFree(OmenMetaData *meta, uint32 n, OmenExtent *extents,
						   uint32 *nextents, uint32 max);

/* Take these blocks.  False if they do not lie in one free extent. */
extern bool OmenTakeRange(OmenMetaData *meta, OmenExtent range);

/*
 * Make the file long enough for n blocks more than the metapage accounts for,
 * in short steps and without its lock, so that OmenExtendFile is quick then.
 */
extern void OmenExtendAhead(Relation index, BlockNumber nblocks, uint32 n);

/* Take n blocks at the end of the file, which grows under the lock. */
extern OmenExtent OmenExtendFile(OmenMetaChange *change, uint32 n);

/*
 * The same, but leave a hole in the file, where space is taken only when the
 * blocks are written; the caller writes them past shared buffers (bulk.h), so
 * that he gets the error if there is none.
 */
extern OmenExtent OmenTakeHole(OmenMetaChange *change, uint32 n);

/* Give blocks back to the free list.  Only within OmenMetaBegin .. Commit. */
extern void OmenFreeExtent(OmenMetaData *meta, OmenExtent extent);

/*
 * Append an extent to an array of at most max, merging neighbours.  False if
 * the array is full.
 */
extern bool OmenAppendExtent(OmenExtent *extents, uint32 *nextents, uint32 max,
							 OmenExtent extent);

/* The block of logical page "logical"; InvalidBlockNumber if there is none. */
extern BlockNumber OmenExtentBlock(const OmenExtent *extents, uint32 nextents,
								   uint32 logical);

/*
 * WAL-log whole pages of an extent, after they were filled, and see them to
 * disk: somebody's commit would have to wait for all that is not there yet.
 */
extern void OmenLogExtent(Relation index, OmenExtent extent);

/*
 * One producer (flush, merge, bulk delete) works on an index at a time: it
 * holds this heavyweight lock.  Try returns false if another holds it.
 */
extern void OmenLockProducer(Relation index);
extern bool OmenTryLockProducer(Relation index);
extern void OmenUnlockProducer(Relation index);

#endif							/* OMEN_STORAGE_H */
