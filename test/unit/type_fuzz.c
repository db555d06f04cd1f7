/*-------------------------------------------------------------------------
 *
 * type_fuzz.c
 *		Any input for the functions of vector, halfvec and of bit strings,
 *		made by libFuzzer.
 *
 * The first byte of an input says what is done, the second how, and the rest
 * is what it is done to.  Nothing may be read beyond a value, which
 * AddressSanitizer sees, since each lies in memory of exactly its size; errors
 * have SQLSTATEs that are to be expected; and a value that was accepted is the
 * same after output and input, as text and in binary, and after casts to and
 * fro.  What a cast must give is computed here in another way.
 *
 *-------------------------------------------------------------------------
 */
#include "pgshim.h"
#include "typeshim.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "port/pg_bswap.h"
#include "simd/simd.h"
#include "types/halfvec.h"
#include "types/vector.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/varbit.h"

extern int	LLVMFuzzerInitialize(int *argc, char ***argv);
extern int	LLVMFuzzerTestOneInput(const uint8 *data, size_t size);
extern size_t LLVMFuzzerMutate(uint8 *data, size_t size, size_t max);
extern size_t LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max,
									  unsigned int seed);

/* The functions of both types, by the number of values that they take. */
#define FUZZ_UNARY(X, type) \
	X(type, norm) X(type, normalize) X(type, dims) X(type, binary_quantize)
#define FUZZ_BINARY(X, type) \
	X(type, l2_distance) X(type, l2_squared_distance) X(type, inner_product) \
	X(type, negative_inner_product) X(type, cosine_distance) \
	X(type, spherical_distance) X(type, l1_distance) \
	X(type, add) X(type, sub) X(type, mul) X(type, concat) \
	X(type, lt) X(type, le) X(type, eq) X(type, ne) X(type, ge) X(type, gt) \
	X(type, cmp)
#define FUZZ_OTHER(X, type) \
	X(type, in) X(type, out) X(type, recv) X(type, send) X(type, coerce) \
	X(type, from_dense) X(type, from_array) X(type, to_float4) \
	X(type, accum) X(type, avg) X(type, subvector)

#define FUZZ_DECLARE(type, name) \
	extern Datum omen_##type##_##name(PG_FUNCTION_ARGS);
#define FUZZ_MEMBER(type, name) PGFunction name;
#define FUZZ_ASSIGN(type, name) .name = omen_##type##_##name,
#define FUZZ_NAME(type, name) omen_##type##_##name,

#define FUZZ_ALL(X, type) \
	FUZZ_UNARY(X, type) FUZZ_BINARY(X, type) FUZZ_OTHER(X, type)

/* *INDENT-OFF* */
FUZZ_ALL(FUZZ_DECLARE, vector)
FUZZ_ALL(FUZZ_DECLARE, halfvec)
extern Datum omen_hamming_distance(PG_FUNCTION_ARGS);
extern Datum omen_jaccard_distance(PG_FUNCTION_ARGS);
extern Datum omen_dense_combine(PG_FUNCTION_ARGS);

typedef struct FuzzType
{
	const OmenDenseType *type;
	const PGFunction *unary;	/* lists that a NULL ends */
	const PGFunction *binary;
	FUZZ_ALL(FUZZ_MEMBER, either)
} FuzzType;

static const PGFunction vector_unary[] = {
	FUZZ_UNARY(FUZZ_NAME, vector) NULL
};
static const PGFunction vector_binary[] = {
	FUZZ_BINARY(FUZZ_NAME, vector) NULL
};
static const PGFunction halfvec_unary[] = {
	FUZZ_UNARY(FUZZ_NAME, halfvec) NULL
};
static const PGFunction halfvec_binary[] = {
	FUZZ_BINARY(FUZZ_NAME, halfvec) NULL
};

static const FuzzType fuzz_types[2] = {
	{&omen_vector_type, vector_unary, vector_binary,
	FUZZ_ALL(FUZZ_ASSIGN, vector)},
	{&omen_halfvec_type, halfvec_unary, halfvec_binary,
	FUZZ_ALL(FUZZ_ASSIGN, halfvec)},
};
/* *INDENT-ON* */

