/*-------------------------------------------------------------------------
 *
 * fault.h
 *		Places where a test build can be made to fail.
 *
 * A fault point is a name in the middle of a step: before or after a page is
 * written, a WAL record, a reservation of space, an allocation.  In a build
 * with -DOMEN_FAULT the setting omen.fault says at which of them something
 * happens, and what (fault.c); in every other build a point is nothing.
 *
 * test/reliability goes through all points that it finds in the sources, so a
 * new one needs no more than its line and a name of its own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_FAULT_H
#define OMEN_FAULT_H

#ifdef OMEN_FAULT

#define OMEN_FAULT_POINT(name)	OmenFaultPoint(name)

/*
 * Do what the setting says, if it names this point.  Must not be called in a
 * critical section, where an error would be a PANIC.
 */
extern void OmenFaultPoint(const char *name);

/* Define the setting; once, at load time, before its prefix is reserved. */
extern void OmenInitFault(void);

#else

#define OMEN_FAULT_POINT(name)	((void) 0)
#define OmenInitFault()			((void) 0)

#endif							/* OMEN_FAULT */

#endif							/* OMEN_FAULT_H */
