/*-------------------------------------------------------------------------
 *
 * segment.c
 *		Segments: writing one from a graph, reading its pages.
 *
 * The pages of a segment are logged as whole page images.  Nothing points to
 * it until the caller publishes it in the metapage, so that no order has to be
 * kept among the pages: the members of a team write them as they come.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "fault.h"
#include "bulk.h"
#include "segment.h"

/* Pages that are logged at a time, before others need to wait for them. */
#define OMEN_LOG_STEP		128

/* Pages that a member of a team writes at a time. */
#define OMEN_PAGE_RANGE		64

/* State of writing one segment. */
typedef struct OmenWriter
{
	Relation	index;
	const OmenFrozen *frozen;
	OmenLayout	layout;
	const OmenRows *rows;
	const OmenGraph *graph;
	OmenTeam   *team;
	OmenSegmentData *segment;
	OmenBulk   *bulk;			/* of a new index; NULL: shared buffers */
	char	   *slot;			/* where slots of several pages are made */
	OmenPageProgress progress;
	void	   *arg;

	/* The page that is being filled. */
	Page		page;
	Buffer		buffer;

	/* One block of edges: what encode_block gives. */
	const int8 *codes[OMEN_LANES];
	int32		rr[OMEN_LANES];
	int32		s1[OMEN_LANES];
	int32		us[OMEN_LANES];
} OmenWriter;

/*
 * Reserve npages blocks: what is free, in few extents, and the rest at the end
 * of the file, in one.  The file grows before the metapage is locked, so that
 * readers and inserters do not wait for that; what these have taken meanwhile
 * is made up for under the lock, and is little.
 */
static void
om_reserve(Relation index, uint32 npages, OmenSegmentData *segment)
{
	OmenMetaData *copy = palloc(sizeof(OmenMetaData));
	OmenMetaChange change;
	OmenMetaData *meta;
	uint32		missing;

	OmenReadMeta(index, copy);
	missing = OmenTakeFree(copy, npages, segment->extents, &segment->nextents,
						   OMEN_MAX_SEGMENT_EXTENTS - 1);
	OmenExtendAhead(index, copy->nblocks, missing);
	pfree(copy);

	OmenMetaBegin(index, &change);
	meta = change.meta;
	segment->owner = meta->next_owner++;
	meta->nreserved = 0;
	missing = OmenTakeFree(meta, npages, meta->reserved, &meta->nreserved,
						   OMEN_MAX_SEGMENT_EXTENTS - 1);
	if (missing > 0)
		OmenAppendExtent(meta->reserved, &meta->nreserved,
						 OMEN_MAX_SEGMENT_EXTENTS,
						 OmenExtendFile(&change, missing));
	memcpy(segment->extents, meta->reserved, sizeof(segment->extents));
	segment->nextents = meta->nreserved;
	OMEN_FAULT_POINT("reserve-before-wal");
	OmenMetaCommit(&change);
	OMEN_FAULT_POINT("reserve-after-wal");
}

void
OmenReclaimReserved(Relation index)
{
	OmenMetaChange change;
	OmenMetaData *meta;
	uint32		i;

	OmenMetaBegin(index, &change);
	meta = change.meta;
	if (meta->nreserved == 0)
	{
		OmenMetaAbort(&change);
		return;
	}
	for (i = 0; i < meta->nreserved; i++)
		OmenFreeExtent(meta, meta->reserved[i]);
	meta->nreserved = 0;
	OMEN_FAULT_POINT("reclaim-before-wal");
	OmenMetaCommit(&change);
	OMEN_FAULT_POINT("reclaim-after-wal");
}

/* All pages of the segment at the end of a file that has little else. */
static void
om_reserve_hole(Relation index, uint32 npages, OmenSegmentData *segment)
{
	OmenMetaChange change;

	OMEN_FAULT_POINT("reserve-before-wal");
	OmenMetaBegin(index, &change);
	segment->owner = change.meta->next_owner++;
	segment->extents[0] = OmenTakeHole(&change, npages);
	segment->nextents = 1;
	change.meta->reserved[0] = segment->extents[0];
	change.meta->nreserved = 1;
	OmenMetaCommit(&change);
	OMEN_FAULT_POINT("reserve-after-wal");
}

