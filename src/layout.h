/*-------------------------------------------------------------------------
 *
 * layout.h
 *		Sizes and places of things on pages, derived from the frozen
 *		parameters of an index.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_LAYOUT_H
#define OMEN_LAYOUT_H

#include "page.h"
#include "simd/simd.h"

/* Rows of a pending list. */
typedef struct OmenRowForm
{
	uint32		size;			/* bytes of a row */
	uint32		rows_per_page;	/* 1 if a row takes several */
	uint32		pages_per_row;	/* 1 if a page holds several */
} OmenRowForm;

typedef struct OmenLayout
{
	uint32		lanes;			/* degree rounded up to OMEN_LANES */

	/* slots: offsets from the head */
	uint32		slot_size;
	uint32		slots_per_page; /* 1 if a slot takes several pages */
	uint32		pages_per_slot; /* 1 if a page holds several slots */
	uint32		code_offset;
	uint32		neighbors_offset;
	uint32		t_offset;
	uint32		edges_offset;
	uint32		a_offset;

	/* directory: offsets from the start of a block of entries */
	uint32		entries_per_block;
	uint32		entry_block_size;
	uint32		entry_blocks_per_page;
	uint32		entry_t_offset;
	uint32		entry_edges_offset;
	uint32		entry_a_offset;
	uint32		entry_code_offset;	/* L1 */
	uint32		entry_width;	/* L1: bytes of the code that are there */

	/* pending pages */
	uint32		vector_size;	/* bytes of the elements of one vector */
	OmenRowForm vector_rows;	/* of a list with vectors */
	OmenRowForm coded_rows;		/* of a list with codes */
} OmenLayout;

/*
 * Fill in frozen->width and frozen->edge_dims from frozen->dims, ->metric
 * (inner product may add a dimension) and ->degree.  Edge codes have
 * "edge_bits" bits, rounded up to what codes come in, but no more than the
 * vector's code has dimensions; or, if edge_bits is 0, as many as are worth
 * their space.
 */
extern void OmenChooseWidths(OmenFrozen *frozen, uint32 edge_bits);

/* Derive the layout.  Raises an error if the parameters are impossible. */
extern void OmenComputeLayout(const OmenFrozen *frozen, OmenLayout *layout);

/* Pages of each region of a segment, and where the regions start. */
static inline uint32
OmenSlotPages(const OmenLayout *layout, const OmenSegmentData *segment)
{
	return (segment->nnodes + layout->slots_per_page - 1) /
		layout->slots_per_page * layout->pages_per_slot;
}

static inline uint32
OmenTidPages(const OmenSegmentData *segment)
{
	return (segment->ntids + OMEN_TIDS_PER_PAGE - 1) / OMEN_TIDS_PER_PAGE;
}

static inline uint32
OmenEntryBlocks(const OmenLayout *layout, const OmenSegmentData *segment)
{
	return (segment->ndirectory + layout->entries_per_block - 1) /
		layout->entries_per_block;
}

static inline uint32
OmenDirectoryPages(const OmenLayout *layout, const OmenSegmentData *segment)
{
	uint32		nblocks = OmenEntryBlocks(layout, segment);

	return (nblocks + layout->entry_blocks_per_page - 1) /
		layout->entry_blocks_per_page;
}

static inline uint32
OmenSegmentPages(const OmenLayout *layout, const OmenSegmentData *segment)
{
	return OmenSlotPages(layout, segment) + OmenTidPages(segment) +
		OmenDirectoryPages(layout, segment);
}

/* The first page of a node's slot. */
static inline uint32
OmenSlotLogical(const OmenLayout *layout, uint32 node)
{
	return node / layout->slots_per_page * layout->pages_per_slot;
}

/* Bytes of a slot, or of a pending row, that are on its page number "part". */
static inline uint32
OmenPartSize(uint32 size, uint32 room, uint32 part)
{
	return Min(size - part * room, room);
}

/* A node's slot on its page, and the parts of a slot. */
static inline char *
OmenPageGetSlot(const OmenLayout *layout, Page page, uint32 node)
{
	return PageGetContents(page) +
		(Size) (node % layout->slots_per_page) * layout->slot_size;
}

#define OmenSlotCode(layout, slot) \
	((int8 *) ((slot) + (layout)->code_offset))
#define OmenSlotNeighbors(layout, slot) \
	((uint32 *) ((slot) + (layout)->neighbors_offset))
#define OmenSlotT(layout, slot) \
	((uint16 *) ((slot) + (layout)->t_offset))
#define OmenSlotEdges(layout, slot) \
	((uint8 *) ((slot) + (layout)->edges_offset))
#define OmenSlotA(layout, slot) \
	((uint8 *) ((slot) + (layout)->a_offset))

static inline OmenTid *
OmenPageGetTid(Page page, uint32 position)
{
	return (OmenTid *) PageGetContents(page) + position % OMEN_TIDS_PER_PAGE;
}

static inline char *
OmenPageGetEntryBlock(const OmenLayout *layout, Page page, uint32 block)
{
	return PageGetContents(page) +
		(Size) (block % layout->entry_blocks_per_page) *
		layout->entry_block_size;
}

/* How the rows of a pending list look. */
static inline const OmenRowForm *
OmenPendingForm(const OmenLayout *layout, const OmenPendingData *pending)
{
	return pending->coded ? &layout->coded_rows : &layout->vector_rows;
}

/* Row number "row" of a pending page: its TID; code or elements follow. */
static inline OmenTid *
OmenPageGetPendingRow(const OmenRowForm *form, Page page, uint32 row)
{
	return (OmenTid *) (PageGetContents(page) + sizeof(OmenPendingHead) +
						(Size) row * form->size);
}

#define OmenPendingRowVector(row) \
	((void *) ((char *) (row) + sizeof(OmenTid)))

#endif							/* OMEN_LAYOUT_H */
