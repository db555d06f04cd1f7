/*-------------------------------------------------------------------------
 *
 * record.h
 *		Changes of existing pages, logged.
 *
 *-------------------------------------------------------------------------
 */
#ifndef OMEN_RECORD_H
#define OMEN_RECORD_H

#include "storage/bufmgr.h"
#include "utils/rel.h"

typedef struct OmenRecord OmenRecord;

/* Pages that one record may change. */
#define OMEN_RECORD_PAGES	4

/*
 * One change of up to OMEN_RECORD_PAGES pages, which a crash leaves all or
 * nothing of:
 *
 *		record = OmenStartRecord(index);
 *		page = OmenRecordPage(record, buffer, false);
 *		... change page, which is a copy ...
 *		OmenFinishRecord(record);
 *
 * The buffers are locked exclusively throughout.  A page whose content so far
 * has no meaning is registered as a new one.  A record that is not finished
 * has no effect and costs nothing, so that an error may be raised in between;
 * there is only one at a time.
 */
extern OmenRecord *OmenStartRecord(Relation index);
extern Page OmenRecordPage(OmenRecord *record, Buffer buffer, bool is_new);
extern void OmenFinishRecord(OmenRecord *record);

#endif							/* OMEN_RECORD_H */
