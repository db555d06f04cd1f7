/*-------------------------------------------------------------------------
 *
 * denseio.c
 *		Input and output of vector and halfvec, as text and in binary.
 *
 * Text is '[1,2.5,-3]': numbers as strtof() reads them, white space anywhere
 * between the parts.  Binary is the number of dimensions and a zero, 16 bits
 * each, followed by the elements, everything in network byte order.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/shortest_dec.h"
#include "libpq/pqformat.h"
#include "port/pg_bswap.h"
#include "storage/shmem.h"		/* for add_size() and mul_size() */
#include "types/dense.h"
#include "utils/array.h"

/* White space as the SQL scanner of PostgreSQL 17 sees it. */
static inline const char *
om_skip_space(const char *s)
{
	while (*s == ' ' || (*s >= '\t' && *s <= '\r'))
		s++;
	return s;
}

static void
om_syntax_error(const OmenDenseType *type, const char *literal,
				const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%s\"",
					type->name, literal),
			 detail ? errdetail("%s", detail) : 0));
}

/*
 * Read one number at s (of literal, which is for messages) and return what
 * follows it.
 *
 * The server keeps LC_NUMERIC at "C", so the decimal point is a point.
 * strtof() rather than strtod() saves a second rounding.
 */
static const char *
om_parse_number(const OmenDenseType *type, const char *literal,
				const char *s, float *x)
{
	char	   *end;

	errno = 0;
	*x = strtof(s, &end);
	if (end == s)
		om_syntax_error(type, literal, NULL);

	/* Too small a number also gives ERANGE, but is read as zero. */
	if ((errno == ERANGE && isinf(*x)) || OmenDenseOverflows(type, *x))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("\"%s\" is out of range for type %s",
						pnstrdup(s, end - s), type->name)));
	OmenDenseCheckFinite(type, *x);
	return end;
}

/*
 * Read the numbers after the opening bracket, up to and including the closing
 * one, into x, which has room for OMEN_DENSE_MAX_DIM of them or for one more
 * than literal has commas.  Returns what follows.
 */
static const char *
om_parse_numbers(const OmenDenseType *type, const char *literal,
				 const char *s, float *x, int *dim)
{
	int			n = 0;

	s = om_skip_space(s);
	if (*s == ']')
		OmenDenseCheckDim(type, 0);

	for (;;)
	{
		OmenDenseCheckDim(type, n + 1);
		s = om_parse_number(type, literal, om_skip_space(s), &x[n++]);
		s = om_skip_space(s);
		if (*s != ',')
			break;
		s++;
	}
	if (*s != ']')
		om_syntax_error(type, literal, NULL);
	*dim = n;
	return s + 1;
}

static int
om_count_commas(const char *s)
{
	int			n = 0;

	for (; *s; s++)
		n += (*s == ',');
	return n;
}

static Datum
om_in(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	const char *literal = PG_GETARG_CSTRING(0);
	int32		typmod = PG_GETARG_INT32(2);
	int			room = Min(om_count_commas(literal) + 1, OMEN_DENSE_MAX_DIM);
	float	   *x = palloc(mul_size(sizeof(float), room));
	const char *s = om_skip_space(literal);
	int			dim;

	if (*s != '[')
		om_syntax_error(type, literal,
						"Vector contents must start with \"[\".");
	s = om_parse_numbers(type, literal, s + 1, x, &dim);
	if (*om_skip_space(s) != '\0')
		om_syntax_error(type, literal, "Junk after closing right brace.");
	OmenDenseCheckTypmod(typmod, dim);

	PG_RETURN_POINTER(OmenDenseFromFloats(type, dim, x));
}

OMEN_DENSE_FUNCTION(in);

/*
 * The shortest text that reads back as the same float.  For a half that is
 * longer than need be, but it is what clients expect.
 */
static Datum
om_out(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	OmenDense  *v = OMEN_GETARG_DENSE(type, 0);
	const float *x = OmenDenseFloats(type, v);
	char	   *result;
	char	   *s;
	int			i;

	/* FLOAT_SHORTEST_DECIMAL_LEN has room for the comma */
	result = palloc(add_size(mul_size(FLOAT_SHORTEST_DECIMAL_LEN, v->dim), 3));
	s = result;
	*s++ = '[';
	for (i = 0; i < v->dim; i++)
	{
		if (i > 0)
			*s++ = ',';
		s += float_to_shortest_decimal_bufn(x[i], s);
	}
	*s++ = ']';
	*s = '\0';

	PG_RETURN_CSTRING(result);
}

OMEN_DENSE_FUNCTION(out);

/* Copy n elements, from or to network byte order. */
static void
om_swap(const OmenDenseType *type, int n, const char *from, char *to)
{
	int			i;

	for (i = 0; i < n; i++, from += type->width, to += type->width)
	{
		if (type->is_half)
		{
			uint16		bits;

			memcpy(&bits, from, sizeof(bits));
			bits = pg_hton16(bits);
			memcpy(to, &bits, sizeof(bits));
		}
		else
		{
			uint32		bits;

			memcpy(&bits, from, sizeof(bits));
			bits = pg_hton32(bits);
			memcpy(to, &bits, sizeof(bits));
		}
	}
}

static Datum
om_recv(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int32		typmod = PG_GETARG_INT32(2);
	int16		dim = (int16) pq_getmsgint(buf, sizeof(int16));
	int16		unused = (int16) pq_getmsgint(buf, sizeof(int16));
	const char *elements;
	OmenDense  *v;

	OmenDenseCheckDim(type, dim);
	OmenDenseCheckTypmod(typmod, dim);
	if (unused != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected unused to be 0, not %d", unused)));

	/* This complains if there are too few bytes. */
	elements = pq_getmsgbytes(buf, type->width * dim);
	if (buf->cursor != buf->len)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("incorrect binary data format")));

	v = OmenDenseNew(type, dim);
	om_swap(type, dim, elements, v->data);
	OmenDenseCheckFloats(type, dim, OmenDenseFloats(type, v));

	PG_RETURN_POINTER(v);
}

OMEN_DENSE_FUNCTION(recv);

static Datum
om_send(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	OmenDense  *v = OMEN_GETARG_DENSE(type, 0);
	Size		bytes = mul_size(type->width, v->dim);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendint16(&buf, v->dim);
	pq_sendint16(&buf, v->unused);
	enlargeStringInfo(&buf, bytes);
	om_swap(type, v->dim, v->data, buf.data + buf.len);
	buf.len += bytes;

	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

OMEN_DENSE_FUNCTION(send);

/* The n of vector(n). */
static Datum
om_typmod_in(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	int			n;
	int32	   *typmods = ArrayGetIntegerTypmods(PG_GETARG_ARRAYTYPE_P(0), &n);

	if (n != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid type modifier")));
	if (typmods[0] < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimensions for type %s must be at least 1",
						type->name)));
	if (typmods[0] > OMEN_DENSE_MAX_DIM)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimensions for type %s cannot exceed %d",
						type->name, OMEN_DENSE_MAX_DIM)));

	PG_RETURN_INT32(typmods[0]);
}

OMEN_DENSE_FUNCTION(typmod_in);
