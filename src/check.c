/*-------------------------------------------------------------------------
 *
 * check.c
 *		omen_check(): is an index what it should be?
 *
 * A checker that shares code with what it checks repeats its mistakes, so
 * this file reads pages by itself, and trusts nothing that it reads: numbers,
 * counts and offsets are compared with their bounds before they are used.
 * Only the format itself (page.h, layout.h) is shared, the scalar kernels,
 * and the operator class, which says which rows of the table are indexed.
 *
 * The invariants, by the names in the column "invariant":
 *
 *	 1 page			A page has a sound header, and its special area says what
 *					its place demands: page id, type, owner, logical number, no
 *					unknown flag.  Its contents end where its counts say, and
 *					nothing is behind them; if they never change, their checksum
 *					is right.
 *	 2 metapage		Magic number, version; lists fit their arrays, and their
 *					checksum is right; owner numbers are distinct, not 0, and
 *					below next_owner.
 *	 3 frozen		The frozen parameters are those of the column and of the
 *					operator class, and possible; so is the checksum of them and
 *					of the quantizer.
 *	 4 space		The extents of segments, quantizer, free list, reservation,
 *					spare blocks and the pending pages lie within nblocks, do
 *					not overlap nor contain block 0, and together cover all but
 *					a few blocks.
 *	 5 quantizer	Step, mean and norm are finite and possible, and for L1
 *					distance, what spare bytes extend are dimensions in order;
 *					without a quantizer there is no segment.
 *	 6 segment		Counts of a segment are possible; its extents hold as many
 *					pages as its counts demand.
 *	 7 slot			The code is within -127 .. 127, norm2 its sum of squares (0
 *					for L1 distance); error is not negative nor NaN, excess is
 *					finite.
 *	 8 tids			The nodes' ranges of TIDs, in order, make up the TID region
 *					exactly.  TIDs are valid.  At least as many are dead as the
 *					metapage counted: a VACUUM that died may not have come to
 *					counting.
 *	 9 neighbors	Neighbours are nodes of the segment, distinct, and not the
 *					node itself; lanes not in use are zero.
 *	10 edges		Bits, t and a of each neighbour are those that follow from
 *					the two codes, to the bit; for L1 distance there are none.
 *	11 directory	Entries are nodes of the segment, ascending, and coded
 *					right; lanes not in use hold no node.
 *	12 reachable	Every node can be reached from the first entry.
 *	13 pending		A list has the pages that the metapage counted, from head
 *					to tail; all but the last are full, none is empty; pages are
 *					closed only in the sealed list.  There is a quantizer if it
 *					is coded; then what 7 says holds for its rows, whose
 *					checksums are right.
 *	14 duplicate	No TID that lives is there twice, in segments and lists.
 *	15 heap			Every row of the table that a snapshot sees and that is to
 *					be indexed has an entry, and if that is a pending one of a
 *					list of vectors, its vector (if heapallindexed).
 *
 * The blocks of up to OMEN_MAX_LEAKS quantizers may belong to nobody, since a
 * crash at the first flush leaks one; and any number where the free list is
 * full, which gives up its smallest extents.
 *
 * The producer lock is held, so that nothing moves but the pending list,
 * which may get longer.  On a standby, replay cares for no such lock: there,
 * an attempt counts only if it found nothing, or if nothing was replayed
 * meanwhile.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "layout.h"
#include "omen.h"

/* Quantizers whose blocks may belong to nobody. */
#define OMEN_MAX_LEAKS		16

/* Findings that are shown; what is beyond is counted. */
#define OMEN_MAX_FINDINGS	1000

/* Attempts on a standby that replays something each time. */
#define OMEN_MAX_ATTEMPTS	10

typedef enum OmenInvariant
{
	OMEN_CHECK_PAGE,
	OMEN_CHECK_METAPAGE,
	OMEN_CHECK_FROZEN,
	OMEN_CHECK_SPACE,
	OMEN_CHECK_QUANTIZER,
	OMEN_CHECK_SEGMENT,
	OMEN_CHECK_SLOT,
	OMEN_CHECK_TIDS,
	OMEN_CHECK_NEIGHBORS,
	OMEN_CHECK_EDGES,
	OMEN_CHECK_DIRECTORY,
	OMEN_CHECK_REACHABLE,
	OMEN_CHECK_PENDING,
	OMEN_CHECK_DUPLICATE,
	OMEN_CHECK_HEAP
} OmenInvariant;

static const char *const om_invariant_names[] = {
	"page", "metapage", "frozen", "space", "quantizer", "segment", "slot",
	"tids", "neighbors", "edges", "directory", "reachable", "pending",
	"duplicate", "heap"
};

/* What a block belongs to. */
typedef enum OmenClaim
{
	OMEN_CLAIM_NONE,
	OMEN_CLAIM_QUANTIZER,
	OMEN_CLAIM_SEGMENT,
	OMEN_CLAIM_PENDING,
	OMEN_CLAIM_FREE,
	OMEN_CLAIM_RESERVED,
	OMEN_CLAIM_SPARE
} OmenClaim;

static const char *const om_claim_names[] = {
	"nobody", "the quantizer", "a segment", "a pending list",
	"the free list", "a reservation", "the spare blocks"
};

typedef struct OmenFinding
{
	BlockNumber block;			/* InvalidBlockNumber: of no block */
	OmenInvariant invariant;
	char	   *detail;
} OmenFinding;

/* A TID that lives, as block << 16 | offset. */
typedef struct OmenTidEntry
{
	uint64		tid;
	uint32		checksum;		/* of the vector, if there is one */
	bool		vector;
	char		status;
} OmenTidEntry;

#define SH_PREFIX omen_tids
#define SH_ELEMENT_TYPE OmenTidEntry
#define SH_KEY_TYPE uint64
#define SH_KEY tid
#define SH_HASH_KEY(tb, key) murmurhash32((uint32) ((key) ^ (key) >> 32))
#define SH_EQUAL(tb, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

/* One attempt at checking an index. */
typedef struct OmenCheck
{
	Relation	index;
	Relation	heap;
	const OmenOpclass *opclass;
	MemoryContext context;		/* of everything below */
	BufferAccessStrategy strategy;	/* to read pages in order */

	OmenMetaData meta;			/* a copy */
	BlockNumber file_blocks;	/* length of the file, after the copy */
	OmenLayout	layout;
	uint8	   *claims;			/* file_blocks: OmenClaim */
	uint32	   *owners;			/* numbers met so far */
	int			nowners;
	omen_tids_hash *tids;
	MemoryContext tuple_context;	/* reset after each row of the table */

	/* the page at hand */
	PGAlignedBlock page;
	BlockNumber block;

	/* the segment at hand */
	const OmenSegmentData *segment;
	uint64		next_tid;		/* where the next node's TIDs start */
	int8	   *codes[OMEN_LANES];	/* of the neighbours at hand */
	float		excess[OMEN_LANES];
	uint8	   *edges;			/* bits of one block, as they should be */
	int8	   *mean;			/* the code of the mean: zero */
	char	   *slot;			/* the node at hand */
	char	   *neighbor;		/* one of its neighbours */

	char	   *row;			/* a pending row that takes several pages */

	OmenFinding *findings;
	uint64		nfindings;
} OmenCheck;

/* Note that something is wrong. */
static void
om_fail(OmenCheck *check, BlockNumber block, OmenInvariant invariant,
		const char *format,...) pg_attribute_printf(4, 5);

