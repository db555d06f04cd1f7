/*-------------------------------------------------------------------------
 *
 * compact.c
 *		Flush and merge: pending rows and segments into one new segment.
 *
 * Every change of an index that is not an append to the pending list or a
 * dead bit is one and the same step: some rows are read from the sealed
 * pending list and from some segments, the batch builder makes one segment of
 * them, and one WAL record of the metapage puts it in their place.
 *
 * Which segments take part follows from their sizes.  Each segment costs every
 * search, so at most three stay; and as rows are built again and again while
 * they move into larger segments, the sizes follow the schedule that is known
 * to do that most rarely for a given number of segments: om_choose_segments.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compact.h"
#include "fault.h"
#include "pending.h"
#include "shrink.h"
#include "watch.h"

/* Rows at least to learn mean and step from, which are there to stay. */
#define OMEN_LEAST_SAMPLE	250

/* Rows that the sizes of segments are counted in, if a flush has fewer. */
#define OMEN_MERGE_UNIT		2000

/* A segment stays if it has this share of the size that it should have. */
#define OMEN_FULL_SHARE		0.9

/*
 * While rows come in fast, merges have to wait, until there are so many
 * segments; then these are merged, but so many of the largest.
 */
#define OMEN_BUSY_SEGMENTS		8
#define OMEN_BUSY_KEPT			3

/* So many times more pending rows than may wait come fast. */
#define OMEN_BUSY_PRESSURE		6

/* While merging, look that often whether they do. */
#define OMEN_PRESSURE_LOOK_MS	50

/* Share of rows outside the largest segment above which VACUUM merges all. */
#define OMEN_MAX_OUTSIDE_SHARE	0.1

/* Share of dead rows above which VACUUM rewrites a segment. */
#define OMEN_MAX_DEAD_SHARE	0.2

/* Everything that a compaction works on. */
typedef struct OmenCompaction
{
	Relation	index;
	OmenWatch	watch;
	bool		ended;			/* for the sake of others */
	bool		put_off;		/* merges have to wait */
	bool		can_put_off;
	TimestampTz next_look;
	OmenCache  *cache;
	OmenMetaData meta;
	OmenRows   *rows;
	OmenQuantizer *quantizer;
} OmenCompaction;

/* Do rows come in faster than merges allow? */
static bool
om_is_busy(OmenCompaction *compaction, const OmenMetaData *meta)
{
	return OmenPendingPressure(&compaction->cache->layout, meta) >=
		OMEN_BUSY_PRESSURE;
}

/* The same, of a merge that could be put off, from time to time. */
static bool
om_became_busy(OmenCompaction *compaction)
{
	TimestampTz now = GetCurrentTimestamp();
	OmenMetaData *meta;
	bool		busy;

	if (now < compaction->next_look)
		return false;
	compaction->next_look =
		TimestampTzPlusMilliseconds(now, OMEN_PRESSURE_LOOK_MS);
	meta = palloc(sizeof(OmenMetaData));
	OmenReadMeta(compaction->index, meta);
	busy = om_is_busy(compaction, meta);
	pfree(meta);
	return busy;
}

/*
 * Called every few milliseconds of work, when no buffer is held: look after
 * interrupts, memory and others who wait.  If there are any, this does not
 * return; OmenCompact catches the error.
 */
static void
om_tick(OmenCompaction *compaction)
{
	CHECK_FOR_INTERRUPTS();
	if (compaction->rows != NULL)
		OmenStoreRelax(compaction->rows->store);
	compaction->put_off = compaction->put_off ||
		(compaction->can_put_off && om_became_busy(compaction));
	compaction->ended = OmenSomebodyWaits(&compaction->watch) ||
		(compaction->can_put_off && compaction->put_off);
	if (compaction->ended)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("compaction of index \"%s\" gave way",
						RelationGetRelationName(compaction->index))));
}

static uint32
om_live_rows(const OmenSegmentData *segment)
{
	return segment->ntids - Min(segment->ndead, segment->ntids);
}

