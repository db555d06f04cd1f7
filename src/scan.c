/*-------------------------------------------------------------------------
 *
 * scan.c
 *		Index scans: ORDER BY distance.
 *
 * The first call for a row reads the pending list, all of whose rows are
 * compared, and searches every segment.  What was found goes into one heap, by
 * a lower bound of the operator's value, and is handed out in that order; the
 * executor computes the exact value from the heap row, and holds rows back
 * until no smaller value can come (xs_recheckorderby).
 *
 * When more rows are wanted than the searches found, they go on with twice
 * the ef.  A row that turns up then although it is nearer than rows handed
 * out before is late: strict order drops it, relaxed order returns it.
 *
 * Of pending rows that are codes, a round takes the nearest only, as many as it
 * may hand out; the next one reads the list again, for those beyond.
 *
 * A scan holds no lock between calls, and no pin.  It works on a copy of the
 * metapage; a page that no longer belongs to whom the copy says makes it
 * start over from a fresh copy, leaving out the rows it has returned already.
 * This is safe for MVCC snapshots only: a TID may have got another row
 * meanwhile, but none that such a snapshot sees.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/relscan.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/float.h"
#include "utils/memutils.h"

#include "lastscan.h"
#include "omen.h"
#include "pending.h"
#include "search.h"

/*
 * Beyond ef rows, the first round gives this many more, or half of ef: the
 * executor needs a few to know that those before them are in order.  But not
 * all that was visited, since that includes nodes on the way, which may be far
 * off: all rows of a later round would be late behind them.
 */
#define OMEN_EXTRA_ROWS		5

/*
 * A search by L1 distance is not misled by estimates, and takes few nodes more
 * than ef off its frontier where others take three times as many.  That it
 * finds no less for the same setting, ef is raised; measured on text embeddings
 * and queries unlike them, where half as much was enough.
 */
#define OMEN_L1_EF(ef)		((ef) + (ef) / 2)

/* Restarts of one scan before we say that something is wrong. */
#define OMEN_MAX_RESTARTS	1000

/* First sizes of what grows. */
#define OMEN_CANDIDATES_SIZE	128
#define OMEN_PENDING_SIZE		128

/* Something to hand out: rows of one node, or one pending row. */
typedef struct OmenCandidate
{
	double		bound;
	int			segment;		/* -1: pending */
	uint32		item;			/* of so->pending or of the search's visited */
} OmenCandidate;

/* A pending list, as far as it was read. */
typedef struct OmenFlat
{
	const OmenPendingData *list;
	bool		started;
	bool		done;			/* all rows are candidates */
	float		limit;			/* distance up to which they are, if coded */
} OmenFlat;

/* A pending row that may become a candidate. */
typedef struct OmenFlatRow
{
	double		bound;
	float		distance;		/* in steps squared, less the excess */
	ItemPointerData tid;
} OmenFlatRow;

/* For a NULL query: all nodes of the segment. */
#define OMEN_ALL_NODES	PG_UINT32_MAX

/* A set of TIDs, or of TIDs and distances. */
typedef struct OmenKeyEntry
{
	uint64		key;
	char		status;
} OmenKeyEntry;

#define SH_PREFIX omen_keys
#define SH_ELEMENT_TYPE OmenKeyEntry
#define SH_KEY_TYPE uint64
#define SH_KEY key
#define SH_HASH_KEY(tb, key) hash_bytes_uint32((uint32) ((key) ^ (key) >> 32))
#define SH_EQUAL(tb, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