static void
om_fail(OmenCheck *check, BlockNumber block, OmenInvariant invariant,
		const char *format,...)
{
	OmenFinding *finding;
	MemoryContext old;
	StringInfoData detail;

	if (check->nfindings++ >= OMEN_MAX_FINDINGS)
		return;
	old = MemoryContextSwitchTo(check->context);
	initStringInfo(&detail);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&detail, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&detail, needed);
	}
	MemoryContextSwitchTo(old);
	finding = &check->findings[check->nfindings - 1];
	finding->block = block;
	finding->invariant = invariant;
	finding->detail = detail.data;
}

/*----------
 * Pages
 *----------
 */

/* Copy a block to check->page; false if the file does not have it. */
static bool
om_copy_block(OmenCheck *check, BlockNumber block)
{
	Buffer		buffer;

	CHECK_FOR_INTERRUPTS();
	if (block >= check->file_blocks)
	{
		om_fail(check, block, OMEN_CHECK_PAGE,
				"The file ends before this block.");
		return false;
	}
	buffer = ReadBufferExtended(check->index, MAIN_FORKNUM, block, RBM_NORMAL,
								check->strategy);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(check->page.data, BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);
	check->block = block;
	return true;
}

static uint32
om_crc(const void *data, Size size)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, data, size);
	FIN_CRC32C(crc);
	return crc;
}

/*
 * Does the header have nothing that no page of an index can have?  A position
 * in WAL that does not exist yet makes it impossible to write the page.
 */
static bool
om_header_possible(PageHeader header)
{
	return header->pd_flags == 0 && header->pd_prune_xid == 0 &&
		(RecoveryInProgress() ||
		 PageXLogRecPtrGet(header->pd_lsn) <= GetXLogInsertRecPtr());
}

/* Is there nothing between the contents and the special area? */
static bool
om_hole_empty(Page page)
{
	PageHeader	header = (PageHeader) page;
	Size		i;

	for (i = header->pd_lower; i < header->pd_upper; i++)
		if (page[i] != 0)
			return false;
	return true;
}

/* Is the header of check->page sound? */
static bool
om_check_header(OmenCheck *check)
{
	Page		page = check->page.data;
	PageHeader	header = (PageHeader) page;
	Size		special = BLCKSZ - MAXALIGN(sizeof(OmenPageSpecial));

	if (PageIsNew(page))
	{
		om_fail(check, check->block, OMEN_CHECK_PAGE, "The page is empty.");
		return false;
	}
	if (PageGetPageSize(page) != BLCKSZ ||
		PageGetPageLayoutVersion(page) != PG_PAGE_LAYOUT_VERSION ||
		header->pd_special != special || header->pd_upper != special ||
		header->pd_lower < SizeOfPageHeaderData ||
		header->pd_lower > header->pd_upper)
	{
		om_fail(check, check->block, OMEN_CHECK_PAGE,
				"The page header is not sound: lower %u, upper %u, special %u.",
				header->pd_lower, header->pd_upper, header->pd_special);
		return false;
	}
	if (!om_header_possible(header))
		om_fail(check, check->block, OMEN_CHECK_PAGE,
				"The page header has LSN %X/%X, flags 0x%04X, prune xid %u.",
				LSN_FORMAT_ARGS(PageXLogRecPtrGet(header->pd_lsn)),
				header->pd_flags, header->pd_prune_xid);
	if (!om_hole_empty(page))
		om_fail(check, check->block, OMEN_CHECK_PAGE,
				"There is something behind the contents of the page.");
	return true;
}

/* Is the checksum of check->page right, or zero if its contents change? */
static void
om_check_checksum(OmenCheck *check, OmenPageType type)
{
	uint16		checksum = OmenPageGetSpecial(check->page.data)->checksum;
	uint32		crc = 0;

	if (type == OMEN_PAGE_SLOTS || type == OMEN_PAGE_DIRECTORY ||
		type == OMEN_PAGE_QUANTIZER)
		crc = om_crc(PageGetContents(check->page.data),
					 ((PageHeader) check->page.data)->pd_lower -
					 SizeOfPageHeaderData);
	if (checksum != (uint16) (crc ^ crc >> 16))
		om_fail(check, check->block, OMEN_CHECK_PAGE,
				"The checksum is 0x%04X, but should be 0x%04X.", checksum,
				(uint16) (crc ^ crc >> 16));
}

/*
 * Copy a block to check->page, and see whether it is the page that it should
 * be, with no flags but "allowed".
 */
static bool
om_get_page(OmenCheck *check, BlockNumber block, OmenPageType type,
			uint32 owner, uint32 logical, uint16 allowed)
{
	const OmenPageSpecial *special;

	if (!om_copy_block(check, block) || !om_check_header(check))
		return false;
	special = OmenPageGetSpecial(check->page.data);
	if (special->page_id != OMEN_PAGE_ID)
	{
		om_fail(check, block, OMEN_CHECK_PAGE,
				"The page is not of an omen index: its id is 0x%04X.",
				special->page_id);
		return false;
	}
	if (special->type != type || special->owner != owner ||
		special->logical != logical)
	{
		om_fail(check, block, OMEN_CHECK_PAGE,
				"The page is of type %u, owner %u, number %u, but should be of type %u, owner %u, number %u.",
				special->type, special->owner, special->logical,
				type, owner, logical);
		return false;
	}
	if ((special->flags & ~allowed) != 0)
		om_fail(check, block, OMEN_CHECK_PAGE,
				"The page has unknown flags 0x%04X.", special->flags);
	om_check_checksum(check, type);
	return true;
}

/* The block of a segment's page; InvalidBlockNumber if there is none. */
static BlockNumber
om_segment_block(const OmenSegmentData *segment, uint32 logical)
{
	uint32		i;

	for (i = 0; i < segment->nextents; i++)
	{
		if (logical < segment->extents[i].nblocks)
			return segment->extents[i].start + logical;
		logical -= segment->extents[i].nblocks;
	}
	return InvalidBlockNumber;
}

/* The contents of check->page should be "used" bytes. */
static void
om_check_used(OmenCheck *check, Size used)
{
	Size		lower = ((PageHeader) check->page.data)->pd_lower;

	if (lower != SizeOfPageHeaderData + used)
		om_fail(check, check->block, OMEN_CHECK_PAGE,
				"The page holds %zu bytes instead of %zu.",
				lower - SizeOfPageHeaderData, used);
}

/*----------
 * Space and owners
 *----------
 */

/* A run of blocks belongs to somebody, and should belong to nobody else. */
static bool
om_claim(OmenCheck *check, BlockNumber start, uint32 nblocks, OmenClaim claim)
{
	uint64		end = (uint64) start + nblocks;
	uint64		block;

	if (start == OMEN_METAPAGE || nblocks == 0 || end > check->meta.nblocks)
	{
		om_fail(check, start, OMEN_CHECK_SPACE,
				"%u blocks from here on belong to %s, but the index has only blocks 1 to %u.",
				nblocks, om_claim_names[claim], check->meta.nblocks - 1);
		return false;
	}
	for (block = start; block < Min(end, check->file_blocks); block++)
	{
		if (check->claims[block] != OMEN_CLAIM_NONE)
		{
			om_fail(check, block, OMEN_CHECK_SPACE,
					"The block belongs to %s and to %s.",
					om_claim_names[check->claims[block]],
					om_claim_names[claim]);
			return false;
		}
		check->claims[block] = claim;
	}
	return true;
}

