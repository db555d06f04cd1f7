/*-------------------------------------------------------------------------
 *
 * search.h
 *		Best-first search of one segment's graph.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_SEARCH_H
#define OMEN_SEARCH_H

#include <math.h>

#include "cache.h"
#include "segment.h"

/*
 * Where a dimension was added to vectors (inner product, lengths differ), edges
 * are long for the small differences of distance that count, and estimates so
 * bad that a search needs an ef this many times as large to find as much as it
 * would by exact distances.  Measured on vectors with lognormal lengths.
 */
#define OMEN_LIFTED_EF		6

/* The least ef of a segment, see OmenShareOfEf. */
#define OMEN_MIN_SHARE		16

/* A node that was visited: its distance is known, not only estimated. */
typedef struct OmenVisited
{
	double		bound;			/* lower bound of the operator's value */
	float		distance;		/* in steps squared, less the excess */
	float		code_distance;	/* excess included: equal for equal codes */
	uint32		node;
	uint32		first_tid;
	uint32		ntids;
} OmenVisited;

/* The "size" least distances so far: a heap with the largest on top. */
typedef struct OmenNearest
{
	uint32		size;
	uint32		n;
	float	   *distances;
} OmenNearest;

/* The last estimate of a node. */
typedef struct OmenSeen
{
	uint32		node;
	float		estimate;
} OmenSeen;

typedef struct OmenCut OmenCut;

/*
 * A search that can be continued.  All memory belongs to the context in which
 * OmenStartSearch was called, and so must be all later calls.
 */
typedef struct OmenSearch
{
	const OmenSegmentData *segment;
	const OmenQuery *query;
	uint32		ef;				/* nodes to visit whatever their distance */
	char	   *copy;			/* of a slot that takes several pages */

	uint64	   *frontier;		/* heap of estimates, the least on top */
	uint32		nfrontier;
	uint32		maxfrontier;
	OmenSeen   *seen;			/* by node number, as far as there is room */
	uint32	   *marks;			/* set of nodes visited, or about to be */
	uint32		nmarks;
	int			marks_bits;
	OmenCut    *cut;			/* the limit, while fewer than ef are visited */

	OmenVisited *visited;
	uint32		nvisited;
	uint32		maxvisited;

	/* for omen_last_scan and the like */
	uint64		npages;
	uint64		nestimates;
} OmenSearch;

/* Room for "size" distances, empty. */
extern void OmenInitNearest(OmenNearest *nearest, uint32 size);

/* Take in a distance. */
extern void OmenAddNearest(OmenNearest *nearest, float distance);

/* The size-th least distance, infinite while there are fewer. */
static inline float
OmenNearestLimit(const OmenNearest *nearest)
{
	return nearest->n < nearest->size ? INFINITY : nearest->distances[0];
}

/*
 * The ef for a segment that has this share, 0 to 1, of all rows: the geometric
 * mean of ef and its share of ef, and no less than OMEN_MIN_SHARE, but never
 * more than ef.
 */
static inline double
OmenShareOfEf(double ef, double share)
{
	return Min(ef, Max(ef * sqrt(share), OMEN_MIN_SHARE));
}

/*
 * Start a search.  False if the segment was retired (the caller then starts
 * over with a fresh metapage); this holds for OmenRunSearch too.
 */
extern bool OmenStartSearch(OmenSearch *search, Relation index,
							OmenCache *cache,
							const OmenSegmentData *segment,
							const OmenQuery *query);

/*
 * Go on until "ef" nodes were visited and no other can be expected among the
 * nearest of all segments, "shared", which this search adds to.  A greater ef
 * than before continues the search where it was; shared must be empty of what
 * this search found before.
 */
extern bool OmenRunSearch(OmenSearch *search, Relation index,
						  OmenCache *cache, uint32 ef, OmenNearest *shared);

/*
 * Is there nothing more to find?  As long as the limit is infinite, no node
 * that can be reached is left out.
 */
static inline bool
OmenSearchExhausted(const OmenSearch *search)
{
	return search->nvisited >= search->segment->nnodes ||
		search->nvisited < search->ef;
}

#endif							/* OMEN_SEARCH_H */
