/*-------------------------------------------------------------------------
 *
 * omen.c
 *		The access method's handler, and what happens at load time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "commands/vacuum.h"
#include "fmgr.h"
#include "simd/simd.h"

#include "compat.h"
#include "fault.h"
#include "omen.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	OmenSimdUse(OmenSimdBest());
	OmenInitFault();
	OmenInitOptions();
	OmenInitExplain();
}

PG_FUNCTION_INFO_V1(omenhandler);

/*
 * omenhandler(internal) returns index_am_handler
 */
Datum
omenhandler(PG_FUNCTION_ARGS)
{
	IndexAmRoutine *amroutine = makeNode(IndexAmRoutine);

	amroutine->amstrategies = 0;
	amroutine->amsupport = OMEN_NPROCS;
	amroutine->amcanorderbyop = true;
	amroutine->amoptionalkey = true;
	amroutine->amkeytype = InvalidOid;
	amroutine->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL;

	amroutine->ambuild = omenbuild;
	amroutine->ambuildempty = omenbuildempty;
	amroutine->aminsert = omeninsert;
	amroutine->ambulkdelete = omenbulkdelete;
	amroutine->amvacuumcleanup = omenvacuumcleanup;
	amroutine->amcostestimate = omencostestimate;
	amroutine->amoptions = OmenRelOptions;
	amroutine->ambuildphasename = omenbuildphasename;
	amroutine->amvalidate = omenvalidate;
	amroutine->ambeginscan = omenbeginscan;
	amroutine->amrescan = omenrescan;
	amroutine->amgettuple = omengettuple;
	amroutine->amendscan = omenendscan;

	PG_RETURN_POINTER(amroutine);
}