void
OmenFillBuildParams(const OmenFrozen *frozen, OmenBuildParams *params)
{
	params->l1 = frozen->metric == OMEN_METRIC_L1;
	params->width = frozen->width;
	params->degree = frozen->degree;
	params->ef_construction = frozen->ef_construction;
	params->chunk_size = frozen->chunk_size;
	params->seed = frozen->seed;
}

Size
OmenBuildSize(const OmenFrozen *frozen, double rows)
{
	uint32		n = (uint32) Min(Max(rows, 1), PG_INT32_MAX - 1);
	OmenBuildParams params;

	OmenFillBuildParams(frozen, &params);
	return add_size(OmenRowsSize(frozen->width, n),
					Max(OmenBuildMemory(&params, n),
						add_size(OmenFinishMemory(&params, n),
								 OmenSortSize(frozen->width, n))));
}

OmenStore *
OmenCreateBuildStore(const OmenFrozen *frozen, double rows, OmenTeam *team)
{
	return OmenCreateStore((Size) maintenance_work_mem * 1024,
						   OmenBuildSize(frozen, rows), team);
}

OmenQuantizer *
OmenCreateQuantizer(Relation index, const OmenFrozen *frozen,
					const float *sample, uint32 n)
{
	OmenQuantizer *quantizer =
		OmenMakeQuantizer(frozen, palloc(OmenQuantizerSize(frozen)));
	OmenQuantizerData data;
	OmenMetaChange change;

	OmenTrainQuantizer(quantizer, sample, n);

	/*
	 * The pages are taken and filled before the metapage names them; a crash
	 * in between wastes one or two blocks.
	 */
	memset(&data, 0, sizeof(data));
	data.npages = OmenQuantizerPages(frozen);
	OmenMetaBegin(index, &change);
	data.owner = change.meta->next_owner++;
	data.extent = OmenExtendFile(&change, data.npages);
	OmenMetaCommit(&change);

	OMEN_FAULT_POINT("quantizer-before-write");
	OmenStoreQuantizer(index, quantizer, &data);
	OMEN_FAULT_POINT("quantizer-after-write");

	OmenMetaBegin(index, &change);
	change.meta->quantizer = data;
	OmenMetaCommit(&change);
	return quantizer;
}

/*
 * Give back the pages of the sealed pending list, and empty it.  Its pages no
 * longer change, so they can be read under the metapage's lock.
 */
static void
om_free_sealed(OmenMetaChange *change, const BlockNumber *blocks,
			   uint32 nblocks)
{
	uint32		i;

	for (i = 0; i < nblocks; i++)
	{
		OmenExtent	extent = {blocks[i], 1};

		while (i + 1 < nblocks &&
			   blocks[i + 1] == extent.start + extent.nblocks)
		{
			extent.nblocks++;
			i++;
		}
		OmenFreeExtent(change->meta, extent);
	}
	OmenEmptyPending(&change->meta->sealed);
}

static int
om_compare_blocks(const void *a, const void *b)
{
	BlockNumber x = *(const BlockNumber *) a;
	BlockNumber y = *(const BlockNumber *) b;

	return x < y ? -1 : x > y;
}

/* The blocks of the sealed list, ascending. */
static BlockNumber *
om_sealed_blocks(Relation index, OmenCache *cache,
				 const OmenPendingData *sealed, uint32 *nblocks)
{
	BlockNumber *blocks;
	OmenPendingWalk walk;
	Buffer		buffer;
	Size		total = 0;
	bool		retired;
	int			i;

	for (i = 0; i < OMEN_MAX_STRIPES; i++)
		total += sealed->stripes[i].npages;
	blocks = MemoryContextAllocHuge(CurrentMemoryContext,
									mul_size(total + 1, sizeof(BlockNumber)));
	*nblocks = 0;
	OmenStartPendingWalk(&walk, &cache->layout, sealed);
	while ((buffer = OmenNextPendingPage(index, cache, &walk,
										 BUFFER_LOCK_SHARE,
										 &retired)) != InvalidBuffer)
	{
		blocks[(*nblocks)++] = BufferGetBlockNumber(buffer);
		UnlockReleaseBuffer(buffer);
	}
	if (retired)
		elog(ERROR, "sealed pending list vanished");
	qsort(blocks, *nblocks, sizeof(BlockNumber), om_compare_blocks);
	return blocks;
}

