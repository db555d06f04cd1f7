/*-------------------------------------------------------------------------
 *
 * compat.h
 *		Differences between the PostgreSQL versions that omenvec works on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_COMPAT_H
#define OMEN_COMPAT_H

#include "commands/vacuum.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "omenvec needs PostgreSQL 15 to 18"
#endif

/* 16 renamed RelFileNode to RelFileLocator */
#if PG_VERSION_NUM >= 160000
#define OmenReadRecentBuffer(rel, block, hint) \
	ReadRecentBuffer((rel)->rd_locator, MAIN_FORKNUM, (block), (hint))
#else
#define OmenReadRecentBuffer(rel, block, hint) \
	ReadRecentBuffer((rel)->rd_node, MAIN_FORKNUM, (block), (hint))
#endif

/* 18 tells VACUUM's cost accounting from that of ANALYZE */
#if PG_VERSION_NUM >= 180000
#define OmenVacuumDelayPoint() vacuum_delay_point(false)
#else
#define OmenVacuumDelayPoint() vacuum_delay_point()
#endif

#endif							/* OMEN_COMPAT_H */
