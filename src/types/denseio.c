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

#include <float.h>

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

/* Read digits after those that *number has, and return what follows. */
static inline const char *
om_read_digits(const char *s, uint64 *number)
{
	while (*s >= '0' && *s <= '9')
		*number = *number * 10 + (*s++ - '0');
	return s;
}

/*
 * Read digits[.digits] as *digits * 10^*exponent, and return what follows, or
 * NULL if there is no digit or *digits may have overflowed.
 */
static inline const char *
om_read_decimal(const char *s, uint64 *digits, int *exponent)
{
	const char *whole = s;
	const char *point;

	*digits = 0;
	*exponent = 0;
	point = s = om_read_digits(s, digits);
	if (*point == '.')
		s = om_read_digits(point + 1, digits);
	if (s - whole > 19 || (s - whole) - (*point == '.') < 1)
		return NULL;
	if (*point == '.')
		*exponent = (int) (point + 1 - s);
	return s;
}

/*
 * Read e[sign]digits, if there is such a thing, add it to *exponent, and
 * return what follows, or NULL if it is not of one or two digits.
 */
static inline const char *
om_read_exponent(const char *s, int *exponent)
{
	bool		negative;
	uint64		power = 0;
	const char *start;

	if (*s != 'e' && *s != 'E')
		return s;
	s++;
	negative = (*s == '-');
	if (*s == '-' || *s == '+')
		s++;
	start = s;
	s = om_read_digits(s, &power);
	if (s == start || s - start > 2)
		return NULL;
	*exponent += negative ? -(int) power : (int) power;
	return s;
}

/*
 * The float nearest to digits * 10^exponent, or false if it is not certain
 * which one that is.
 *
 * A whole number up to 2^53 and a power of ten up to 10^22 are exact as
 * doubles, so their product or quotient is within half a unit of the last
 * place (W. Clinger, "How to Read Floating Point Numbers Accurately", 1990).
 * Rounding that to a float is right unless it lies next to the middle between
 * two floats, which shows in the 29 bits that a float drops.  Those are other
 * bits where floats are denormal, so that is left out.
 */
static inline bool
om_nearest_float(uint64 digits, int exponent, float *x)
{
	static const double power_of_ten[] = {
		1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
	};
	double		value;
	uint64		bits;

	if (digits > (UINT64CONST(1) << 53) || exponent < -22 || exponent > 22)
		return false;
	value = exponent < 0 ? (double) digits / power_of_ten[-exponent] :
		(double) digits * power_of_ten[exponent];
	if (digits != 0 && (value < FLT_MIN || value > FLT_MAX))
		return false;
	memcpy(&bits, &value, sizeof(bits));
	bits &= 0x1FFFFFFF;
	if (bits >= 0x0FFFFFFF && bits <= 0x10000001)
		return false;
	*x = (float) value;
	return true;
}

/*
 * Read a number of the form [-]digits[.digits][e[sign]digits], followed by a
 * comma or the closing bracket, and return what follows; or return NULL.  The
 * result is that of strtof(), in a fraction of the time.
 */
static const char *
om_parse_quickly(const char *s, float *x)
{
	bool		negative = (*s == '-');
	uint64		digits;
	int			exponent;

	s = om_read_decimal(s + negative, &digits, &exponent);
	if (s != NULL)
		s = om_read_exponent(s, &exponent);
	if (s == NULL || (*s != ',' && *s != ']') ||
		!om_nearest_float(digits, exponent, x))
		return NULL;
	if (negative)
		*x = -*x;
	return s;
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
	const char *start = s;
	char	   *end;

	s = om_parse_quickly(start, x);
	errno = 0;
	if (s == NULL)
	{
		*x = strtof(start, &end);
		s = end;
	}
	if (s == start)
		om_syntax_error(type, literal, NULL);

	/* Too small a number also gives ERANGE, but is read as zero. */
	if ((errno == ERANGE && isinf(*x)) || OmenDenseOverflows(type, *x))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("\"%s\" is out of range for type %s",
						pnstrdup(start, s - start), type->name)));
	OmenDenseCheckFinite(type, *x);
	return s;
}

/*
 * Read the numbers after the opening bracket, up to and including the closing
 * one, into x, which has room for OMEN_DENSE_MAX_DIM of them, or for all that
 * literal can hold, as each takes two bytes with its comma.  Returns what
 * follows.
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

static Datum
om_in(FunctionCallInfo fcinfo, const OmenDenseType *type)
{
	const char *literal = PG_GETARG_CSTRING(0);
	int32		typmod = PG_GETARG_INT32(2);
	Size		room = Min(strlen(literal) / 2 + 1, OMEN_DENSE_MAX_DIM);
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
