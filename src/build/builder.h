/*-------------------------------------------------------------------------
 *
 * builder.h
 *		What the files of the batch builder share.
 *
 * The steps, in the order in which OmenBuildGraph() runs them:
 *
 * near.c		finds out how many dimensions tell which nodes are near;
 * order.c		numbers the nodes so that near numbers are near in space;
 * cluster.c	sends each node to its several nearest level-1 clusters;
 * leaf.c		splits each cluster into leaves, compares all pairs of a leaf,
 *				and keeps one line of nearest for each member of a cluster;
 * prune.c		merges the lines of a node to candidates, and chooses its
 *				neighbours among them;
 * link.c		adds the reverse links;
 * reach.c		chooses the entries, and makes every node reachable.
 *
 * All that is random is seeded by what is worked on (a cluster, a range of
 * nodes), not by when.  The work of one cluster, of one range of nodes, needs
 * nothing from another of the same step, and is given to any member of the
 * team (team.h); all members run these steps.  What lies in arrays of
 * OmenBuildAlloc() is shared, all else is each member's own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_BUILDER_H
#define OMEN_BUILDER_H

#include "postgres.h"

#include "common/pg_prng.h"

#include "build/build.h"
#include "simd/matrix.h"

/* Up to this many nodes, each is compared with each. */
#define OMEN_FLAT_NODES			1000

/* Rows that are multiplied at a time; a multiple of every kernel's block. */
#define OMEN_BLOCK_ROWS			48

/* Up to this many level-1 leaders, each node is compared with each. */
#define OMEN_MAX_LEADERS		320

/* The most nodes of a leaf. */
#define OMEN_MAX_LEAF			300

/* The most clusters of a node: the keys of select() with two groups. */
#define OMEN_MAX_FANOUT			16

/* The most nodes of a cell. */
#define OMEN_MAX_CELL			128

/* Nodes of a cluster are numbered by 16 bits. */
#define OMEN_MAX_CLUSTER		65535

/* Nodes whose candidates are found before the first of them is pruned. */
#define OMEN_NODE_BATCH			64

#define OMEN_NO_NODE			PG_UINT32_MAX

/*
 * Nodes that a member takes at a time, where that costs little, and where
 * neighbours are chosen.
 */
#define OMEN_NODE_RANGE			128
#define OMEN_PRUNE_RANGE		4096

/* A key of a candidate or link: 16 bits of distance above a node. */
#define OmenMakeKey(distance, node) ((uint64) (distance) << 32 | (node))
#define OmenKeyNode(key)		((uint32) (key))
#define OmenKeyDistance16(key)	((uint32) ((key) >> 32))

/* What ef_construction and degree stand for. */
typedef struct OmenBuildShape
{
	int			fanout;			/* level-1 clusters of each node */
	int			groups;			/* see select() of matrix.h */
	int			nearest;		/* k of select() */
	int			line_keys;		/* keys of a line */
	int			candidates;		/* most candidates of a node */
	int			forward;		/* most neighbours chosen for a node */
	float		factor;			/* that a dropped candidate is nearer to a
								 * chosen one by, of distances or squares */
	uint32		cluster;		/* wanted nodes of a level-1 cluster */
	uint32		leaders;		/* level-1 clusters */
} OmenBuildShape;

/* Sums over the dimensions of each node's row; zeros for L1. */
typedef struct OmenSums
{
	int32	   *squares;		/* sum of value^2, for the row as a row */
	int32	   *inits;			/* init of the row as a column */
} OmenSums;

typedef struct OmenBuilder
{
	MemoryContext context;		/* that it lies in */
	const OmenBuildParams *params;
	OmenBuildShape shape;
	OmenTeam   *team;
	OmenBuildProgress progress;
	void	   *arg;
	uint32		n;
	OmenGraph  *graph;

	/* From near.c: dimensions by which nodes are compared. */
	int			width;

	/* From order.c. */
	uint32		ncells;			/* cells are ranges of near nodes */
	uint32	   *cells;			/* first node of each cell, then n */

	/* By node: codes as rows (matrix.h), of 7 bits, or of 8 for L1. */
	uint8	   *rows;
	OmenSums	sums;

	/* From cluster.c; a cluster too large to be numbered is several. */
	uint32		nclusters;
	uint32	   *clusters;		/* fanout clusters of each node */
	Size	   *first_member;	/* of each cluster, then the end */
	uint32	   *members;		/* nodes of each cluster, ascending */

	/* From leaf.c: line_keys keys for each of members. */
	uint32	   *lines;

	/* From prune.c: rows of shape.forward links, nearest first. */
	uint32	   *forward;		/* nodes, OMEN_NO_NODE in unused room */
	uint16	   *forward_distance;
	uint8	   *nforward;

	/* From link.c: the first neighbours of each node that are near to it. */
	uint8	   *nnear;
} OmenBuilder;

/* A matrix to be: columns, rows, and room for their products. */
typedef struct OmenMatrix
{
	bool		l1;				/* products are negated distances */
	int			width;
	int			max_columns;
	int			max_rows;
	int			npanels;
	const uint8 **column_rows;	/* max_columns, scratch of the functions */
	int8	   *panels;
	int32	   *init;			/* max_columns */
	const uint8 **rows;			/* max_rows */
	int32	   *base;			/* max_rows */
	Size		stride;			/* columns of all panels */
	int32	   *products;		/* max_rows rows of stride */
} OmenMatrix;

