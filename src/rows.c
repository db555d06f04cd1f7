/*-------------------------------------------------------------------------
 *
 * rows.c
 *		Rows on their way into a segment: codes and TIDs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "port/atomics.h"
#include "port/pg_crc32c.h"
#include "utils/memutils.h"

#include "rows.h"

#define OMEN_FIRST_ROWS		1024

/* Codes that a member of a team moves at a time; they stay in cache. */
#define OMEN_SORT_RANGE		128

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
#define SH_HASH_KEY(tb, key) (((OmenRows *) (tb)->private_data)->hashes[key])
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

static void
om_too_many(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("too many rows for one omen index")));
}

static uint32
om_larger(uint32 n)
{
	uint64		larger = (uint64) n + n / 4 + OMEN_FIRST_ROWS;

	if (n == OMEN_MAX_ROWS)
		om_too_many();
	return Min(larger, OMEN_MAX_ROWS);
}

Size
OmenRowsSize(uint32 width, uint32 n)
{
	return mul_size(n, width + sizeof(OmenCodeInfo) +
					sizeof(ItemPointerData) + 2 * sizeof(uint32));
}

Size
OmenSortSize(uint32 width, uint32 n)
{
	return mul_size(n, width + sizeof(OmenCodeInfo) + sizeof(uint32));
}

/* A collection without arrays. */
static OmenRows *
om_empty_rows(OmenStore *store, uint32 width)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "omen rows",
												  ALLOCSET_DEFAULT_SIZES);
	OmenRows   *rows = MemoryContextAllocZero(context, sizeof(OmenRows));

	rows->context = context;
	rows->store = store;
	rows->width = width;
	return rows;
}

OmenRows *
OmenMakeRows(OmenStore *store, uint32 width, double expected)
{
	OmenRows   *rows = om_empty_rows(store, width);
	uint32		n = Max(OMEN_FIRST_ROWS, Min(expected, OMEN_MAX_ROWS));

	rows->maxcodes = n;
	rows->maxtids = n;
	rows->codes = om_make(rows, n, width);
	rows->infos = om_make(rows, n, sizeof(OmenCodeInfo));
	rows->hashes = om_make(rows, n, sizeof(uint32));
	rows->tids = om_make(rows, n, sizeof(ItemPointerData));
	rows->tid_codes = om_make(rows, n, sizeof(uint32));
	rows->hash = omen_codes_create(rows->context, n, rows);
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
		rows->hashes = om_grow(rows, rows->hashes, rows->maxcodes,
							   sizeof(uint32));
	}
	return OM_CODE(rows, rows->ncodes);
}