/* An owner number: given away, and to nobody else. */
static void
om_check_owner(OmenCheck *check, uint32 owner, OmenClaim claim)
{
	int			i;

	if (owner == 0 || owner >= check->meta.next_owner)
		om_fail(check, OMEN_METAPAGE, OMEN_CHECK_METAPAGE,
				"Owner number %u of %s was not given away yet; the next one is %u.",
				owner, om_claim_names[claim], check->meta.next_owner);
	for (i = 0; i < check->nowners; i++)
		if (check->owners[i] == owner)
			om_fail(check, OMEN_METAPAGE, OMEN_CHECK_METAPAGE,
					"Owner number %u of %s belongs to another owner, too.",
					owner, om_claim_names[claim]);
	check->owners[check->nowners++] = owner;
}

static void
om_check_space(OmenCheck *check)
{
	const OmenMetaData *meta = &check->meta;
	BlockNumber end = Min(meta->nblocks, check->file_blocks);
	BlockNumber block;
	BlockNumber first = InvalidBlockNumber;
	uint32		quantizer_pages = meta->frozen.width * sizeof(float) /
		OMEN_PAGE_ROOM + 1;
	uint32		nleaked = 0;
	uint32		i;

	for (i = 0; i < meta->nfree; i++)
	{
		om_claim(check, meta->free[i].start, meta->free[i].nblocks,
				 OMEN_CLAIM_FREE);
		if (i > 0 && meta->free[i].start <= meta->free[i - 1].start)
			om_fail(check, meta->free[i].start, OMEN_CHECK_SPACE,
					"The free list is not in order.");
	}
	for (i = 0; i < meta->nreserved; i++)
		om_claim(check, meta->reserved[i].start, meta->reserved[i].nblocks,
				 OMEN_CLAIM_RESERVED);
	if (meta->spare.nblocks > 0)
		om_claim(check, meta->spare.start, meta->spare.nblocks,
				 OMEN_CLAIM_SPARE);

	for (block = OMEN_METAPAGE + 1; block < end; block++)
	{
		if (check->claims[block] != OMEN_CLAIM_NONE)
			continue;
		if (nleaked++ == 0)
			first = block;
	}
	if (nleaked > OMEN_MAX_LEAKS * quantizer_pages &&
		meta->nfree < OMEN_MAX_FREE)
		om_fail(check, first, OMEN_CHECK_SPACE,
				"%u blocks, of which this is the first, belong to nobody.",
				nleaked);
}

/*----------
 * Metapage
 *----------
 */

/* Can the metapage be used at all? */
static bool
om_check_meta(OmenCheck *check)
{
	OmenMetaData *meta = &check->meta;

	check->file_blocks = RelationGetNumberOfBlocks(check->index);
	if (!om_get_page(check, OMEN_METAPAGE, OMEN_PAGE_META, 0, 0, 0))
		return false;
	memcpy(meta, OmenPageGetMeta(check->page.data), sizeof(OmenMetaData));

	/* Pages may have been added since. */
	check->file_blocks = RelationGetNumberOfBlocks(check->index);

	if (meta->magic != OMEN_MAGIC || meta->version < OMEN_MIN_VERSION ||
		meta->version > OMEN_VERSION)
	{
		om_fail(check, OMEN_METAPAGE, OMEN_CHECK_METAPAGE,
				"Magic number is 0x%08X, version %u.",
				meta->magic, meta->version);
		return false;
	}
	om_check_used(check, sizeof(OmenMetaData));
	if (meta->list_checksum != om_crc(&meta->nblocks, OMEN_LISTS_SIZE))
		om_fail(check, OMEN_METAPAGE, OMEN_CHECK_METAPAGE,
				"The checksum of the lists is not right.");
	if (meta->nsegments > OMEN_MAX_SEGMENTS || meta->nfree > OMEN_MAX_FREE ||
		meta->nreserved > OMEN_MAX_SEGMENT_EXTENTS || meta->nblocks == 0)
	{
		om_fail(check, OMEN_METAPAGE, OMEN_CHECK_METAPAGE,
				"%u segments, %u free and %u reserved extents, %u blocks are not possible.",
				meta->nsegments, meta->nfree, meta->nreserved, meta->nblocks);
		return false;
	}
	return true;
}

/* Do the frozen parameters suit the index?  If so, derive the layout. */
static bool
om_check_frozen(OmenCheck *check)
{
	const OmenFrozen *frozen = &check->meta.frozen;
	const OmenOpclass *opclass = check->opclass;
	int32		dims = TupleDescAttr(RelationGetDescr(check->index),
									 0)->atttypmod;

	if (frozen->metric != opclass->metric ||
		frozen->element != opclass->element || frozen->dims != dims)
	{
		om_fail(check, OMEN_METAPAGE, OMEN_CHECK_FROZEN,
				"Metric %u, element %u and %u dimensions are not those of the column (%d, %d, %d).",
				frozen->metric, frozen->element, frozen->dims,
				opclass->metric, opclass->element, dims);
		return false;
	}
	if (frozen->m < OMEN_MIN_M || frozen->m > OMEN_MAX_M ||
		frozen->degree != 2 * frozen->m ||
		frozen->ef_construction < 2 * frozen->m ||
		frozen->ef_construction > OMEN_MAX_EF_CONSTRUCTION ||
		frozen->chunk_size < OMEN_MIN_CHUNK_SIZE ||
		frozen->chunk_size > OMEN_MAX_CHUNK_SIZE)
	{
		om_fail(check, OMEN_METAPAGE, OMEN_CHECK_FROZEN,
				"m = %u, degree %u, ef_construction = %u and chunk_size = %u are not possible.",
				frozen->m, frozen->degree, frozen->ef_construction,
				frozen->chunk_size);
		return false;
	}
	if (frozen->width < frozen->dims || frozen->width > OMEN_MAX_WIDTH ||
		frozen->width % OMEN_CODE_GRANULE != 0 ||
		(frozen->edge_dims == 0) != (frozen->metric == OMEN_METRIC_L1) ||
		frozen->edge_dims > frozen->width ||
		frozen->edge_dims > OMEN_MAX_EDGE_BITS ||
		frozen->edge_dims % OMEN_CODE_GRANULE != 0)
	{
		om_fail(check, OMEN_METAPAGE, OMEN_CHECK_FROZEN,
				"Codes of %u dimensions, and of %u for edges, are not possible.",
				frozen->width, frozen->edge_dims);
		return false;
	}
	if (check->meta.checksum != om_crc(frozen, OMEN_FROZEN_SIZE))
		om_fail(check, OMEN_METAPAGE, OMEN_CHECK_FROZEN,
				"The checksum of the parameters is not right.");
	OmenComputeLayout(frozen, &check->layout);
	return true;
}

/*
 * A value of the quantizer's pages; *extended is the last one of a spare byte,
 * at first 0.
 */
static void
om_check_mean(OmenCheck *check, uint32 number, float value, float *extended)
{
	const OmenFrozen *frozen = &check->meta.frozen;

	if (!isfinite(value))
		om_fail(check, check->block, OMEN_CHECK_QUANTIZER,
				"The mean is not finite in dimension %u.", number);
	if (frozen->metric != OMEN_METRIC_L1 || number < frozen->dims)
		return;
	if (value != -1 &&
		!(*extended >= 0 && value >= *extended && value < frozen->dims &&
		  value == floorf(value)))
		om_fail(check, check->block, OMEN_CHECK_QUANTIZER,
				"Byte %u extends dimension %g, after %g, of %u.",
				number, value, *extended, frozen->dims);
	*extended = value;
}