/*
 * matrix.c
 */

/* A large array, which belongs to a memory context; the team shares it. */
static inline void *
OmenBuildAlloc(const OmenBuilder *builder, MemoryContext context, Size size)
{
	return OmenStoreShare(builder->params->store, context, size,
						  OMEN_IN_PLACE);
}

/* The same, to be filled by OmenStorePut(). */
static inline void *
OmenBuildAllocPut(const OmenBuilder *builder, MemoryContext context, Size size)
{
	return OmenStoreShare(builder->params->store, context, size, OMEN_PUT);
}

/* The same, for the leader alone. */
static inline void *
OmenBuildAllocOwn(const OmenBuilder *builder, MemoryContext context, Size size)
{
	return OmenStoreAlloc(builder->params->store, context, size);
}

/* Allocate scratch memory, aligned to a cache line. */
extern void *OmenAllocAligned(MemoryContext context, Size size);

/* 8-bit codes to the row form of matrix.h. */
extern void OmenCodeToRow(bool l1, int width, const int8 *code, uint8 *row);

/*
 * Sum of value^2 of a row, and what it needs as init if it is a column; both
 * are 0 for L1.
 */
extern void OmenRowSums(bool l1, int width, const uint8 *row, int32 *squares,
						int32 *init);

/*
 * A matrix over the first width dimensions, in
 * CurrentMemoryContext; max_columns is rounded up to full panels.
 */
extern OmenMatrix *OmenCreateMatrix(const OmenBuilder *builder, int width,
									int max_columns, int max_rows);
extern Size OmenMatrixMemory(int width, int max_columns, int max_rows);

/* The n rows at column_rows become the columns; init of each is set. */
extern void OmenSetColumns(OmenMatrix *matrix, int n);

/* Nodes become the columns, or the rows. */
extern void OmenSetNodeColumns(OmenMatrix *matrix, const OmenBuilder *builder,
							   int n, const uint32 *nodes);
extern void OmenSetNodeRows(OmenMatrix *matrix, const OmenBuilder *builder,
							int n, const uint32 *nodes);

/* Mean of n nodes' rows, width dimensions of it; sums is scratch. */
extern void OmenMeanRow(const OmenBuilder *builder, int width, int n,
						const uint32 *nodes, int32 *sums, uint8 *mean);

/* Products of the first n of matrix->rows with the columns of all panels. */
extern void OmenMultiply(OmenMatrix *matrix, int n);

/* The same from a panel on; products of panels before are left as they are. */
extern void OmenMultiplyFrom(OmenMatrix *matrix, int n, int panel);

/* Products of the first n of matrix->rows, which are also the columns. */
extern void OmenSquare(OmenMatrix *matrix, int n);

static inline int32 *
OmenProducts(OmenMatrix *matrix, int row)
{
	return matrix->products + row * matrix->stride;
}

/*
 * keys.c
 */
extern void OmenSortKeys(uint64 *keys, size_t n);

/* Move the k smallest of n keys to the front, in no order. */
extern void OmenPartitionKeys(uint64 *keys, uint32 n, uint32 k);

/*
 * Steps.  Each allocates its results in CurrentMemoryContext, and what it
 * needs only itself in a context that it deletes.
 */
extern void OmenChooseWidth(OmenBuilder *builder, const int8 *codes,
								const uint32 *rows);
extern void OmenOrderNodes(OmenBuilder *builder, const int8 *codes,
						   const uint32 *rows);
extern void OmenAssignClusters(OmenBuilder *builder);
extern void OmenCompareLeaves(OmenBuilder *builder);
extern void OmenChooseNeighbors(OmenBuilder *builder);
extern void OmenLinkNodes(OmenBuilder *builder);
extern void OmenChooseEntries(OmenBuilder *builder);
extern void OmenConnectNodes(OmenBuilder *builder);

/* What OmenChooseNeighbors() needs for the lines of n nodes, in bytes. */
extern Size OmenPruneRoom(const OmenBuildShape *shape, uint32 n);

/* What OmenCompareLeaves() needs besides its result, in bytes. */
extern Size OmenLeafMemory(const OmenBuildShape *shape, int width);

static inline const uint8 *
OmenNodeRow(const OmenBuilder *builder, uint32 node)
{
	return builder->rows + (Size) node * builder->width;
}

static inline void
OmenBuildReport(const OmenBuilder *builder, OmenBuildPhase phase, uint32 done,
				uint32 total)
{
	if (builder->progress != NULL)
		builder->progress(builder->arg, phase, done, total);
}

/* Nodes, cells or clusters for the members of the team, with a report. */
static inline bool
OmenNextNodes(const OmenBuilder *builder, OmenBuildPhase phase, OmenLoop *loop)
{
	bool		more = OmenNextRange(loop);

	OmenBuildReport(builder, phase, more ? loop->from : loop->n, loop->n);
	return more;
}

#endif							/* OMEN_BUILDER_H */