/* Start page "logical" of the segment: an empty one, in shared buffers locked. */
static Page
om_new_page(OmenWriter *writer, OmenPageType type, uint32 logical)
{
	OmenSegmentData *segment = writer->segment;
	BlockNumber block = OmenExtentBlock(segment->extents, segment->nextents,
										logical);

	OMEN_FAULT_POINT("page-before-write");
	if (writer->bulk != NULL)
		writer->page = OmenBulkPage(writer->bulk, block);
	else
	{
		writer->buffer = OmenOverwriteBuffer(writer->index, block);
		writer->page = BufferGetPage(writer->buffer);
	}
	OmenInitPage(writer->page, type, segment->owner, logical);
	return writer->page;
}

static void
om_finish_page(OmenWriter *writer, Size used)
{
	((PageHeader) writer->page)->pd_lower += used;

	/* Entries of TID pages will be marked dead. */
	if (OmenPageGetSpecial(writer->page)->type != OMEN_PAGE_TIDS)
		OmenSealPage(writer->page);
	if (writer->bulk == NULL)
	{
		MarkBufferDirty(writer->buffer);
		UnlockReleaseBuffer(writer->buffer);
	}
	OMEN_FAULT_POINT("page-after-write");
}

static const int8 *
om_node_code(const OmenWriter *writer, uint32 node)
{
	return writer->rows->codes + (Size) node * writer->rows->width;
}

/*
 * Code up to 16 nodes as neighbours of a node with code u; give their factors
 * too.  Lanes that are not used stay zero.
 */
static void
om_encode_edges(OmenWriter *writer, const int8 *u, float u_excess,
				const uint32 *nodes, int n, uint8 *edges, uint16 *t, uint8 *a)
{
	bool		ip = writer->frozen->metric == OMEN_METRIC_IP;
	float		excess[OMEN_LANES];
	int			j;

	for (j = 0; j < n; j++)
	{
		writer->codes[j] = om_node_code(writer, nodes[j]);
		excess[j] = ip ? u_excess - writer->rows->infos[nodes[j]].excess : 0;
	}
	omen_kernels->encode_block(writer->frozen->width,
							   writer->frozen->edge_dims, u, writer->codes, n,
							   edges, writer->rr, writer->s1, writer->us);
	OmenEdgeFactors(n, writer->rr, writer->s1, writer->us, excess, t, a);
}

/* The codes of a node's neighbors will be wanted soon. */
static void
om_prefetch_neighbors(const OmenWriter *writer, uint32 node)
{
	const OmenGraph *graph = writer->graph;
	const uint32 *neighbors = graph->neighbors + (Size) node * graph->degree;
	int			i;

	for (i = 0; i < graph->degrees[node]; i++)
	{
		const int8 *code = om_node_code(writer, neighbors[i]);
		uint32		j;

		for (j = 0; j < writer->frozen->width; j += OMEN_CACHE_LINE)
			__builtin_prefetch(code + j);
	}
}

static void
om_fill_slot(OmenWriter *writer, char *slot, uint32 node)
{
	const OmenLayout *layout = &writer->layout;
	const OmenGraph *graph = writer->graph;
	OmenSlotHead *head = (OmenSlotHead *) slot;
	const OmenCodeInfo *info = &writer->rows->infos[node];
	const uint32 *first_tid = writer->rows->first_tid + node;
	const uint32 *neighbors = graph->neighbors + (Size) node * graph->degree;
	const int8 *code = om_node_code(writer, node);
	uint8	   *edges = OmenSlotEdges(layout, slot);
	uint32		i;

	memset(slot, 0, layout->slot_size);
	head->norm2 = info->norm2;
	head->error = info->error;
	head->excess = info->excess;
	head->first_tid = first_tid[0];
	head->ntids = first_tid[1] - first_tid[0];
	head->degree = graph->degrees[node];
	memcpy(OmenSlotCode(layout, slot), code, writer->frozen->width);
	memcpy(OmenSlotNeighbors(layout, slot), neighbors,
		   head->degree * sizeof(uint32));
	if (writer->frozen->edge_dims == 0)
		return;
	for (i = 0; i < head->degree; i += OMEN_LANES)
	{
		om_encode_edges(writer, code, info->excess, neighbors + i,
						Min(OMEN_LANES, head->degree - i), edges,
						OmenSlotT(layout, slot) + i,
						OmenSlotA(layout, slot) + i);
		edges += OMEN_BLOCK_BYTES(writer->frozen->edge_dims);
	}
}

