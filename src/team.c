/*-------------------------------------------------------------------------
 *
 * team.c
 *		Processes that work on one build together.
 *
 * A member that fails raises its error in the leader, which is a parallel
 * worker's way (access/parallel.h); the leader's abort ends the workers, who
 * notice at the next interrupt, also while they wait.  So no waiting member
 * needs to be told.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "port/atomics.h"
#include "storage/barrier.h"
#include "storage/condition_variable.h"
#include "storage/sharedfileset.h"
#include "utils/wait_event.h"

#include "team.h"

struct OmenTeamShared
{
	SharedFileSet files;
	int			most;			/* members that there may be */
	ConditionVariable met;		/* members was set */
	pg_atomic_uint32 members;	/* 0 until the first meeting */
	Barrier		barrier;
	uint64		value;			/* of OmenTeamAgree */

	/*
	 * Where the next range of a loop starts, of loops with even and with odd
	 * numbers: one is made ready while the other is in use.
	 */
	pg_atomic_uint64 next[2];
};

struct OmenTeam
{
	OmenTeamShared *shared;
	bool		leads;
	uint32		loops;			/* that the team has run so far */
};

Size
OmenTeamSize(void)
{
	return sizeof(OmenTeamShared);
}

void
OmenTeamInit(OmenTeamShared *shared, struct dsm_segment *segment, int most)
{
	SharedFileSetInit(&shared->files, segment);
	ConditionVariableInit(&shared->met);
	shared->most = most;
	pg_atomic_init_u32(&shared->members, 0);
	pg_atomic_init_u64(&shared->next[0], 0);
	pg_atomic_init_u64(&shared->next[1], 0);
	shared->value = 0;
}

OmenTeam *
OmenJoinTeam(OmenTeamShared *shared, struct dsm_segment *segment, bool leads)
{
	OmenTeam   *team = palloc0(sizeof(OmenTeam));

	if (!leads)
		SharedFileSetAttach(&shared->files, segment);
	team->shared = shared;
	team->leads = leads;
	return team;
}

void
OmenTeamMeet(OmenTeam *team, int members)
{
	OmenTeamShared *shared = team->shared;

	if (team->leads)
	{
		BarrierInit(&shared->barrier, members);
		pg_write_barrier();
		pg_atomic_write_u32(&shared->members, members);
		ConditionVariableBroadcast(&shared->met);
	}
	else
	{
		ConditionVariablePrepareToSleep(&shared->met);
		while (pg_atomic_read_u32(&shared->members) == 0)
			ConditionVariableSleep(&shared->met, PG_WAIT_EXTENSION);
		ConditionVariableCancelSleep();

		/* who sees the number sees the barrier */
		pg_read_barrier();
	}
	OmenTeamWait(team);
}

int
OmenTeamMembers(const OmenTeam *team)
{
	uint32		members;

	if (team == NULL)
		return 1;
	members = pg_atomic_read_u32(&team->shared->members);
	return members > 0 ? (int) members : team->shared->most;
}

bool
OmenTeamLeads(const OmenTeam *team)
{
	return team == NULL || team->leads;
}

void
OmenTeamWait(OmenTeam *team)
{
	if (team != NULL)
		(void) BarrierArriveAndWait(&team->shared->barrier,
									PG_WAIT_EXTENSION);
}

uint64
OmenTeamAgree(OmenTeam *team, uint64 value)
{
	if (team == NULL)
		return value;
	if (team->leads)
		team->shared->value = value;
	OmenTeamWait(team);
	value = team->shared->value;
	OmenTeamWait(team);
	return value;
}

struct FileSet *
OmenTeamFiles(OmenTeam *team)
{
	return &team->shared->files.fs;
}

/*
 * The leader puts a counter back after everybody has left its loop; nobody
 * needs it again before another loop has ended, for which the leader has to
 * come.
 */
static void
om_end_loop(OmenTeam *team)
{
	pg_atomic_uint64 *next = &team->shared->next[team->loops % 2];

	OmenTeamWait(team);
	if (team->leads)
		pg_atomic_write_u64(next, 0);
	team->loops++;
}

bool
OmenNextRange(OmenLoop *loop)
{
	OmenTeam   *team = loop->team;
	uint64		from = loop->to;

	if (team != NULL)
		from = pg_atomic_fetch_add_u64(&team->shared->next[team->loops % 2],
									   loop->step);
	if (from >= loop->n)
	{
		if (team != NULL)
			om_end_loop(team);
		return false;
	}
	loop->from = (uint32) from;
	loop->to = (uint32) Min(from + loop->step, loop->n);
	return true;
}