void
OmenBuildSegment(Relation index, const OmenFrozen *frozen,
				 OmenRows *rows, bool bulk,
				 OmenBuildProgress build_progress,
				 OmenPageProgress page_progress, void *arg,
				 OmenSegmentData *segment)
{
	OmenBuildParams params;
	OmenGraph  *graph;

	OmenFillBuildParams(frozen, &params);
	params.store = rows->store;
	graph = OmenBuildGraph(&params, rows->codes, rows->distinct, rows->ncodes,
						   build_progress, arg);
	OmenPrepareSort(rows);
	OmenFinishGraph(graph);
	OmenSortRows(rows, graph->order);
	OmenWriteSegment(index, frozen, rows, graph, bulk, page_progress, arg,
					 segment);
	OmenFreeGraph(graph);
}

void
OmenPublishSegment(Relation index, const OmenSegmentData *segment,
				   uint32 replaced, bool remove_sealed)
{
	OmenMetaChange change;
	OmenMetaData *meta;
	BlockNumber *blocks = NULL;
	uint32		nblocks = 0;
	uint32		kept = 0;
	uint32		i,
				j;

	if (remove_sealed)
	{
		OmenMetaData *copy = palloc(sizeof(OmenMetaData));

		OmenReadMeta(index, copy);
		blocks = om_sealed_blocks(index, OmenGetCache(index), &copy->sealed,
								  &nblocks);
		pfree(copy);
	}

	OmenMetaBegin(index, &change);
	meta = change.meta;
	for (i = 0; i < meta->nsegments; i++)
	{
		if (replaced & (1U << i))
		{
			for (j = 0; j < meta->segments[i].nextents; j++)
				OmenFreeExtent(meta, meta->segments[i].extents[j]);
		}
		else
			meta->segments[kept++] = meta->segments[i];
	}
	meta->nsegments = kept;
	if (segment != NULL)
	{
		if (meta->nsegments == OMEN_MAX_SEGMENTS)
			elog(ERROR, "too many segments in index \"%s\"",
				 RelationGetRelationName(index));
		meta->segments[meta->nsegments++] = *segment;
	}
	OMEN_FAULT_POINT("publish-before-retire");
	if (remove_sealed)
		om_free_sealed(&change, blocks, nblocks);
	meta->nreserved = 0;
	meta->no_worker_before = 0;
	OMEN_FAULT_POINT("publish-before-wal");
	OmenMetaCommit(&change);
	OMEN_FAULT_POINT("publish-after-wal");

	if (blocks != NULL)
		pfree(blocks);
}

/*
 * Learn mean and step from the rows of the sealed list.  Dead ones are as good
 * for that as others, and there may be no others.
 */
static OmenQuantizer *
om_train_from_sealed(OmenCompaction *compaction)
{
	const OmenFrozen *frozen = &compaction->cache->frozen;
	uint32		wanted = OmenSampleRows(frozen);
	OmenPendingWalk walk;
	const OmenTid *row;
	bool		retired;
	float	   *sample;
	uint32		n = 0;
	OmenQuantizer *quantizer;

	sample = palloc_extended(mul_size(wanted,
									  mul_size(frozen->dims, sizeof(float))),
							 MCXT_ALLOC_HUGE);
	OmenStartPendingWalk(&walk, &compaction->cache->layout,
						 &compaction->meta.sealed);
	walk.dead_too = true;
	while (n < wanted &&
		   (row = OmenNextPendingRow(compaction->index, compaction->cache,
									 &walk, &retired)) != NULL)
	{
		OmenElementsToFloats(frozen, OmenPendingRowVector(row),
							 sample + (Size) n * frozen->dims);
		n++;
	}
	OmenEndPendingWalk(&walk);
	quantizer = OmenCreateQuantizer(compaction->index, frozen, sample, n);
	pfree(sample);
	return quantizer;
}

