/*-------------------------------------------------------------------------
 *
 * version.c
 *		What this library was built from.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "omenversion.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(omenvec_version);
Datum
omenvec_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(OMENVEC_VERSION
									 " (git " OMENVEC_GIT ")"));
}
