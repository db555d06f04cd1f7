/*-------------------------------------------------------------------------
 *
 * build.h
 *		The batch builder: from many codes to one graph.
 *
 * Layer 4: pure algorithm over arrays.  No page, relation or catalog header
 * is used here, so that the builder can be tested without a server.
 *
 * The result depends on the parameters and the codes alone: not on the
 * instruction set, nor on the run or how many processes share the work.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_BUILD_H
#define OMEN_BUILD_H

#include "postgres.h"

#include "store.h"

/* Limits of OmenBuildParams.degree. */
#define OMEN_BUILD_MIN_DEGREE	4
#define OMEN_BUILD_MAX_DEGREE	200

typedef struct OmenBuildParams
{
	bool		l1;				/* by L1 distance, not squared Euclidean */
	int			width;			/* dimensions of a code, multiple of 32 */
	int			degree;			/* most neighbours of a node, 4 .. 200 */
	int			ef_construction;	/* < 64 fast, 64 .. 128 default, above
									 * quality */
	int			chunk_size;		/* neighbouring vectors whose level-1 clusters
								 * are chosen from the same ones */
	uint64		seed;			/* of every random choice */
	OmenStore  *store;			/* where large arrays are allocated; its team
								 * builds */
} OmenBuildParams;

/*
 * Nodes are numbered in spatial order: nodes with near numbers are near.
 *
 * Every node can be reached from directory[0], when the graph is finished.
 */
typedef struct OmenGraph
{
	struct OmenBuilder *builder;	/* until it is finished */
	OmenStore  *store;			/* that the arrays by node are from */
	uint32		n;				/* nodes */
	int			degree;			/* row length of neighbors */
	uint32	   *order;			/* input row of each node */
	uint32	   *neighbors;		/* node numbers, row of a node at node *
								 * degree, about nearest first, as far as the
								 * dimensions tell that were compared */
	uint16	   *degrees;		/* neighbours that each node has */
	uint32		ndirectory;		/* entries, at least 1 if n > 0 */
	uint32	   *directory;		/* entry nodes, ascending: spread over all
								 * nodes, and one at least in each part that
								 * is not connected with others by links to
								 * near neighbours, up to n / 8 parts */
} OmenGraph;

/* Phases, in the order in which they are run. */
typedef enum OmenBuildPhase
{
	OMEN_PHASE_ORDER,
	OMEN_PHASE_CLUSTERS,
	OMEN_PHASE_MATRICES,
	OMEN_PHASE_NEIGHBORS,
	OMEN_PHASE_REVERSE,
	OMEN_PHASE_ENTRIES,
	OMEN_PHASE_CONNECT
} OmenBuildPhase;

#define OMEN_BUILD_PHASES 7

/*
 * Called at least every few milliseconds of work; done of total units of the
 * phase are finished.  It is the place for CHECK_FOR_INTERRUPTS(): it may
 * raise an error, and what was allocated goes with the memory context.
 */
typedef void (*OmenBuildProgress) (void *arg, OmenBuildPhase phase,
								   uint32 done, uint32 total);

/* Name of a phase for people: "spatial order", "clusters", ... */
extern const char *OmenBuildPhaseName(OmenBuildPhase phase);

/*
 * Build the graph of n codes by squared Euclidean distance, or by L1.
 *
 * codes holds rows of params->width values in -127 .. 127; those to be built
 * are the n at rows[], or the first n if rows is NULL, pairwise distinct.  Both
 * are read only, and not kept.  progress may be NULL.
 *
 * All members of the store's team call this with the same arguments, and get
 * the same graph.  It has its order and links, and is finished by
 * OmenFinishGraph(), until when params have to stay.
 *
 * The graph is allocated in CurrentMemoryContext, as is all working memory;
 * what is large comes from params->store.  Raises an error only on lack of
 * memory, or where progress does.
 */
extern OmenGraph *OmenBuildGraph(const OmenBuildParams *params,
								 const int8 *codes, const uint32 *rows,
								 uint32 n, OmenBuildProgress progress,
								 void *arg);

/*
 * Choose the entries, make every node reachable, and free working memory.  The
 * leader does that; for other members this returns at once, so that they can
 * do something else meanwhile, and the links are not to be looked at until the
 * team has met.  Only the leader gets the directory.
 */
extern void OmenFinishGraph(OmenGraph *graph);

/* Free a graph before its memory context goes. */
extern void OmenFreeGraph(OmenGraph *graph);

/*
 * Bytes that OmenBuildGraph() needs at its peak for n codes, the graph
 * included, the codes of the caller not.
 */
extern Size OmenBuildMemory(const OmenBuildParams *params, uint32 n);

/* What of that is there when OmenFinishGraph() is called. */
extern Size OmenFinishMemory(const OmenBuildParams *params, uint32 n);

/* Entries of a graph of n nodes, if it is of one part. */
extern uint32 OmenEntryCount(uint32 n);

#endif							/* OMEN_BUILD_H */
