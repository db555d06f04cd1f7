/*-------------------------------------------------------------------------
 *
 * fault.c
 *		What happens at fault points, in builds with -DOMEN_FAULT.
 *
 * The setting omen.fault is
 *
 *		point:action[:n]
 *
 * where point is a name or "any", and n says at which passage something
 * happens, counted in each process from when the setting took effect.
 *
 *		error	raise one
 *		kill	SIGKILL to this process: the server goes down and recovers
 *		sleep	for a tenth of a second, with interrupts if these are allowed
 *		wait	as long as there is a file omen_wait in the data directory
 *		log		say which point it is, at each passage
 *
 * A point may be passed with content locks held.  Whoever sleeps or waits
 * there cannot be interrupted, and others wait for the page.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fault.h"

#ifdef OMEN_FAULT

#include <signal.h>
#include <unistd.h>

#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/wait_event.h"

#define OMEN_FAULT_NAME_SIZE	64
#define OMEN_FAULT_SLEEP_MS		100
#define OMEN_FAULT_POLL_MS		10
#define OMEN_FAULT_WAIT_FILE	"omen_wait"

typedef enum OmenFaultAction
{
	OMEN_FAULT_NONE,
	OMEN_FAULT_ERROR,
	OMEN_FAULT_KILL,
	OMEN_FAULT_SLEEP,
	OMEN_FAULT_WAIT,
	OMEN_FAULT_LOG
} OmenFaultAction;

static const char *const om_action_names[] = {
	"none", "error", "kill", "sleep", "wait", "log"
};

static char *om_fault_setting;
static char om_fault_name[OMEN_FAULT_NAME_SIZE];
static OmenFaultAction om_fault_action = OMEN_FAULT_NONE;
static int	om_fault_nth;
static int	om_fault_passed;

/* Split a setting; false if it is none. */
static bool
om_parse_fault(const char *setting, char *name, OmenFaultAction *action,
			   int *nth)
{
	char		word[OMEN_FAULT_NAME_SIZE];
	int			i;

	*nth = 1;
	*action = OMEN_FAULT_NONE;
	if (setting[0] == '\0')
		return true;
	if (sscanf(setting, "%63[^:]:%63[^:]:%d", name, word, nth) < 2)
		return false;
	for (i = 0; i < lengthof(om_action_names); i++)
		if (strcmp(word, om_action_names[i]) == 0)
		{
			*action = (OmenFaultAction) i;
			return true;
		}
	return false;
}

static bool
om_check_fault(char **newval, void **extra, GucSource source)
{
	char		name[OMEN_FAULT_NAME_SIZE];
	OmenFaultAction action;
	int			nth;

	return om_parse_fault(*newval, name, &action, &nth);
}

static void
om_assign_fault(const char *newval, void *extra)
{
	(void) om_parse_fault(newval, om_fault_name, &om_fault_action,
						  &om_fault_nth);
	om_fault_passed = 0;
}

void
OmenInitFault(void)
{
	DefineCustomStringVariable("omen.fault",
							   "Makes something happen at a fault point: point:action[:n].",
							   NULL, &om_fault_setting, "", PGC_SUSET, 0,
							   om_check_fault, om_assign_fault, NULL);
}

static void
om_pause(long ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

void
OmenFaultPoint(const char *name)
{
	if (om_fault_action == OMEN_FAULT_NONE ||
		(strcmp(om_fault_name, "any") != 0 &&
		 strcmp(om_fault_name, name) != 0))
		return;
	if (om_fault_action == OMEN_FAULT_LOG)
	{
		elog(LOG, "fault point \"%s\"", name);
		return;
	}
	if (++om_fault_passed != om_fault_nth)
		return;
	elog(LOG, "fault point \"%s\": %s", name,
		 om_action_names[om_fault_action]);
	switch (om_fault_action)
	{
		case OMEN_FAULT_ERROR:
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("fault point \"%s\" failed", name)));
			break;
		case OMEN_FAULT_KILL:
			kill(MyProcPid, SIGKILL);
			break;
		case OMEN_FAULT_SLEEP:
			om_pause(OMEN_FAULT_SLEEP_MS);
			break;
		case OMEN_FAULT_WAIT:
			while (access(OMEN_FAULT_WAIT_FILE, F_OK) == 0)
				om_pause(OMEN_FAULT_POLL_MS);
			break;
		default:
			break;
	}
}

#endif							/* OMEN_FAULT */