typedef struct OmenScan
{
	const OmenOpclass *opclass;
	BlockNumber heap_blocks;	/* that the table has at least */
	Oid		   *types;			/* of the ORDER BY values */
	IndexOrderByDistance *values;
	OmenScanCounts past;		/* what was done until the last rescan */
	MemoryContext context;		/* everything below the line; reset by rescan */

	/* ---- */
	bool		started;
	OmenScanCounts counts;		/* those of the searches are added at last */
	OmenMetaData meta;			/* the copy that the scan works on */
	bool		all;			/* NULL query: all rows, in any order */
	const void *elements;		/* of the query */
	OmenQuery	query;
	OmenSearch *searches;		/* one for each segment */
	uint32	   *handed;			/* visited nodes that became candidates */
	OmenFlat	flats[2];		/* sealed, pending */
	OmenNearest shared;
	uint32		ef;
	bool		exhausted;		/* everything has been seen */
	OmenCandidate *candidates;	/* heap, the least bound on top */
	uint32		ncandidates;
	uint32		maxcandidates;
	OmenFlatRow *noted;			/* coded rows of the list at hand */
	uint32		nnoted;
	uint32		maxnoted;
	ItemPointerData *pending;	/* pending rows that became candidates */
	uint32		npending;
	uint32		maxpending;
	uint64		nfound;			/* codes that became candidates */
	uint64		ngiven;			/* candidates taken off the heap */
	uint64		give_limit;		/* of ngiven, until the next round */
	double		last_bound;		/* the largest that was handed out */
	double		bound;			/* of the candidate at hand */
	float		distance;
	bool		expected;		/* known before a restart: not late */

	/* rows of the candidate at hand */
	const OmenSegmentData *segment;
	uint32		tid_position;	/* of what is not loaded yet */
	uint32		tids_left;		/* not loaded yet */
	OmenTid    *tids;			/* loaded: OMEN_TIDS_PER_PAGE at most */
	uint32		ntids;
	uint32		next_tid;

	/*
	 * TIDs that were returned: a damaged index, too, gives a row only once;
	 * and, from the first restart on, TIDs and distances of what was found but
	 * had no turn yet.
	 */
	omen_keys_hash *returned;
	omen_keys_hash *known;
} OmenScan;

IndexScanDesc
omenbeginscan(Relation index, int nkeys, int norderbys)
{
	IndexScanDesc scan = RelationGetIndexScan(index, nkeys, norderbys);
	OmenScan   *so = palloc0(sizeof(OmenScan));
	int			i;

	so->opclass = OmenGetOpclass(index);
	so->context = AllocSetContextCreate(CurrentMemoryContext, "omen scan",
										ALLOCSET_DEFAULT_SIZES);
	if (norderbys > 0)
	{
		scan->xs_orderbyvals = palloc0(sizeof(Datum) * norderbys);
		scan->xs_orderbynulls = palloc(sizeof(bool) * norderbys);
		memset(scan->xs_orderbynulls, true, sizeof(bool) * norderbys);

		/*
		 * Keys after the first have no bound, and need none: rows are compared
		 * by the first one before any other counts.
		 */
		so->types = palloc(sizeof(Oid) * norderbys);
		so->values = palloc(sizeof(IndexOrderByDistance) * norderbys);
		for (i = 0; i < norderbys; i++)
		{
			so->types[i] = FLOAT8OID;
			so->values[i].value = -get_float8_infinity();
			so->values[i].isnull = false;
		}
	}
	scan->opaque = so;
	return scan;
}

/* Count what the searches did, before they are given up. */
static void
om_count_searches(const OmenScan *so, OmenScanCounts *counts)
{
	uint32		i;

	for (i = 0; i < so->meta.nsegments; i++)
	{
		counts->nodes += so->searches[i].nvisited;
		counts->estimates += so->searches[i].nestimates;
		counts->pages += so->searches[i].npages;
	}
}

/* What was done since the last rescan, at any moment. */
static void
om_get_counts(IndexScanDesc scan, const OmenScan *so, OmenScanCounts *counts)
{
	*counts = so->counts;
	if (!so->started)
		return;
	om_count_searches(so, counts);
	counts->index = RelationGetRelid(scan->indexRelation);
	counts->segments = so->meta.nsegments;
	counts->max_ef = so->ef;
}

void
OmenGetScanCounts(IndexScanDesc scan, OmenScanCounts *counts)
{
	const OmenScan *so = scan->opaque;

	om_get_counts(scan, so, counts);
	OmenAddScanCounts(counts, &so->past);
}

/* The scan is at its end: publish its counts. */
static void
om_publish(IndexScanDesc scan, OmenScan *so)
{
	OmenScanCounts counts;

	if (!so->started)
		return;
	om_get_counts(scan, so, &counts);
	OmenPublishScan(&counts);
	OmenAddScanCounts(&so->past, &counts);
}