/* Take over a row of the sealed list, or code it. */
static void
om_take_pending_row(OmenCompaction *compaction, const OmenTid *row,
					BlockNumber block)
{
	const OmenCodedRow *coded = (const OmenCodedRow *) row;
	OmenRows   *rows = compaction->rows;
	ItemPointerData tid = row->tid;
	OmenCodeInfo info;

	if (!compaction->meta.sealed.coded)
	{
		if (OmenEncode(compaction->quantizer, OmenPendingRowVector(row),
					   OmenNextCode(rows), &info))
			OmenAddRow(rows, &info, &tid);
		return;
	}
	OmenCheckCodedRow(compaction->index, block, coded, rows->width);
	info.norm2 = coded->norm2;
	info.error = coded->error;
	info.excess = coded->excess;
	memcpy(OmenNextCode(rows), coded->code, rows->width);
	OmenAddRow(rows, &info, &tid);
}

/* Take in the rows of the sealed list. */
static void
om_read_sealed(OmenCompaction *compaction)
{
	OmenPendingWalk walk;
	const OmenTid *row;
	bool		retired;

	OmenStartPendingWalk(&walk, &compaction->cache->layout,
						 &compaction->meta.sealed);
	while ((row = OmenNextPendingRow(compaction->index, compaction->cache,
									 &walk, &retired)) != NULL)
	{
		om_take_pending_row(compaction, row, walk.at);
		if (walk.row == walk.nrows)
		{
			OmenEndPendingWalk(&walk);
			om_tick(compaction);
		}
	}
	if (retired)
		elog(ERROR, "sealed pending list vanished");
}

static Buffer
om_read_segment_page(OmenCompaction *compaction,
					 const OmenSegmentData *segment, OmenPageType type,
					 uint32 logical)
{
	Buffer		buffer;

	om_tick(compaction);
	buffer = OmenReadSegmentPage(compaction->index, compaction->cache,
								 segment, type, logical, BUFFER_LOCK_SHARE);
	if (!BufferIsValid(buffer))
		OmenReportDamage(compaction->index,
						 OmenExtentBlock(segment->extents, segment->nextents,
										 logical),
						 "It does not belong to its segment.");
	return buffer;
}

/* All TIDs of a segment. */
static OmenTid *
om_read_tids(OmenCompaction *compaction, const OmenSegmentData *segment)
{
	uint32		base = OmenSlotPages(&compaction->cache->layout, segment);
	uint32		npages = OmenTidPages(segment);
	OmenTid    *tids;
	uint32		p;

	tids = OmenStoreAlloc(compaction->rows->store, CurrentMemoryContext,
						  mul_size(segment->ntids, sizeof(OmenTid)));
	for (p = 0; p < npages; p++)
	{
		uint32		first = p * OMEN_TIDS_PER_PAGE;
		uint32		n = Min(OMEN_TIDS_PER_PAGE, segment->ntids - first);
		Buffer		buffer = om_read_segment_page(compaction, segment,
												  OMEN_PAGE_TIDS, base + p);

		memcpy(&tids[first], PageGetContents(BufferGetPage(buffer)),
			   n * sizeof(OmenTid));
		UnlockReleaseBuffer(buffer);
	}
	return tids;
}

/* Take over the code in a slot, with those of its node's rows that live. */
static void
om_take_slot(OmenCompaction *compaction, const OmenSegmentData *segment,
			 const OmenTid *tids, uint32 node, const char *slot)
{
	const OmenLayout *layout = &compaction->cache->layout;
	const OmenSlotHead *head = (const OmenSlotHead *) slot;
	OmenCodeInfo info = {head->norm2, head->error, head->excess};
	uint32		i;

	if (head->first_tid > segment->ntids ||
		head->ntids > segment->ntids - head->first_tid)
		OmenReportDamage(compaction->index,
						 OmenExtentBlock(segment->extents, segment->nextents,
										 OmenSlotLogical(layout, node)),
						 "A node has TIDs that do not exist.");
	for (i = 0; i < head->ntids; i++)
	{
		ItemPointerData tid = tids[head->first_tid + i].tid;

		if (tids[head->first_tid + i].flags & OMEN_TID_DEAD)
			continue;
		memcpy(OmenNextCode(compaction->rows), OmenSlotCode(layout, slot),
			   compaction->rows->width);
		OmenAddRow(compaction->rows, &info, &tid);
	}
}

