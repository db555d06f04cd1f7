/*-------------------------------------------------------------------------
 *
 * options.c
 *		Storage parameters of an index, and settings (omen.*).
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/reloptions.h"
#include "simd/simd.h"
#include "utils/guc.h"

#include "omen.h"

int			omen_ef_search;
int			omen_iterative_scan;
int			omen_max_scan_tuples;
double		omen_scan_mem_multiplier;
int			omen_pending_limit;
int			omen_compaction_workers;
static char *omen_simd;

static relopt_kind om_relopt_kind;

static const struct config_enum_entry om_iterative_scan_options[] = {
	{"off", OMEN_ITERATIVE_OFF, false},
	{"relaxed_order", OMEN_ITERATIVE_RELAXED, false},
	{"strict_order", OMEN_ITERATIVE_STRICT, false},
	{NULL, 0, false}
};

/*
 * omen.simd: "auto" or the name of an instruction set.  What this CPU lacks is
 * refused here, so that no kernel is ever called that cannot run.
 */
static bool
om_find_simd(const char *name, OmenSimdLevel *level)
{
	int			i;

	if (pg_strcasecmp(name, "auto") == 0)
	{
		*level = OmenSimdBest();
		return true;
	}
	for (i = 0; i < OMEN_SIMD_LEVELS; i++)
	{
		*level = (OmenSimdLevel) i;
		if (pg_strcasecmp(name, OmenSimdName(*level)) == 0)
			return true;
	}
	return false;
}

static bool
om_check_simd(char **newval, void **extra, GucSource source)
{
	OmenSimdLevel level;

	if (!om_find_simd(*newval, &level))
	{
		GUC_check_errhint("Available values: auto, avx512, avx2, neon, scalar.");
		return false;
	}
	if (!OmenSimdSupported(level))
	{
		GUC_check_errdetail("This CPU or this build does not support \"%s\".",
							*newval);
		return false;
	}
	return true;
}

static void
om_assign_simd(const char *newval, void *extra)
{
	OmenSimdLevel level;

	if (om_find_simd(newval, &level))
		OmenSimdUse(level);
}

void
OmenInitOptions(void)
{
	om_relopt_kind = add_reloption_kind();
	add_int_reloption(om_relopt_kind, "m",
					  "Half the largest number of neighbors of a node",
					  OMEN_DEFAULT_M, OMEN_MIN_M, OMEN_MAX_M,
					  AccessExclusiveLock);
	add_int_reloption(om_relopt_kind, "ef_construction",
					  "Effort of building the graph",
					  OMEN_DEFAULT_EF_CONSTRUCTION,
					  OMEN_MIN_EF_CONSTRUCTION, OMEN_MAX_EF_CONSTRUCTION,
					  AccessExclusiveLock);
	add_int_reloption(om_relopt_kind, "chunk_size",
					  "Neighboring rows for which the build looks for neighborhoods together",
					  OMEN_DEFAULT_CHUNK_SIZE,
					  OMEN_MIN_CHUNK_SIZE, OMEN_MAX_CHUNK_SIZE,
					  AccessExclusiveLock);
	add_int_reloption(om_relopt_kind, "edge_bits",
					  "Bits that code a neighbor, 0 to choose them by the dimensions",
					  0, 0, OMEN_MAX_EDGE_BITS, AccessExclusiveLock);

	DefineCustomIntVariable("omen.ef_search",
							"Sets the number of nearest candidates that a scan looks for.",
							"More candidates give a better recall and a slower scan.",
							&omen_ef_search, 40, 1, 10000,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("omen.iterative_scan",
							 "Sets whether a scan goes on when more rows are wanted than omen.ef_search.",
							 "strict_order keeps the exact order of distance, relaxed_order may return late finds out of order.",
							 &omen_iterative_scan, OMEN_ITERATIVE_STRICT,
							 om_iterative_scan_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("omen.max_scan_tuples",
							"Sets the number of rows at which an iterative scan gives up.",
							NULL,
							&omen_max_scan_tuples, 20000, 1, INT_MAX,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomRealVariable("omen.scan_mem_multiplier",
							 "Sets the multiple of work_mem at which an iterative scan gives up.",
							 NULL,
							 &omen_scan_mem_multiplier, 1, 1, 1000,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("omen.pending_limit",
							"Sets the number of rows that may wait outside the graph.",
							"Beyond it, they are built into the graph.",
							&omen_pending_limit, 2000, OMEN_FLAT_ROWS,
							1000000,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("omen.compaction_workers",
							"Sets the number of background workers that may compact omen indexes at a time.",
							"With none to be had, the insert that exceeds omen.pending_limit does it.",
							&omen_compaction_workers, 2, 0, 64,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("omen.simd",
							   "Sets the instruction set of the distance kernels.",
							   "Valid values are auto, avx512, avx2, neon and scalar.",
							   &omen_simd, "auto",
							   PGC_USERSET, 0,
							   om_check_simd, om_assign_simd, NULL);
	MarkGUCPrefixReserved("omen");
}

bytea *
OmenRelOptions(Datum reloptions, bool validate)
{
	static const relopt_parse_elt table[] = {
		{"m", RELOPT_TYPE_INT, offsetof(OmenOptions, m)},
		{"ef_construction", RELOPT_TYPE_INT,
		offsetof(OmenOptions, ef_construction)},
		{"chunk_size", RELOPT_TYPE_INT, offsetof(OmenOptions, chunk_size)},
		{"edge_bits", RELOPT_TYPE_INT, offsetof(OmenOptions, edge_bits)},
	};

	return (bytea *) build_reloptions(reloptions, validate, om_relopt_kind,
									  sizeof(OmenOptions), table,
									  lengthof(table));
}

void
OmenCheckOptions(const OmenOptions *options)
{
	if (options->ef_construction < 2 * options->m)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("ef_construction must be greater than or equal to 2 * m")));
}

OmenOptions
OmenGetOptions(Relation index)
{
	OmenOptions options = {
		0, OMEN_DEFAULT_M, OMEN_DEFAULT_EF_CONSTRUCTION,
		OMEN_DEFAULT_CHUNK_SIZE, 0
	};

	if (index->rd_options != NULL)
		options = *(OmenOptions *) index->rd_options;
	OmenCheckOptions(&options);
	return options;
}
