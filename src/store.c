/*-------------------------------------------------------------------------
 *
 * store.c
 *		Large arrays within a limit of memory.
 *
 * An array in a file is made by reserving all blocks of the file, and mapping
 * them.  A full disk is an error at that point, and no access to the mapping
 * can run out of space later.  The last block is written through fd.c, which
 * counts the file against temp_file_limit.  A file that is not large is filled
 * with zeros instead: to touch a page that is in the page cache costs a third
 * of what it costs to touch one that is merely reserved.  What is written by
 * OmenStorePut() alone needs no blocks beforehand, since that reports a full
 * disk itself.
 *
 * What a team shares lies in files, which the leader creates and the other
 * members open by name.
 *
 * Each array registers a callback with its memory context, which unmaps and
 * closes it.  When a transaction or subtransaction aborts, its resource owner
 * closes temporary files, and memory contexts may live on for long after that:
 * so the callback closes a file only if the subtransaction that opened it is
 * still in progress.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "access/xact.h"
#include "commands/tablespace.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/fileset.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "fault.h"
#include "store.h"

/* Smaller arrays are not worth a file. */
#define OMEN_LEAST_FILE		((Size) 256 * 1024)

#define OMEN_ALIGNMENT		64
#define OMEN_HUGE_PAGE		((Size) 2 * 1024 * 1024)

/*
 * Bytes of files that may be in the address space beyond those that were there
 * before, if the limit is used for memory; else half of it beyond the limit.
 * And page faults after which it is worth to look.
 */
#define OMEN_MANY_PAGES		((Size) 16 * 1024 * 1024)
#define OMEN_MANY_FAULTS	64

/* Bytes that are written at a time. */
#define OMEN_WRITE_STEP		((Size) 256 * 1024)

/*
 * Larger files are not filled with zeros, since there may be no room for them
 * in the page cache, and they would be written to disk twice.
 */
#define OMEN_MOST_ZEROS		((Size) 64 * 1024 * 1024)

/* Blocks are reserved in pieces of this size. */
#define OMEN_RESERVE_STEP	((Size) 64 * 1024 * 1024)

typedef struct OmenArray
{
	dlist_node	node;			/* in store->arrays */
	OmenStore  *store;
	MemoryContext context;
	MemoryContextCallback callback;
	void	   *data;
	Size		size;
	void	   *memory;			/* what palloc gave; NULL: in a file */
	File		file;			/* -1: none */
	char		name[16];		/* of a file that a team shares, or empty */
	LocalTransactionId lxid;	/* of the transaction that opened the file */
	SubTransactionId subxid;
} OmenArray;

struct OmenStore
{
	Size		limit;			/* of memory, of all members together */
	Size		page_limit;		/* of pages of files in the address space */
	OmenTeam   *team;
	uint32		nshared;		/* arrays shared so far */
	OmenStoreUse use;
	dlist_head	arrays;
	long		faults;			/* of the process, when last looked at */
	long		base;			/* kilobytes of files, before there were any */
};

/*
 * Kilobytes of files in the address space of this process, the pages of shared
 * memory not counted; 0 if the system does not tell.
 */
static long
om_resident_files(void)
{
	FILE	   *status = AllocateFile("/proc/self/status", "r");
	char		line[128];
	long		result = 0;

	if (status == NULL)
		return 0;
	while (fgets(line, sizeof(line), status) != NULL)
		if (sscanf(line, "RssFile: %ld", &result) == 1)
			break;
	FreeFile(status);
	return result;
}

OmenStore *
OmenCreateStore(Size limit, Size expected, OmenTeam *team)
{
	OmenStore  *store = palloc0(sizeof(OmenStore));

	/*
	 * What a team shares lies in files all the same.  It is about as much as
	 * the members have of their own before.
	 */
	if (expected > limit)
		store->page_limit = add_size(limit, OMEN_MANY_PAGES / 2);
	else if (team != NULL)
	{
		store->limit = limit / 2;
		store->page_limit = add_size(limit / 2, OMEN_MANY_PAGES / 2);
	}
	else
	{
		store->limit = limit;
		store->page_limit = OMEN_MANY_PAGES;
	}
	store->team = team;
	dlist_init(&store->arrays);
	store->base = om_resident_files();
	return store;
}

