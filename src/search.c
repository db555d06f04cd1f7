/*-------------------------------------------------------------------------
 *
 * search.c
 *		Best-first search of one segment's graph.
 *
 * The frontier is a heap of nodes by estimated distance.  The nearest is
 * taken off, its slot is read - the only page that a step touches -, its
 * distance is computed from its code, and the distances of its neighbours are
 * estimated from the short codes in the same slot.  A node may get several
 * estimates, from several neighbours: the least counts, which makes up for
 * estimates that were too large by chance (heap and least estimate after
 * SymphonyQG's repeated estimates, SIGMOD 2025).  It may be in the frontier
 * several times, then, and its turn comes by the least.
 *
 * Between the frontier and the visit, nodes pass a short queue, for as long as
 * it takes to get their slots from memory, or from disk.  Nearly all that is
 * within the limit is visited in the end, so order matters little.
 *
 * The limit is the distance of the ef-th nearest node visited, in this or any
 * segment searched before.  Nothing with an estimate beyond it enters the
 * frontier, and the search ends when the nearest of the frontier is beyond it.
 * As long as fewer than ef were visited, the cut takes its place: about the
 * 2 ef-th least estimate that has been in the frontier.  Without that, most of
 * what enters the frontier would do so in the beginning, for nothing.
 *
 * To continue a search with a larger ef, the neighbours of the nodes visited
 * so far are looked at again, since some of them are now within the limit:
 * this costs the usual search nothing, and as ef doubles each time, at most as
 * much again.
 *
 * For L1 distance slots hold no short codes.  There a step reads the slots of
 * all neighbours that were not met before, and all of them enter the frontier,
 * with the distances of their codes, which are final.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "miscadmin.h"

#include "search.h"

/* Nodes of the directory that a search starts from. */
#define OMEN_ENTRIES		8

/*
 * Length of the queue; and nodes at the top of the frontier whose slots are
 * prefetched, too, if they have to come from disk.
 */
#define OMEN_QUEUE			3
#define OMEN_PREFETCH_NODES	5

/* First sizes of what grows. */
#define OMEN_FRONTIER_SIZE	1024
#define OMEN_VISITED_SIZE	128
#define OMEN_MARKS_BITS		9

/* Bytes of a slot that are prefetched in one go. */
#define OMEN_PREFETCH_AT_ONCE	1024

/*
 * Nodes whose last estimates are remembered.  This is to keep the frontier
 * small, and need not be complete.
 */
#define OMEN_SEEN_SIZE		2048

/* Nodes taken off the frontier between two checks for interrupts. */
#define OMEN_INTERRUPT_STEP	64

/* The cut is at so many estimates for each of ef. */
#define OMEN_CUT_FACTOR		2

/* Classes of estimates: by sign, exponent and 6 bits of the mantissa. */
#define OMEN_CUT_CLASSES	256
#define OMEN_CUT_SHIFT		(32 + 17)

/*
 * Counts of the estimates that entered the frontier.  There are classes for
 * both sides of the first one, for 2 octaves each.
 */
struct OmenCut
{
	float		limit;			/* infinite while there are fewer than wanted */
	uint32		wanted;
	uint32		total;			/* in classes up to the last */
	uint32		base;			/* of the first class */
	int			last;			/* class that holds the one wanted */
	uint32		counts[OMEN_CUT_CLASSES];
};

void
OmenInitNearest(OmenNearest *nearest, uint32 size)
{
	nearest->size = size;
	nearest->n = 0;
	nearest->distances = palloc_extended(mul_size(size, sizeof(float)),
										 MCXT_ALLOC_HUGE);
}