void
omenrescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys,
		   int norderbys)
{
	OmenScan   *so = scan->opaque;

	om_publish(scan, so);
	if (keys && scan->numberOfKeys > 0)
		memmove(scan->keyData, keys, scan->numberOfKeys * sizeof(ScanKeyData));
	if (orderbys && scan->numberOfOrderBys > 0)
		memmove(scan->orderByData, orderbys,
				scan->numberOfOrderBys * sizeof(ScanKeyData));
	MemoryContextReset(so->context);
	memset(&so->started, 0, sizeof(OmenScan) - offsetof(OmenScan, started));
}

void
omenendscan(IndexScanDesc scan)
{
	OmenScan   *so = scan->opaque;

	om_publish(scan, so);
	MemoryContextDelete(so->context);
	pfree(so);
	scan->opaque = NULL;
}

/* NaN is not less than anything; but then all bounds are NaN. */
static void
om_add_candidate(OmenScan *so, double bound, int segment, uint32 item)
{
	OmenCandidate *heap;
	uint32		i;

	if (so->ncandidates == so->maxcandidates)
	{
		so->maxcandidates *= 2;
		so->candidates = repalloc_huge(so->candidates,
									   mul_size(so->maxcandidates,
												sizeof(OmenCandidate)));
	}
	heap = so->candidates;
	i = so->ncandidates++;
	while (i > 0 && bound < heap[(i - 1) / 2].bound)
	{
		heap[i] = heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap[i].bound = bound;
	heap[i].segment = segment;
	heap[i].item = item;
}

static OmenCandidate
om_take_candidate(OmenScan *so)
{
	OmenCandidate *heap = so->candidates;
	OmenCandidate top = heap[0];
	OmenCandidate moved = heap[--so->ncandidates];
	uint32		i = 0;

	for (;;)
	{
		uint32		child = 2 * i + 1;

		if (child >= so->ncandidates)
			break;
		if (child + 1 < so->ncandidates &&
			heap[child + 1].bound < heap[child].bound)
			child++;
		if (!(heap[child].bound < moved.bound))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = moved;
	return top;
}

static void
om_add_pending(OmenScan *so, double bound, const ItemPointerData *tid)
{
	if (so->npending == so->maxpending)
	{
		so->maxpending *= 2;
		so->pending = repalloc_huge(so->pending,
									mul_size(so->maxpending,
											 sizeof(ItemPointerData)));
	}
	so->pending[so->npending] = *tid;
	om_add_candidate(so, bound, -1, so->npending++);
}

/*
 * A lower bound, by a hair, of the operator's value for a pending row.
 */
static double
om_pending_bound(const OmenScan *so, const OmenCache *cache, const void *row)
{
	const OmenKernels *k = omen_kernels;
	bool		half = so->opclass->element == OMEN_ELEMENT_HALF;
	int			dims = cache->frozen.dims;
	const void *q = so->elements;
	float		dot,
				norm_a,
				norm_b;
	double		value;

	switch (so->opclass->metric)
	{
		case OMEN_METRIC_L2:
			value = sqrt(half ? k->half_l2_squared(dims, q, row) :
						 k->l2_squared(dims, q, row));
			return value * (1.0 - 1e-5);
		case OMEN_METRIC_L1:
			value = half ? k->half_l1(dims, q, row) : k->l1(dims, q, row);
			return value * (1.0 - 1e-5);
		case OMEN_METRIC_IP:
			if (half)
				k->half_cosine(dims, q, row, &dot, &norm_a, &norm_b);
			else
				k->cosine(dims, q, row, &dot, &norm_a, &norm_b);
			if (OmenIsBeyond(OMEN_METRIC_IP, norm_a) ||
				OmenIsBeyond(OMEN_METRIC_IP, norm_b))
				return -get_float8_infinity();
			return -(double) dot - 1e-37 -
				1e-5 * sqrt((double) norm_a * (double) norm_b);
		default:
			if (half)
				k->half_cosine(dims, q, row, &dot, &norm_a, &norm_b);
			else
				k->cosine(dims, q, row, &dot, &norm_a, &norm_b);
			if (so->query.undefined)
				return get_float8_nan();
			if (OmenIsBeyond(OMEN_METRIC_COSINE, norm_a) ||
				OmenIsBeyond(OMEN_METRIC_COSINE, norm_b))
				return -get_float8_infinity();
			return 1.0 - dot / sqrt((double) norm_a * (double) norm_b) - 1e-5;
	}
}

/* Make candidates of a list of vectors: of all rows, at once. */
static bool
om_scan_vectors(OmenScan *so, Relation index, OmenCache *cache,
				OmenFlat *flat)
{
	OmenPendingWalk walk;
	const OmenTid *row;
	bool		retired;

	if (flat->started)
		return true;
	OmenStartPendingWalk(&walk, &cache->layout, flat->list);
	while ((row = OmenNextPendingRow(index, cache, &walk, &retired)) != NULL)
	{
		double		bound = 0;

		if (!so->all)
		{
			bound = om_pending_bound(so, cache, OmenPendingRowVector(row));
			so->counts.pending_rows++;
		}
		om_add_pending(so, bound, &row->tid);
	}
	so->counts.pages += walk.nread;
	flat->started = true;
	flat->done = true;
	return !retired;
}

/*
 * Note a coded row that may become a candidate.  These are few, so that there
 * is time to look whether it is damaged; what makes no number of the distance
 * leads here, too.
 */
static void
om_note_row(OmenScan *so, Relation index, const OmenCache *cache,
			BlockNumber block, const OmenCodedRow *row, double distance)
{
	OmenCodeInfo info = {row->norm2, row->error, row->excess};
	OmenFlatRow *noted;

	OmenCheckCodedRow(index, block, row, cache->frozen.width);

	if (so->nnoted == so->maxnoted)
	{
		so->maxnoted *= 2;
		so->noted = repalloc_huge(so->noted, mul_size(so->maxnoted,
													  sizeof(OmenFlatRow)));
	}
	noted = &so->noted[so->nnoted++];
	noted->bound = OmenLowerBound(cache->quantizer, &so->query, distance,
								  row->code, &info);
	noted->distance = distance - info.excess;
	noted->tid = row->tid.tid;
}

/*
 * Make candidates of those rows of a list of codes that are among the nearest,
 * less those of earlier rounds, which are known by their distances.
 */
static bool
om_scan_codes(OmenScan *so, Relation index, OmenCache *cache, OmenFlat *flat,
			  OmenNearest *nearest)
{
	OmenPendingWalk walk;
	const OmenTid *row;
	bool		retired;
	float		limit;
	uint32		i;

	so->nnoted = 0;
	flat->done = true;
	OmenStartPendingWalk(&walk, &cache->layout, flat->list);
	while ((row = OmenNextPendingRow(index, cache, &walk, &retired)) != NULL)
	{
		const OmenCodedRow *coded = (const OmenCodedRow *) row;
		double		distance = OmenCodeDistance(&so->query,
												cache->frozen.width,
												coded->code, coded->norm2);
		float		less_excess = distance - coded->excess;

		so->counts.pending_rows++;
		if (less_excess > OmenNearestLimit(nearest))
		{
			flat->done = false;
			continue;
		}
		OmenAddNearest(nearest, less_excess);
		if (!flat->started || less_excess > flat->limit)
			om_note_row(so, index, cache, walk.at, coded, distance);
	}
	so->counts.pages += walk.nread;

	/* Of those within what was the limit then, take those within the last. */
	limit = OmenNearestLimit(nearest);
	for (i = 0; i < so->nnoted; i++)
	{
		if (so->noted[i].distance > limit)
		{
			flat->done = false;
			continue;
		}
		om_add_pending(so, so->noted[i].bound, &so->noted[i].tid);
		so->nfound++;
	}
	flat->limit = flat->started ? Max(flat->limit, limit) : limit;
	flat->started = true;
	return !retired;
}

/*
 * The nearest of all that was visited and of the rows of pending lists, as many
 * as may be handed out in this round, so that no row that is left out is nearer
 * than one that is handed out.
 */
static void
om_init_nearest_rows(const OmenScan *so, const OmenLayout *layout,
					 OmenNearest *nearest)
{
	uint64		most = so->shared.n;
	uint32		i;

	for (i = 0; i < lengthof(so->flats); i++)
		most += OmenPendingRows(layout, so->flats[i].list);
	OmenInitNearest(nearest, Max(Min(so->give_limit, most), 1));
	for (i = 0; i < so->shared.n; i++)
		OmenAddNearest(nearest, so->shared.distances[i]);
}

/*
 * Make candidates of the pending lists.  False if one was retired.
 */
static bool
om_scan_pending(OmenScan *so, Relation index, OmenCache *cache)
{
	OmenNearest nearest;
	bool		retired = false;
	uint32		i;

	om_init_nearest_rows(so, &cache->layout, &nearest);
	for (i = 0; i < lengthof(so->flats) && !retired; i++)
	{
		OmenFlat   *flat = &so->flats[i];

		if (flat->list->owner == 0)
			continue;
		retired = flat->list->coded && !so->all ?
			!om_scan_codes(so, index, cache, flat, &nearest) :
			!om_scan_vectors(so, index, cache, flat);
		if (!flat->done)
			so->exhausted = false;
	}
	pfree(nearest.distances);
	return !retired;
}

/*
 * The ef for a segment: the largest gets all, another one by its share of the
 * rows.
 */
static uint32
om_segment_ef(const OmenScan *so, uint32 segment)
{
	uint64		total = 0;
	uint64		largest = 0;
	uint32		i;

	for (i = 0; i < so->meta.nsegments; i++)
	{
		total += so->meta.segments[i].ntids;
		largest = Max(largest, so->meta.segments[i].ntids);
	}
	if (so->meta.segments[segment].ntids == largest)
		return so->ef;
	return ceil(OmenShareOfEf(so->ef, so->meta.segments[segment].ntids /
							  (double) total));
}

/*
 * How many candidates may be handed out before the next round, all rounds
 * together.
 */
static uint64
om_give_limit(const OmenScan *so, bool first)
{
	if (so->meta.nsegments == 0)
		return PG_UINT64_MAX;
	return (uint64) so->ef + (first ? Min(OMEN_EXTRA_ROWS, so->ef / 2) : 0);
}

/*
 * Search all segments, the largest first, so that its distances bound what is
 * looked for in the others; and make candidates of the nodes visited since
 * the last round.  False if a segment was retired.
 */
static bool
om_run_searches(OmenScan *so, Relation index, OmenCache *cache)
{
	uint32		done = 0;		/* bit mask */
	uint32		n;
	uint32		i;

	for (n = 0; n < so->meta.nsegments; n++)
	{
		uint32		next = OMEN_MAX_SEGMENTS;
		OmenSearch *search;

		for (i = 0; i < so->meta.nsegments; i++)
			if (!(done & (1U << i)) &&
				(next == OMEN_MAX_SEGMENTS || so->meta.segments[i].ntids >
				 so->meta.segments[next].ntids))
				next = i;
		done |= 1U << next;
		search = &so->searches[next];
		if (search->segment == NULL &&
			!OmenStartSearch(search, index, cache, &so->meta.segments[next],
							 &so->query))
			return false;
		if (!OmenRunSearch(search, index, cache, om_segment_ef(so, next),
						   &so->shared))
			return false;
		for (i = so->handed[next]; i < search->nvisited; i++)
		{
			om_add_candidate(so, search->visited[i].bound, next, i);
			so->nfound++;
		}
		so->handed[next] = search->nvisited;
		if (!OmenSearchExhausted(search))
			so->exhausted = false;
	}
	return true;
}

/*
 * One round: search the segments, and read the pending lists, of which those
 * rows count then that are among the nearest.  False if something was retired.
 */
static bool
om_run_round(OmenScan *so, Relation index, OmenCache *cache)
{
	OmenInitNearest(&so->shared, so->ef);
	so->counts.rounds++;
	so->exhausted = true;
	return om_run_searches(so, index, cache) &&
		om_scan_pending(so, index, cache);
}

/* Candidates for a NULL query: every segment as a whole. */
static void
om_add_segments(OmenScan *so)
{
	uint32		i;

	for (i = 0; i < so->meta.nsegments; i++)
		om_add_candidate(so, 0, i, OMEN_ALL_NODES);
	so->exhausted = true;
}

/* The ef of the first round. */
static uint32
om_first_ef(const OmenMetaData *meta)
{
	if (meta->frozen.metric == OMEN_METRIC_L1)
		return OMEN_L1_EF(omen_ef_search);
	return meta->quantizer.lifted ? omen_ef_search * OMEN_LIFTED_EF :
		omen_ef_search;
}

/*
 * Read the metapage and do the first round.  False if something was retired
 * in between.
 */
static bool
om_first_round(IndexScanDesc scan, OmenScan *so)
{
	Relation	index = scan->indexRelation;
	OmenCache  *cache;

	OmenReadMeta(index, &so->meta);
	so->counts.pages++;
	if (so->ef == 0)
		so->ef = om_first_ef(&so->meta);
	cache = OmenGetCacheFor(index, &so->meta);
	if (so->candidates == NULL)
	{
		so->maxcandidates = OMEN_CANDIDATES_SIZE;
		so->candidates = palloc(OMEN_CANDIDATES_SIZE * sizeof(OmenCandidate));
		so->maxnoted = OMEN_PENDING_SIZE;
		so->noted = palloc(OMEN_PENDING_SIZE * sizeof(OmenFlatRow));
		so->maxpending = OMEN_PENDING_SIZE;
		so->pending = palloc(OMEN_PENDING_SIZE * sizeof(ItemPointerData));
	}
	so->ncandidates = 0;
	so->npending = 0;
	so->searches = palloc0(OMEN_MAX_SEGMENTS * sizeof(OmenSearch));
	so->handed = palloc0(OMEN_MAX_SEGMENTS * sizeof(uint32));
	so->nfound = 0;
	so->ngiven = 0;
	so->tids_left = 0;
	so->ntids = 0;
	so->next_tid = 0;
	if (so->tids == NULL)
		so->tids = palloc(OMEN_TIDS_PER_PAGE * sizeof(OmenTid));
	if (cache->quantizer != NULL && !so->all)
		OmenPrepareQuery(cache->quantizer, cache->frozen.edge_dims,
						 so->elements, &so->query);

	memset(so->flats, 0, sizeof(so->flats));
	so->flats[0].list = &so->meta.sealed;
	so->flats[1].list = &so->meta.pending;
	so->give_limit = om_give_limit(so, true);
	if (!so->all)
		return om_run_round(so, index, cache);
	om_add_segments(so);
	return om_scan_pending(so, index, cache);
}

static uint64
om_tid_key(const ItemPointerData *tid)
{
	return (uint64) ItemPointerGetBlockNumberNoCheck(tid) << 16 |
		ItemPointerGetOffsetNumberNoCheck(tid);
}

/*
 * Stands for a code: a merge copies codes, and equal codes have equal
 * distances.  (Not so with the excess taken off, which is that of the node: it
 * changes when rows of the same code join it.)  No TID has this key.
 */
static uint64
om_distance_key(float distance)
{
	uint32		bits;

	memcpy(&bits, &distance, sizeof(bits));
	return UINT64CONST(1) << 63 | bits;
}

static const OmenVisited *
om_visited(const OmenScan *so, const OmenCandidate *candidate)
{
	return &so->searches[candidate->segment].visited[candidate->item];
}

/* Would strict order be broken by something with this bound? */
static bool
om_is_late(const OmenScan *so, double bound)
{
	return bound < so->last_bound &&
		omen_iterative_scan == OMEN_ITERATIVE_STRICT;
}

static void
om_note_waiting(OmenScan *so, uint64 key)
{
	bool		found;

	omen_keys_insert(so->known, key, &found);
}

/*
 * Something was retired: do the first round anew until it comes through.
 *
 * What was found, but had no turn yet, is noted, too, since it is not late,
 * although its bound may be less now than what was handed out: that of a
 * pending row becomes less when it moves into a segment, and that of a node
 * when rows with larger errors join it.
 */
static void
om_start_over(IndexScanDesc scan, OmenScan *so)
{
	uint32		i;

	if (so->known == NULL)
		so->known = omen_keys_create(so->context, 256, NULL);
	om_note_waiting(so, om_distance_key(so->distance));
	for (i = 0; i < so->ncandidates; i++)
	{
		const OmenCandidate *candidate = &so->candidates[i];

		if (candidate->segment < 0)
			om_note_waiting(so, om_tid_key(&so->pending[candidate->item]));
		else if (candidate->item != OMEN_ALL_NODES)
			om_note_waiting(so, om_distance_key(om_visited(so, candidate)->
												code_distance));
	}
	do
	{
		CHECK_FOR_INTERRUPTS();
		om_count_searches(so, &so->counts);
		if (++so->counts.restarts > OMEN_MAX_RESTARTS)
			elog(ERROR, "omen index scan was restarted too often");
	} while (!om_first_round(scan, so));
}

/* The query, and the first round, until one comes through. */
static void
om_start(IndexScanDesc scan, OmenScan *so)
{
	Relation	index = scan->indexRelation;
	ScanKey		orderby = scan->orderByData;

	if (scan->numberOfOrderBys == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot scan omen index without order")));
	if (!IsMVCCSnapshot(scan->xs_snapshot))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("non-MVCC snapshots are not supported with omen index")));

	pgstat_count_index_scan(index);
#if PG_VERSION_NUM >= 180000
	if (scan->instrument)
		scan->instrument->nsearches++;
#endif

	so->all = (orderby->sk_flags & SK_ISNULL) != 0;
	so->last_bound = -get_float8_infinity();
	if (!so->all)
	{
		int			dims;
		uint32		expected;

		so->elements = OmenGetElements(so->opclass, orderby->sk_argument,
									   &dims);
		expected = OmenGetCache(index)->frozen.dims;
		if (dims != expected)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("different vector dimensions %u and %d",
							expected, dims)));
		so->query.undefined = OmenIsZero(so->opclass, so->elements, dims);
	}
	if (!om_first_round(scan, so))
		om_start_over(scan, so);
	so->started = true;
}

