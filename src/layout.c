/*-------------------------------------------------------------------------
 *
 * layout.c
 *		Sizes and places of things on pages.
 *
 * A slot holds a node's code and, for each neighbour, its number and a short
 * code of one bit a dimension.  The number of dimensions of those short codes
 * is free: after a random rotation the first c of D dimensions are a random
 * projection, so that c may be less than D (RaBitQ: Gao and Long, SIGMOD
 * 2024; inline neighbour codes: SymphonyQG, SIGMOD 2025).  We choose a c that
 * searches about as well as any larger one, and then raise it as far as the
 * page has room anyway.
 *
 * L1 distance survives no rotation, and no such codes are known for it.  There
 * a slot holds code and neighbours alone, which are read in slots of their own.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "layout.h"
#include "omen.h"

/* What fits a page of a code, and comes in whole granules. */
#define OMEN_MAX_ENTRY_WIDTH \
	((OMEN_PAGE_ROOM - sizeof(uint32)) / OMEN_CODE_GRANULE * OMEN_CODE_GRANULE)

/* A page to each node has room for more bits than are worth reading. */
#define OMEN_MAX_WANTED_BITS	1024

/*
 * A code of few dimensions is spread over more, which raises its resolution.
 */
static uint32
om_code_width(uint32 dims)
{
	if (dims <= 32)
		return 64;
	if (dims <= 128)
		return 128;
	return TYPEALIGN(OMEN_CODE_GRANULE, dims);
}

/* The dimensions of an edge code that are enough for codes of this width. */
static uint32
om_wanted_edge_dims(uint32 width)
{
	if (width <= 256)
		return width;
	if (width <= 1024)
		return 224;
	return 384;
}

/*
 * Codes for L1 distance have bytes to spare, which go to the dimensions that
 * need them (quantizer_l1.c): one for eight.
 */
static uint32
om_l1_width(uint32 dims)
{
	return TYPEALIGN(OMEN_CODE_GRANULE, dims + (dims + 7) / 8);
}

static uint32
om_lanes(uint32 degree)
{
	return TYPEALIGN(OMEN_LANES, degree);
}

static Size
om_slot_size(uint32 width, uint32 edge_dims, uint32 degree)
{
	Size		lanes = om_lanes(degree);

	if (edge_dims == 0)
		return TYPEALIGN(4, sizeof(OmenSlotHead) + width +
						 lanes * sizeof(uint32));
	return TYPEALIGN(4, sizeof(OmenSlotHead) + width +
					 lanes * (sizeof(uint32) + sizeof(uint16) +
							  sizeof(uint8)) +
					 lanes / OMEN_LANES * OMEN_BLOCK_BYTES(edge_dims));
}

/* Either several slots share a page, or several pages make up a slot. */
static uint32
om_slots_per_page(Size slot_size)
{
	return Max(OMEN_PAGE_ROOM / slot_size, 1);
}

static uint32
om_pages_per_slot(Size slot_size)
{
	return (slot_size + OMEN_PAGE_ROOM - 1) / OMEN_PAGE_ROOM;
}

/* Would slots with longer edge codes take more pages? */
static bool
om_takes_more_pages(const OmenFrozen *frozen, uint32 edge_dims, uint32 longer)
{
	Size		size = om_slot_size(frozen->width, edge_dims, frozen->degree);
	Size		larger = om_slot_size(frozen->width, longer, frozen->degree);

	return om_pages_per_slot(larger) > om_pages_per_slot(size) ||
		om_slots_per_page(larger) < om_slots_per_page(size);
}

void
OmenChooseWidths(OmenFrozen *frozen, uint32 edge_bits)
{
	bool		l1 = frozen->metric == OMEN_METRIC_L1;
	bool		lift = frozen->metric == OMEN_METRIC_IP;
	uint32		width = l1 ? om_l1_width(frozen->dims) :
		om_code_width(frozen->dims + (lift ? 1 : 0));
	uint32		edge_dims;

	frozen->width = width;
	if (edge_bits > 0)
		edge_dims = Min(width, TYPEALIGN(OMEN_CODE_GRANULE, edge_bits));
	else
		edge_dims = om_wanted_edge_dims(width);
	while (edge_bits == 0 && edge_dims < Min(width, OMEN_MAX_WANTED_BITS) &&
		   !om_takes_more_pages(frozen, edge_dims,
								edge_dims + OMEN_CODE_GRANULE))
		edge_dims += OMEN_CODE_GRANULE;
	frozen->edge_dims = l1 ? 0 : edge_dims;
}

