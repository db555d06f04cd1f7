/*-------------------------------------------------------------------------
 *
 * page.h
 *		The on-disk format of an omen index.
 *
 * Everything that is stored is defined here and nowhere else; src/README has
 * pictures.  Every page ends in an OmenPageSpecial that says what the page is
 * and to whom it belongs, and every read checks it (OmenReadPage).
 *
 * An index file consists of
 *
 *	block 0			metapage: frozen parameters, list of live segments, pending
 *					lists, free space
 *	quantizer		an array of floats, see OmenQuantizerData
 *	segments		runs of pages, immutable but for the dead bits of the TID
 *					region: slot pages, TID pages, directory pages
 *	pending pages	rows that no segment holds yet: TID, and code or vector
 *	free pages		listed as extents in the metapage; content has no meaning
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_PAGE_H
#define OMEN_PAGE_H

#include "storage/block.h"
#include "storage/bufpage.h"
#include "storage/itemptr.h"

#define OMEN_MAGIC			0x4E454D4F	/* "OMEN" */

/*
 * Version history
 *
 * 1	first format (unreleased)
 * 2	pending rows as codes, factors of edges in 24 bits (unreleased)
 */
#define OMEN_VERSION		2
#define OMEN_MIN_VERSION	2

#define OMEN_METAPAGE		((BlockNumber) 0)

/* In the last two bytes of every page, so that tools can tell AMs apart. */
#define OMEN_PAGE_ID		0xFE0E

typedef enum OmenPageType
{
	OMEN_PAGE_META = 1,
	OMEN_PAGE_QUANTIZER = 2,
	OMEN_PAGE_SLOTS = 3,
	OMEN_PAGE_TIDS = 4,
	OMEN_PAGE_DIRECTORY = 5,
	OMEN_PAGE_PENDING = 6
	/* 7 is kept for the attribute region (filter columns) */
} OmenPageType;

typedef struct OmenPageSpecial
{
	uint32		owner;			/* segment, pending or quantizer number */
	uint32		logical;		/* position among the owner's pages */
	uint16		type;			/* OmenPageType */
	uint16		flags;
	uint16		checksum;		/* of contents that never change; else zero */
	uint16		page_id;		/* OMEN_PAGE_ID */
} OmenPageSpecial;

StaticAssertDecl(sizeof(OmenPageSpecial) == 16, "OmenPageSpecial is padded");

/*
 * At a fixed place, so that a page can be told from another without a look at
 * its header, which is another cache line and may be damaged.
 */
#define OmenPageGetSpecial(page) \
	((OmenPageSpecial *) ((char *) (page) + BLCKSZ - sizeof(OmenPageSpecial)))

/* Bytes between the page header and the special area. */
#define OMEN_PAGE_ROOM \
	(BLCKSZ - SizeOfPageHeaderData - MAXALIGN(sizeof(OmenPageSpecial)))

/* A run of consecutive blocks. */
typedef struct OmenExtent
{
	BlockNumber start;
	uint32		nblocks;
} OmenExtent;

/*----------
 * Metapage
 *----------
 */
#define OMEN_MAX_SEGMENTS			16
#define OMEN_MAX_SEGMENT_EXTENTS	12
#define OMEN_MAX_STRIPES			8
#define OMEN_MAX_FREE				256

/* What shapes pages and codes: never changes during the life of the index. */
typedef struct OmenFrozen
{
	uint16		metric;			/* OmenMetric */
	uint16		element;		/* OmenElement */
	uint32		dims;			/* dimensions of the column */
	uint32		width;			/* dimensions of a code, padded; % 32 == 0 */
	uint32		edge_dims;		/* dimensions of an edge code; % 32 == 0; 0
								 * for L1 distance: there are none */
	uint32		degree;			/* neighbours of a node at most */
	uint32		m;				/* options as given */
	uint32		ef_construction;
	uint32		chunk_size;
	uint64		seed;			/* of the rotation and of the builder */
} OmenFrozen;

/*
 * How vectors become codes.  Frozen as soon as it is there: from CREATE
 * INDEX, or from the first flush if the table was empty then.
 */