/*
 * Twice as much as before.  Of what is then known only the ef nearest rows, all
 * rounds together, are given before the next round: of those beyond, too many
 * are still to be found, and would come late.  False if there is no more.
 */
static bool
om_next_round(IndexScanDesc scan, OmenScan *so)
{
	Relation	index = scan->indexRelation;
	OmenCache  *cache = OmenGetCacheFor(index, &so->meta);

	if (so->exhausted || omen_iterative_scan == OMEN_ITERATIVE_OFF ||
		so->nfound >= omen_max_scan_tuples ||
		MemoryContextMemAllocated(so->context, true) >
		work_mem * 1024.0 * omen_scan_mem_multiplier)
		return false;
	so->ef = Min(so->ef, PG_INT32_MAX / 2) * 2;
	so->give_limit = om_give_limit(so, false);
	if (!om_run_round(so, index, cache))
	{
		om_start_over(scan, so);
		return true;
	}
	if (so->exhausted)
		so->give_limit = PG_UINT64_MAX;
	return true;
}

/* Make a candidate's rows the next to return. */
static void
om_hand_out(OmenScan *so, const OmenCandidate *candidate,
			const OmenVisited *visited)
{
	if (candidate->segment < 0)
	{
		so->tids[0].tid = so->pending[candidate->item];
		so->tids[0].flags = 0;
		so->ntids = 1;
		so->next_tid = 0;
		return;
	}
	so->segment = &so->meta.segments[candidate->segment];
	so->tid_position = visited == NULL ? 0 : visited->first_tid;
	so->tids_left = visited == NULL ? so->segment->ntids : visited->ntids;
}