/* What is left of an input, and what its first bytes said. */
typedef struct FuzzInput
{
	const FuzzType *type;
	bool		packed;			/* values have the short header, if they can */
	int32		typmod;
	const uint8 *data;
	Size		size;
} FuzzInput;

static pg_attribute_noreturn() void
fuzz_die(const char *what)
{
	fprintf(stderr, "type_fuzz: %s\n", what);
	abort();
}

/*
 * Calls
 */

/* Is it an error that input, or a value, can be to blame for? */
static bool
fuzz_is_refusal(int state)
{
	return ERRCODE_TO_CATEGORY(state) == ERRCODE_DATA_EXCEPTION ||
		state == ERRCODE_PROGRAM_LIMIT_EXCEEDED ||
		state == ERRCODE_PROTOCOL_VIOLATION;
}

/* Call a function; false if it refused. */
static bool
fuzz_call(PGFunction function, int n, Datum a, Datum b, Datum c, Datum *result)
{
	Datum		args[3] = {a, b, c};

	if (ShimCall(function, n, args, result))
		return true;
	if (!fuzz_is_refusal(ShimState()))
		fuzz_die("unexpected SQLSTATE");
	return false;
}

static Datum
fuzz_must(PGFunction function, int n, Datum a, Datum b, Datum c)
{
	Datum		result;

	if (!fuzz_call(function, n, a, b, c, &result))
		fuzz_die("a valid value was refused");
	return result;
}

static void *
fuzz_copy(const void *data, Size size)
{
	return memcpy(palloc(size), data, size);
}

/* A value as it would lie in a table: with a header of one byte, if asked. */
static Datum
fuzz_pack(const FuzzInput *input, const void *value)
{
	const struct varlena *v = value;
	Size		size;
	char	   *packed;

	if (!input->packed || !VARATT_CAN_MAKE_SHORT(v))
		return PointerGetDatum(value);
	size = VARATT_CONVERTED_SHORT_SIZE(v);
	packed = palloc(size);
	SET_VARSIZE_SHORT(packed, size);
	memcpy(packed + 1, VARDATA(v), size - 1);
	return PointerGetDatum(packed);
}

static bool
fuzz_receive(const FuzzType *t, const void *data, Size size, int32 typmod,
			 Datum *result)
{
	StringInfoData message = {
		.data = fuzz_copy(data, size),
		.len = size,
		.maxlen = size
	};

	return fuzz_call(t->recv, 3, PointerGetDatum(&message),
					 ObjectIdGetDatum(InvalidOid), Int32GetDatum(typmod),
					 result);
}

/*
 * What values must be
 */

/* A half's bits without the sign; infinity's give 65536. */
static double
fuzz_half(int bits)
{
	int			exponent = bits >> 10;
	int			fraction = bits & 0x3FF;

	if (exponent == 0)
		return ldexp(fraction, -24);
	return ldexp(fraction + 1024, exponent - 25);
}

static float
fuzz_element(const FuzzType *t, const OmenDense *v, int i)
{
	uint16		bits;

	if (!t->type->is_half)
		return ((const float *) v->data)[i];
	bits = ((const uint16 *) v->data)[i];
	return copysign(fuzz_half(bits & 0x7FFF), bits & 0x8000 ? -1.0 : 1.0);
}

static bool
fuzz_fits(const FuzzType *t, float x)
{
	return isfinite(x) && (!t->type->is_half || fabsf(x) < 65520.0f);
}

/* Element i must be the nearest to x; of two, the even one. */
static void
fuzz_check_nearest(const FuzzType *t, const OmenDense *v, int i, float x)
{
	float		element = fuzz_element(t, v, i);
	int			bits;
	double		lower;
	double		upper;

	if (signbit(element) != signbit(x))
		fuzz_die("an element has another sign");
	if (!t->type->is_half)
	{
		if (element != x)
			fuzz_die("an element is not what it was");
		return;
	}
	bits = ((const uint16 *) v->data)[i] & 0x7FFF;
	lower = bits == 0 ? 0.0 : (fuzz_half(bits - 1) + fuzz_half(bits)) / 2;
	upper = (fuzz_half(bits) + fuzz_half(bits + 1)) / 2;
	if (fabs(x) < lower || fabs(x) > upper ||
		((bits & 1) && (fabs(x) == lower || fabs(x) == upper)))
		fuzz_die("an element is not the nearest half");
}