static void
om_check_quantizer(OmenCheck *check)
{
	const OmenQuantizerData *data = &check->meta.quantizer;
	uint32		width = check->meta.frozen.width;
	uint32		per_page = OMEN_PAGE_ROOM / sizeof(float);
	uint32		npages = (width + per_page - 1) / per_page;
	float		extended = 0;
	uint32		i;

	if (data->owner == 0)
	{
		if (check->meta.nsegments > 0)
			om_fail(check, OMEN_METAPAGE, OMEN_CHECK_QUANTIZER,
					"There are %u segments, but no quantizer.",
					check->meta.nsegments);
		return;
	}
	om_check_owner(check, data->owner, OMEN_CLAIM_QUANTIZER);
	if (!(data->step > 0) || !isfinite(data->step) ||
		!(data->max_norm2 >= 0) || !isfinite(data->max_norm2) ||
		data->lifted > (check->opclass->metric == OMEN_METRIC_IP ? 1 : 0))
		om_fail(check, OMEN_METAPAGE, OMEN_CHECK_QUANTIZER,
				"Step %g, squared norm %g, lifted %u are not possible.",
				data->step, data->max_norm2, data->lifted);
	if (data->npages != npages || data->extent.nblocks != npages)
	{
		om_fail(check, OMEN_METAPAGE, OMEN_CHECK_QUANTIZER,
				"The mean has %u pages in %u blocks instead of %u.",
				data->npages, data->extent.nblocks, npages);
		return;
	}
	if (!om_claim(check, data->extent.start, npages, OMEN_CLAIM_QUANTIZER))
		return;
	for (i = 0; i < npages; i++)
	{
		uint32		n = Min(width - i * per_page, per_page);
		const float *mean = (float *) PageGetContents(check->page.data);
		uint32		j;

		if (!om_get_page(check, data->extent.start + i, OMEN_PAGE_QUANTIZER,
						 data->owner, i, 0))
			continue;
		om_check_used(check, n * sizeof(float));
		for (j = 0; j < n; j++)
			om_check_mean(check, i * per_page + j, mean[j], &extended);
	}
}

/*----------
 * TIDs
 *----------
 */

static uint64
om_tid_key(const ItemPointerData *tid)
{
	return (uint64) ItemPointerGetBlockNumberNoCheck(tid) << 16 |
		ItemPointerGetOffsetNumberNoCheck(tid);
}

/*
 * A TID of check->page.  "invariant" is what is broken if it is no TID, and
 * "vector" the elements beside it, if there are any.  Returns
 * true if it is dead.
 */
static bool
om_check_tid(OmenCheck *check, const OmenTid *entry, OmenInvariant invariant,
			 const void *vector)
{
	OmenTidEntry *noted;
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(&entry->tid);
	OffsetNumber offset = ItemPointerGetOffsetNumberNoCheck(&entry->tid);
	bool		found;

	if (!ItemPointerIsValid(&entry->tid) || block == InvalidBlockNumber ||
		(entry->flags & ~OMEN_TID_DEAD) != 0)
	{
		om_fail(check, check->block, invariant,
				"TID (%u,%u) with flags 0x%04X is not possible.",
				block, offset, entry->flags);
		return false;
	}
	if (entry->flags & OMEN_TID_DEAD)
		return true;
	noted = omen_tids_insert(check->tids, om_tid_key(&entry->tid), &found);
	noted->vector = vector != NULL;
	if (vector != NULL)
		noted->checksum = om_crc(vector, check->layout.vector_size);
	if (found)
		om_fail(check, check->block, OMEN_CHECK_DUPLICATE,
				"TID (%u,%u) is there twice.", block, offset);
	return false;
}

static void
om_check_tid_pages(OmenCheck *check)
{
	const OmenSegmentData *segment = check->segment;
	uint32		base = OmenSlotPages(&check->layout, segment);
	uint32		npages = OmenTidPages(segment);
	uint32		ndead = 0;
	bool		complete = true;
	uint32		p;

	for (p = 0; p < npages; p++)
	{
		uint32		n = Min(segment->ntids - p * OMEN_TIDS_PER_PAGE,
							OMEN_TIDS_PER_PAGE);
		uint32		i;

		if (!om_get_page(check, om_segment_block(segment, base + p),
						 OMEN_PAGE_TIDS, segment->owner, base + p, 0))
		{
			complete = false;
			continue;
		}
		om_check_used(check, n * sizeof(OmenTid));
		for (i = 0; i < n; i++)
			if (om_check_tid(check, OmenPageGetTid(check->page.data, i),
							 OMEN_CHECK_TIDS, NULL))
				ndead++;
	}
	if (complete && ndead < segment->ndead)
		om_fail(check, OMEN_METAPAGE, OMEN_CHECK_TIDS,
				"Segment %u has %u dead rows, but the metapage counted %u.",
				segment->owner, ndead, segment->ndead);
}

/*----------
 * Segments
 *----------
 */

/* Are the sizes of a segment possible, so that its pages can be looked at? */
static bool
om_check_sizes(OmenCheck *check, const OmenSegmentData *segment)
{
	uint64		max_nodes = (uint64) check->file_blocks *
		check->layout.slots_per_page / check->layout.pages_per_slot;
	uint64		max_tids = (uint64) check->file_blocks * OMEN_TIDS_PER_PAGE;
	uint64		nblocks = 0;
	bool		sound = true;
	uint32		i;

	om_check_owner(check, segment->owner, OMEN_CLAIM_SEGMENT);
	if (segment->nnodes == 0 || segment->nnodes > max_nodes ||
		segment->ntids < segment->nnodes || segment->ntids > max_tids ||
		segment->ndead > segment->ntids || segment->ndirectory == 0 ||
		segment->ndirectory > segment->nnodes || segment->nextents == 0 ||
		segment->nextents > OMEN_MAX_SEGMENT_EXTENTS)
	{
		om_fail(check, OMEN_METAPAGE, OMEN_CHECK_SEGMENT,
				"Segment %u with %u nodes, %u rows (%u dead), %u entries, %u extents is not possible.",
				segment->owner, segment->nnodes, segment->ntids,
				segment->ndead, segment->ndirectory, segment->nextents);
		return false;
	}
	for (i = 0; i < segment->nextents; i++)
	{
		nblocks += segment->extents[i].nblocks;
		sound = om_claim(check, segment->extents[i].start,
						 segment->extents[i].nblocks,
						 OMEN_CLAIM_SEGMENT) && sound;
	}
	if (nblocks != OmenSegmentPages(&check->layout, segment))
	{
		om_fail(check, OMEN_METAPAGE, OMEN_CHECK_SEGMENT,
				"Segment %u has " UINT64_FORMAT " blocks instead of %u.",
				segment->owner, nblocks,
				OmenSegmentPages(&check->layout, segment));
		return false;
	}
	return sound;
}

/* A code, and what goes with it, of node or row number n. */
static void
om_check_code(OmenCheck *check, OmenInvariant invariant, const char *what,
			  uint32 n, const int8 *code, float norm2_found, float error,
			  float excess)
{
	int32		norm2 = 0;
	bool		clipped = true;
	uint32		i;

	for (i = 0; i < check->meta.frozen.width; i++)
	{
		clipped = clipped && code[i] != PG_INT8_MIN;
		norm2 += (int32) code[i] * code[i];
	}
	if (check->opclass->metric == OMEN_METRIC_L1)
		norm2 = 0;
	if (!clipped || norm2_found != (float) norm2)
		om_fail(check, check->block, invariant,
				"%s %u has norm2 %g instead of %d%s.", what, n, norm2_found,
				norm2, clipped ? "" : ", and an element of -128");
	if (!(error >= 0) || !isfinite(excess))
		om_fail(check, check->block, invariant,
				"%s %u has error %g, excess %g.", what, n, error, excess);
}

