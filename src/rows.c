/*-------------------------------------------------------------------------
 *
 * rows.c
 *		Rows on their way into a segment: codes and TIDs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/pg_crc32c.h"
#include "utils/memutils.h"

#include "rows.h"

#define OMEN_FIRST_ROWS		1024

/* What the batch builder can number. */
#define OMEN_MAX_ROWS		((uint32) PG_INT32_MAX - 1)

/* Distinct codes: an entry is a position in rows->codes. */
typedef struct OmenCodeEntry
{
	uint32		code;
	uint32		hash;
	char		status;
} OmenCodeEntry;

#define OM_CODE(rows, i) ((rows)->codes + (Size) (i) * (rows)->width)

/* CRC-32C is the fastest hash that the server has for long keys. */
static inline uint32
om_hash_code(const OmenRows *rows, uint32 i)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, OM_CODE(rows, i), rows->width);
	FIN_CRC32C(crc);
	return crc;
}

/*
 * The key of a look-up is the position, too: the code looked for stands
 * behind the last one.
 */
#define SH_PREFIX omen_codes
#define SH_ELEMENT_TYPE OmenCodeEntry
#define SH_KEY_TYPE uint32
#define SH_KEY code
#define SH_HASH_KEY(tb, key) om_hash_code((tb)->private_data, key)
#define SH_EQUAL(tb, a, b) \
	(memcmp(OM_CODE((OmenRows *) (tb)->private_data, a), \
			OM_CODE((OmenRows *) (tb)->private_data, b), \
			((OmenRows *) (tb)->private_data)->width) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(tb, entry) (entry)->hash
#define SH_SCOPE static inline
#define SH_USE_NONDEFAULT_ALLOCATOR
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

/* The table is as large as some of the arrays, and lies in the store too. */
static inline void *
omen_codes_allocate(omen_codes_hash *table, Size size)
{
	OmenRows   *rows = table->private_data;
	void	   *memory = OmenStoreAlloc(rows->store, rows->context, size);

	memset(memory, 0, size);
	return memory;
}

static inline void
omen_codes_free(omen_codes_hash *table, void *memory)
{
	OmenStoreFree(((OmenRows *) table->private_data)->store, memory);
}

/* Make room for n elements of "size" bytes each. */
static void *
om_grow(OmenRows *rows, void *array, uint32 n, Size size)
{
	return OmenStoreRealloc(rows->store, array, mul_size(n, size));
}

static void *
om_make(OmenRows *rows, uint32 n, Size size)
{
	return OmenStoreAlloc(rows->store, rows->context, mul_size(n, size));
}

static uint32
om_larger(uint32 n)
{
	uint64		larger = (uint64) n + n / 4 + OMEN_FIRST_ROWS;

	if (n == OMEN_MAX_ROWS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many rows for one omen index")));
	return Min(larger, OMEN_MAX_ROWS);
}

OmenRows *
OmenMakeRows(OmenStore *store, uint32 width, double expected)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "omen rows",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	OmenRows   *rows = palloc0(sizeof(OmenRows));
	uint32		n = Max(OMEN_FIRST_ROWS, Min(expected, OMEN_MAX_ROWS));

	rows->context = context;
	rows->store = store;
	rows->width = width;
	rows->maxcodes = n;
	rows->maxtids = n;
	rows->codes = om_make(rows, n, width);
	rows->infos = om_make(rows, n, sizeof(OmenCodeInfo));
	rows->tids = om_make(rows, n, sizeof(ItemPointerData));
	rows->tid_codes = om_make(rows, n, sizeof(uint32));
	rows->hash = omen_codes_create(context, n, rows);
	MemoryContextSwitchTo(old);
	return rows;
}

int8 *
OmenNextCode(OmenRows *rows)
{
	if (rows->ncodes == rows->maxcodes)
	{
		rows->maxcodes = om_larger(rows->maxcodes);
		rows->codes = om_grow(rows, rows->codes, rows->maxcodes, rows->width);
		rows->infos = om_grow(rows, rows->infos, rows->maxcodes,
							  sizeof(OmenCodeInfo));
	}
	return OM_CODE(rows, rows->ncodes);
}

void
OmenAddRow(OmenRows *rows, const OmenCodeInfo *info, ItemPointer tid)
{
	OmenCodeEntry *entry;
	bool		found;

	if (rows->ntids == rows->maxtids)
	{
		rows->maxtids = om_larger(rows->maxtids);
		rows->tids = om_grow(rows, rows->tids, rows->maxtids,
							 sizeof(ItemPointerData));
		rows->tid_codes = om_grow(rows, rows->tid_codes, rows->maxtids,
								  sizeof(uint32));
	}

	entry = omen_codes_insert(rows->hash, rows->ncodes, &found);
	if (!found)
		rows->infos[rows->ncodes++] = *info;
	else
	{
		OmenCodeInfo *known = &rows->infos[entry->code];

		known->error = Max(known->error, info->error);
		known->excess = Max(known->excess, info->excess);
	}
	rows->tids[rows->ntids] = *tid;
	rows->tid_codes[rows->ntids] = entry->code;
	rows->ntids++;
}

void
OmenRowsDone(OmenRows *rows)
{
	omen_codes_destroy(rows->hash);
	rows->hash = NULL;
}

void
OmenFreeRows(OmenRows *rows)
{
	MemoryContextDelete(rows->context);
}