static void
fuzz_check_same(const OmenDense *v, Datum datum)
{
	const OmenDense *w = (const OmenDense *) DatumGetPointer(datum);

	if (VARSIZE(v) != VARSIZE(w) || memcmp(v, w, VARSIZE(v)) != 0)
		fuzz_die("a value changed");
}

static void
fuzz_check_form(const FuzzType *t, const OmenDense *v)
{
	int			i;

	if (v->dim < 1 || v->dim > OMEN_DENSE_MAX_DIM || v->unused != 0 ||
		VARSIZE(v) != offsetof(OmenDense, data) + t->type->width * v->dim)
		fuzz_die("a value has a wrong form");
	for (i = 0; i < v->dim; i++)
	{
		if (!isfinite(fuzz_element(t, v, i)))
			fuzz_die("an element is not finite");
	}
}

static void
fuzz_check_io(const FuzzInput *input, const OmenDense *v)
{
	const FuzzType *t = input->type;
	char	   *text;
	bytea	   *bytes;
	Datum		again;

	text = DatumGetCString(fuzz_must(t->out, 1, fuzz_pack(input, v), 0, 0));
	text = fuzz_copy(text, strlen(text) + 1);
	fuzz_check_same(v, fuzz_must(t->in, 3, CStringGetDatum(text), 0,
								 Int32GetDatum(v->dim)));

	bytes = DatumGetByteaP(fuzz_must(t->send, 1, fuzz_pack(input, v), 0, 0));
	if (!fuzz_receive(t, VARDATA(bytes), VARSIZE(bytes) - VARHDRSZ, v->dim,
					  &again))
		fuzz_die("what was sent is refused");
	fuzz_check_same(v, again);
}

/* A value as an array of reals, and back. */
static void
fuzz_check_array(const FuzzInput *input, const OmenDense *v)
{
	const FuzzType *t = input->type;
	ArrayType  *array;
	int			i;

	array = (ArrayType *) DatumGetPointer(fuzz_must(t->to_float4, 1,
													fuzz_pack(input, v), 0, 0));
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != v->dim ||
		ARR_ELEMTYPE(array) != FLOAT4OID)
		fuzz_die("an array has a wrong form");
	for (i = 0; i < v->dim; i++)
	{
		float		x = ((const float *) ARR_DATA_PTR(array))[i];

		if (x != fuzz_element(t, v, i))
			fuzz_die("an element of an array is wrong");
	}
	fuzz_check_same(v, fuzz_must(t->from_array, 3, PointerGetDatum(array),
								 Int32GetDatum(-1), BoolGetDatum(false)));
}

/* A value as one of the other type, and back. */
static void
fuzz_check_cast(const FuzzInput *input, const OmenDense *v)
{
	const FuzzType *t = input->type;
	const FuzzType *other = &fuzz_types[t == fuzz_types];
	bool		fits = true;
	Datum		result;
	const OmenDense *w;
	int			i;

	for (i = 0; i < v->dim; i++)
		fits &= fuzz_fits(other, fuzz_element(t, v, i));
	if (fuzz_call(other->from_dense, 3, fuzz_pack(input, v), Int32GetDatum(-1),
				  BoolGetDatum(true), &result) != fits)
		fuzz_die("a cast takes what does not fit, or refuses what does");
	if (!fits)
		return;
	w = (const OmenDense *) DatumGetPointer(result);
	fuzz_check_form(other, w);
	for (i = 0; i < v->dim; i++)
		fuzz_check_nearest(other, w, i, fuzz_element(t, v, i));
	if (t->type->is_half)
		fuzz_check_same(v, fuzz_must(t->from_dense, 3, fuzz_pack(input, w),
									 Int32GetDatum(v->dim),
									 BoolGetDatum(true)));
}