/* Take over the codes of a segment. */
static void
om_read_segment(OmenCompaction *compaction, const OmenSegmentData *segment)
{
	OmenTid    *tids = om_read_tids(compaction, segment);
	char	   *copy = palloc(compaction->cache->layout.slot_size);
	uint32		node;

	for (node = 0; node < segment->nnodes; node++)
	{
		Buffer		buffer;
		char	   *slot;

		om_tick(compaction);
		slot = OmenReadSlot(compaction->index, compaction->cache, segment,
							node, copy, &buffer);
		if (slot == NULL)
			elog(ERROR, "segment vanished");
		om_take_slot(compaction, segment, tids, node, slot);
		if (BufferIsValid(buffer))
			UnlockReleaseBuffer(buffer);
	}
	pfree(copy);
	OmenStoreFree(compaction->rows->store, tids);
}

static void
om_build_tick(void *arg, OmenBuildPhase phase, uint32 done, uint32 total)
{
	om_tick(arg);
}

static void
om_page_tick(void *arg, uint32 done, uint32 total)
{
	om_tick(arg);
}

/*
 * Of "units" units in "places" segments, how many should be in the largest: the
 * largest C(a, places) that is not more.
 */
static double
om_largest_part(double units, int places)
{
	double		part = 1;
	double		next = 1;
	int			a = places;

	while (next <= units)
	{
		part = next;
		a++;
		next = part * a / (a - places);
	}
	return part;
}

/* The largest segment that is not in the set; OMEN_MAX_SEGMENTS if none is. */
static uint32
om_largest_segment(const OmenMetaData *meta, uint32 set)
{
	uint32		largest = OMEN_MAX_SEGMENTS;
	uint32		i;

	for (i = 0; i < meta->nsegments; i++)
		if (!(set & (1U << i)) &&
			(largest == OMEN_MAX_SEGMENTS ||
			 meta->segments[i].ntids > meta->segments[largest].ntids))
			largest = i;
	return largest;
}

/* Are many of the rows that live outside the largest segment? */
static bool
om_is_scattered(const OmenMetaData *meta, uint64 rows)
{
	uint32		largest = om_largest_segment(meta, 0);
	double		outside = rows;
	uint32		i;

	if (meta->nsegments == 0)
		return false;
	for (i = 0; i < meta->nsegments; i++)
		if (i != largest)
			outside += om_live_rows(&meta->segments[i]);
	return outside > OMEN_MAX_OUTSIDE_SHARE *
		(outside + om_live_rows(&meta->segments[largest]));
}

/*
 * Which segments to merge with "rows" pending rows: a bit mask.
 *
 * A number of units is written as C(a, 3) + C(b, 2) + c with a > b > c, largest
 * part first, which can be done in just one way; and that is how many there
 * should be in each of three segments (Bentley and Saxe, Decomposable searching
 * problems, 1980: the binomial transform).  From the largest on, segments stay
 * as long as they have their part; all others are merged.
 */
