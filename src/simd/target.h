/*-------------------------------------------------------------------------
 *
 * target.h
 *		Regions of a file that are compiled for a larger instruction set.
 *
 * PGXS compiles each file twice, to an object with the server's compiler and
 * to bitcode with clang, and knows no flags for single files.  So the
 * instruction set is part of the source: functions between OM_TARGET_BEGIN
 * ("...") and OM_TARGET_END are compiled for the named features.  Whoever
 * calls one must have asked the CPU first (see dispatch.c).  System headers
 * are to be included before the region, never inside.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_TARGET_H
#define OMEN_TARGET_H

#define OM_PRAGMA(text)		_Pragma(#text)

#if defined(__clang__)
#define OM_TARGET_BEGIN(features) \
	OM_PRAGMA(clang attribute push(__attribute__((target(features))), \
								   apply_to = function))
#define OM_TARGET_END		OM_PRAGMA(clang attribute pop)
#else
#define OM_TARGET_BEGIN(features) \
	OM_PRAGMA(GCC push_options) OM_PRAGMA(GCC target(features))
#define OM_TARGET_END		OM_PRAGMA(GCC pop_options)
#endif

/* For functions that must melt into their caller to be of use. */
#define OM_INLINE			static inline __attribute__((always_inline))

#endif							/* OMEN_TARGET_H */