/* What can be said of a slot without looking at others. */
static void
om_check_slot(OmenCheck *check, uint32 node, char *slot)
{
	const OmenSlotHead *head = (OmenSlotHead *) slot;

	om_check_code(check, OMEN_CHECK_SLOT, "Node", node,
				  OmenSlotCode(&check->layout, slot), head->norm2,
				  head->error, head->excess);
	if (head->unused != 0)
		om_fail(check, check->block, OMEN_CHECK_SLOT,
				"Node %u has padding %u.", node, head->unused);
	if (head->first_tid != check->next_tid || head->ntids == 0 ||
		head->ntids > check->segment->ntids - Min(check->next_tid,
												  check->segment->ntids))
		om_fail(check, check->block, OMEN_CHECK_TIDS,
				"Node %u has %u TIDs from %u on, but should have some from "
				UINT64_FORMAT " on, and there are %u.",
				node, head->ntids, head->first_tid, check->next_tid,
				check->segment->ntids);
	check->next_tid = (uint64) head->first_tid + head->ntids;
}

/* The slots of check->page, of which "node" is the first. */
static void
om_check_page_slots(OmenCheck *check, uint32 node)
{
	const OmenLayout *layout = &check->layout;
	uint32		n = Min(check->segment->nnodes - node, layout->slots_per_page);
	uint32		i;

	om_check_used(check, (Size) n * layout->slot_size);
	for (i = 0; i < n; i++)
		om_check_slot(check, node + i,
					  OmenPageGetSlot(layout, check->page.data, i));
}

/* A part of a slot that takes several pages; with the last, the slot. */
static void
om_check_slot_part(OmenCheck *check, uint32 node, uint32 part)
{
	const OmenLayout *layout = &check->layout;
	Size		size = OmenPartSize(layout->slot_size, OMEN_PAGE_ROOM, part);

	om_check_used(check, size);
	memcpy(check->slot + part * OMEN_PAGE_ROOM,
		   PageGetContents(check->page.data), size);
	if (part + 1 == layout->pages_per_slot)
		om_check_slot(check, node, check->slot);
}

static void
om_check_slot_pages(OmenCheck *check)
{
	const OmenSegmentData *segment = check->segment;
	const OmenLayout *layout = &check->layout;
	uint32		npages = OmenSlotPages(layout, segment);
	bool		complete = true;
	uint32		p;

	check->next_tid = 0;
	for (p = 0; p < npages; p++)
	{
		uint32		part = p % layout->pages_per_slot;
		uint32		node = p / layout->pages_per_slot *
			layout->slots_per_page;

		if (!om_get_page(check, om_segment_block(segment, p),
						 OMEN_PAGE_SLOTS, segment->owner, p, 0))
		{
			complete = false;
			p += layout->pages_per_slot - 1 - part;
			continue;
		}
		if (!complete && part == 0)
		{
			check->next_tid = ((OmenSlotHead *)
							   OmenPageGetSlot(layout, check->page.data,
											   0))->first_tid;
			complete = true;
		}
		if (layout->pages_per_slot == 1)
			om_check_page_slots(check, node);
		else
			om_check_slot_part(check, node, part);
	}
	if (complete && check->next_tid != segment->ntids)
		om_fail(check, OMEN_METAPAGE, OMEN_CHECK_TIDS,
				"The nodes of segment %u have " UINT64_FORMAT " TIDs instead of %u.",
				segment->owner, check->next_tid, segment->ntids);
}

/*
 * Copy a page's part of a node's slot, up to "size" bytes of the slot.  False
 * if the page is not what it should be, which was found out before.
 */
static bool
om_load_part(OmenCheck *check, uint32 node, uint32 part, char *slot, Size size)
{
	const OmenLayout *layout = &check->layout;
	uint32		logical = OmenSlotLogical(layout, node) + part;
	BlockNumber block = om_segment_block(check->segment, logical);
	Size		offset = (Size) part * OMEN_PAGE_ROOM;
	const OmenPageSpecial *special;
	Buffer		buffer;
	bool		found;

	if (block >= check->file_blocks)
		return false;
	buffer = ReadBuffer(check->index, block);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	special = OmenPageGetSpecial(BufferGetPage(buffer));
	found = special->page_id == OMEN_PAGE_ID &&
		special->type == OMEN_PAGE_SLOTS &&
		special->owner == check->segment->owner &&
		special->logical == logical;
	if (found)
		memcpy(slot + offset,
			   OmenPageGetSlot(layout, BufferGetPage(buffer), node),
			   Min(size - offset, OMEN_PAGE_ROOM));
	UnlockReleaseBuffer(buffer);
	return found;
}

/* Copy the first "size" bytes of a node's slot. */
static bool
om_load_slot(OmenCheck *check, uint32 node, char *slot, Size size)
{
	uint32		part;

	for (part = 0; part * OMEN_PAGE_ROOM < size; part++)
		if (!om_load_part(check, node, part, slot, size))
			return false;
	return true;
}

/*----------
 * Edges
 *----------
 */

/* The factors of an edge, by the formulas in src/README. */
static void
om_expected_factors(int32 rr, int32 s1, int32 us, float excess, uint16 *t,
					uint8 *a)
{
	*a = OmenCodeEdgeA(s1 > 0 ? -4.0f * rr / s1 : 0);
	*t = OmenCodeEdgeT(rr - OmenEdgeA(*a) * us / 2 + excess);
}

/*
 * Compare the coded edges from a code u to up to 16 nodes with what they
 * should be.  False if they cannot be known, because a node's page is
 * damaged; true, and *right, otherwise.
 */
static bool
om_compare_edges(OmenCheck *check, const int8 *u, float u_excess,
				 const uint32 *nodes, int n, const uint8 *edges,
				 const uint16 *t, const uint8 *a, bool *right)
{
	const OmenFrozen *frozen = &check->meta.frozen;
	Size		size = OMEN_BLOCK_BYTES(frozen->edge_dims);
	Size		loaded = check->layout.code_offset + frozen->width;
	uint16		expected_t[OMEN_LANES] = {0};
	uint8		expected_a[OMEN_LANES] = {0};
	int32		rr[OMEN_LANES];
	int32		s1[OMEN_LANES];
	int32		us[OMEN_LANES];
	int			j;

	for (j = 0; j < n; j++)
	{
		if (!om_load_slot(check, nodes[j], check->neighbor, loaded))
			return false;
		memcpy(check->codes[j], OmenSlotCode(&check->layout, check->neighbor),
			   frozen->width);
		check->excess[j] = ((OmenSlotHead *) check->neighbor)->excess;
	}
	omen_kernels_scalar.encode_block(frozen->width, frozen->edge_dims, u,
									 (const int8 *const *) check->codes, n,
									 check->edges, rr, s1, us);
	for (j = 0; j < n; j++)
		om_expected_factors(rr[j], s1[j], us[j],
							u_excess - check->excess[j],
							&expected_t[j], &expected_a[j]);
	*right = memcmp(edges, check->edges, size) == 0 &&
		memcmp(t, expected_t, sizeof(expected_t)) == 0 &&
		memcmp(a, expected_a, sizeof(expected_a)) == 0;
	return true;
}

