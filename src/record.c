/*-------------------------------------------------------------------------
 *
 * record.c
 *		Changes of existing pages, logged.
 *
 * The WAL records are those of PostgreSQL's generic WAL (RM_GENERIC_ID), so
 * that the server replays them without knowing this extension; its
 * documentation of the record says: per page, pieces of offset, length and
 * bytes, and what lies between pd_lower and pd_upper is zero afterwards.
 *
 * They are not made by GenericXLogFinish, because that compares pages byte by
 * byte.  With the metapage, a page to append to and a new page it takes longer
 * than all the rest of an insert.  Here pages are compared by cache lines, and
 * the copies lie in memory that is there once and for all.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/generic_xlog.h"
#include "access/rmgr.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "miscadmin.h"

#include "record.h"

/* Bytes that are compared at a time. */
#define OMEN_COMPARE_STEP	64

StaticAssertDecl(BLCKSZ % OMEN_COMPARE_STEP == 0, "pages end within a step");
StaticAssertDecl(OMEN_RECORD_PAGES <= MAX_GENERIC_XLOG_PAGES,
				 "a record changes more pages than replay can");

/* Offset and length of a piece, both OffsetNumber, come before its bytes. */
#define OMEN_PIECE_HEADER	(2 * sizeof(OffsetNumber))

/* There is at most one piece a step, and two more where the hole was. */
#define OMEN_MAX_DELTA \
	(BLCKSZ + (BLCKSZ / OMEN_COMPARE_STEP + 4) * OMEN_PIECE_HEADER)

typedef struct OmenRecordedPage
{
	Buffer		buffer;
	bool		is_new;
	uint32		delta_size;
	char		delta[OMEN_MAX_DELTA];
} OmenRecordedPage;

struct OmenRecord
{
	bool		logged;
	int			npages;
	OmenRecordedPage pages[OMEN_RECORD_PAGES];
	PGAlignedBlock images[OMEN_RECORD_PAGES];
};

/* Large, and wanted often: so it is kept. */
static OmenRecord om_record;

OmenRecord *
OmenStartRecord(Relation index)
{
	om_record.logged = RelationNeedsWAL(index);
	om_record.npages = 0;
	return &om_record;
}

Page
OmenRecordPage(OmenRecord *record, Buffer buffer, bool is_new)
{
	int			i = record->npages;

	if (i == OMEN_RECORD_PAGES)
		elog(ERROR, "too many pages in a record");
	record->pages[i].buffer = buffer;
	record->pages[i].is_new = is_new;
	record->pages[i].delta_size = 0;
	if (!is_new)
		memcpy(record->images[i].data, BufferGetPage(buffer), BLCKSZ);
	record->npages++;
	return (Page) record->images[i].data;
}

/* Add the bytes of the image from "from" to "to" to the delta. */
static void
om_add_piece(OmenRecordedPage *page, const char *image, uint32 from, uint32 to)
{
	OffsetNumber offset = from;
	OffsetNumber length = to - from;
	char	   *out = page->delta + page->delta_size;

	memcpy(out, &offset, sizeof(offset));
	memcpy(out + sizeof(offset), &length, sizeof(length));
	memcpy(out + OMEN_PIECE_HEADER, image + from, length);
	page->delta_size += OMEN_PIECE_HEADER + length;
}

/* Add what differs between "from" and "to", as one piece a step at most. */
static void
om_compare(OmenRecordedPage *page, const char *old, const char *image,
		   uint32 from, uint32 to)
{
	while (from < to)
	{
		uint32		next = Min(TYPEALIGN_DOWN(OMEN_COMPARE_STEP, from) +
							   OMEN_COMPARE_STEP, to);
		uint32		last = next;

		if (memcmp(old + from, image + from, next - from) != 0)
		{
			while (old[from] == image[from])
				from++;
			while (old[last - 1] == image[last - 1])
				last--;
			om_add_piece(page, image, from, last);
		}
		from = next;
	}
}

/*
 * What replay has to do to a page.  It knows nothing of what was in the hole
 * before, so bytes that belong to it no longer are always part of the delta.
 */
static void
om_make_delta(OmenRecordedPage *page, const char *image)
{
	const char *old = BufferGetPage(page->buffer);
	uint32		old_lower = ((const PageHeaderData *) old)->pd_lower;
	uint32		old_upper = ((const PageHeaderData *) old)->pd_upper;
	uint32		lower = ((const PageHeaderData *) image)->pd_lower;
	uint32		upper = ((const PageHeaderData *) image)->pd_upper;

	om_compare(page, old, image, 0, Min(lower, old_lower));
	if (lower > old_lower)
		om_add_piece(page, image, old_lower, lower);
	if (upper < old_upper)
		om_add_piece(page, image, upper, old_upper);
	om_compare(page, old, image, Max(upper, old_upper), BLCKSZ);
}

void
OmenFinishRecord(OmenRecord *record)
{
	XLogRecPtr	lsn;
	int			i;

	for (i = 0; i < record->npages; i++)
	{
		char	   *image = record->images[i].data;
		PageHeader	header = (PageHeader) image;

		memset(image + header->pd_lower, 0,
			   header->pd_upper - header->pd_lower);
		if (record->logged && !record->pages[i].is_new)
			om_make_delta(&record->pages[i], image);
	}

	if (record->logged)
		XLogBeginInsert();
	START_CRIT_SECTION();
	for (i = 0; i < record->npages; i++)
	{
		OmenRecordedPage *page = &record->pages[i];

		memcpy(BufferGetPage(page->buffer), record->images[i].data, BLCKSZ);
		MarkBufferDirty(page->buffer);
		if (!record->logged)
			continue;
		XLogRegisterBuffer(i, page->buffer, page->is_new ?
						   REGBUF_FORCE_IMAGE | REGBUF_STANDARD :
						   REGBUF_STANDARD);
		if (!page->is_new)
			XLogRegisterBufData(i, page->delta, page->delta_size);
	}
	if (record->logged)
	{
		lsn = XLogInsert(RM_GENERIC_ID, 0);
		for (i = 0; i < record->npages; i++)
			PageSetLSN(BufferGetPage(record->pages[i].buffer), lsn);
	}
	END_CRIT_SECTION();
}