static void
om_write_slot_page(OmenWriter *writer, uint32 logical)
{
	const OmenLayout *layout = &writer->layout;
	uint32		nnodes = writer->segment->nnodes;
	uint32		first = logical * layout->slots_per_page;
	uint32		last = Min(first + layout->slots_per_page, nnodes);
	Page		page = om_new_page(writer, OMEN_PAGE_SLOTS, logical);

	for (uint32 node = first; node < last; node++)
	{
		if (node + 1 < nnodes && writer->frozen->edge_dims > 0)
			om_prefetch_neighbors(writer, node + 1);
		om_fill_slot(writer, OmenPageGetSlot(layout, page, node), node);
	}
	om_finish_page(writer, (last - first) * layout->slot_size);
}

/* A slot that takes several pages. */
static void
om_write_long_slot(OmenWriter *writer, uint32 node)
{
	const OmenLayout *layout = &writer->layout;

	if (writer->slot == NULL)
		writer->slot = palloc(layout->slot_size);
	om_fill_slot(writer, writer->slot, node);
	for (uint32 part = 0; part < layout->pages_per_slot; part++)
	{
		Page		page = om_new_page(writer, OMEN_PAGE_SLOTS,
									   OmenSlotLogical(layout, node) + part);
		Size		size = OmenPartSize(layout->slot_size, OMEN_PAGE_ROOM,
										part);

		memcpy(PageGetContents(page), writer->slot + part * OMEN_PAGE_ROOM,
			   size);
		om_finish_page(writer, size);
	}
}

static void
om_write_slots(OmenWriter *writer)
{
	uint32		pages_per_slot = writer->layout.pages_per_slot;
	OmenLoop	loop;

	OmenStartLoop(writer->team, OmenSlotPages(&writer->layout,
											  writer->segment) /
				  pages_per_slot, OMEN_PAGE_RANGE, &loop);
	while (OmenNextRange(&loop))
		for (uint32 i = loop.from; i < loop.to; i++)
		{
			if (pages_per_slot == 1)
				om_write_slot_page(writer, i);
			else
				om_write_long_slot(writer, i);
			writer->progress(writer->arg, i + 1, loop.n);
		}
	if (writer->slot != NULL)
		pfree(writer->slot);
}

static void
om_write_tids(OmenWriter *writer)
{
	uint32		npages = OmenTidPages(writer->segment);
	uint32		base = OmenSlotPages(&writer->layout, writer->segment);
	uint32		p;

	for (p = 0; p < npages; p++)
	{
		Page		page = om_new_page(writer, OMEN_PAGE_TIDS, base + p);
		uint32		first = p * OMEN_TIDS_PER_PAGE;
		uint32		last = Min(first + OMEN_TIDS_PER_PAGE,
							   writer->segment->ntids);
		uint32		i;

		for (i = first; i < last; i++)
		{
			OmenTid    *entry = OmenPageGetTid(page, i);

			entry->tid = writer->rows->tids[i];
			entry->flags = 0;
		}
		om_finish_page(writer, (last - first) * sizeof(OmenTid));
		writer->progress(writer->arg, p + 1, npages);
	}
}

/*
 * Fill a block of entries: coded as neighbours of a node that lies at the
 * mean, or for L1 an entry with its code.
 */