static uint32
om_choose_segments(const OmenMetaData *meta, OmenCompactScope scope,
				   uint64 rows)
{
	uint32		chosen = 0;
	uint32		kept = 0;
	double		unit = rows;
	double		rest = rows;
	int			places;
	uint32		i;

	if (scope == OMEN_COMPACT_VACUUM && om_is_scattered(meta, rows))
		scope = OMEN_COMPACT_ALL;
	for (i = 0; i < meta->nsegments; i++)
	{
		const OmenSegmentData *segment = &meta->segments[i];

		rest += segment->ntids;
		if (scope != OMEN_COMPACT_ALL &&
			(scope != OMEN_COMPACT_VACUUM ||
			 segment->ndead <= OMEN_MAX_DEAD_SHARE * segment->ntids))
			continue;
		chosen |= 1U << i;
		unit += om_live_rows(segment);
	}
	if (rows == 0 && chosen == 0 && meta->nsegments <= OMEN_WANTED_SEGMENTS)
		return 0;
	unit = Max(unit, OMEN_MERGE_UNIT);

	for (places = OMEN_WANTED_SEGMENTS; places > 1; places--)
	{
		uint32		next = om_largest_segment(meta, chosen | kept);

		if (next == OMEN_MAX_SEGMENTS || meta->segments[next].ntids <
			OMEN_FULL_SHARE * unit * om_largest_part(rest / unit, places))
			break;
		kept |= 1U << next;
		rest -= meta->segments[next].ntids;
	}
	return ((1U << meta->nsegments) - 1) & ~kept;
}

/*
 * The same while rows come in fast: none, or when there would be too many
 * segments, all but the largest.
 */
static uint32
om_choose_when_busy(const OmenMetaData *meta)
{
	uint32		kept = 0;
	int			i;

	if (meta->nsegments < OMEN_BUSY_SEGMENTS)
		return 0;
	for (i = 0; i < OMEN_BUSY_KEPT; i++)
		kept |= 1U << om_largest_segment(meta, kept);
	return ((1U << meta->nsegments) - 1) & ~kept;
}

/* Is there anything to gain from building these again? */
static bool
om_worth_it(const OmenMetaData *meta, uint32 chosen, uint64 rows)
{
	uint32		i;

	if (rows > 0)
		return true;
	for (i = 0; i < meta->nsegments; i++)
		if ((chosen & (1U << i)) &&
			(meta->segments[i].ndead > 0 || (chosen & ~(1U << i)) != 0))
			return true;
	return false;
}

/* Put one segment of the rows, if any, in place of what they come from. */
static void
om_replace(OmenCompaction *compaction, uint32 replaced)
{
	Relation	index = compaction->index;
	OmenRows   *rows = compaction->rows;
	OmenSegmentData segment;

	if (rows->ncodes > 0)
		OmenBuildSegment(index, &compaction->meta.frozen, rows, false,
						 om_build_tick, om_page_tick, compaction, &segment);
	OmenPublishSegment(index, rows->ncodes > 0 ? &segment : NULL, replaced,
					   compaction->meta.sealed.owner != 0);
}

/* Read the rows that the arguments say, build them and publish that. */
static void
om_read_and_replace(OmenCompaction *compaction, uint32 chosen, uint64 rows)
{
	const OmenMetaData *meta = &compaction->meta;
	double		expected = rows;
	uint32		i;

	for (i = 0; i < meta->nsegments; i++)
		if (chosen & (1U << i))
			expected += om_live_rows(&meta->segments[i]);
	if (meta->quantizer.owner == 0)
		compaction->quantizer = om_train_from_sealed(compaction);
	else
		compaction->quantizer = compaction->cache->quantizer;
	compaction->rows =
		OmenMakeRows(OmenCreateBuildStore(&meta->frozen, expected, NULL),
					 meta->frozen.width, expected);
	for (i = 0; i < meta->nsegments; i++)
		if (chosen & (1U << i))
			om_read_segment(compaction, &meta->segments[i]);
	om_read_sealed(compaction);
	OmenRowsDone(compaction->rows);
	om_replace(compaction, chosen);
}

/*
 * Is there a quantizer, or enough to learn one from?  A list of few rows may
 * have many pages' worth of room, one page to each stripe.
 */
static bool
om_can_code(OmenCompaction *compaction)
{
	OmenPendingCounts counts = {0};

	if (compaction->meta.quantizer.owner != 0)
		return true;
	if (!OmenCountPending(compaction->index, compaction->cache,
						  &compaction->meta.pending, &counts))
		elog(ERROR, "pending list vanished");
	return counts.rows >= OMEN_LEAST_SAMPLE;
}

