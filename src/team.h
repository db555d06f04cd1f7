/*-------------------------------------------------------------------------
 *
 * team.h
 *		Processes that work on one build together.
 *
 * All members of a team run the same code on the same arrays (OmenStoreShare).
 * What is done in loops is divided among them, task by task, as each comes for
 * the next; what is not, is done by the leader while the others wait.  So the
 * members have to meet at the same places in the same order: at the end of
 * each loop, where an array is made, and wherever OmenTeamWait or
 * OmenTeamAgree stands.
 *
 * NULL is a team of one.  A team that has not met yet may work without meeting
 * places: while the table is scanned, workers join as they come.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_TEAM_H
#define OMEN_TEAM_H

#include "postgres.h"

struct dsm_segment;
struct FileSet;

typedef struct OmenTeam OmenTeam;
typedef struct OmenTeamShared OmenTeamShared;

/* Bytes of shared memory for a team. */
extern Size OmenTeamSize(void);

/*
 * Set up the shared memory of a team of at most "most" members, by its leader;
 * its files vanish with the segment that it lies in.
 */
extern void OmenTeamInit(OmenTeamShared *shared, struct dsm_segment *segment,
						 int most);

/*
 * A process's place in a team, allocated in CurrentMemoryContext.  Workers
 * also name the segment.
 */
extern OmenTeam *OmenJoinTeam(OmenTeamShared *shared,
							  struct dsm_segment *segment, bool leads);

/*
 * The first meeting: the leader says how many members there are, itself
 * included (workers: 0), and workers wait until it has.  All have to have been
 * started by then.
 */
extern void OmenTeamMeet(OmenTeam *team, int members);

/* Members of a team, before it has met at most; which one leads. */
extern int	OmenTeamMembers(const OmenTeam *team);
extern bool OmenTeamLeads(const OmenTeam *team);

/*
 * Wait until all members are here.  What they wrote before is seen by all
 * afterwards.  Accepts interrupts, so a member that fails does not leave the
 * others waiting.
 */
extern void OmenTeamWait(OmenTeam *team);

/* The leader's value, to all members. */
extern uint64 OmenTeamAgree(OmenTeam *team, uint64 value);

/* The files that the team shares. */
extern struct FileSet *OmenTeamFiles(OmenTeam *team);

/*
 * A loop over 0 .. n - 1 that the members share, in ranges of "step":
 *
 *		OmenStartLoop(team, n, step, &loop);
 *		while (OmenNextRange(&loop))
 *			... loop.from to loop.to - 1 ...
 *
 * Each range is given to one member.  It ends when all are done.
 */
typedef struct OmenLoop
{
	OmenTeam   *team;
	uint32		n;
	uint32		step;
	uint32		from;
	uint32		to;
} OmenLoop;

static inline void
OmenStartLoop(OmenTeam *team, uint32 n, uint32 step, OmenLoop *loop)
{
	loop->team = team;
	loop->n = n;
	loop->step = step;
	loop->from = 0;
	loop->to = 0;
}

extern bool OmenNextRange(OmenLoop *loop);

#endif							/* OMEN_TEAM_H */
