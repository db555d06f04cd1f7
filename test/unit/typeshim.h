/*-------------------------------------------------------------------------
 *
 * typeshim.h
 *		What the types need of the server besides memory (pgshim.h), for
 *		programs that are linked without one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TYPESHIM_H
#define TYPESHIM_H

#include "postgres.h"

#include "fmgr.h"

/*
 * Call a function with n arguments, none of which is null.  True if it
 * returned, with what it returned; false if it raised an error, whose SQLSTATE
 * ShimState() then returns.
 */
extern bool ShimCall(PGFunction function, int n, const Datum *args,
					 Datum *result);
extern int	ShimState(void);

#endif							/* TYPESHIM_H */
