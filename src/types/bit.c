/*-------------------------------------------------------------------------
 *
 * bit.c
 *		Distances between bit strings.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "port/pg_bitutils.h"
#include "utils/varbit.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* How many bits are set in a, in b, and in both. */
typedef struct OmBitCounts
{
	uint64		a;
	uint64		b;
	uint64		both;
} OmBitCounts;

static inline void
om_count_word(uint64 a, uint64 b, OmBitCounts *counts)
{
	counts->a += pg_popcount64(a);
	counts->b += pg_popcount64(b);
	counts->both += pg_popcount64(a & b);
}

/* Count n bytes: what is left after the last whole word, padded with zeros. */
static OmBitCounts
om_count(int n, const bits8 *a, const bits8 *b)
{
	OmBitCounts counts = {0, 0, 0};
	int			i;

	for (i = 0; i < n; i += sizeof(uint64))
	{
		Size		bytes = Min(n - i, (int) sizeof(uint64));
		uint64		x = 0;
		uint64		y = 0;

		memcpy(&x, a + i, bytes);
		memcpy(&y, b + i, bytes);
		om_count_word(x, y, &counts);
	}
	return counts;
}

/*
 * A bit string of as many bytes as its bits take, or an error (XX001).  As
 * with vectors, a cast WITHOUT FUNCTION or a damaged page can bring another.
 */
static VarBit *
om_bits_from_datum(Datum datum)
{
	VarBit	   *v = DatumGetVarBitP(datum);

	if (VARSIZE(v) < VARBITTOTALLEN(0) ||
		VARBITLEN(v) < 0 || VARBITLEN(v) > VARBITMAXLEN ||
		VARSIZE(v) != VARBITTOTALLEN(VARBITLEN(v)))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("malformed value of type bit"),
				 errdetail("Its length of %zu bytes does not fit its bits.",
						   (Size) VARSIZE(v))));
	return v;
}

/* The bits that pad the last byte of a bit string are zero. */
static OmBitCounts
om_count_arguments(FunctionCallInfo fcinfo)
{
	VarBit	   *a = om_bits_from_datum(PG_GETARG_DATUM(0));
	VarBit	   *b = om_bits_from_datum(PG_GETARG_DATUM(1));

	if (VARBITLEN(a) != VARBITLEN(b))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different bit lengths %u and %u",
						VARBITLEN(a), VARBITLEN(b))));
	return om_count(VARBITBYTES(a), VARBITS(a), VARBITS(b));
}

/* Number of bits that differ. */
PG_FUNCTION_INFO_V1(omen_hamming_distance);
Datum
omen_hamming_distance(PG_FUNCTION_ARGS)
{
	OmBitCounts counts = om_count_arguments(fcinfo);

	PG_RETURN_FLOAT8((double) (counts.a + counts.b - 2 * counts.both));
}

/*
 * One minus the share of the bits set in either string that are set in both;
 * 1 if there is none, also where both strings are zero.
 */
PG_FUNCTION_INFO_V1(omen_jaccard_distance);
Datum
omen_jaccard_distance(PG_FUNCTION_ARGS)
{
	OmBitCounts counts = om_count_arguments(fcinfo);

	if (counts.both == 0)
		PG_RETURN_FLOAT8(1.0);
	PG_RETURN_FLOAT8(1.0 - (double) counts.both /
					 (double) (counts.a + counts.b - counts.both));
}