/* Are the neighbours of the node at hand nodes, and distinct? */
static bool
om_check_numbers(OmenCheck *check, uint32 node, BlockNumber block)
{
	const OmenLayout *layout = &check->layout;
	uint32		degree = ((OmenSlotHead *) check->slot)->degree;
	const uint32 *neighbors = OmenSlotNeighbors(layout, check->slot);
	uint32		i,
				j;

	if (degree > check->meta.frozen.degree)
	{
		om_fail(check, block, OMEN_CHECK_NEIGHBORS,
				"Node %u has %u neighbours; the most are %u.",
				node, degree, check->meta.frozen.degree);
		return false;
	}
	for (i = 0; i < degree; i++)
	{
		bool		distinct = neighbors[i] != node;

		for (j = 0; j < i && distinct; j++)
			distinct = neighbors[j] != neighbors[i];
		if (!distinct || neighbors[i] >= check->segment->nnodes)
		{
			om_fail(check, block, OMEN_CHECK_NEIGHBORS,
					"Neighbour %u of node %u is %u, which is %s.", i, node,
					neighbors[i], distinct ? "no node" :
					neighbors[i] == node ? "itself" : "there twice");
			return false;
		}
	}
	for (; i < layout->lanes; i++)
		if (neighbors[i] != 0)
		{
			om_fail(check, block, OMEN_CHECK_NEIGHBORS,
					"Node %u has %u neighbours, but lane %u is not empty.",
					node, degree, i);
			return false;
		}
	return true;
}

/* The edges of the node at hand: codes and factors. */
static void
om_check_edges(OmenCheck *check, uint32 node, BlockNumber block)
{
	const OmenLayout *layout = &check->layout;
	const OmenSlotHead *head = (OmenSlotHead *) check->slot;
	Size		size = OMEN_BLOCK_BYTES(check->meta.frozen.edge_dims);
	uint32		i;

	if (check->meta.frozen.metric == OMEN_METRIC_L1)
		return;
	for (i = 0; i < layout->lanes; i += OMEN_LANES)
	{
		int			n = Min(OMEN_LANES, head->degree - Min(i, head->degree));
		bool		right;

		if (!om_compare_edges(check, OmenSlotCode(layout, check->slot),
							  head->excess,
							  OmenSlotNeighbors(layout, check->slot) + i, n,
							  OmenSlotEdges(layout, check->slot) +
							  i / OMEN_LANES * size,
							  OmenSlotT(layout, check->slot) + i,
							  OmenSlotA(layout, check->slot) + i, &right))
			return;
		if (!right)
			om_fail(check, block, OMEN_CHECK_EDGES,
					"Node %u has wrong codes for its neighbours from %u on.",
					node, i);
	}
}

/*
 * Compare the codes of the n entries in a block with what they should be.
 * False if they cannot be known; true, and *right, otherwise.
 */
static bool
om_compare_entries(OmenCheck *check, char *block, uint32 n, bool *right)
{
	const OmenLayout *layout = &check->layout;
	const uint32 *nodes = (uint32 *) block;

	if (check->meta.frozen.metric != OMEN_METRIC_L1)
		return om_compare_edges(check, check->mean, 0, nodes, n,
								(uint8 *) block + layout->entry_edges_offset,
								(uint16 *) (block + layout->entry_t_offset),
								(uint8 *) block + layout->entry_a_offset,
								right);
	if (!om_load_slot(check, nodes[0], check->neighbor,
					  layout->code_offset + layout->entry_width))
		return false;
	*right = memcmp(block + layout->entry_code_offset,
					OmenSlotCode(layout, check->neighbor),
					layout->entry_width) == 0;
	return true;
}

/* A block of the directory's entries; *last is the entry before. */
static bool
om_check_entries(OmenCheck *check, uint32 number, char *block, int64 *last)
{
	const OmenLayout *layout = &check->layout;
	const uint32 *nodes = (uint32 *) block;
	uint32		entries = layout->entries_per_block;
	uint32		n = Min(check->segment->ndirectory - number * entries,
						entries);
	bool		right;
	uint32		j;

	for (j = 0; j < entries; j++)
	{
		if (j < n ? nodes[j] >= check->segment->nnodes || nodes[j] <= *last :
			nodes[j] != OMEN_NO_NODE)
		{
			om_fail(check, check->block, OMEN_CHECK_DIRECTORY,
					"Entry %u of %u is %u, after " INT64_FORMAT ", of %u nodes.",
					number * entries + j, check->segment->ndirectory,
					nodes[j], *last, check->segment->nnodes);
			return false;
		}
		if (j < n)
			*last = nodes[j];
	}
	if (om_compare_entries(check, block, n, &right) && !right)
		om_fail(check, check->block, OMEN_CHECK_DIRECTORY,
				"Entries %u to %u have wrong codes.",
				number * entries, number * entries + n - 1);
	return true;
}

/*
 * The directory.  Returns its first entry, or OMEN_NO_NODE if there is none
 * to start from.
 */
static uint32
om_check_directory(OmenCheck *check)
{
	const OmenSegmentData *segment = check->segment;
	const OmenLayout *layout = &check->layout;
	uint32		nblocks = OmenEntryBlocks(layout, segment);
	uint32		npages = OmenDirectoryPages(layout, segment);
	uint32		base = OmenSlotPages(layout, segment) + OmenTidPages(segment);
	uint32		first = OMEN_NO_NODE;
	int64		last = -1;
	uint32		p;

	for (p = 0; p < npages; p++)
	{
		uint32		b = p * layout->entry_blocks_per_page;
		uint32		end = Min(b + layout->entry_blocks_per_page, nblocks);

		if (!om_get_page(check, om_segment_block(segment, base + p),
						 OMEN_PAGE_DIRECTORY, segment->owner, base + p, 0))
			continue;
		om_check_used(check, (Size) (end - b) * layout->entry_block_size);
		for (; b < end; b++)
		{
			char	   *block = OmenPageGetEntryBlock(layout,
													  check->page.data, b);

			if (om_check_entries(check, b, block, &last) && b == 0)
				first = *(uint32 *) block;
		}
	}
	return first;
}

/*
 * Walk the graph from a node, and look at each node's edges on the way.
 */
static void
om_check_graph(OmenCheck *check, uint32 first)
{
	const OmenSegmentData *segment = check->segment;
	bool	   *reached;
	uint32	   *queue;
	uint32		head = 0;
	uint32		tail = 0;
	uint32		node;

	reached = palloc_extended(segment->nnodes,
							  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	queue = palloc_extended(mul_size(segment->nnodes, sizeof(uint32)),
							MCXT_ALLOC_HUGE);
	reached[first] = true;
	queue[tail++] = first;
	while (head < tail)
	{
		BlockNumber block;
		uint32		degree;
		uint32		i;

		CHECK_FOR_INTERRUPTS();
		node = queue[head++];
		block = om_segment_block(segment,
								 OmenSlotLogical(&check->layout, node));
		if (!om_load_slot(check, node, check->slot, check->layout.slot_size) ||
			!om_check_numbers(check, node, block))
			continue;
		om_check_edges(check, node, block);
		degree = ((OmenSlotHead *) check->slot)->degree;
		for (i = 0; i < degree; i++)
		{
			uint32		next = OmenSlotNeighbors(&check->layout,
												 check->slot)[i];

			if (!reached[next])
			{
				reached[next] = true;
				queue[tail++] = next;
			}
		}
	}
	for (node = 0; node < segment->nnodes && reached[node]; node++)
		;
	if (node < segment->nnodes)
		om_fail(check,
				om_segment_block(segment,
								 OmenSlotLogical(&check->layout, node)),
				OMEN_CHECK_REACHABLE,
				"%u nodes of segment %u, of which node %u is the first, cannot be reached from node %u.",
				segment->nnodes - tail, segment->owner, node, first);
	pfree(queue);
	pfree(reached);
}

static void
om_check_segment(OmenCheck *check, const OmenSegmentData *segment)
{
	uint32		first;

	if (!om_check_sizes(check, segment))
		return;
	check->segment = segment;
	om_check_slot_pages(check);
	om_check_tid_pages(check);
	first = om_check_directory(check);
	if (first != OMEN_NO_NODE)
		om_check_graph(check, first);
}

/*----------
 * Pending lists
 *----------
 */

/* The checksum of a coded row: of all but the flags. */
static uint32
om_coded_row_crc(const OmenCheck *check, const OmenCodedRow *row)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &row->tid.tid, sizeof(ItemPointerData));
	COMP_CRC32C(crc, &row->norm2, 3 * sizeof(float));
	COMP_CRC32C(crc, row->code, check->meta.frozen.width);
	FIN_CRC32C(crc);
	return crc;
}