/* The directory: entries are coded like neighbours, or are codes. */
static void
om_lay_out_entries(const OmenFrozen *frozen, OmenLayout *layout)
{
	if (frozen->edge_dims == 0)
	{
		layout->entries_per_block = 1;
		layout->entry_code_offset = sizeof(uint32);
		layout->entry_width = Min(frozen->width, OMEN_MAX_ENTRY_WIDTH);
		layout->entry_block_size = layout->entry_code_offset +
			layout->entry_width;
	}
	else
	{
		layout->entries_per_block = OMEN_LANES;
		layout->entry_t_offset = OMEN_LANES * sizeof(uint32);
		layout->entry_edges_offset = layout->entry_t_offset +
			OMEN_LANES * sizeof(uint16);
		layout->entry_a_offset = layout->entry_edges_offset +
			OMEN_BLOCK_BYTES(frozen->edge_dims);
		layout->entry_block_size = layout->entry_a_offset +
			OMEN_LANES * sizeof(uint8);
	}
	layout->entry_blocks_per_page = OMEN_PAGE_ROOM / layout->entry_block_size;
}

static void
om_lay_out_rows(Size size, OmenRowForm *form)
{
	form->size = MAXALIGN(size);
	form->rows_per_page = Max(OMEN_PENDING_ROOM / form->size, 1);
	form->pages_per_row = (form->size + OMEN_PENDING_ROOM - 1) /
		OMEN_PENDING_ROOM;
}

void
OmenComputeLayout(const OmenFrozen *frozen, OmenLayout *layout)
{
	uint32		lanes = om_lanes(frozen->degree);
	Size		edges;
	Size		element;

	/* A damaged metapage must not make us compute nonsense. */
	if (frozen->width == 0 || frozen->width % OMEN_CODE_GRANULE != 0 ||
		frozen->width > OMEN_MAX_WIDTH ||
		(frozen->edge_dims == 0) != (frozen->metric == OMEN_METRIC_L1) ||
		frozen->edge_dims > OMEN_MAX_EDGE_BITS ||
		frozen->edge_dims % OMEN_CODE_GRANULE != 0 ||
		frozen->edge_dims > frozen->width ||
		frozen->dims == 0 || frozen->dims > frozen->width ||
		frozen->degree == 0 || frozen->degree > 2 * OMEN_MAX_M ||
		(frozen->element != OMEN_ELEMENT_FLOAT &&
		 frozen->element != OMEN_ELEMENT_HALF) ||
		frozen->metric < OMEN_METRIC_L2 ||
		frozen->metric > OMEN_METRIC_L1)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("omen index has impossible parameters in its metapage"),
				 errhint("Please REINDEX it.")));

	memset(layout, 0, sizeof(OmenLayout));
	edges = lanes / OMEN_LANES * OMEN_BLOCK_BYTES(frozen->edge_dims);
	layout->lanes = lanes;
	layout->code_offset = sizeof(OmenSlotHead);
	layout->neighbors_offset = layout->code_offset + frozen->width;
	layout->t_offset = layout->neighbors_offset + lanes * sizeof(uint32);
	layout->edges_offset = layout->t_offset + lanes * sizeof(uint16);
	layout->a_offset = layout->edges_offset + edges;
	layout->slot_size = om_slot_size(frozen->width, frozen->edge_dims,
									 frozen->degree);
	layout->slots_per_page = om_slots_per_page(layout->slot_size);
	layout->pages_per_slot = om_pages_per_slot(layout->slot_size);

	om_lay_out_entries(frozen, layout);
	element = frozen->element == OMEN_ELEMENT_FLOAT ?
		sizeof(float) : sizeof(uint16);
	layout->vector_size = frozen->dims * element;
	om_lay_out_rows(sizeof(OmenTid) + layout->vector_size,
					&layout->vector_rows);
	om_lay_out_rows(offsetof(OmenCodedRow, code) + frozen->width,
					&layout->coded_rows);
}