/* All that must hold of a value, wherever it comes from. */
static void
fuzz_check(const FuzzInput *input, Datum datum)
{
	const FuzzType *t = input->type;
	OmenDense  *v = (OmenDense *) DatumGetPointer(datum);
	Datum		result;

	v = fuzz_copy(v, VARSIZE(v));
	fuzz_check_form(t, v);
	fuzz_check_io(input, v);
	fuzz_check_array(input, v);
	fuzz_check_cast(input, v);
	fuzz_check_same(v, fuzz_must(t->coerce, 3, fuzz_pack(input, v),
								 Int32GetDatum(v->dim), BoolGetDatum(false)));
	if (fuzz_call(t->coerce, 3, fuzz_pack(input, v),
				  Int32GetDatum(v->dim + 1), BoolGetDatum(false), &result))
		fuzz_die("a type modifier makes no difference");
	if (input->typmod != -1 && input->typmod != v->dim)
		fuzz_die("a value does not have the dimensions asked for");
}

/*
 * What is done to an input
 */

/* Text.  Elements are those that the C library reads. */
static void
fuzz_text(FuzzInput *input)
{
	const FuzzType *t = input->type;
	char	   *text = palloc(input->size + 1);
	const char *s;
	char	   *end;
	Datum		result;
	const OmenDense *v;
	int			i;

	memcpy(text, input->data, input->size);
	text[input->size] = '\0';
	if (!fuzz_call(t->in, 3, CStringGetDatum(text), 0,
				   Int32GetDatum(input->typmod), &result))
		return;
	fuzz_check(input, result);

	v = (const OmenDense *) DatumGetPointer(result);
	s = strchr(text, '[') + 1;
	for (i = 0; i < v->dim; i++)
	{
		fuzz_check_nearest(t, v, i, strtof(s, &end));
		s = end + strcspn(end, ",]") + 1;
	}
	if (s[-1] != ']')
		fuzz_die("not all numbers of a text were read");
}

static void
fuzz_binary(FuzzInput *input)
{
	Datum		result;
	bytea	   *bytes;

	if (!fuzz_receive(input->type, input->data, input->size, input->typmod,
					  &result))
		return;
	bytes = DatumGetByteaP(fuzz_must(input->type->send, 1, result, 0, 0));
	if (VARSIZE(bytes) - VARHDRSZ != input->size ||
		memcmp(VARDATA(bytes), input->data, input->size) != 0)
		fuzz_die("what is sent is not what was received");
	fuzz_check(input, result);
}