static void
om_fill_entries(OmenWriter *writer, char *block, const int8 *mean,
				const uint32 *entries, uint32 n)
{
	const OmenLayout *layout = &writer->layout;
	uint32	   *nodes = (uint32 *) block;
	uint32		j;

	memset(block, 0, layout->entry_block_size);
	for (j = 0; j < layout->entries_per_block; j++)
		nodes[j] = j < n ? entries[j] : OMEN_NO_NODE;
	if (writer->frozen->edge_dims == 0)
		memcpy(block + layout->entry_code_offset,
			   om_node_code(writer, nodes[0]), layout->entry_width);
	else
		om_encode_edges(writer, mean, 0, nodes, n,
						(uint8 *) block + layout->entry_edges_offset,
						(uint16 *) (block + layout->entry_t_offset),
						(uint8 *) block + layout->entry_a_offset);
}

static void
om_write_directory(OmenWriter *writer)
{
	const OmenLayout *layout = &writer->layout;
	const OmenGraph *graph = writer->graph;
	uint32		nblocks = OmenEntryBlocks(layout, writer->segment);
	uint32		npages = OmenDirectoryPages(layout, writer->segment);
	uint32		base = OmenSlotPages(layout, writer->segment) +
		OmenTidPages(writer->segment);
	int8	   *mean = palloc0(writer->frozen->width);
	uint32		p;

	for (p = 0; p < npages; p++)
	{
		Page		page = om_new_page(writer, OMEN_PAGE_DIRECTORY, base + p);
		uint32		first = p * layout->entry_blocks_per_page;
		uint32		last = Min(first + layout->entry_blocks_per_page, nblocks);
		uint32		b;

		for (b = first; b < last; b++)
		{
			uint32		entry = b * layout->entries_per_block;

			om_fill_entries(writer, OmenPageGetEntryBlock(layout, page, b),
							mean, graph->directory + entry,
							Min(layout->entries_per_block,
								graph->ndirectory - entry));
		}
		om_finish_page(writer, (last - first) * layout->entry_block_size);
	}
	pfree(mean);
}

/* What the segment will be; only the leader knows the directory. */
static void
om_describe(OmenWriter *writer)
{
	OmenSegmentData *segment = writer->segment;
	uint32		npages;

	memset(segment, 0, sizeof(OmenSegmentData));
	segment->nnodes = writer->graph->n;
	segment->ntids = writer->rows->ntids;
	segment->ndirectory = writer->graph->ndirectory;
	segment->born = GetCurrentTimestamp();
	npages = OmenSegmentPages(&writer->layout, segment);
	if (writer->bulk != NULL)
		om_reserve_hole(writer->index, npages, segment);
	else
		om_reserve(writer->index, npages, segment);
}

/* Log all pages, in steps so that others need not wait for long. */
static void
om_log_pages(OmenWriter *writer)
{
	const OmenSegmentData *segment = writer->segment;
	uint32		npages = OmenSegmentPages(&writer->layout, segment);
	uint32		done = 0;
	uint32		i;

	for (i = 0; i < segment->nextents; i++)
	{
		OmenExtent	rest = segment->extents[i];

		while (rest.nblocks > 0)
		{
			OmenExtent	step = {rest.start, Min(rest.nblocks, OMEN_LOG_STEP)};

			OmenLogExtent(writer->index, step);
			rest.start += step.nblocks;
			rest.nblocks -= step.nblocks;
			done += step.nblocks;
			writer->progress(writer->arg, done, npages);
		}
	}
}