/*
 * Take the next candidate in order; its rows are the next to return.  False at
 * the end.
 */
static bool
om_next_candidate(IndexScanDesc scan, OmenScan *so)
{
	for (;;)
	{
		OmenCandidate candidate;
		const OmenVisited *visited = NULL;

		CHECK_FOR_INTERRUPTS();
		if (so->ncandidates == 0 || so->ngiven >= so->give_limit)
		{
			if (om_next_round(scan, so))
				continue;
			if (so->ncandidates == 0)
				return false;
			so->give_limit = PG_UINT64_MAX;
		}
		candidate = om_take_candidate(so);
		so->ngiven++;
		if (candidate.segment >= 0 && candidate.item != OMEN_ALL_NODES)
			visited = om_visited(so, &candidate);
		if (om_is_late(so, candidate.bound) && so->known == NULL)
		{
			so->counts.late += visited == NULL ? 1 : visited->ntids;
			continue;
		}
		so->bound = candidate.bound;
		so->distance = visited == NULL ? 0 : visited->code_distance;
		so->expected = visited != NULL && so->known != NULL &&
			omen_keys_lookup(so->known,
								 om_distance_key(so->distance)) != NULL;
		if (!om_is_late(so, so->bound))
			so->last_bound = so->bound;
		om_hand_out(so, &candidate, visited);
		return true;
	}
}

