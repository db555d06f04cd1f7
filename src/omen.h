/*-------------------------------------------------------------------------
 *
 * omen.h
 *		What the files of the access method share: operator classes, options,
 *		settings, and the callbacks that omen.c puts into the handler.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_H
#define OMEN_H

#include "access/amapi.h"
#include "access/genam.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"
#include "utils/rel.h"

#include "page.h"

/* How far apart two vectors are; stored in the metapage. */
typedef enum OmenMetric
{
	OMEN_METRIC_L2 = 1,
	OMEN_METRIC_IP = 2,			/* negative inner product */
	OMEN_METRIC_COSINE = 3,
	OMEN_METRIC_L1 = 4
} OmenMetric;

/* Type of a vector's elements; stored in the metapage. */
typedef enum OmenElement
{
	OMEN_ELEMENT_FLOAT = 1,		/* type vector */
	OMEN_ELEMENT_HALF = 2		/* type halfvec */
} OmenElement;

/*
 * What an operator class stands for.  Its only support function returns a
 * pointer to one of these, so that no function is called through fmgr for a
 * distance.
 */
#define OMEN_SUPPORT_PROC	1
#define OMEN_NPROCS			1

typedef struct OmenOpclass
{
	OmenMetric	metric;
	OmenElement element;
	int			max_dims;		/* that the index takes */
} OmenOpclass;

/* Storage parameters. */
typedef struct OmenOptions
{
	int32		vl_len_;		/* varlena header (do not touch directly!) */
	int			m;
	int			ef_construction;
	int			chunk_size;
	int			edge_bits;		/* 0: as suits the dimensions */
} OmenOptions;

#define OMEN_DEFAULT_M				16
#define OMEN_MIN_M					2
#define OMEN_MAX_M					100
#define OMEN_DEFAULT_EF_CONSTRUCTION 64
#define OMEN_MIN_EF_CONSTRUCTION	4
#define OMEN_MAX_EF_CONSTRUCTION	1000
#define OMEN_DEFAULT_CHUNK_SIZE		5000
#define OMEN_MIN_CHUNK_SIZE			256
#define OMEN_MAX_CHUNK_SIZE			65536

/* Dimensions that vectors, and so codes, may have; and bits of edge codes. */
#define OMEN_MAX_DIMS				16000
#define OMEN_MAX_WIDTH				(OMEN_MAX_DIMS / 8 * 9 + OMEN_CODE_GRANULE)
#define OMEN_MAX_EDGE_BITS			2048

/* Fewer rows than this are never a graph: they are scanned exactly. */
#define OMEN_FLAT_ROWS				1000

/* Settings (options.c). */
typedef enum OmenIterativeScan
{
	OMEN_ITERATIVE_OFF,
	OMEN_ITERATIVE_RELAXED,
	OMEN_ITERATIVE_STRICT
} OmenIterativeScan;

extern int	omen_ef_search;
extern int	omen_iterative_scan;
extern int	omen_max_scan_tuples;
extern double omen_scan_mem_multiplier;
extern int	omen_pending_limit;
extern int	omen_compaction_workers;

/* options.c */
extern void OmenInitOptions(void);
extern bytea *OmenRelOptions(Datum reloptions, bool validate);

/* Raise an error if options contradict each other. */
extern void OmenCheckOptions(const OmenOptions *options);

/*
 * The index's options, defaults where none were given.  Raises an error if
 * they contradict each other.
 */
extern OmenOptions OmenGetOptions(Relation index);

/* opclass.c */

/* The operator class of an index's only key column. */
extern const OmenOpclass *OmenGetOpclass(Relation index);

/*
 * The elements of a datum of a class's type, checked against the dimensions
 * of the index; the datum is detoasted first.  *dims and the elements (float
 * or half, by the class) point into the result of the detoasting.
 */
extern const void *OmenGetElements(const OmenOpclass *opclass, Datum value,
								   int *dims);

/*
 * Is this a vector that the class does not index: the zero vector, if the
 * distance is cosine?
 */
extern bool OmenIsZero(const OmenOpclass *opclass, const void *elements,
					   int dims);

/* Is this relation an index of this access method? */
extern bool OmenIsIndex(Relation relation);

/*
 * For functions that work on an index: refuse a number that no index has (then
 * "heap", the table of the index, is invalid), or whose table the user may not
 * maintain.
 */
extern void OmenCheckMaintainable(Oid index, Oid heap);

/*
 * For functions that read an index: refuse a relation that is no omen index, or
 * whose pages this session cannot read; and, if need_valid, an index that a
 * failed CREATE INDEX CONCURRENTLY left behind.
 */
extern void OmenCheckReadable(Relation index, bool need_valid);

/* ambuild.c */
extern IndexBuildResult *omenbuild(Relation heap, Relation index,
								   IndexInfo *indexInfo);
extern void omenbuildempty(Relation index);
extern char *omenbuildphasename(int64 phasenum);

/* insert.c */
extern bool omeninsert(Relation index, Datum *values, bool *isnull,
					   ItemPointer heap_tid, Relation heap,
					   IndexUniqueCheck checkUnique, bool indexUnchanged,
					   IndexInfo *indexInfo);

/* scan.c */
extern IndexScanDesc omenbeginscan(Relation index, int nkeys, int norderbys);
extern void omenrescan(IndexScanDesc scan, ScanKey keys, int nkeys,
					   ScanKey orderbys, int norderbys);
extern bool omengettuple(IndexScanDesc scan, ScanDirection dir);
extern void omenendscan(IndexScanDesc scan);

/* vacuum.c */
extern IndexBulkDeleteResult *omenbulkdelete(IndexVacuumInfo *info,
											 IndexBulkDeleteResult *stats,
											 IndexBulkDeleteCallback callback,
											 void *callback_state);
extern IndexBulkDeleteResult *omenvacuumcleanup(IndexVacuumInfo *info,
												IndexBulkDeleteResult *stats);

/* cost.c */
extern void omencostestimate(PlannerInfo *root, IndexPath *path,
							 double loop_count, Cost *indexStartupCost,
							 Cost *indexTotalCost,
							 Selectivity *indexSelectivity,
							 double *indexCorrelation, double *indexPages);

/* explain.c */

/* From 18 on, let EXPLAIN (ANALYZE) tell what scans did. */
extern void OmenInitExplain(void);

/* validate.c */
extern bool omenvalidate(Oid opclassoid);

#endif							/* OMEN_H */