typedef struct OmenQuantizerData
{
	uint32		owner;			/* of its pages; 0: not there yet */
	uint32		lifted;			/* inner product: one dimension added? */
	double		max_norm2;		/* inner product: squared norm lifted to */
	float		step;			/* of the code */
	uint32		npages;			/* width floats, one after another: the mean;
								 * or for L1 distance the middle of each
								 * dimension, then for each spare byte of a
								 * code the dimension that it extends,
								 * ascending, or -1 */
	OmenExtent	extent;			/* where these pages are */
} OmenQuantizerData;

typedef struct OmenSegmentData
{
	uint32		owner;			/* number of the segment, never used again */
	uint32		nnodes;			/* distinct codes */
	uint32		ntids;
	uint32		ndead;			/* of the TIDs */
	uint32		ndirectory;		/* entries of the directory */
	uint32		nextents;
	int64		born;			/* TimestampTz */
	OmenExtent	extents[OMEN_MAX_SEGMENT_EXTENTS];
} OmenSegmentData;

/* One list of pending pages, linked from head to tail. */
typedef struct OmenStripe
{
	BlockNumber head;			/* InvalidBlockNumber: empty */
	BlockNumber tail;
	uint32		npages;
} OmenStripe;

typedef struct OmenPendingData
{
	uint32		owner;			/* of the pages of these stripes; 0: none */
	uint32		coded;			/* are its rows OmenCodedRows? */
	OmenStripe	stripes[OMEN_MAX_STRIPES];
} OmenPendingData;

/* There is no list any more, or not yet. */
static inline void
OmenEmptyPending(OmenPendingData *pending)
{
	memset(pending, 0, sizeof(OmenPendingData));
	for (int i = 0; i < OMEN_MAX_STRIPES; i++)
	{
		pending->stripes[i].head = InvalidBlockNumber;
		pending->stripes[i].tail = InvalidBlockNumber;
	}
}

typedef struct OmenMetaData
{
	uint32		magic;
	uint32		version;
	OmenFrozen	frozen;
	OmenQuantizerData quantizer;

	BlockNumber nblocks;		/* blocks of the file that are accounted for */
	uint32		next_owner;		/* next number to give away, from 1 */
	uint32		nsegments;
	uint32		checksum;		/* CRC-32C of frozen and quantizer */
	OmenSegmentData segments[OMEN_MAX_SEGMENTS];

	/*
	 * Rows are appended to "pending".  A flush first moves it to "sealed",
	 * where nothing is added any more; a scan reads both.
	 */
	OmenPendingData pending;
	OmenPendingData sealed;

	/* Space that the pending list took in advance. */
	OmenExtent	spare;

	/* Space of a running build; what is found here belongs to a dead one. */
	uint32		nreserved;
	OmenExtent	reserved[OMEN_MAX_SEGMENT_EXTENTS];

	uint32		nfree;
	OmenExtent	free[OMEN_MAX_FREE];

	/*
	 * TimestampTz.  A background worker was asked for, or failed, so that
	 * none should be asked for until then.
	 */
	int64		no_worker_before;

	uint32		list_checksum;	/* CRC-32C of all from nblocks on */
} OmenMetaData;

StaticAssertDecl(sizeof(OmenMetaData) <= OMEN_PAGE_ROOM,
				 "OmenMetaData does not fit a page");

/* What the checksums are of. */
#define OMEN_FROZEN_SIZE \
	(offsetof(OmenMetaData, nblocks) - offsetof(OmenMetaData, frozen))
#define OMEN_LISTS_SIZE \
	(offsetof(OmenMetaData, list_checksum) - offsetof(OmenMetaData, nblocks))

#define OmenPageGetMeta(page) ((OmenMetaData *) PageGetContents(page))

/*----------
 * Segments
 *
 * Logical pages of a segment, in this order: slot pages, TID pages, directory
 * pages.  Nodes are numbered from 0 in spatial order; a node's slot, and an
 * entry's block, are found by arithmetic.
 *----------
 */

