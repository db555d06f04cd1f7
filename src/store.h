/*-------------------------------------------------------------------------
 *
 * store.h
 *		Large arrays within a limit of memory.
 *
 * A build works on arrays that may be larger than maintenance_work_mem.  A
 * store gives out memory where that is enough for all; else its arrays lie in
 * temporary files, mapped into the address space, and the limit is for the
 * pages of them that are there at a time.  To the algorithm both are the same,
 * so that its result does not depend on the limit; the kernel's page cache
 * makes the files as fast as memory where there is memory, and writes them out
 * where there is not.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_STORE_H
#define OMEN_STORE_H

#include "postgres.h"

#include "team.h"

typedef struct OmenStore OmenStore;

/*
 * A store with a limit in bytes, in CurrentMemoryContext, which must live as
 * long as all that is allocated from it.  "expected" is what will be allocated
 * at a time, about; if more is, the arrays beyond the limit lie in files.  Each
 * member of a team has a store of its own, limit and expectation being those of
 * all together; team may be NULL.
 */
extern OmenStore *OmenCreateStore(Size limit, Size expected, OmenTeam *team);

/*
 * Allocate an array that belongs to a memory context: it is freed when that is
 * reset or deleted, or by OmenStoreFree.  Aligned to 64 bytes; not zeroed.
 *
 * Raises an error if there is no memory, no space on disk (SQLSTATE 53100) or
 * temp_file_limit is exceeded (53400).
 */
extern void *OmenStoreAlloc(OmenStore *store, MemoryContext context,
							Size size);

/*
 * How an array will be written: here and there, or by OmenStorePut() alone.
 * Advice for speed, no more.
 */
typedef enum OmenArrayUse
{
	OMEN_IN_PLACE,
	OMEN_PUT
} OmenArrayUse;

/*
 * Allocate an array that all members of the store's team see, each at an
 * address of its own: the members have to call this together.  What one
 * writes, others may read after the team has met again.  The array is freed
 * by each member; none may read it when the leader does so.
 */
extern void *OmenStoreShare(OmenStore *store, MemoryContext context,
							Size size, OmenArrayUse use);

extern OmenTeam *OmenStoreTeam(const OmenStore *store);

/*
 * "size" bytes of an array from "offset" on, to be read once and in a place of
 * no locality: where they are if the array is in memory, else copied from its
 * file to the buffer, without mapping pages for them.
 */
extern const void *OmenStoreFetch(OmenStore *store, void *array, Size offset,
								  Size size, void *buffer);

/*
 * Copy "size" bytes into an array at "offset".  For large pieces: if the array
 * is in a file, they are written to it, which costs less than to map the pages.
 */
extern void OmenStorePut(OmenStore *store, void *array, Size offset,
						 const void *data, Size size);

/* Make an array larger, as repalloc does; it may move.  Not if it is shared. */
extern void *OmenStoreRealloc(OmenStore *store, void *array, Size size);

extern void OmenStoreFree(OmenStore *store, void *array);

/*
 * Let go of the pages of files that this process has touched, if these are
 * many by now: they stay in the page cache and come back at the next access.
 * To be called every few milliseconds of work, so that the process's own share
 * of memory stays small.
 */
extern void OmenStoreRelax(OmenStore *store);

/* Bytes in memory and in files, now and at most. */
typedef struct OmenStoreUse
{
	Size		memory;
	Size		files;
	Size		most_memory;
	Size		most_files;
} OmenStoreUse;

extern OmenStoreUse OmenStoreGetUse(const OmenStore *store);

#endif							/* OMEN_STORE_H */