/*
 * Copy the next TIDs of the candidate at hand, as many as are on one page.
 * False if the segment was retired.
 */
static bool
om_load_tids(IndexScanDesc scan, OmenScan *so)
{
	Relation	index = scan->indexRelation;
	OmenCache  *cache = OmenGetCacheFor(index, &so->meta);
	uint32		position = so->tid_position;
	uint32		n = OMEN_TIDS_PER_PAGE - position % OMEN_TIDS_PER_PAGE;
	Buffer		buffer;

	n = Min(n, so->tids_left);
	if (position >= so->segment->ntids || n > so->segment->ntids - position)
		OmenReportDamage(index, OMEN_METAPAGE,
						 "A node has TIDs that do not exist.");
	buffer = OmenReadSegmentPage(index, cache, so->segment, OMEN_PAGE_TIDS,
								 OmenTidLogical(&cache->layout, so->segment,
												position),
								 BUFFER_LOCK_SHARE);
	so->counts.pages++;
	if (!BufferIsValid(buffer))
		return false;
	memcpy(so->tids, OmenPageGetTid(BufferGetPage(buffer), position),
		   n * sizeof(OmenTid));
	UnlockReleaseBuffer(buffer);
	so->tid_position += n;
	so->tids_left -= n;
	so->ntids = n;
	so->next_tid = 0;
	return true;
}

