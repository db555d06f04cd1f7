/*-------------------------------------------------------------------------
 *
 * pgshim.c
 *		Memory contexts over malloc(), which count what is allocated.
 *
 *-------------------------------------------------------------------------
 */
#include "pgshim.h"
#include "store.h"

#include "storage/shmem.h"
#include "utils/memutils.h"

typedef struct ShimBlock
{
	struct ShimBlock *next;
	struct ShimBlock *previous;
	Size		size;
	MemoryContext context;
} ShimBlock;

/*
 * A context: what the server knows of it stays unused, but for the links
 * between contexts.
 */
typedef struct ShimContext
{
	MemoryContextData header;
	ShimBlock	blocks;			/* head of a ring */
} ShimContext;

/* Keeps what follows aligned as malloc() does. */
#define SHIM_BLOCK_SIZE		TYPEALIGN(16, sizeof(ShimBlock))

MemoryContext CurrentMemoryContext;

static Size shim_allocated;
static Size shim_peak;

Size
ShimAllocated(void)
{
	return shim_allocated;
}

Size
ShimPeak(void)
{
	return shim_peak;
}

void
ShimResetPeak(void)
{
	shim_peak = shim_allocated;
}

static void
shim_die(const char *what)
{
	fprintf(stderr, "pgshim: %s\n", what);
	abort();
}

void
ShimStart(void)
{
	CurrentMemoryContext = AllocSetContextCreateInternal(NULL, "top", 0, 0, 0);
}

MemoryContext
AllocSetContextCreateInternal(MemoryContext parent, const char *name,
							  Size minContextSize, Size initBlockSize,
							  Size maxBlockSize)
{
	ShimContext *context = calloc(1, sizeof(ShimContext));

	if (context == NULL)
		shim_die("out of memory");
	context->header.name = name;
	context->header.parent = parent;
	context->blocks.next = context->blocks.previous = &context->blocks;
	if (parent != NULL)
	{
		context->header.nextchild = parent->firstchild;
		if (parent->firstchild != NULL)
			parent->firstchild->prevchild = &context->header;
		parent->firstchild = &context->header;
	}
	return &context->header;
}

void *
MemoryContextAllocHuge(MemoryContext context, Size size)
{
	ShimBlock  *head = &((ShimContext *) context)->blocks;
	ShimBlock  *block = malloc(SHIM_BLOCK_SIZE + size);

	if (block == NULL)
		shim_die("out of memory");
	block->size = size;
	block->context = context;
	block->next = head->next;
	block->previous = head;
	block->next->previous = block;
	head->next = block;
	shim_allocated += size;
	shim_peak = Max(shim_peak, shim_allocated);

	/* Nobody may count on zeros. */
	memset((char *) block + SHIM_BLOCK_SIZE, 0x7f, Min(size, 4096));
	return (char *) block + SHIM_BLOCK_SIZE;
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	if (!AllocSizeIsValid(size))
		shim_die("invalid memory alloc request size");
	return MemoryContextAllocHuge(context, size);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return memset(MemoryContextAlloc(context, size), 0, size);
}

void *
palloc(Size size)
{
	return MemoryContextAlloc(CurrentMemoryContext, size);
}

void *
palloc0(Size size)
{
	return memset(palloc(size), 0, size);
}

void
pfree(void *pointer)
{
	ShimBlock  *block = (ShimBlock *) ((char *) pointer - SHIM_BLOCK_SIZE);

	block->next->previous = block->previous;
	block->previous->next = block->next;
	shim_allocated -= block->size;
	free(block);
}

void *
repalloc_huge(void *pointer, Size size)
{
	ShimBlock  *block = (ShimBlock *) ((char *) pointer - SHIM_BLOCK_SIZE);
	void	   *result = MemoryContextAllocHuge(block->context, size);

	memcpy(result, pointer, Min(size, block->size));
	pfree(pointer);
	return result;
}

void
MemoryContextDelete(MemoryContext context)
{
	ShimContext *shim = (ShimContext *) context;

	while (context->firstchild != NULL)
		MemoryContextDelete(context->firstchild);
	while (shim->blocks.next != &shim->blocks)
		pfree((char *) shim->blocks.next + SHIM_BLOCK_SIZE);
	if (context->prevchild != NULL)
		context->prevchild->nextchild = context->nextchild;
	else if (context->parent != NULL)
		context->parent->firstchild = context->nextchild;
	if (context->nextchild != NULL)
		context->nextchild->prevchild = context->prevchild;
	free(shim);
}

Size
add_size(Size a, Size b)
{
	if (a + b < a)
		shim_die("size overflow");
	return a + b;
}

Size
mul_size(Size a, Size b)
{
	if (a != 0 && b > SIZE_MAX / a)
		shim_die("size overflow");
	return a * b;
}

/*
 * A store without limit: the tests are about the algorithm, and a store's
 * files are as good as memory to it.
 */
void *
OmenStoreAlloc(OmenStore *store, MemoryContext context, Size size)
{
	return MemoryContextAllocHuge(context, size);
}

void *
OmenStoreShare(OmenStore *store, MemoryContext context, Size size,
			   OmenArrayUse use)
{
	return MemoryContextAllocHuge(context, size);
}

void
OmenStorePut(OmenStore *store, void *array, Size offset, const void *data,
			 Size size)
{
	memcpy((char *) array + offset, data, size);
}

const void *
OmenStoreFetch(OmenStore *store, void *array, Size offset, Size size,
			   void *buffer)
{
	return (const char *) array + offset;
}

OmenTeam *
OmenStoreTeam(const OmenStore *store)
{
	return NULL;
}

void
OmenStoreFree(OmenStore *store, void *array)
{
	pfree(array);
}

/*
 * A team of one.
 */
bool
OmenTeamLeads(const OmenTeam *team)
{
	return true;
}

void
OmenTeamWait(OmenTeam *team)
{
}

uint64
OmenTeamAgree(OmenTeam *team, uint64 value)
{
	return value;
}

bool
OmenNextRange(OmenLoop *loop)
{
	loop->from = loop->to;
	loop->to = Min((uint64) loop->from + loop->step, loop->n);
	return loop->from < loop->n;
}
