/*-------------------------------------------------------------------------
 *
 * watch.c
 *		Does anybody wait for a lock that this backend holds?
 *
 * Weak locks on relations are left out: the lock manager cannot tell whether
 * anybody waits for one, since it may not be in the shared table, and an
 * inserter keeps its own until the end of its transaction anyway.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_database.h"
#include "miscadmin.h"

#include "compat.h"
#include "page.h"
#include "watch.h"

#define OMEN_LOOK_INTERVAL_MS	50

static void
om_watch(OmenWatch *watch, const LOCKTAG *tag, LOCKMODE mode)
{
	if (!OmenLockHeldByMe(tag, mode))
		return;
	watch->tags[watch->nlocks] = *tag;
	watch->modes[watch->nlocks] = mode;
	watch->nlocks++;
}

void
OmenStartWatch(Relation index, OmenWatch *watch)
{
	const LockRelId *id = &index->rd_lockInfo.lockRelId;
	LOCKTAG		tag;

	memset(watch, 0, sizeof(OmenWatch));
	SET_LOCKTAG_PAGE(tag, id->dbId, id->relId, OMEN_METAPAGE);
	om_watch(watch, &tag, ExclusiveLock);
	SET_LOCKTAG_RELATION(tag, id->dbId, id->relId);
	om_watch(watch, &tag, ShareUpdateExclusiveLock);
	SET_LOCKTAG_RELATION(tag, id->dbId, index->rd_index->indrelid);
	om_watch(watch, &tag, ShareUpdateExclusiveLock);
	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, MyDatabaseId, 0);
	om_watch(watch, &tag, RowExclusiveLock);
}

bool
OmenSomebodyWaits(OmenWatch *watch)
{
	TimestampTz now = GetCurrentTimestamp();
	int			i;

	if (now < watch->next)
		return false;
	watch->next = TimestampTzPlusMilliseconds(now, OMEN_LOOK_INTERVAL_MS);
	for (i = 0; i < watch->nlocks; i++)
		if (LockHasWaiters(&watch->tags[i], watch->modes[i], false))
			return true;
	return false;
}