/* Row number n of check->page. */
static void
om_check_pending_row(OmenCheck *check, const OmenPendingData *list, uint32 n,
					 const char *data)
{
	const OmenCodedRow *row = (const OmenCodedRow *) data;

	om_check_tid(check, &row->tid, OMEN_CHECK_PENDING,
				 list->coded ? NULL : OmenPendingRowVector(data));
	if (!list->coded)
		return;
	om_check_code(check, OMEN_CHECK_PENDING, "Row", n, row->code, row->norm2,
				  row->error, row->excess);
	if (row->checksum != om_coded_row_crc(check, row))
		om_fail(check, check->block, OMEN_CHECK_PENDING,
				"The checksum of row %u is not right.", n);
}

/*
 * A part, of "size" bytes, of a row that takes several pages.  With the last
 * one the row is complete.
 */
static void
om_check_long_row(OmenCheck *check, const OmenPendingData *list, uint32 part,
				  Size size)
{
	const OmenRowForm *form = OmenPendingForm(&check->layout, list);

	if (check->row == NULL)
		check->row = MemoryContextAllocZero(check->context,
										Max(check->layout.coded_rows.size,
											check->layout.vector_rows.size));
	memcpy(check->row + (Size) part * OMEN_PENDING_ROOM,
		   OmenPageGetPendingRow(form, check->page.data, 0), size);
	if (part + 1 == form->pages_per_row)
		om_check_pending_row(check, list, 0, check->row);
}

/*
 * The rows of the pending page in check->page, or its part of a row that takes
 * several pages.
 */
static void
om_check_pending_rows(OmenCheck *check, const OmenPendingData *list,
					  uint32 part, bool last)
{
	const OmenRowForm *form = OmenPendingForm(&check->layout, list);
	uint32		nrows = OmenPageGetPending(check->page.data)->nrows;
	uint32		full = part == 0 ? form->rows_per_page : 0;
	Size		size = (Size) nrows * form->size;
	uint32		i;

	if (nrows > full || (nrows < full && (nrows == 0 || !last)))
	{
		om_fail(check, check->block, OMEN_CHECK_PENDING,
				"A page that is %sthe last has %u rows; a full one has %u.",
				last ? "" : "not ", nrows, full);
		return;
	}
	if (form->pages_per_row > 1)
		size = OmenPartSize(form->size, OMEN_PENDING_ROOM, part);
	om_check_used(check, sizeof(OmenPendingHead) + size);
	if (form->pages_per_row > 1)
	{
		om_check_long_row(check, list, part, size);
		return;
	}
	for (i = 0; i < nrows; i++)
		om_check_pending_row(check, list, i,
							 (char *) OmenPageGetPendingRow(form,
															check->page.data,
															i));
}

/*
 * One stripe.  Rows and pages may be added to the last page of a list that is
 * not sealed after the metapage was copied, so its link says nothing.
 */
static void
om_check_stripe(OmenCheck *check, const OmenPendingData *list, int number,
				bool sealed)
{
	const OmenStripe *stripe = &list->stripes[number];
	BlockNumber block = stripe->head;
	BlockNumber last = InvalidBlockNumber;
	uint32		parts = OmenPendingForm(&check->layout, list)->pages_per_row;
	uint16		allowed = sealed ? OMEN_PENDING_CLOSED : 0;
	uint32		page;

	for (page = 0; page < stripe->npages; page++)
	{
		if (!om_claim(check, block, 1, OMEN_CLAIM_PENDING) ||
			!om_get_page(check, block, OMEN_PAGE_PENDING, list->owner,
						 number * OMEN_MAX_STRIPE_PAGES + page,
						 page + 1 == stripe->npages ? allowed : 0))
			return;
		om_check_pending_rows(check, list, page % parts,
							  page + 1 == stripe->npages);
		last = block;
		block = OmenPageGetPending(check->page.data)->next;
	}
	if (last != stripe->tail || (sealed && block != InvalidBlockNumber) ||
		(stripe->npages == 0 && stripe->head != InvalidBlockNumber))
		om_fail(check, OMEN_METAPAGE, OMEN_CHECK_PENDING,
				"Stripe %d of %u pages ends at block %u, not %u; the next is %u.",
				number, stripe->npages, last, stripe->tail, block);
}

static void
om_check_list(OmenCheck *check, const OmenPendingData *list, bool sealed)
{
	int			i;

	if (list->coded > (list->owner != 0 && check->meta.quantizer.owner != 0))
	{
		om_fail(check, OMEN_METAPAGE, OMEN_CHECK_PENDING,
				"The list of owner %u cannot be of codes.", list->owner);
		return;
	}
	if (list->owner != 0)
		om_check_owner(check, list->owner, OMEN_CLAIM_PENDING);
	for (i = 0; i < OMEN_MAX_STRIPES; i++)
	{
		if (list->stripes[i].npages > (list->owner != 0 ?
									   OMEN_MAX_STRIPE_PAGES : 0) ||
			list->stripes[i].npages %
			OmenPendingForm(&check->layout, list)->pages_per_row != 0)
			om_fail(check, OMEN_METAPAGE, OMEN_CHECK_PENDING,
					"Stripe %d of owner %u cannot have %u pages.",
					i, list->owner, list->stripes[i].npages);
		else
			om_check_stripe(check, list, i, sealed);
	}
}

/*----------
 * Table
 *----------
 */

/* The entry of a row of the table, or that it has none. */
static void
om_check_row(OmenCheck *check, ItemPointer tid, const void *elements)
{
	OmenTidEntry *entry = omen_tids_lookup(check->tids, om_tid_key(tid));

	if (entry == NULL)
		om_fail(check, InvalidBlockNumber, OMEN_CHECK_HEAP,
				"Row (%u,%u) of table \"%s\" has no entry.",
				ItemPointerGetBlockNumber(tid),
				ItemPointerGetOffsetNumber(tid),
				RelationGetRelationName(check->heap));
	else if (entry->vector && entry->checksum !=
			 om_crc(elements, check->layout.vector_size))
		om_fail(check, InvalidBlockNumber, OMEN_CHECK_HEAP,
				"Row (%u,%u) of table \"%s\" has an entry with another vector.",
				ItemPointerGetBlockNumber(tid),
				ItemPointerGetOffsetNumber(tid),
				RelationGetRelationName(check->heap));
}

/* A row of the table that the snapshot sees. */
static void
om_heap_callback(Relation index, ItemPointer tid, Datum *values,
				 bool *isnull, bool tupleIsAlive, void *arg)
{
	OmenCheck  *check = arg;
	MemoryContext old;
	const void *elements;
	int			dims;

	CHECK_FOR_INTERRUPTS();
	if (isnull[0])
		return;
	old = MemoryContextSwitchTo(check->tuple_context);
	elements = OmenGetElements(check->opclass, values[0], &dims);
	if (!OmenIsZero(check->opclass, elements, dims))
		om_check_row(check, tid, elements);
	MemoryContextSwitchTo(old);
	MemoryContextReset(check->tuple_context);
}