void
OmenWriteSegment(Relation index, const OmenFrozen *frozen,
				 const OmenRows *rows, const OmenGraph *graph, bool bulk,
				 OmenPageProgress progress, void *arg,
				 OmenSegmentData *result)
{
	OmenStore  *store = rows->store;
	OmenWriter	writer = {0};
	XLogRecPtr	redo = OmenBulkRedo();

	writer.index = index;
	writer.frozen = frozen;
	OmenComputeLayout(frozen, &writer.layout);
	writer.rows = rows;
	writer.graph = graph;
	writer.team = OmenStoreTeam(store);
	writer.progress = progress;
	writer.arg = arg;
	if (bulk)
		writer.bulk = OmenStartBulk(index);
	writer.segment = OmenStoreShare(store, CurrentMemoryContext,
									sizeof(OmenSegmentData), OMEN_IN_PLACE);
	if (OmenTeamLeads(writer.team))
		om_describe(&writer);
	OmenTeamWait(writer.team);

	om_write_slots(&writer);
	if (OmenTeamLeads(writer.team))
	{
		om_write_tids(&writer);
		om_write_directory(&writer);
	}
	if (bulk)
		OmenEndBulk(writer.bulk);
	else
		om_log_pages(&writer);
	OmenTeamWait(writer.team);
	if (bulk && OmenTeamLeads(writer.team))
		OmenSyncBulk(index, writer.segment->extents[0].start, redo);

	*result = *writer.segment;
	OmenStoreFree(store, writer.segment);
}

/*
 * A reader holds no lock that would keep a segment alive: it looks at what it
 * got.  Owner numbers are never given away twice, so a page that says it
 * belongs to the segment does, and pages of a segment do not change (but for
 * dead bits).
 */
Buffer
OmenReadSegmentPage(Relation index, OmenCache *cache,
					const OmenSegmentData *segment, OmenPageType type,
					uint32 logical, int mode)
{
	BlockNumber block = OmenExtentBlock(segment->extents, segment->nextents,
										logical);
	Buffer		buffer;

	if (block == InvalidBlockNumber)
		OmenReportDamage(index, OMEN_METAPAGE,
						 "A segment has fewer pages than it needs.");
	buffer = OmenReadBuffer(index, &cache->hints, block, mode);
	if (!OmenPageIs(BufferGetPage(buffer), type, segment->owner, logical))
	{
		UnlockReleaseBuffer(buffer);
		OmenCheckRetired(index, segment->owner, block);
		return InvalidBuffer;
	}
	return buffer;
}

/*
 * The parts of a long slot are locked one at a time.  They fit together all the
 * same: each page says that it is part of this segment, and as such has never
 * had any other content.
 */
char *
OmenReadSlot(Relation index, OmenCache *cache, const OmenSegmentData *segment,
			 uint32 node, char *copy, Buffer *buffer)
{
	const OmenLayout *layout = &cache->layout;
	uint32		logical = OmenSlotLogical(layout, node);
	uint32		part;

	for (part = 0; part < layout->pages_per_slot; part++)
	{
		Page		page;

		*buffer = OmenReadSegmentPage(index, cache, segment, OMEN_PAGE_SLOTS,
									  logical + part, BUFFER_LOCK_SHARE);
		if (!BufferIsValid(*buffer))
			return NULL;
		page = BufferGetPage(*buffer);
		if (layout->pages_per_slot == 1)
			return OmenPageGetSlot(layout, page, node);
		memcpy(copy + part * OMEN_PAGE_ROOM, PageGetContents(page),
			   OmenPartSize(layout->slot_size, OMEN_PAGE_ROOM, part));
		UnlockReleaseBuffer(*buffer);
		*buffer = InvalidBuffer;
	}
	return copy;
}

void
OmenCheckRetired(Relation index, uint32 owner, BlockNumber block)
{
	OmenMetaData *meta = palloc(sizeof(OmenMetaData));
	bool		live;
	uint32		i,
				j;

	CHECK_FOR_INTERRUPTS();
	OmenReadMeta(index, meta);
	live = owner == meta->pending.owner || owner == meta->sealed.owner;
	for (i = 0; i < meta->nsegments; i++)
	{
		const OmenSegmentData *segment = &meta->segments[i];

		for (j = 0; j < segment->nextents && owner == segment->owner; j++)
			live = live || (block >= segment->extents[j].start &&
							block - segment->extents[j].start <
							segment->extents[j].nblocks);
	}
	pfree(meta);
	if (live)
		OmenReportDamage(index, block,
						 "It does not belong to the owner that the metapage names.");
}
