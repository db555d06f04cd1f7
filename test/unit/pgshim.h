/*-------------------------------------------------------------------------
 *
 * pgshim.h
 *		The few functions of the server that the batch builder needs, for
 *		programs that are linked without one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef PGSHIM_H
#define PGSHIM_H

#include "postgres.h"

/* Start: makes CurrentMemoryContext. */
extern void ShimStart(void);

/* Bytes allocated now, and the most since the last ShimResetPeak(). */
extern Size ShimAllocated(void);
extern Size ShimPeak(void);
extern void ShimResetPeak(void);

#endif							/* PGSHIM_H */