/*
 * Look for every row that the snapshot sees.  It was taken before the index
 * was read, and a row is in the index before its inserter commits; and no
 * VACUUM removes a row that the snapshot sees.
 */
static void
om_check_heap(OmenCheck *check, Snapshot snapshot)
{
	IndexInfo  *info = BuildIndexInfo(check->index);
	TableScanDesc scan;

	/*
	 * Neither uniqueness nor exclusion is to be checked; and "concurrent"
	 * makes the scan use the snapshot.
	 */
	info->ii_Concurrent = true;
	scan = table_beginscan_strat(check->heap, snapshot, 0, NULL, true, true);
	table_index_build_scan(check->heap, check->index, info, true, false,
						   om_heap_callback, check, scan);
}

/*----------
 * The function
 *----------
 */

/* Check everything but the table. */
static bool
om_check_structure(OmenCheck *check)
{
	uint32		i;

	if (!om_check_meta(check) || !om_check_frozen(check))
		return false;
	check->claims = palloc_extended(check->file_blocks,
									MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	check->owners = palloc(sizeof(uint32) * (OMEN_MAX_SEGMENTS + 3));
	check->tids = omen_tids_create(check->context, 1024, NULL);
	check->slot = palloc(check->layout.slot_size);
	check->neighbor = palloc(check->layout.slot_size);
	check->edges = palloc(OMEN_BLOCK_BYTES(check->meta.frozen.edge_dims));
	check->mean = palloc0(check->meta.frozen.width);
	for (i = 0; i < OMEN_LANES; i++)
		check->codes[i] = palloc(check->meta.frozen.width);

	om_check_quantizer(check);
	for (i = 0; i < check->meta.nsegments; i++)
		om_check_segment(check, &check->meta.segments[i]);
	om_check_list(check, &check->meta.sealed, true);
	om_check_list(check, &check->meta.pending, false);
	om_check_space(check);
	return true;
}

/* One attempt, in a memory context that is empty. */
static OmenCheck *
om_attempt(Relation heap, Relation index, bool heapallindexed)
{
	OmenCheck  *check = palloc0(sizeof(OmenCheck));
	TransactionId created;
	Snapshot	snapshot;

	check->heap = heap;
	check->index = index;
	check->opclass = OmenGetOpclass(index);
	check->context = CurrentMemoryContext;
	check->tuple_context = AllocSetContextCreate(check->context,
												 "omen check tuple",
												 ALLOCSET_DEFAULT_SIZES);
	check->strategy = GetAccessStrategy(BAS_BULKREAD);
	check->findings = palloc(sizeof(OmenFinding) * OMEN_MAX_FINDINGS);
	if (!heapallindexed)
	{
		om_check_structure(check);
		return check;
	}

	snapshot = RegisterSnapshot(GetTransactionSnapshot());

	/*
	 * A transaction snapshot may be older than the index, and see rows that
	 * are in HOT chains that the index does not cover.
	 */
	created = HeapTupleHeaderGetXmin(index->rd_indextuple->t_data);
	if (IsolationUsesXactSnapshot() && index->rd_index->indcheckxmin &&
		!TransactionIdPrecedes(created, snapshot->xmin))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("index \"%s\" is too new for the snapshot of this transaction",
						RelationGetRelationName(index))));
	if (om_check_structure(check))
		om_check_heap(check, snapshot);
	UnregisterSnapshot(snapshot);
	return check;
}

/*
 * Attempts until one counts: one during which nothing was replayed, or that
 * found nothing.
 */
static OmenCheck *
om_check_index(Relation heap, Relation index, bool heapallindexed)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "omen check",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	int			attempts;

	for (attempts = 0; attempts < OMEN_MAX_ATTEMPTS; attempts++)
	{
		bool		recovery = RecoveryInProgress();
		XLogRecPtr	start = recovery ? GetXLogReplayRecPtr(NULL) : 0;
		OmenCheck  *check;

		MemoryContextReset(context);
		check = om_attempt(heap, index, heapallindexed);
		if (check->nfindings == 0 || !recovery ||
			GetXLogReplayRecPtr(NULL) == start)
		{
			MemoryContextSwitchTo(old);
			return check;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("could not check index \"%s\", since recovery changes it all the time",
					RelationGetRelationName(index)),
			 errhint("Pause recovery by pg_wal_replay_pause(), or check it on the primary.")));
	return NULL;				/* keep compiler quiet */
}

/* Give the findings as rows. */
static void
om_return_findings(FunctionCallInfo fcinfo, const OmenCheck *check)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	uint64		shown = Min(check->nfindings, OMEN_MAX_FINDINGS);
	Datum		values[3];
	bool		nulls[3] = {false, false, false};
	uint64		i;

	for (i = 0; i < shown; i++)
	{
		const OmenFinding *finding = &check->findings[i];

		values[0] = Int64GetDatum(finding->block);
		values[1] = CStringGetTextDatum(om_invariant_names[finding->invariant]);
		values[2] = CStringGetTextDatum(finding->detail);
		nulls[0] = finding->block == InvalidBlockNumber;
		tuplestore_putvalues(result->setResult, result->setDesc, values,
							 nulls);
	}
	if (check->nfindings > shown)
	{
		values[1] = CStringGetTextDatum("more");
		values[2] = CStringGetTextDatum(psprintf(UINT64_FORMAT " more findings are not shown.",
												 check->nfindings - shown));
		nulls[0] = true;
		tuplestore_putvalues(result->setResult, result->setDesc, values,
							 nulls);
	}
}

PG_FUNCTION_INFO_V1(omen_check);

/*
 * omen_check(index regclass, heapallindexed boolean)
 * returns setof (block bigint, invariant text, detail text)
 */
Datum
omen_check(PG_FUNCTION_ARGS)
{
	Oid			indexid;
	Oid			heapid;
	Relation	heap;
	Relation	index;
	Oid			user;
	int			context;
	int			guc_level;

	/* Not strict: no row would say that all is well. */
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("arguments of omen_check must not be null")));
	indexid = PG_GETARG_OID(0);
	heapid = IndexGetRelation(indexid, true);
	OmenCheckMaintainable(indexid, heapid);
	heap = table_open(heapid, AccessShareLock);
	index = index_open(indexid, AccessShareLock);

	/* The index may have been dropped, and its number given to another. */
	if (IndexGetRelation(indexid, false) != RelationGetRelid(heap))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("could not open parent table of index \"%s\"",
						RelationGetRelationName(index))));
	OmenCheckReadable(index, true);
	InitMaterializedSRF(fcinfo, 0);

	/* Functions of the index run as the table's owner, as at its creation. */
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(heap->rd_rel->relowner,
						   context | SECURITY_RESTRICTED_OPERATION);
	guc_level = NewGUCNestLevel();
	OmenRestrictSearchPath();

	LockPage(index, OMEN_METAPAGE, ExclusiveLock);
	om_return_findings(fcinfo, om_check_index(heap, index,
											  PG_GETARG_BOOL(1)));
	UnlockPage(index, OMEN_METAPAGE, ExclusiveLock);

	AtEOXact_GUC(false, guc_level);
	SetUserIdAndSecContext(user, context);
	index_close(index, AccessShareLock);
	table_close(heap, AccessShareLock);
	return (Datum) 0;
}