/*
 * A slot: this head, then
 *
 *	int8   code[width]				the node's vector
 *	uint32 neighbors[lanes]			node numbers, about nearest first
 *	float  t[lanes]					see OmenEstimate in src/README
 *	uint8  edges[lanes / 16][OMEN_BLOCK_BYTES(edge_dims)]
 *	uint16 a[lanes]					half floats
 *
 * where lanes is degree rounded up to a multiple of 16.  All distances are in
 * units of the quantizer's step.  For L1 distance a slot ends after the
 * neighbors: their distances are those of their codes.
 *
 * A slot that does not fit a page is cut at the ends of consecutive pages,
 * which hold nothing else.
 */
typedef struct OmenSlotHead
{
	float		norm2;			/* sum of squares of the code; L1: 0 */
	float		error;			/* |vector - code|, the largest of its rows */
	float		excess;			/* inner product: squared norm over max_norm2 */
	uint32		first_tid;		/* position of its TIDs in the TID region */
	uint32		ntids;			/* rows with this code; at least 1 */
	uint16		degree;			/* neighbours in use */
	uint16		unused;			/* zero */
} OmenSlotHead;

StaticAssertDecl(sizeof(OmenSlotHead) == 24, "OmenSlotHead is padded");

/* An entry of the TID region. */
typedef struct OmenTid
{
	ItemPointerData tid;
	uint16		flags;
} OmenTid;

#define OMEN_TID_DEAD	0x0001

StaticAssertDecl(sizeof(OmenTid) == 8, "OmenTid is padded");

#define OMEN_TIDS_PER_PAGE	(OMEN_PAGE_ROOM / sizeof(OmenTid))

/*
 * The directory: blocks of 16 entries, coded as the neighbours of a node that
 * lies at the mean (code 0):
 *
 *	uint32 nodes[16]
 *	float  t[16]
 *	uint8  edges[OMEN_BLOCK_BYTES(edge_dims)]
 *	uint16 a[16]
 *
 * Lanes beyond the last entry hold node OMEN_NO_NODE.
 *
 * For L1 distance a block is one entry with its code, or as much of it as fits
 * a page:
 *
 *	uint32 node
 *	int8   code[entry_width]
 */
#define OMEN_NO_NODE	((uint32) 0xFFFFFFFF)

/*----------
 * Pending pages
 *
 * Contents: this head, then rows of one size, MAXALIGNed.  In a list that is
 * coded, a row is an OmenCodedRow with its code; in another, an OmenTid, then
 * the vector's elements as in the column (float4 or half).  A row that VACUUM
 * has removed has the flag OMEN_TID_DEAD.
 *
 * A row that does not fit a page is cut at the ends of consecutive pages of its
 * list; the first has 1 row, the others 0.
 *----------
 */
typedef struct OmenCodedRow
{
	OmenTid		tid;
	float		norm2;			/* these as in OmenSlotHead */
	float		error;
	float		excess;
	uint32		checksum;		/* CRC-32C of TID, norm2 .. excess, code */
	int8		code[FLEXIBLE_ARRAY_MEMBER];	/* width */
} OmenCodedRow;

StaticAssertDecl(offsetof(OmenCodedRow, code) == 24,
				 "OmenCodedRow is padded");

typedef struct OmenPendingHead
{
	BlockNumber next;			/* InvalidBlockNumber: last page so far */
	uint32		nrows;
} OmenPendingHead;

StaticAssertDecl(sizeof(OmenPendingHead) == 8, "OmenPendingHead is padded");

#define OmenPageGetPending(page) ((OmenPendingHead *) PageGetContents(page))

/* Bytes of a pending page for rows. */
#define OMEN_PENDING_ROOM	(OMEN_PAGE_ROOM - sizeof(OmenPendingHead))

/* Its logical number: the stripe times this, plus the position therein. */
#define OMEN_MAX_STRIPE_PAGES	((uint32) 1 << 28)

/* Special flag of a pending page: sealed, no row may be added. */
#define OMEN_PENDING_CLOSED	0x0001

#endif							/* OMEN_PAGE_H */
