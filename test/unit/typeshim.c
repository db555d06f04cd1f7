/*-------------------------------------------------------------------------
 *
 * typeshim.c
 *		Errors, messages, arrays and varlenas, as far as types need them.
 *
 * An error ends the call of ShimCall() that it was raised in, as one in the
 * server ends a statement.  What is not needed by any test that uses this file
 * aborts.
 *
 *-------------------------------------------------------------------------
 */
#include "typeshim.h"

#include <setjmp.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

static sigjmp_buf shim_handler;
static int	shim_state;
static char shim_message[1024];

/*
 * Errors
 */

bool
ShimCall(PGFunction function, int n, const Datum *args, Datum *result)
{
	LOCAL_FCINFO(fcinfo, 4);
	int			i;

	InitFunctionCallInfoData(*fcinfo, NULL, n, InvalidOid, NULL, NULL);
	for (i = 0; i < n; i++)
	{
		fcinfo->args[i].value = args[i];
		fcinfo->args[i].isnull = false;
	}
	if (sigsetjmp(shim_handler, 0) != 0)
		return false;
	*result = function(fcinfo);
	return true;
}

int
ShimState(void)
{
	return shim_state;
}

bool
errstart(int elevel, const char *domain)
{
	shim_state = ERRCODE_INTERNAL_ERROR;
	return true;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

int
errcode(int sqlerrcode)
{
	shim_state = sqlerrcode;
	return 0;
}

/* Nobody reads a message, but what goes into it is read. */
#define SHIM_MESSAGE(name) \
int \
name(const char *fmt,...) \
{ \
	va_list		args; \
\
	va_start(args, fmt); \
	vsnprintf(shim_message, sizeof(shim_message), fmt, args); \
	va_end(args); \
	return 0; \
}

SHIM_MESSAGE(errmsg)
SHIM_MESSAGE(errmsg_internal)
SHIM_MESSAGE(errdetail)

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	siglongjmp(shim_handler, 1);
}

void
float_overflow_error(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("value out of range: overflow")));
	pg_unreachable();
}

void
float_underflow_error(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("value out of range: underflow")));
	pg_unreachable();
}

/*
 * Memory
 */

void *
repalloc(void *pointer, Size size)
{
	return repalloc_huge(pointer, size);
}

char *
pnstrdup(const char *in, Size len)
{
	Size		length = strnlen(in, len);
	char	   *copy = palloc(length + 1);

	memcpy(copy, in, length);
	copy[length] = '\0';
	return copy;
}

/*
 * A value with the header of four bytes, which one that comes from a table
 * need not have.  Nothing here is compressed or elsewhere.
 */
struct varlena *
pg_detoast_datum(struct varlena *datum)
{
	Size		bytes;
	struct varlena *value;

	if (!VARATT_IS_SHORT(datum))
		return datum;
	bytes = VARSIZE_ANY_EXHDR(datum);
	value = palloc(VARHDRSZ + bytes);
	SET_VARSIZE(value, VARHDRSZ + bytes);
	memcpy(VARDATA(value), VARDATA_SHORT(datum), bytes);
	return value;
}

struct varlena *
pg_detoast_datum_copy(struct varlena *datum)
{
	struct varlena *value = pg_detoast_datum(datum);

	if (value != datum)
		return value;
	value = palloc(VARSIZE(datum));
	memcpy(value, datum, VARSIZE(datum));
	return value;
}

/*
 * Messages
 */

const char *
pq_getmsgbytes(StringInfo msg, int datalen)
{
	msg->cursor += datalen;
	if (datalen < 0 || msg->cursor > msg->len)
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("insufficient data left in message")));
	return msg->data + msg->cursor - datalen;
}

unsigned int
pq_getmsgint(StringInfo msg, int b)
{
	const char *bytes = pq_getmsgbytes(msg, b);
	unsigned int number = 0;

	for (; b > 0; b--)
		number = number << 8 | (unsigned char) *bytes++;
	return number;
}

void
pq_begintypsend(StringInfo buf)
{
	initStringInfo(buf);
	enlargeStringInfo(buf, VARHDRSZ);
	buf->len = VARHDRSZ;
}

bytea *
pq_endtypsend(StringInfo buf)
{
	SET_VARSIZE(buf->data, buf->len);
	return (bytea *) buf->data;
}

/*
 * Arrays.  Those of the tests have a bitmap of nulls only if there is one.
 */

int
ArrayGetNItems(int ndim, const int *dims)
{
	int			n = ndim > 0;
	int			i;

	for (i = 0; i < ndim; i++)
		n *= dims[i];
	return n;
}

bool
array_contains_nulls(ArrayType *array)
{
	return ARR_HASNULL(array);
}

ArrayType *
construct_array(Datum *elems, int nelems, Oid elmtype,
				int elmlen, bool elmbyval, char elmalign)
{
	Size		size = ARR_OVERHEAD_NONULLS(1) + nelems * sizeof(float4);
	ArrayType  *array = palloc0(size);
	int			i;

	if (elmtype != FLOAT4OID)
		abort();
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->elemtype = elmtype;
	ARR_DIMS(array)[0] = nelems;
	ARR_LBOUND(array)[0] = 1;
	for (i = 0; i < nelems; i++)
		((float4 *) ARR_DATA_PTR(array))[i] = DatumGetFloat4(elems[i]);
	return array;
}

void
deconstruct_array(ArrayType *array, Oid elmtype, int elmlen, bool elmbyval,
				  char elmalign, Datum **elemsp, bool **nullsp, int *nelemsp)
{
	abort();
}

int32 *
ArrayGetIntegerTypmods(ArrayType *arr, int *n)
{
	abort();
}

/*
 * Functions
 */

Datum
numeric_float4(PG_FUNCTION_ARGS)
{
	abort();
}

Datum
DirectFunctionCall1Coll(PGFunction func, Oid collation, Datum arg1)
{
	abort();
}

int
AggCheckCallContext(FunctionCallInfo fcinfo, MemoryContext *aggcontext)
{
	return 0;
}