/* Take a byte from the front of an input; zero where there is none. */
static int
fuzz_take(FuzzInput *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

/* An array of what is left of an input. */
static ArrayType *
fuzz_array(FuzzInput *input, Oid type, Size width, int ndim, bool nulls)
{
	int			n = ndim == 0 ? 0 : input->size / width;
	Size		start = nulls ? ARR_OVERHEAD_WITHNULLS(ndim, n) :
		ARR_OVERHEAD_NONULLS(ndim);
	Size		size = start + n * width;
	ArrayType  *array = palloc0(size);
	int			i;

	SET_VARSIZE(array, size);
	array->ndim = ndim;
	array->dataoffset = nulls ? start : 0;
	array->elemtype = type;
	for (i = 0; i < ndim; i++)
		ARR_DIMS(array)[i] = i == 0 ? n : 1;
	memcpy(ARR_DATA_PTR(array), input->data, n * width);
	return array;
}

/* An element of an array as a float. */
static float
fuzz_array_element(const ArrayType *array, int i)
{
	const void *data = ARR_DATA_PTR(array);

	switch (ARR_ELEMTYPE(array))
	{
		case INT4OID:
			return ((const int32 *) data)[i];
		case FLOAT4OID:
			return ((const float4 *) data)[i];
		default:
			return ((const float8 *) data)[i];
	}
}

/* An array, which is to be accepted if and only if a value can hold it. */
static void
fuzz_cast(FuzzInput *input)
{
	static const Oid types[] = {INT4OID, FLOAT4OID, FLOAT8OID, INT8OID};
	static const Size widths[] = {4, 4, 8, 8};
	int			how = fuzz_take(input);
	int			kind = how & 3;
	int			ndim = (how >> 2) % 8 > 2 ? 1 : (how >> 2) % 8;
	bool		nulls = how >> 5 == 7;
	ArrayType  *array = fuzz_array(input, types[kind], widths[kind], ndim,
								   nulls);
	int			n = ndim == 0 ? 0 : ARR_DIMS(array)[0];
	bool		good = types[kind] != INT8OID && ndim == 1 && !nulls &&
		n > 0 && n <= OMEN_DENSE_MAX_DIM &&
		(input->typmod == -1 || input->typmod == n);
	Datum		result;
	int			i;

	for (i = 0; good && i < n; i++)
		good = fuzz_fits(input->type, fuzz_array_element(array, i));
	if (fuzz_call(input->type->from_array, 3, PointerGetDatum(array),
				  Int32GetDatum(input->typmod), BoolGetDatum(true),
				  &result) != good)
		fuzz_die("an array is taken that no value can hold, or refused");
	if (!good)
		return;
	for (i = 0; i < n; i++)
		fuzz_check_nearest(input->type,
						   (const OmenDense *) DatumGetPointer(result), i,
						   fuzz_array_element(array, i));
	fuzz_check(input, result);
}

/* As fuzz_call(), where a value is not what its type says. */
static void
fuzz_try(PGFunction function, int n, Datum a, Datum b, Datum c, bool sound)
{
	Datum		args[3] = {a, b, c};
	Datum		result;

	if (ShimCall(function, n, args, &result) ? !sound :
		!(sound ? fuzz_is_refusal(ShimState()) :
		  ShimState() == ERRCODE_DATA_CORRUPTED))
		fuzz_die("a malformed value is taken, or a sound one is not");
}

/* Bytes that are no value, but got into a table as one. */
static void
fuzz_damaged(FuzzInput *input)
{
	const FuzzType *t = input->type;
	OmenDense  *v = palloc(Max(VARHDRSZ + input->size,
							   offsetof(OmenDense, data)));
	bool		sound;
	Datum		datum;
	int			i;

	SET_VARSIZE(v, VARHDRSZ + input->size);
	memcpy(VARDATA(v), input->data, input->size);
	sound = VARSIZE(v) >= offsetof(OmenDense, data) && v->dim >= 1 &&
		v->dim <= OMEN_DENSE_MAX_DIM &&
		VARSIZE(v) == offsetof(OmenDense, data) + t->type->width * v->dim;
	datum = fuzz_pack(input, fuzz_copy(v, VARSIZE(v)));

	for (i = 0; t->unary[i] != NULL; i++)
		fuzz_try(t->unary[i], 1, datum, 0, 0, sound);
	for (i = 0; t->binary[i] != NULL; i++)
		fuzz_try(t->binary[i], 2, datum, datum, 0, sound);
	fuzz_try(t->out, 1, datum, 0, 0, sound);
	fuzz_try(t->send, 1, datum, 0, 0, sound);
	fuzz_try(t->to_float4, 1, datum, 0, 0, sound);
	fuzz_try(t->coerce, 2, datum, Int32GetDatum(-1), 0, sound);
	fuzz_try(fuzz_types[t == fuzz_types].from_dense, 2, datum,
			 Int32GetDatum(-1), 0, sound);
	fuzz_try(t->subvector, 3, datum, Int32GetDatum(input->typmod),
			 Int32GetDatum(1), sound);
}

/* Elements are compared first, then dimensions. */
static int
fuzz_order(const FuzzType *t, const OmenDense *a, const OmenDense *b)
{
	int			i;

	for (i = 0; i < Min(a->dim, b->dim); i++)
	{
		float		x = fuzz_element(t, a, i);
		float		y = fuzz_element(t, b, i);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return (a->dim > b->dim) - (a->dim < b->dim);
}

static int
fuzz_number(PGFunction function, Datum a, Datum b)
{
	return DatumGetInt32(fuzz_must(function, 2, a, b, 0));
}

/* Two values, each in binary. */
static void
fuzz_pair(FuzzInput *input)
{
	const FuzzType *t = input->type;
	PGFunction	makers[] = {t->add, t->sub, t->mul, t->concat};
	FuzzInput	plain = *input;
	int32		from = (int8) fuzz_take(input);
	int32		count = (int8) fuzz_take(input);
	Size		half = input->size / 2;
	Datum		a;
	Datum		b;
	Datum		result;
	int			order;
	int			i;

	plain.typmod = -1;
	if (!fuzz_receive(t, input->data, half, -1, &a) ||
		!fuzz_receive(t, input->data + half, input->size - half, -1, &b))
		return;
	order = fuzz_order(t, (const OmenDense *) DatumGetPointer(a),
					   (const OmenDense *) DatumGetPointer(b));
	a = fuzz_pack(input, DatumGetPointer(a));
	b = fuzz_pack(input, DatumGetPointer(b));
	for (i = 0; t->binary[i] != NULL; i++)
		fuzz_call(t->binary[i], 2, a, b, 0, &result);
	for (i = 0; i < (int) lengthof(makers); i++)
	{
		if (fuzz_call(makers[i], 2, a, b, 0, &result))
			fuzz_check(&plain, result);
	}
	fuzz_check(&plain, fuzz_must(t->normalize, 1, a, 0, 0));
	if (fuzz_call(t->subvector, 3, a, Int32GetDatum(from),
				  Int32GetDatum(count), &result))
		fuzz_check(&plain, result);

	if (fuzz_number(t->cmp, a, b) != order ||
		fuzz_number(t->cmp, b, a) != -order ||
		DatumGetBool(fuzz_must(t->lt, 2, a, b, 0)) != (order < 0) ||
		DatumGetBool(fuzz_must(t->eq, 2, a, b, 0)) != (order == 0) ||
		DatumGetBool(fuzz_must(t->ge, 2, b, a, 0)) != (order <= 0))
		fuzz_die("the order of two values is not one");
}

/* A bit string of some bytes, whose number of bits is true if skew is 0. */
static VarBit *
fuzz_bits(const uint8 *data, int bytes, int pad, int skew)
{
	Size		size = VARHDRSZ + VARBITHDRSZ + bytes;
	VarBit	   *bits = palloc(size);

	SET_VARSIZE(bits, size);
	VARBITLEN(bits) = bytes * BITS_PER_BYTE - (bytes > 0 ? pad : 0) + skew;
	memcpy(VARBITS(bits), data, bytes);
	if (bytes > 0)
		VARBITS(bits)[bytes - 1] &= 0xFF << pad;
	return bits;
}

/* Are the distances of two sound bit strings what counting bits gives? */
static void
fuzz_check_bits(const VarBit *a, const VarBit *b, double hamming,
				double jaccard)
{
	int			differ = 0;
	int			both = 0;
	int			either = 0;
	int			i;

	for (i = 0; i < VARBITLEN(a); i++)
	{
		int			shift = 7 - i % 8;
		int			x = VARBITS(a)[i / 8] >> shift & 1;
		int			y = VARBITS(b)[i / 8] >> shift & 1;

		differ += x ^ y;
		both += x & y;
		either += x | y;
	}
	if (hamming != differ ||
		jaccard != (both == 0 ? 1.0 : 1.0 - (double) both / either))
		fuzz_die("a distance of bit strings is wrong");
}

/* Two bit strings, the second of which may be damaged. */
static void
fuzz_bit_distance(FuzzInput *input)
{
	int			how = fuzz_take(input);
	int			pad = how & 7;
	int			skew = how & 0x80 ? (int8) fuzz_take(input) : 0;
	int			half = input->size / 2;
	VarBit	   *a = fuzz_bits(input->data, half, pad, 0);
	VarBit	   *b = fuzz_bits(input->data + half, half, pad, skew);
	Datum		first = fuzz_pack(input, a);
	Datum		second = fuzz_pack(input, b);
	bool		sound = VARBITLEN(b) >= 0 &&
		VARSIZE(b) == VARBITTOTALLEN(VARBITLEN(b));

	if (sound && VARBITLEN(a) == VARBITLEN(b))
		fuzz_check_bits(a, b,
						DatumGetFloat8(fuzz_must(omen_hamming_distance, 2,
												 first, second, 0)),
						DatumGetFloat8(fuzz_must(omen_jaccard_distance, 2,
												 first, second, 0)));
	else if (!sound)
	{
		fuzz_try(omen_hamming_distance, 2, first, second, 0, false);
		fuzz_try(omen_jaccard_distance, 2, second, first, 0, false);
	}
}

/* A state that is an array of anything: functions may refuse it. */
static bool
fuzz_state(PGFunction function, int n, Datum a, Datum b, Datum *result)
{
	Datum		args[2] = {a, b};

	if (ShimCall(function, n, args, result))
		return true;
	if (ShimState() != ERRCODE_INTERNAL_ERROR && !fuzz_is_refusal(ShimState()))
		fuzz_die("unexpected SQLSTATE");
	return false;
}

/* The average's functions: a value alone, and any states. */
static void
fuzz_average(FuzzInput *input)
{
	const FuzzType *t = input->type;
	FuzzInput	plain = *input;
	FuzzInput	start = *input;
	float8		zero = 0;
	int			how = fuzz_take(input);
	int			ndim = how % 4 > 2 ? 1 : how % 4;
	Datum		value;
	Datum		state;
	Datum		other;
	Datum		result;

	plain.typmod = -1;
	start.data = (const uint8 *) &zero;
	start.size = sizeof(zero);
	state = PointerGetDatum(fuzz_array(&start, FLOAT8OID, sizeof(float8), 1,
									   false));
	other = PointerGetDatum(fuzz_array(input, how & 8 ? FLOAT4OID : FLOAT8OID,
									   sizeof(float8), ndim, how & 16));
	if (fuzz_receive(t, input->data, input->size, -1, &value))
	{
		state = fuzz_must(t->accum, 2, state, fuzz_pack(input, (void *) value),
						  0);
		fuzz_check_same((void *) value, fuzz_must(t->avg, 1, state, 0, 0));
		fuzz_state(t->accum, 2, other, value, &result);
	}
	fuzz_state(omen_dense_combine, 2, state, other, &result);
	if (fuzz_state(omen_dense_combine, 2, other, state, &result) &&
		fuzz_state(t->avg, 1, result, 0, &value) && value != 0)
		fuzz_check(&plain, value);
}

/*
 * Inputs
 */

static void (*const fuzz_actions[]) (FuzzInput *input) = {
	fuzz_text, fuzz_binary, fuzz_cast, fuzz_damaged, fuzz_pair,
	fuzz_bit_distance, fuzz_average
};

#define FUZZ_ACTIONS	((int) lengthof(fuzz_actions))

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	ShimStart();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	MemoryContext top = CurrentMemoryContext;
	FuzzInput	input;

	if (size < 2)
		return 0;
	input.type = &fuzz_types[data[0] & 1];
	input.packed = data[1] & 1;
	input.typmod = data[1] & 2 ? data[1] >> 2 : -1;
	input.data = data + 2;
	input.size = size - 2;
	CurrentMemoryContext = AllocSetContextCreateInternal(top, "input",
														 0, 0, 0);
	fuzz_actions[(data[0] >> 1) % FUZZ_ACTIONS] (&input);
	MemoryContextDelete(CurrentMemoryContext);
	CurrentMemoryContext = top;
	return 0;
}

/*
 * Valid inputs to start from, made in place of a mutation now and then.
 */

static uint32
fuzz_random(uint32 *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/*
 * A float of a plain size, or of any, or the middle between two halves, the
 * last of which does not fit.
 */
static float
fuzz_random_float(uint32 *seed)
{
	float		x = (int) (fuzz_random(seed) % 2001) - 1000;
	int			bits;

	switch (fuzz_random(seed) % 8)
	{
		case 0:
			return ldexpf(x, (int) (fuzz_random(seed) % 250) - 130);
		case 1:
			bits = Min(fuzz_random(seed) % 0x8000, 0x7BFF);
			return copysign((fuzz_half(bits) + fuzz_half(bits + 1)) / 2, x);
		default:
			return x / 256;
	}
}

/*
 * A number for a text.  Some are as near to the middle between two floats as
 * 16 digits can be: nearer than a double is.
 */
static int
fuzz_write_number(char *to, uint32 *seed)
{
	float		x = fuzz_random_float(seed);

	if (fuzz_random(seed) % 4 == 0)
	{
		x = ldexpf(fuzz_random(seed) | 1 << 23, -23);
		return sprintf(to, "%.16g", (x + (double) nextafterf(x, 9)) / 2);
	}
	return sprintf(to, "%.*g", (int) (fuzz_random(seed) % 12), x);
}

static size_t
fuzz_write_text(uint8 *data, size_t max, int n, uint32 *seed)
{
	char	   *to = (char *) data;
	int			i;

	for (i = 0; i < n && to - (char *) data + 32 < max; i++)
	{
		*to++ = i == 0 ? '[' : ',';
		to += fuzz_write_number(to, seed);
	}
	*to++ = ']';
	return to - (char *) data;
}

/* Write a number, its first byte first as in a message, or as in memory. */
static uint8 *
fuzz_put(uint8 *to, uint32 number, int width, bool network)
{
	uint16		narrow = number;

	if (network)
	{
		number = pg_hton32(number);
		narrow = pg_hton16(narrow);
	}
	if (width == sizeof(narrow))
		memcpy(to, &narrow, width);
	else
		memcpy(to, &number, width);
	return to + width;
}

/* A value of n elements, as in a message or as in memory. */
static uint8 *
fuzz_write_value(uint8 *to, const FuzzType *t, int n, bool network,
				 uint32 *seed)
{
	int			i;

	to = fuzz_put(to, n, sizeof(int16), network);
	to = fuzz_put(to, 0, sizeof(int16), network);
	for (i = 0; i < n; i++)
	{
		float		x = fuzz_random_float(seed);
		uint32		bits;

		memcpy(&bits, &x, sizeof(bits));
		if (t->type->is_half)
			bits = fuzz_random(seed) % 0x7C00;
		to = fuzz_put(to, bits, t->type->width, network);
	}
	return to;
}

/* The elements of an array of float4, float8 or int4. */
static uint8 *
fuzz_write_array(uint8 *to, int n, uint32 *seed)
{
	int			kind = fuzz_random(seed) % 3;
	int			i;

	/* The kind, and one dimension. */
	*to++ = kind | 1 << 2;
	for (i = 0; i < n; i++)
	{
		float4		x = fuzz_random_float(seed);
		float8		y = x;

		if (kind == 2)
			memcpy(to, &y, sizeof(y));
		else
			memcpy(to, &x, sizeof(x));
		to += kind == 2 ? sizeof(y) : sizeof(x);
	}
	return to;
}

static uint8 *
fuzz_write_bits(uint8 *to, int n, uint32 *seed)
{
	int			i;

	*to++ = fuzz_random(seed) & 7;
	for (i = 0; i < 2 * n; i++)
		*to++ = fuzz_random(seed);
	return to;
}

static size_t
fuzz_write(uint8 *data, size_t max, uint32 seed)
{
	static const int sizes[] = {1, 2, 3, 8, 17, 100, 500, 16000};
	int			action = fuzz_random(&seed) % FUZZ_ACTIONS;
	const FuzzType *t = &fuzz_types[fuzz_random(&seed) & 1];
	int			n = sizes[fuzz_random(&seed) % lengthof(sizes)];
	uint8	   *to = data;

	/* Nothing takes more than two values of so many floats. */
	n = Min(n, (int) ((max - 16) / (2 * sizeof(float8))));
	*to++ = action << 1 | (t - fuzz_types);
	*to++ = fuzz_random(&seed) & 1;
	if (fuzz_actions[action] == fuzz_text)
		return to + fuzz_write_text(to, max - 2, n, &seed) - data;
	if (fuzz_actions[action] == fuzz_cast)
		return fuzz_write_array(to, n, &seed) - data;
	if (fuzz_actions[action] == fuzz_bit_distance)
		return fuzz_write_bits(to, n, &seed) - data;
	if (fuzz_actions[action] == fuzz_average)
		*to++ = 1;
	if (fuzz_actions[action] == fuzz_pair)
	{
		*to++ = 1;
		*to++ = n;
		to = fuzz_write_value(to, t, n, true, &seed);
	}
	return fuzz_write_value(to, t, n, fuzz_actions[action] != fuzz_damaged,
							&seed) - data;
}

size_t
LLVMFuzzerCustomMutator(uint8 *data, size_t size, size_t max,
						unsigned int seed)
{
	if (seed % 8 == 0 && max >= 64)
		return fuzz_write(data, max, seed);
	return LLVMFuzzerMutate(data, size, max);
}