static Size
om_round_to_page(Size size)
{
	Size		page = BLCKSZ;

	return (add_size(size, page - 1)) / page * page;
}

/*
 * The kernel's number for the file.  fd.c may have closed the file to save on
 * such numbers, and FileSize makes it open it again.
 */
static int
om_descriptor(File file)
{
	(void) FileSize(file);
	return FileGetRawDesc(file);
}

static void
om_write_file(OmenArray *array, Size offset, const void *data, Size size)
{
	errno = 0;
	if (FileWrite(array->file, (char *) data, size, offset,
				  WAIT_EVENT_BUFFILE_WRITE) != (int) size)
	{
		/* a short write tells no reason */
		if (errno == 0)
			errno = ENOSPC;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not write to temporary file: %m")));
	}
}

/*
 * Make the file of an array longer.  The write of the last block counts all
 * against temp_file_limit, of which posix_fallocate takes no notice.
 */
static void
om_extend_file(OmenArray *array, Size size)
{
	PGAlignedBlock zeros = {0};

	OMEN_FAULT_POINT("store-extend");
	om_write_file(array, size - BLCKSZ, zeros.data, BLCKSZ);
}

/* Reserve blocks "from" to "to", in bytes, by the leader. */
static void
om_reserve_blocks(OmenArray *array, Size from, Size to)
{
	while (from < to && OmenTeamLeads(array->store->team))
	{
		Size		n = Min(OMEN_RESERVE_STEP, to - from);
		int			rc = posix_fallocate(om_descriptor(array->file), from, n);

		CHECK_FOR_INTERRUPTS();
		if (rc == EINTR)
			continue;
		errno = rc;
		if (rc != 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not extend temporary file: %m")));
		from += n;
	}
}

/* Fill bytes "from" to "to" with zeros, each member of a team a part. */
static void
om_write_zeros(OmenArray *array, Size from, Size to, OmenTeam *team)
{
	char	   *zeros = palloc0(OMEN_WRITE_STEP);
	OmenLoop	loop;

	OmenStartLoop(team, (uint32) (to - from), OMEN_WRITE_STEP, &loop);
	while (OmenNextRange(&loop))
	{
		CHECK_FOR_INTERRUPTS();
		om_write_file(array, from + loop.from, zeros, loop.to - loop.from);
	}
	pfree(zeros);
}

/*
 * See to it that bytes "from" to "to" of a file have blocks on disk, since an
 * access to the mapping cannot tell if there are none.  The members of a team
 * that shares the array do that together.
 */
static void
om_fill_file(OmenArray *array, Size from, Size to, OmenTeam *team)
{
	if (to - from > OMEN_MOST_ZEROS)
		om_reserve_blocks(array, from, to);
	else
		om_write_zeros(array, from, to, team);
}

static void
om_map_file(OmenArray *array)
{
	void	   *data = mmap(NULL, om_round_to_page(array->size),
							PROT_READ | PROT_WRITE, MAP_SHARED,
							om_descriptor(array->file), 0);

	if (data == MAP_FAILED)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not map temporary file: %m")));
	array->data = data;
}

static void
om_unmap_file(OmenArray *array)
{
	if (array->data != NULL)
		munmap(array->data, om_round_to_page(array->size));
	array->data = NULL;
}

static void
om_count(OmenStore *store)
{
	OmenStoreUse *use = &store->use;

	use->most_memory = Max(use->most_memory, use->memory);
	use->most_files = Max(use->most_files, use->files);
}

/* Does the array's file still belong to it? */
static bool
om_owns_file(const OmenArray *array)
{
	return IsTransactionState() && array->lxid == OmenLocalTransactionId() &&
		SubTransactionIsActive(array->subxid);
}

/*
 * Members that have the file open go on with it; nobody opens it any more,
 * since all have left the place where the array was made.
 */
static void
om_close_file(OmenArray *array)
{
	OmenTeam   *team = array->store->team;

	FileClose(array->file);
	if (array->name[0] != '\0' && OmenTeamLeads(team))
		FileSetDelete(OmenTeamFiles(team), array->name, false);
}

/* Give back what an array holds; the array itself stays. */
static void
om_release(OmenArray *array, bool with_memory)
{
	OmenStore  *store = array->store;

	if (array->memory != NULL)
	{
		store->use.memory -= array->size;
		if (with_memory)
			pfree(array->memory);
		array->memory = NULL;
	}
	else if (array->file >= 0)
	{
		om_unmap_file(array);
		store->use.files -= array->size;
		if (om_owns_file(array))
			om_close_file(array);
		array->file = -1;
	}
}

/* The context goes, and with it memory, but not mappings and files. */
static void
om_context_gone(void *arg)
{
	OmenArray  *array = arg;

	om_release(array, false);
	dlist_delete(&array->node);
}

static OmenArray *
om_make_array(OmenStore *store, MemoryContext context)
{
	OmenArray  *array = MemoryContextAllocZero(context, sizeof(OmenArray));

	array->store = store;
	array->context = context;
	array->file = -1;
	array->callback.func = om_context_gone;
	array->callback.arg = array;
	dlist_push_head(&store->arrays, &array->node);
	MemoryContextRegisterResetCallback(context, &array->callback);
	return array;
}

/* The array has a file of this process's transaction now; map it. */
static void
om_use_file(OmenArray *array, File file)
{
	array->lxid = OmenLocalTransactionId();
	array->subxid = GetCurrentSubTransactionId();
	array->file = file;
	array->store->use.files += array->size;
}

/* Ask for huge pages for new memory: fewer faults, fewer misses of the TLB. */
static void
om_use_huge_pages(void *data, Size size)
{
#ifdef MADV_HUGEPAGE
	uintptr_t	from = TYPEALIGN(OMEN_HUGE_PAGE, data);
	uintptr_t	to = TYPEALIGN_DOWN(OMEN_HUGE_PAGE, (uintptr_t) data + size);

	if (from < to)
		(void) madvise((void *) from, to - from, MADV_HUGEPAGE);
#endif
}

/*
 * Is there memory for an array of this member?  The others have about as much
 * of their own as this one.
 */
static bool
om_fits(const OmenStore *store, Size size)
{
	return add_size(store->use.memory, size) <=
		store->limit / OmenTeamMembers(store->team);
}

/* Fill an array that has nothing yet. */
static void
om_acquire(OmenArray *array, Size size)
{
	OmenStore  *store = array->store;

	array->size = size;
	if (size < OMEN_LEAST_FILE || om_fits(store, size))
	{
		array->memory = MemoryContextAllocHuge(array->context,
											   add_size(size,
														OMEN_ALIGNMENT));
		array->data = (void *) TYPEALIGN(OMEN_ALIGNMENT, array->memory);
		om_use_huge_pages(array->data, size);
		store->use.memory += size;
	}
	else
	{
		PrepareTempTablespaces();
		om_use_file(array, OpenTemporaryFile(false));
		om_extend_file(array, om_round_to_page(size));
		om_fill_file(array, 0, om_round_to_page(size), NULL);
		om_map_file(array);
	}
	om_count(store);
}

void *
OmenStoreAlloc(OmenStore *store, MemoryContext context, Size size)
{
	OmenArray  *array = om_make_array(store, context);

	OMEN_FAULT_POINT("store-alloc");
	om_acquire(array, size);
	return array->data;
}

/*
 * The leader makes the file while the others wait, then all map it.
 */
void *
OmenStoreShare(OmenStore *store, MemoryContext context, Size size,
			   OmenArrayUse use)
{
	OmenTeam   *team = store->team;
	OmenArray  *array;

	/* alone, zeros are worth it: what is put in small pieces is read slowly */
	if (team == NULL)
		return OmenStoreAlloc(store, context, size);
	array = om_make_array(store, context);
	array->size = Max(size, 1);
	snprintf(array->name, sizeof(array->name), "%u", store->nshared++);
	if (OmenTeamLeads(team))
	{
		om_use_file(array, FileSetCreate(OmenTeamFiles(team), array->name));
		om_extend_file(array, om_round_to_page(array->size));
	}
	OmenTeamWait(team);
	if (!OmenTeamLeads(team))
	{
		File		file = FileSetOpen(OmenTeamFiles(team), array->name,
										   O_RDWR);

		if (file <= 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not open temporary file \"%s\": %m",
							array->name)));
		om_use_file(array, file);
	}
	if (use == OMEN_IN_PLACE)
		om_fill_file(array, 0, om_round_to_page(array->size), team);
	om_map_file(array);
	om_count(store);

	/* the leader may free the array at once, and with it the name */
	OmenTeamWait(team);
	return array->data;
}

