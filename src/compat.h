/*-------------------------------------------------------------------------
 *
 * compat.h
 *		Differences between the PostgreSQL versions that omenvec works on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_COMPAT_H
#define OMEN_COMPAT_H

#include "catalog/pg_class.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/smgr.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/regproc.h"
#include "utils/rel.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "omenvec needs PostgreSQL 15 to 18"
#endif

/* 16 renamed RelFileNode to RelFileLocator */
#if PG_VERSION_NUM >= 160000
#define OmenRelationLocator(rel) ((rel)->rd_locator)
#define OmenFirstLocatorSubid(rel) ((rel)->rd_firstRelfilelocatorSubid)
#define OmenDropRelationBuffers DropRelationBuffers
#else
#define OmenRelationLocator(rel) ((rel)->rd_node)
#define OmenFirstLocatorSubid(rel) ((rel)->rd_firstRelfilenodeSubid)
#define OmenDropRelationBuffers DropRelFileNodeBuffers
#endif

/* Was the relation, or its file, made by this transaction? */
static inline bool
OmenIsNewRelation(Relation rel)
{
	return rel->rd_createSubid != InvalidSubTransactionId ||
		OmenFirstLocatorSubid(rel) != InvalidSubTransactionId;
}

/* Forget what is in shared buffers from a block on, without writing it. */
static inline void
OmenDropBuffers(Relation rel, BlockNumber first)
{
	ForkNumber	fork = MAIN_FORKNUM;

	OmenDropRelationBuffers(RelationGetSmgr(rel), &fork, 1, &first);
}

#define OmenReadRecentBuffer(rel, block, hint) \
	ReadRecentBuffer(OmenRelationLocator(rel), MAIN_FORKNUM, (block), (hint))

/* 16 can extend by many blocks at once */
static inline void
OmenZeroExtend(Relation rel, BlockNumber from, BlockNumber to)
{
#if PG_VERSION_NUM >= 160000
	smgrzeroextend(RelationGetSmgr(rel), MAIN_FORKNUM, from, to - from, false);
#else
	PGAlignedBlock zeros;

	memset(zeros.data, 0, BLCKSZ);
	for (; from < to; from++)
		smgrextend(RelationGetSmgr(rel), MAIN_FORKNUM, from, zeros.data,
				   false);
#endif
}

/* 16 can report an error softly */
#if PG_VERSION_NUM >= 160000
#define OmenQualifiedName(text) stringToQualifiedNameList((text), NULL)
#else
#define OmenQualifiedName(text) stringToQualifiedNameList(text)
#endif

/* 17 moved the local transaction number into a struct */
#if PG_VERSION_NUM >= 170000
#define OmenLocalTransactionId() (MyProc->vxid.lxid)
#else
#define OmenLocalTransactionId() (MyProc->lxid)
#endif

/* 17 has one function in place of two */
#if PG_VERSION_NUM >= 170000
#define OmenLockHeldByMe(tag, mode) LockHeldByMe((tag), (mode), false)
#else
#define OmenLockHeldByMe(tag, mode) LockHeldByMe((tag), (mode))
#endif

/*
 * Did this transaction make the relation's file, so that nobody else can see
 * it yet?  16 renamed the second member.
 */
#if PG_VERSION_NUM >= 160000
#define OmenIsNewFile(rel) \
	((rel)->rd_createSubid != InvalidSubTransactionId || \
	 (rel)->rd_firstRelfilelocatorSubid != InvalidSubTransactionId)
#else
#define OmenIsNewFile(rel) \
	((rel)->rd_createSubid != InvalidSubTransactionId || \
	 (rel)->rd_firstRelfilenodeSubid != InvalidSubTransactionId)
#endif

/* 18 tells VACUUM's cost accounting from that of ANALYZE */
#if PG_VERSION_NUM >= 180000
#define OmenVacuumDelayPoint() vacuum_delay_point(false)
#else
#define OmenVacuumDelayPoint() vacuum_delay_point()
#endif

/*
 * May the user maintain this table?  16 has one function for the ownership of
 * all kinds of objects, 17 a privilege MAINTAIN, which owners have.
 */
#if PG_VERSION_NUM >= 170000
#define OmenMayMaintain(relid) \
	(pg_class_aclcheck((relid), GetUserId(), ACL_MAINTAIN) == ACLCHECK_OK)
#elif PG_VERSION_NUM >= 160000
#define OmenMayMaintain(relid) \
	object_ownercheck(RelationRelationId, (relid), GetUserId())
#else
#define OmenMayMaintain(relid) pg_class_ownercheck((relid), GetUserId())
#endif

/* 17 runs maintenance with a safe search_path */
#if PG_VERSION_NUM >= 170000
#define OmenRestrictSearchPath() RestrictSearchPath()
#else
#define OmenRestrictSearchPath() ((void) 0)
#endif

/* 18 uses a declaration specifier in place of an attribute */
#if PG_VERSION_NUM >= 180000
#define OMEN_NORETURN pg_noreturn
#else
#define OMEN_NORETURN __attribute__((noreturn))
#endif

/* 18 hands statistics of EXPLAIN through; a scan by ORDER BY without them */
#if PG_VERSION_NUM >= 180000
#define OmenBeginIndexScan(heap, index, snapshot) \
	index_beginscan((heap), (index), (snapshot), NULL, 0, 1)
#else
#define OmenBeginIndexScan(heap, index, snapshot) \
	index_beginscan((heap), (index), (snapshot), 0, 1)
#endif

#endif							/* OMEN_COMPAT_H */