/*
 * Remember a TID that is returned; false if it was returned before, or comes
 * late and was not expected.
 */
static bool
om_return(OmenScan *so, ItemPointer tid)
{
	uint64		key = om_tid_key(tid);
	bool		found;

	if (so->returned == NULL)
		so->returned = omen_keys_create(so->context, 64, NULL);
	if (omen_keys_lookup(so->returned, key) != NULL)
		return false;
	if (!so->expected && om_is_late(so, so->bound) &&
		(so->known == NULL || omen_keys_lookup(so->known, key) == NULL))
	{
		so->counts.late++;
		return false;
	}
	omen_keys_insert(so->returned, key, &found);
	so->counts.returned++;
	return true;
}

/* The next row to return. */
static bool
om_next_row(IndexScanDesc scan, OmenScan *so, ItemPointer tid)
{
	for (;;)
	{
		while (so->next_tid < so->ntids)
		{
			const OmenTid *entry = &so->tids[so->next_tid++];

			*tid = entry->tid;
			if (!(entry->flags & OMEN_TID_DEAD) && om_return(so, tid))
				return true;
		}
		if (so->tids_left > 0)
		{
			if (!om_load_tids(scan, so))
				om_start_over(scan, so);
			continue;
		}

		if (!om_next_candidate(scan, so))
			return false;
	}
}