/* Let a distance sink from position i of the heap to its place. */
static void
om_sink(OmenNearest *nearest, uint32 i, float distance)
{
	float	   *heap = nearest->distances;

	for (;;)
	{
		uint32		child = 2 * i + 1;

		if (child >= nearest->n)
			break;
		if (child + 1 < nearest->n && heap[child + 1] > heap[child])
			child++;
		if (heap[child] <= distance)
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = distance;
}

void
OmenAddNearest(OmenNearest *nearest, float distance)
{
	float	   *heap = nearest->distances;
	uint32		i;

	if (nearest->n == nearest->size)
	{
		if (distance < heap[0])
			om_sink(nearest, 0, distance);
		return;
	}
	i = nearest->n++;
	while (i > 0 && heap[(i - 1) / 2] < distance)
	{
		heap[i] = heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap[i] = distance;
}

/*
 * The frontier is a heap of degree 4, because its levels are fewer and the
 * four children share a cache line.  A key is an estimate, as an integer of
 * the same order, and the node.
 */
static inline uint64
om_frontier_key(float estimate, uint32 node)
{
	uint32		bits;

	memcpy(&bits, &estimate, sizeof(bits));
	bits ^= (bits & 0x80000000) ? 0xFFFFFFFF : 0x80000000;
	return (uint64) bits << 32 | node;
}

static inline float
om_frontier_estimate(uint64 key)
{
	uint32		bits = key >> 32;
	float		estimate;

	bits ^= (bits & 0x80000000) ? 0x80000000 : 0xFFFFFFFF;
	memcpy(&estimate, &bits, sizeof(bits));
	return estimate;
}

static inline void
om_push(OmenSearch *search, uint64 key)
{
	uint64	   *heap;
	uint32		i;

	if (search->nfrontier == search->maxfrontier)
	{
		search->maxfrontier *= 2;
		search->frontier = repalloc_huge(search->frontier,
										 mul_size(search->maxfrontier,
												  sizeof(uint64)));
	}
	heap = search->frontier;
	i = search->nfrontier++;
	while (i > 0 && heap[(i - 1) / 4] > key)
	{
		heap[i] = heap[(i - 1) / 4];
		i = (i - 1) / 4;
	}
	heap[i] = key;
}

static inline uint64
om_pop(OmenSearch *search)
{
	uint64	   *heap = search->frontier;
	uint64		top = heap[0];
	uint64		key = heap[--search->nfrontier];
	uint32		n = search->nfrontier;
	uint32		i = 0;

	for (;;)
	{
		uint32		child = 4 * i + 1;
		uint32		last = Min(child + 4, n);
		uint32		least = child;

		if (child >= n)
			break;
		while (++child < last)
			if (heap[child] < heap[least])
				least = child;
		if (heap[least] >= key)
			break;
		heap[i] = heap[least];
		i = least;
	}
	heap[i] = key;
	return top;
}

/* Cut at the "wanted"-th least estimate from now on. */
static void
om_reset_cut(OmenCut *cut, uint32 wanted)
{
	memset(cut, 0, sizeof(OmenCut));
	cut->limit = INFINITY;
	cut->wanted = wanted;
	cut->last = OMEN_CUT_CLASSES - 1;
}

static inline void
om_count_estimate(OmenCut *cut, uint64 key)
{
	uint32		class = key >> OMEN_CUT_SHIFT;
	int			i;

	if (cut->total == 0)
		cut->base = class - OMEN_CUT_CLASSES / 2;
	i = Max((int) (class - cut->base), 0);
	if (i > cut->last)
		return;
	cut->counts[i]++;
	cut->total++;
	while (cut->total - cut->counts[cut->last] >= cut->wanted)
	{
		cut->total -= cut->counts[cut->last--];
		cut->limit = om_frontier_estimate((uint64) (cut->base + cut->last +
													1) << OMEN_CUT_SHIFT);
	}
}

/*
 * The place of a node in the set of visited nodes, or where it would be: a
 * hash table with linear probing (its function: Knuth, The Art of Computer
 * Programming, vol. 3, 6.4).
 */
static inline uint32 *
om_mark_of(const OmenSearch *search, uint32 node)
{
	uint32		mask = (1U << search->marks_bits) - 1;
	uint32		i = (node * UINT32_C(0x9E3779B1)) >> (32 - search->marks_bits);

	while (search->marks[i] != node && search->marks[i] != OMEN_NO_NODE)
		i = (i + 1) & mask;
	return &search->marks[i];
}

static void
om_alloc_marks(OmenSearch *search, int bits)
{
	Size		size = mul_size((Size) 1 << bits, sizeof(uint32));

	search->marks_bits = bits;
	search->marks = palloc_extended(size, MCXT_ALLOC_HUGE);
	memset(search->marks, 0xFF, size);	/* OMEN_NO_NODE */
}

/* Put a node into the set; false if it is there. */
static bool
om_mark(OmenSearch *search, uint32 node)
{
	uint32	   *mark = om_mark_of(search, node);

	if (*mark == node)
		return false;
	*mark = node;
	if (++search->nmarks > 1U << (search->marks_bits - 1))
	{
		uint32	   *old = search->marks;
		uint32		n = 1U << search->marks_bits;
		uint32		i;

		om_alloc_marks(search, search->marks_bits + 1);
		for (i = 0; i < n; i++)
			if (old[i] != OMEN_NO_NODE)
				*om_mark_of(search, old[i]) = old[i];
		pfree(old);
	}
	return true;
}

/*
 * A node was met with this estimate.  For L1, which measures each node once,
 * it is marked here, and in the frontier but once.
 */
static inline void
om_meet(OmenSearch *search, uint32 node, float estimate)
{
	OmenSeen   *seen = &search->seen[node % OMEN_SEEN_SIZE];
	uint64		key = om_frontier_key(estimate, node);

	if (search->query->l1 && !om_mark(search, node))
		return;
	if (!search->query->l1 &&
		((seen->node == node && estimate >= seen->estimate) ||
		 *om_mark_of(search, node) == node))
		return;
	seen->node = node;
	seen->estimate = estimate;
	om_push(search, key);
	if (search->nvisited < search->ef)
		om_count_estimate(search->cut, key);
}

/*
 * Estimate the neighbours in a slot, and take in those within the limit.  The
 * buffer is locked by the caller; node numbers are checked, as the page may
 * be damaged.
 */
static void
om_expand(OmenSearch *search, const OmenCache *cache, char *slot,
		  float distance, float limit)
{
	const OmenLayout *layout = &cache->layout;
	const OmenQuery *query = search->query;
	uint32		edge_dims = cache->frozen.edge_dims;
	uint32		degree = Min(((OmenSlotHead *) slot)->degree,
							 cache->frozen.degree);
	const uint32 *neighbors = OmenSlotNeighbors(layout, slot);
	uint32		i;

	for (i = 0; i < degree; i += OMEN_LANES)
	{
		float		estimates[OMEN_LANES];
		uint32		mask;

		mask = omen_kernels->estimate_block(edge_dims,
											OmenSlotEdges(layout, slot) +
											i / OMEN_LANES *
											OMEN_BLOCK_BYTES(edge_dims),
											query->coarse,
											OmenSlotT(layout, slot) + i,
											OmenSlotA(layout, slot) + i,
											distance, query->scale,
											query->shift, limit, estimates);
		if (degree - i < OMEN_LANES)
			mask &= (1U << (degree - i)) - 1;
		while (mask != 0)
		{
			int			lane = __builtin_ctz(mask);
			uint32		node = neighbors[i + lane];

			mask &= mask - 1;
			if (node < search->segment->nnodes)
				om_meet(search, node, estimates[lane]);
		}
	}
	search->nestimates += degree;
}

/* Prefetch bytes "from" to "to" of a node's slot. */
static inline void
om_prefetch_slot(OmenSearch *search, Relation index, OmenCache *cache,
				 uint32 node, uint32 from, uint32 to)
{
	const OmenLayout *layout = &cache->layout;
	uint32		part;

	for (part = from / OMEN_PAGE_ROOM; part * OMEN_PAGE_ROOM < to; part++)
	{
		uint32		start = part * OMEN_PAGE_ROOM;
		uint32		first = Max(from, start);
		uint32		end = Min(to, start + OMEN_PAGE_ROOM);

		OmenPrefetch(index, &cache->hints,
					 OmenExtentBlock(search->segment->extents,
									 search->segment->nextents,
									 OmenSlotLogical(layout, node) + part),
					 SizeOfPageHeaderData +
					 node % layout->slots_per_page * layout->slot_size +
					 first - start, end - first);
	}
}

static OmenVisited *
om_add_visited(OmenSearch *search)
{
	if (search->nvisited == search->maxvisited)
	{
		search->maxvisited *= 2;
		search->visited = repalloc_huge(search->visited,
										mul_size(search->maxvisited,
												 sizeof(OmenVisited)));
	}
	return &search->visited[search->nvisited++];
}

/*
 * Read a node's slot; NULL if the segment was retired.  The caller releases
 * *buffer by om_release_slot.
 */
static char *
om_read_slot(OmenSearch *search, Relation index, OmenCache *cache,
			 uint32 node, Buffer *buffer)
{
	search->npages += cache->layout.pages_per_slot;
	return OmenReadSlot(index, cache, search->segment, node, search->copy,
						buffer);
}

static inline void
om_release_slot(Buffer buffer)
{
	if (BufferIsValid(buffer))
		UnlockReleaseBuffer(buffer);
}

/*
 * L1: measure the neighbours in a slot that were not met before.  Its buffer
 * is released first, as no two pages are locked at a time.  False if the
 * segment was retired.
 */
static bool
om_measure_neighbors(OmenSearch *search, Relation index, OmenCache *cache,
					 Buffer buffer, char *slot)
{
	const OmenLayout *layout = &cache->layout;
	uint32		degree = Min(((OmenSlotHead *) slot)->degree,
							 cache->frozen.degree);
	uint32		nodes[2 * OMEN_MAX_M];
	uint32		n = 0;
	uint32		i;

	memcpy(nodes, OmenSlotNeighbors(layout, slot), degree * sizeof(uint32));
	om_release_slot(buffer);
	for (i = 0; i < degree; i++)
	{
		uint32		node = nodes[i];

		if (node >= search->segment->nnodes || !om_mark(search, node))
			continue;
		nodes[n++] = node;
		om_prefetch_slot(search, index, cache, node, 0,
						 layout->neighbors_offset);
	}

	for (i = 0; i < n; i++)
	{
		float		distance;

		slot = om_read_slot(search, index, cache, nodes[i], &buffer);
		if (slot == NULL)
			return false;
		distance = OmenCodeDistance(search->query, cache->frozen.width,
									OmenSlotCode(layout, slot), 0);
		om_release_slot(buffer);
		om_push(search, om_frontier_key(distance, nodes[i]));
	}
	search->nestimates += n;
	return true;
}

/*
 * What a node's estimate may be to be of interest.  A segment that holds few
 * of the nearest rows must still get into their neighbourhood before distances
 * found elsewhere count.
 */
static inline float
om_limit(const OmenSearch *search, const OmenNearest *shared)
{
	return search->nvisited < search->ef ? search->cut->limit :
		OmenNearestLimit(shared);
}

/* Visit a node: its distance, its bound, its neighbours. */
static bool
om_visit(OmenSearch *search, Relation index, OmenCache *cache, uint32 node,
		 OmenNearest *shared)
{
	OmenCodeInfo info;
	OmenVisited *visited;
	OmenSlotHead *head;
	Buffer		buffer;
	char	   *slot;
	double		distance;
	float		limit;

	slot = om_read_slot(search, index, cache, node, &buffer);
	if (slot == NULL)
		return false;
	head = (OmenSlotHead *) slot;
	info.norm2 = head->norm2;
	info.error = head->error;
	info.excess = head->excess;
	distance = OmenCodeDistance(search->query, cache->frozen.width,
								OmenSlotCode(&cache->layout, slot),
								head->norm2);

	visited = om_add_visited(search);
	visited->node = node;
	visited->distance = distance - info.excess;
	visited->code_distance = distance;
	visited->first_tid = head->first_tid;
	visited->ntids = head->ntids;
	OmenAddNearest(shared, visited->distance);
	limit = om_limit(search, shared);
	visited->bound = OmenLowerBound(cache->quantizer, search->query, distance,
									OmenSlotCode(&cache->layout, slot), &info);
	if (search->query->l1)
		return om_measure_neighbors(search, index, cache, buffer, slot);
	om_expand(search, cache, slot, visited->distance, limit);
	om_release_slot(buffer);
	return true;
}

/*
 * Estimate the entries of a block of the directory.  Returns the mask of those
 * with an estimate below the limit.
 */
static inline uint32
om_estimate_entries(const OmenSearch *search, const OmenCache *cache,
					const char *block, float limit, float *estimates)
{
	const OmenLayout *layout = &cache->layout;
	const OmenQuery *query = search->query;
	const uint16 *t = (const uint16 *) (block + layout->entry_t_offset);
	const uint8 *a = (const uint8 *) block + layout->entry_a_offset;

	if (query->l1)
	{
		estimates[0] = OmenCodeDistance(query, layout->entry_width,
										(const int8 *) block +
										layout->entry_code_offset, 0);
		return estimates[0] < limit;
	}
	return omen_kernels->estimate_block(cache->frozen.edge_dims,
										(const uint8 *) block +
										layout->entry_edges_offset,
										query->coarse, t, a, query->norm2,
										query->scale, query->shift, limit,
										estimates);
}

/*
 * The directory is coded like the neighbours of a node at the mean, whose
 * distance is known.  The search starts from the few entries that seem to be
 * nearest; those that seem so only by mistake will not get their turn.
 */
bool
OmenStartSearch(OmenSearch *search, Relation index, OmenCache *cache,
				const OmenSegmentData *segment, const OmenQuery *query)
{
	const OmenLayout *layout = &cache->layout;
	uint32		nblocks = OmenEntryBlocks(layout, segment);
	uint64		best[OMEN_ENTRIES];
	uint32		nbest = 0;
	uint32		first_entry = 0;
	Buffer		buffer = InvalidBuffer;
	uint32		b;

	memset(search, 0, sizeof(OmenSearch));
	search->segment = segment;
	search->query = query;

	for (b = 0; b < nblocks; b++)
	{
		float		estimates[OMEN_LANES];
		float		limit = INFINITY;
		char	   *block;
		uint32		mask;

		if (b % layout->entry_blocks_per_page == 0)
		{
			if (BufferIsValid(buffer))
				UnlockReleaseBuffer(buffer);
			buffer = OmenReadSegmentPage(index, cache, segment,
										 OMEN_PAGE_DIRECTORY,
										 OmenDirectoryLogical(layout, segment,
															  b),
										 BUFFER_LOCK_SHARE);
			search->npages++;
			if (!BufferIsValid(buffer))
				return false;
		}
		block = OmenPageGetEntryBlock(layout, BufferGetPage(buffer), b);
		if (b == 0)
			first_entry = Min(((uint32 *) block)[0], segment->nnodes - 1);
		if (nbest == OMEN_ENTRIES)
			limit = om_frontier_estimate(best[nbest - 1]);
		mask = om_estimate_entries(search, cache, block, limit, estimates);
		search->nestimates += layout->entries_per_block;
		while (mask != 0)
		{
			int			lane = __builtin_ctz(mask);
			uint32		node = ((uint32 *) block)[lane];
			uint64		key = om_frontier_key(estimates[lane], node);
			uint32		i;

			mask &= mask - 1;
			if (node >= segment->nnodes ||
				(nbest == OMEN_ENTRIES && key >= best[nbest - 1]))
				continue;
			i = nbest < OMEN_ENTRIES ? nbest++ : nbest - 1;
			while (i > 0 && best[i - 1] > key)
			{
				best[i] = best[i - 1];
				i--;
			}
			best[i] = key;
		}
	}
	if (BufferIsValid(buffer))
		UnlockReleaseBuffer(buffer);

	if (layout->pages_per_slot > 1)
		search->copy = palloc(layout->slot_size);
	search->maxfrontier = OMEN_FRONTIER_SIZE;
	search->frontier = palloc(OMEN_FRONTIER_SIZE * sizeof(uint64));
	search->maxvisited = OMEN_VISITED_SIZE;
	search->visited = palloc(OMEN_VISITED_SIZE * sizeof(OmenVisited));
	search->seen = palloc(OMEN_SEEN_SIZE * sizeof(OmenSeen));
	memset(search->seen, 0xFF, OMEN_SEEN_SIZE * sizeof(OmenSeen));
	om_alloc_marks(search, OMEN_MARKS_BITS);
	search->cut = palloc(sizeof(OmenCut));
	for (b = 0; b < nbest; b++)
		om_meet(search, (uint32) best[b], om_frontier_estimate(best[b]));

	/*
	 * All nodes can be reached from the first entry, so a search that is to
	 * see them all comes to it in the end.
	 */
	om_meet(search, first_entry, FLT_MAX);
	return true;
}

/*
 * Look at the neighbours of the nodes visited so far again.  For L1 they are in
 * the frontier, however far.
 */
static bool
om_expand_again(OmenSearch *search, Relation index, OmenCache *cache,
				float limit)
{
	uint32		i;

	if (search->query->l1)
		return true;
	for (i = 0; i < search->nvisited; i++)
	{
		char	   *slot;
		Buffer		buffer;

		if (i % OMEN_INTERRUPT_STEP == 0)
			CHECK_FOR_INTERRUPTS();
		slot = om_read_slot(search, index, cache, search->visited[i].node,
							&buffer);
		if (slot == NULL)
			return false;
		om_expand(search, cache, slot, search->visited[i].distance, limit);
		om_release_slot(buffer);
	}
	return true;
}

/*
 * Visit what the frontier has within the limit.
 *
 * A long slot is prefetched in two parts, the second one while the node before
 * is visited: a CPU has room for a dozen or two of lines that it waits for, and
 * stalls if it is to fetch more.
 */
static bool
om_visit_frontier(OmenSearch *search, Relation index, OmenCache *cache,
				  OmenNearest *shared)
{
	const OmenLayout *layout = &cache->layout;
	uint32		at_once = Min(layout->slot_size, OMEN_PREFETCH_AT_ONCE);
	uint32		queue[OMEN_QUEUE];
	uint32		first = 0;
	uint32		n = 0;
	uint32		steps = 0;

	for (;;)
	{
		float		limit = om_limit(search, shared);
		uint32		i;

		while (n < OMEN_QUEUE && search->nfrontier > 0 &&
			   om_frontier_estimate(search->frontier[0]) <= limit)
		{
			uint32		node = (uint32) om_pop(search);

			if (!search->query->l1 && !om_mark(search, node))
				continue;
			om_prefetch_slot(search, index, cache, node, 0, at_once);
			queue[(first + n++) % OMEN_QUEUE] = node;
		}
		if (n == 0)
			return true;
		if (cache->hints.cold > 0)
			for (i = 0; i < OMEN_PREFETCH_NODES && i < search->nfrontier; i++)
				om_prefetch_slot(search, index, cache,
								 (uint32) search->frontier[i], 0,
								 layout->slot_size);
		n--;
		if (n > 0 && at_once < layout->slot_size)
			om_prefetch_slot(search, index, cache,
							 queue[(first + 1) % OMEN_QUEUE],
							 at_once, layout->slot_size);
		if (!om_visit(search, index, cache, queue[first++ % OMEN_QUEUE],
					  shared))
			return false;
		if (++steps % OMEN_INTERRUPT_STEP == 0)
			CHECK_FOR_INTERRUPTS();
	}
}

bool
OmenRunSearch(OmenSearch *search, Relation index, OmenCache *cache, uint32 ef,
			  OmenNearest *shared)
{
	uint32		i;

	search->ef = ef;
	for (i = 0; i < search->nvisited; i++)
		OmenAddNearest(shared, search->visited[i].distance);
	om_reset_cut(search->cut, (uint64) ef * OMEN_CUT_FACTOR);
	for (;;)
	{
		if (!om_expand_again(search, index, cache, om_limit(search, shared)) ||
			!om_visit_frontier(search, index, cache, shared))
			return false;
		if (search->nvisited >= ef || isinf(search->cut->limit))
			return true;
		/* The same nodes were counted many times, and too much was cut. */
		om_reset_cut(search->cut, PG_UINT32_MAX);
	}
}