/*
 * Seal the pending list, if there is enough of it for a flush, unless a list is
 * sealed already.  True if the pending list is to be flushed, too.
 */
static bool
om_seal_if_needed(OmenCompaction *compaction, OmenCompactScope scope)
{
	OmenMetaData *meta = &compaction->meta;
	uint64		rows = OmenPendingRows(&compaction->cache->layout,
									   &meta->pending);
	bool		earlier = meta->sealed.owner != 0;
	bool		flush;

	/* Few rows are left alone, unless they may keep the file from shrinking. */
	flush = (rows >= OMEN_FLAT_ROWS && om_can_code(compaction)) ||
		(scope == OMEN_COMPACT_ALL && rows > 0 && meta->nsegments > 0) ||
		(scope == OMEN_COMPACT_VACUUM && rows > 0 &&
		 meta->quantizer.owner != 0 && OmenIsSparse(meta));
	if (earlier || flush)
	{
		OmenSealPending(compaction->index);
		OmenReadMeta(compaction->index, meta);
	}
	return earlier && flush;
}

/*
 * One compaction.  Returns true if there is another one to do at once: the
 * sealed list was an earlier producer's, and the pending list is still there.
 */
static bool
om_compact_step(OmenCompaction *compaction, OmenCompactScope scope)
{
	OmenMetaData *meta = &compaction->meta;
	bool		busy = scope == OMEN_COMPACT_RELIEF;
	uint64		rows;
	bool		again;
	uint32		chosen;

	/* Nothing below takes in invalidations, so the cache stays. */
	OmenReclaimReserved(compaction->index);
	OmenReadMeta(compaction->index, meta);
	compaction->cache = OmenGetCacheFor(compaction->index, meta);
	compaction->put_off = !busy && om_is_busy(compaction, meta);
	again = om_seal_if_needed(compaction, scope);
	compaction->put_off = compaction->put_off && meta->sealed.owner != 0;
	busy = busy || compaction->put_off;

	rows = OmenPendingRows(&compaction->cache->layout, &meta->sealed);
	chosen = busy ? om_choose_when_busy(meta) :
		om_choose_segments(meta, scope, rows);
	compaction->can_put_off = !busy && chosen != 0;
	if (om_worth_it(meta, chosen, rows))
		om_read_and_replace(compaction, chosen, rows);
	return again;
}

/*
 * The error of om_tick is caught without a subtransaction, which a parallel
 * VACUUM could not have.  That is safe because of where it is raised: with no
 * buffer, LWLock or relation opened since, and the memory and the temporary
 * files that there are belong to the context that is deleted here.
 */
OmenCompactResult
OmenCompact(Relation index, OmenCompactScope scope)
{
	MemoryContext old = CurrentMemoryContext;
	volatile OmenCompactResult result = OMEN_COMPACTED;
	volatile bool again;

	do
	{
		MemoryContext context = AllocSetContextCreate(old, "omen compaction",
													  ALLOCSET_DEFAULT_SIZES);
		OmenCompaction *compaction;

		MemoryContextSwitchTo(context);
		compaction = palloc0(sizeof(OmenCompaction));
		compaction->index = index;
		OmenStartWatch(index, &compaction->watch);
		again = false;
		PG_TRY();
		{
			again = om_compact_step(compaction, scope);
			if (compaction->put_off)
				result = OMEN_COMPACT_PUT_OFF;
		}
		PG_CATCH();
		{
			if (!compaction->ended)
				PG_RE_THROW();
			result = compaction->can_put_off && compaction->put_off ?
				OMEN_COMPACT_PUT_OFF : OMEN_COMPACT_GAVE_WAY;
			FlushErrorState();
			elog(DEBUG1, "compaction of index \"%s\" gave way",
				 RelationGetRelationName(index));
		}
		PG_END_TRY();
		MemoryContextSwitchTo(old);
		MemoryContextDelete(context);
		CHECK_FOR_INTERRUPTS();
	} while (again);
	return result;
}