/*
 * A row beyond the end of the table can come from a damaged page only: tables
 * shrink under a lock that waits for scans.
 */
static void
om_check_row(IndexScanDesc scan, OmenScan *so)
{
	ItemPointer tid = &scan->xs_heaptid;
	BlockNumber block = ItemPointerGetBlockNumberNoCheck(tid);

	if (block >= so->heap_blocks)
		so->heap_blocks = RelationGetNumberOfBlocks(scan->heapRelation);
	if (block >= so->heap_blocks || !ItemPointerIsValid(tid))
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" leads to row (%u,%u), which table \"%s\" cannot have",
						RelationGetRelationName(scan->indexRelation), block,
						ItemPointerGetOffsetNumberNoCheck(tid),
						RelationGetRelationName(scan->heapRelation)),
				 errhint("Please REINDEX it.")));
}

bool
omengettuple(IndexScanDesc scan, ScanDirection dir)
{
	OmenScan   *so = scan->opaque;
	MemoryContext old;
	bool		found;

	Assert(ScanDirectionIsForward(dir));

	old = MemoryContextSwitchTo(so->context);
	if (!so->started)
		om_start(scan, so);
	found = om_next_row(scan, so, &scan->xs_heaptid);
	MemoryContextSwitchTo(old);
	if (!found)
		return false;
	om_check_row(scan, so);

	so->values[0].value = so->bound;
	so->values[0].isnull = so->all;
	index_store_float8_orderby_distances(scan, so->types, so->values, true);
	scan->xs_recheck = false;
	return true;
}