/* What holds for a code has to hold for all vectors that have it. */
static void
om_join_infos(OmenRows *rows, uint32 code, const OmenCodeInfo *info)
{
	OmenCodeInfo *known = &rows->infos[code];

	known->error = Max(known->error, info->error);
	known->excess = Max(known->excess, info->excess);
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

	rows->hashes[rows->ncodes] = om_hash_code(rows, rows->ncodes);
	entry = omen_codes_insert(rows->hash, rows->ncodes, &found);
	if (!found)
		rows->infos[rows->ncodes++] = *info;
	else
		om_join_infos(rows, entry->code, info);
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

/* TID and code of a row, to be sorted. */
typedef struct OmenRowKey
{
	uint64		tid;
	uint32		code;
} OmenRowKey;

#define ST_SORT om_sort_keys
#define ST_ELEMENT_TYPE OmenRowKey
#define ST_COMPARE(a, b) ((a)->tid < (b)->tid ? -1 : (a)->tid > (b)->tid)
#define ST_SCOPE static
#define ST_CHECK_FOR_INTERRUPTS
#define ST_DEFINE
#include "lib/sort_template.h"

/* For the loops over all rows, which touch files all over the place. */
static inline void
om_tick(const OmenRows *rows, uint32 i)
{
	if (i % OMEN_SORT_RANGE == 0)
	{
		CHECK_FOR_INTERRUPTS();
		OmenStoreRelax(rows->store);
	}
}

static bool
om_ascending(const OmenRows *rows)
{
	for (uint32 i = 1; i < rows->ntids; i++)
	{
		om_tick(rows, i);
		if (ItemPointerCompare(&rows->tids[i - 1], &rows->tids[i]) > 0)
			return false;
	}
	return true;
}

/* How far the members have filled the common arrays. */
typedef struct OmenRowSums
{
	pg_atomic_uint64 codes;
	pg_atomic_uint64 tids;
} OmenRowSums;

/*
 * Count the rows of all members into "all", and reserve places there for
 * those of this one.
 */
static void
om_reserve_places(const OmenRows *own, OmenRows *all, uint32 *first_code,
				  uint32 *first_tid)
{
	OmenTeam   *team = OmenStoreTeam(own->store);
	OmenRowSums *sums = OmenStoreShare(own->store, all->context,
									   sizeof(OmenRowSums), OMEN_IN_PLACE);
	uint64		code;
	uint64		tid;

	if (OmenTeamLeads(team))
	{
		pg_atomic_init_u64(&sums->codes, 0);
		pg_atomic_init_u64(&sums->tids, 0);
	}
	OmenTeamWait(team);
	code = pg_atomic_fetch_add_u64(&sums->codes, own->ncodes);
	tid = pg_atomic_fetch_add_u64(&sums->tids, own->ntids);
	OmenTeamWait(team);
	if (pg_atomic_read_u64(&sums->tids) > OMEN_MAX_ROWS)
		om_too_many();
	all->maxcodes = (uint32) pg_atomic_read_u64(&sums->codes);
	all->maxtids = (uint32) pg_atomic_read_u64(&sums->tids);
	*first_code = (uint32) code;
	*first_tid = (uint32) tid;
	OmenStoreFree(own->store, sums);
}

static void *
om_share(OmenRows *rows, uint32 n, Size size, OmenArrayUse use)
{
	return OmenStoreShare(rows->store, rows->context,
						  mul_size(Max(n, 1), size), use);
}

/* Put n elements of "size" bytes each into an array, from the first-th on. */
static void
om_put(OmenRows *rows, void *array, uint32 first, const void *elements,
	   uint32 n, Size size)
{
	OmenStorePut(rows->store, array, first * size, elements, n * size);
}

static void
om_copy_rows(const OmenRows *own, OmenRows *all, uint32 first_code,
			 uint32 first_tid)
{
	om_put(all, all->codes, first_code, own->codes, own->ncodes, all->width);
	om_put(all, all->infos, first_code, own->infos, own->ncodes,
		   sizeof(OmenCodeInfo));
	om_put(all, all->hashes, first_code, own->hashes, own->ncodes,
		   sizeof(uint32));
	om_put(all, all->tids, first_tid, own->tids, own->ntids,
		   sizeof(ItemPointerData));
	for (uint32 i = 0; i < own->ntids; i++)
		own->tid_codes[i] += first_code;
	om_put(all, all->tid_codes, first_tid, own->tid_codes, own->ntids,
		   sizeof(uint32));
}

static void
om_sort_rows(OmenRows *rows)
{
	OmenRowKey *keys = om_make(rows, Max(rows->ntids, 1), sizeof(OmenRowKey));

	for (uint32 i = 0; i < rows->ntids; i++)
	{
		const ItemPointerData *tid = &rows->tids[i];

		om_tick(rows, i);
		keys[i].tid = (uint64) ItemPointerGetBlockNumberNoCheck(tid) << 16 |
			ItemPointerGetOffsetNumberNoCheck(tid);
		keys[i].code = rows->tid_codes[i];
	}
	om_sort_keys(keys, rows->ntids);
	for (uint32 i = 0; i < rows->ntids; i++)
	{
		om_tick(rows, i);
		ItemPointerSet(&rows->tids[i], (BlockNumber) (keys[i].tid >> 16),
					   (OffsetNumber) (keys[i].tid & 0xffff));
		rows->tid_codes[i] = keys[i].code;
	}
	OmenStoreFree(rows->store, keys);
}

/*
 * Find the distinct codes, in the order of the sorted rows, and give each row
 * the one that equals its own.
 */
static void
om_find_distinct(OmenRows *rows)
{
	rows->hash = omen_codes_create(rows->context, rows->maxcodes, rows);
	for (uint32 i = 0; i < rows->ntids; i++)
	{
		uint32		code = rows->tid_codes[i];
		bool		found;
		OmenCodeEntry *entry = omen_codes_insert(rows->hash, code, &found);

		om_tick(rows, i);
		if (!found)
			rows->distinct[rows->ncodes++] = code;
		else if (entry->code != code)
			om_join_infos(rows, entry->code, &rows->infos[code]);
		rows->tid_codes[i] = entry->code;
	}
	OmenRowsDone(rows);
}

OmenRows *
OmenGatherRows(OmenRows *own)
{
	OmenTeam   *team = OmenStoreTeam(own->store);
	OmenRows   *all;
	uint32		first_code;
	uint32		first_tid;

	if (team == NULL && om_ascending(own))
		return own;
	all = om_empty_rows(own->store, own->width);
	om_reserve_places(own, all, &first_code, &first_tid);
	all->codes = om_share(all, all->maxcodes, all->width, OMEN_PUT);
	all->infos = om_share(all, all->maxcodes, sizeof(OmenCodeInfo), OMEN_PUT);
	all->hashes = om_share(all, all->maxcodes, sizeof(uint32), OMEN_PUT);
	all->distinct = om_share(all, all->maxcodes, sizeof(uint32),
							 OMEN_IN_PLACE);
	all->tids = om_share(all, all->maxtids, sizeof(ItemPointerData),
						 OMEN_IN_PLACE);
	all->tid_codes = om_share(all, all->maxtids, sizeof(uint32),
							  OMEN_IN_PLACE);
	om_copy_rows(own, all, first_code, first_tid);
	OmenFreeRows(own);
	OmenTeamWait(team);

	all->ntids = all->maxtids;
	if (OmenTeamLeads(team))
	{
		om_sort_rows(all);
		om_find_distinct(all);
	}
	all->ncodes = (uint32) OmenTeamAgree(team, all->ncodes);
	return all;
}

/* The codes, with what goes with them, in a new order. */
static void
om_sort_codes(OmenRows *rows, const uint32 *order)
{
	Size		width = rows->width;
	int8	   *codes = rows->sorted_codes;
	OmenCodeInfo *infos = rows->sorted_infos;
	int8	   *buffer = palloc(OMEN_SORT_RANGE * width);
	OmenLoop	loop;

	OmenStartLoop(OmenStoreTeam(rows->store), rows->ncodes, OMEN_SORT_RANGE,
				  &loop);
	while (OmenNextRange(&loop))
	{
		CHECK_FOR_INTERRUPTS();
		OmenStoreRelax(rows->store);
		for (uint32 i = loop.from; i < loop.to; i++)
		{
			if (i + 8 < loop.to)
				__builtin_prefetch(OM_CODE(rows, order[i + 8]));
			memcpy(buffer + (i - loop.from) * width, OM_CODE(rows, order[i]),
				   width);
			infos[i] = rows->infos[order[i]];
		}
		om_put(rows, codes, loop.from, buffer, loop.to - loop.from, width);
	}
	pfree(buffer);
	OmenStoreFree(rows->store, rows->codes);
	OmenStoreFree(rows->store, rows->infos);
	rows->codes = codes;
	rows->infos = infos;
}

/* The TIDs in the order of the codes: counting sort. */
static void
om_sort_tids(OmenRows *rows, const uint32 *order)
{
	uint32	   *next = om_make(rows, rows->maxcodes, sizeof(uint32));
	ItemPointerData *tids = om_make(rows, rows->ntids,
									sizeof(ItemPointerData));
	uint32		sum = 0;

	memset(next, 0, rows->maxcodes * sizeof(uint32));
	for (uint32 i = 0; i < rows->ntids; i++)
		next[rows->tid_codes[i]]++;
	for (uint32 i = 0; i < rows->ncodes; i++)
	{
		uint32		count = next[order[i]];

		om_tick(rows, i);
		rows->first_tid[i] = sum;
		next[order[i]] = sum;
		sum += count;
	}
	rows->first_tid[rows->ncodes] = sum;
	for (uint32 i = 0; i < rows->ntids; i++)
	{
		om_tick(rows, i);
		tids[next[rows->tid_codes[i]]++] = rows->tids[i];
	}
	OmenStoreFree(rows->store, next);
	OmenStoreFree(rows->store, rows->tids);
	rows->tids = tids;
}

void
OmenPrepareSort(OmenRows *rows)
{
	rows->sorted_codes = om_share(rows, rows->ncodes, rows->width, OMEN_PUT);
	rows->sorted_infos = om_share(rows, rows->ncodes, sizeof(OmenCodeInfo),
								  OMEN_IN_PLACE);
	rows->first_tid = om_share(rows, rows->ncodes + 1, sizeof(uint32),
							   OMEN_IN_PLACE);
}

/* The loop over the codes comes last, as the members meet at its end. */
void
OmenSortRows(OmenRows *rows, const uint32 *order)
{
	if (OmenTeamLeads(OmenStoreTeam(rows->store)))
		om_sort_tids(rows, order);
	om_sort_codes(rows, order);
}

void
OmenFreeRows(OmenRows *rows)
{
	MemoryContextDelete(rows->context);
}