OmenTeam *
OmenStoreTeam(const OmenStore *store)
{
	return store->team;
}

static OmenArray *
om_find(OmenStore *store, void *data)
{
	dlist_iter	iter;

	dlist_foreach(iter, &store->arrays)
	{
		OmenArray  *array = dlist_container(OmenArray, node, iter.cur);

		if (array->data == data)
			return array;
	}
	elog(ERROR, "array is not in store");
}

const void *
OmenStoreFetch(OmenStore *store, void *data, Size offset, Size size,
			   void *buffer)
{
	OmenArray  *array = om_find(store, data);
	int			n;

	if (array->memory != NULL)
		return (const char *) data + offset;
	n = FileRead(array->file, buffer, size, offset,
				 WAIT_EVENT_BUFFILE_READ);
	if (n < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read from temporary file: %m")));
	if (n != (int) size)
		elog(ERROR, "temporary file is too short");
	return buffer;
}

void
OmenStorePut(OmenStore *store, void *data, Size offset, const void *from,
			 Size size)
{
	OmenArray  *array = om_find(store, data);

	for (Size done = 0; done < size; done += OMEN_WRITE_STEP)
	{
		const char *piece = (const char *) from + done;
		Size		n = Min(OMEN_WRITE_STEP, size - done);

		CHECK_FOR_INTERRUPTS();
		OmenStoreRelax(store);
		if (array->file >= 0)
			om_write_file(array, offset + done, piece, n);
		else
			memcpy((char *) data + offset + done, piece, n);
	}
}

void *
OmenStoreRealloc(OmenStore *store, void *data, Size size)
{
	OmenArray  *array = om_find(store, data);
	OmenArray	old = *array;

	OMEN_FAULT_POINT("store-realloc");
	if (array->memory == NULL)
	{
		om_unmap_file(array);
		om_extend_file(array, om_round_to_page(size));
		om_fill_file(array, om_round_to_page(old.size),
					 om_round_to_page(size), NULL);
		store->use.files += size - old.size;
		array->size = size;
		om_map_file(array);
		om_count(store);
		return array->data;
	}
	array->memory = NULL;
	array->data = NULL;
	store->use.memory -= old.size;
	om_acquire(array, size);
	memcpy(array->data, old.data, old.size);
	pfree(old.memory);
	return array->data;
}

/* The callback stays registered, and finds nothing to do. */
void
OmenStoreFree(OmenStore *store, void *data)
{
	OmenArray  *array = om_find(store, data);

	om_release(array, true);
	array->data = NULL;
}

void
OmenStoreRelax(OmenStore *store)
{
	struct rusage usage;
	dlist_iter	iter;

	if (store->use.files == 0 || getrusage(RUSAGE_SELF, &usage) != 0 ||
		usage.ru_minflt - store->faults < OMEN_MANY_FAULTS)
		return;
	store->faults = usage.ru_minflt;
	if (om_resident_files() - store->base <
		(long) (store->page_limit / OmenTeamMembers(store->team) / 1024))
		return;
	dlist_foreach(iter, &store->arrays)
	{
		OmenArray  *array = dlist_container(OmenArray, node, iter.cur);

		if (array->file >= 0 && array->data != NULL)
			(void) madvise(array->data, om_round_to_page(array->size),
						   MADV_DONTNEED);
	}
}

OmenStoreUse
OmenStoreGetUse(const OmenStore *store)
{
	return store->use;
}
