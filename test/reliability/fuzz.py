"""Input that nobody meant (G): binary, text, casts, functions."""
import io
import struct

import psycopg2

import oracle
import patience
from card import Row

SIGNATURE = b"PGCOPY\n\377\r\n\0" + struct.pack(">II", 0, 0)
TYPES = {"vector": ">f", "halfvec": ">e"}

# Data exceptions, limits, and what the protocol calls invalid.
REFUSALS = ("22", "54", "08", "21", "42")

# Aggregates' functions, called with an array that is no state, speak as
# core's do.
NO_STATE = "expected state array"

FLOATS = ("0", "1", "-1", "3.4e38", "-3.4e38", "1e39", "1e-45", "1e-50", "NaN",
          "Infinity", "-inf", "0x10", "1e", "1_0", "", " 2 ", "+3", "--1",
          "65504", "65520", "1e999", "9" * 400)


def datum(kind, rng):
    """Return the binary form of a value, mostly sound."""
    dims = rng.choice((1, 1, 2, 3, 8, 100, 1999, 2000, 2001, 16000, 16001))
    elements = b"".join(struct.pack(TYPES[kind], rng.uniform(-9, 9))
                        for _ in range(min(dims, 40))) * (dims // 40 + 1)
    size = struct.calcsize(TYPES[kind])
    return struct.pack(">hh", dims % 32768, 0) + elements[:dims * size]


def mutate(data, rng):
    data = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        choice = rng.random()
        if choice < 0.3 and data:
            data[rng.randrange(len(data))] = rng.randrange(256)
        elif choice < 0.5 and len(data) >= 4:
            at = rng.randrange(0, len(data) - 1)
            data[at:at + 2] = rng.choice((b"\x7f\x80", b"\xff\xff", b"\0\0",
                                          b"\x7c\x00", b"\xff\x80",
                                          b"\x80\x00"))
        elif choice < 0.7:
            del data[rng.randrange(len(data) + 1):]
        elif choice < 0.85:
            data += rng.randbytes(rng.randrange(1, 20))
        else:
            data[0:2] = struct.pack(">H", rng.choice((0, 1, 0x7FFF, 0x8000,
                                                      0xFFFF, 16001)))
    return bytes(data)


class Fuzz:
    def __init__(self, env, row):
        self.env = env
        self.row = row
        self.rng = oracle.seeded(env.seed, "fuzz")
        self.cluster = env.cluster("fuzz")
        self.connection = self.cluster.connect()

    def attempt(self, what, action):
        """Do something; True if it was accepted."""
        try:
            with self.connection.cursor() as cursor:
                action(cursor)
            self.row.counts["accepted"] += 1
            return True
        except psycopg2.Error as error:
            self.row.counts["refused"] += 1
            if error.pgcode == "57014":
                self.row.fail("hung", what)
            elif error.pgcode is None:
                self.row.fail("signals", "%s: %s" % (what, error))
                self.cluster.wait_until_up()
                self.connection = self.cluster.connect()
            elif (error.pgcode[:2] not in REFUSALS and
                  NO_STATE not in str(error)):
                self.row.fail("wrong", "%s: %s %s" % (
                    what, error.pgcode, str(error).strip()))
            return False
        except ValueError:
            return False        # a NUL in a string: the client refuses it

    def sound(self, cursor, kind):
        """What was accepted must be a value that the type can have."""
        cursor.execute(
            "SELECT count(*) FROM received_%s WHERE v::text ~* 'nan|inf'"
            " OR v::text::%s <> v OR vector_dims(v) NOT BETWEEN 1 AND 16000" %
            (kind, kind))
        if cursor.fetchone()[0]:
            self.row.fail("wrong", "an invalid %s was accepted" % kind)
        cursor.execute("TRUNCATE received_%s" % kind)

    def binary(self, rounds):
        with self.connection.cursor() as cursor:
            for kind in TYPES:
                cursor.execute("CREATE TABLE received_%s (v %s)" %
                               (kind, kind))
        for number in range(rounds):
            kind = self.rng.choice(sorted(TYPES))
            payload = mutate(datum(kind, self.rng), self.rng)
            length = len(payload)
            if self.rng.random() < 0.05:
                length = self.rng.choice((-1, -2, 0, 1, length + 5, 2**31 - 1))
            message = SIGNATURE + struct.pack(">hi", 1, length) + payload + \
                struct.pack(">h", -1)
            self.attempt("%s %s" % (kind, payload[:16].hex()),
                         lambda cursor: cursor.copy_expert(
                             "COPY received_%s FROM STDIN BINARY" % kind,
                             io.BytesIO(message)))
            if number % 200 == 199:
                with self.connection.cursor() as cursor:
                    for kind in TYPES:
                        self.sound(cursor, kind)
            self.row.rounds += 1

    def text(self, rounds):
        rng = self.rng
        for _ in range(rounds):
            kind = rng.choice(sorted(TYPES))
            literal = "[" + ",".join(rng.choice(FLOATS) if rng.random() < 0.2
                                     else "%g" % rng.uniform(-1e3, 1e3)
                                     for _ in range(rng.randint(0, 6))) + "]"
            characters = list(literal)
            for _ in range(rng.choice((0, 0, 1, 2))):
                at = rng.randrange(len(characters) + 1)
                characters[at:at + rng.randint(0, 2)] = rng.choice(
                    ("", "[", "]", ",", " ", "e", "\t", "\u00e9", "1" * 50,
                     ",,"))
            literal = "".join(characters)
            typmod = rng.choice(("", "", "(1)", "(3)", "(0)", "(-1)",
                                 "(16001)", "(99999999999)", "(1,2)"))

            def check(cursor):
                cursor.execute("SELECT %%s::%s%s::text" % (kind, typmod),
                               (literal,))
                out = cursor.fetchone()[0]
                cursor.execute("SELECT %%s::%s::text" % kind, (out,))
                if cursor.fetchone()[0] != out:
                    self.row.fail("wrong", "%r is not stable" % literal)

            self.attempt("%r::%s%s" % (literal, kind, typmod), check)
            self.row.rounds += 1

    def values(self):
        """Return expressions of each type that functions take."""
        rng = self.rng
        vector = "'[%s]'" % ",".join(
            rng.choice(("0", "1", "-2.5", "3e4", "1e-7", "6e4"))
            for _ in range(rng.choice((1, 2, 3, 3, 3, 8, 1000))))
        numbers = ("0", "1", "-1", "3", "2147483647", "-2147483648", "NULL")
        array = "ARRAY[%s]" % ",".join(
            rng.choice(("0", "1", "NULL", "'NaN'", "'Infinity'", "1e30", "-2"))
            for _ in range(rng.randint(1, 4)))
        bits = "".join(rng.choice("01") for _ in range(rng.choice(
            (0, 1, 3, 8, 9, 64, 1000))))
        return {
            "vector": vector + "::vector", "halfvec": vector + "::halfvec",
            "integer": rng.choice(numbers) + "::int",
            "boolean": rng.choice(("true", "false")),
            "double precision": rng.choice(("0", "1e308", "'NaN'", "-1")) +
            "::float8",
            "bit": "B'%s'" % bits,
            "real[]": array + "::real[]",
            "double precision[]": array + "::float8[]",
            "integer[]": "ARRAY[%s]::int[]" % rng.choice(
                ("1", "1,NULL", "[1,2],[3,4]", "2147483647,0", "")),
            "numeric[]": "ARRAY[%s]::numeric[]" % rng.choice(
                ("1", "1e200", "'NaN'", "NULL,1", "1e-200")),
            "text": "'x'", "bytea": "'\\x0001'::bytea",
            "cstring": "'[1]'::cstring", "oid": "0::oid",
        }

    def functions(self, rounds):
        with self.connection.cursor() as cursor:
            cursor.execute("""
                SELECT p.oid::regproc::text, array(
                    SELECT format_type(t, NULL) FROM unnest(p.proargtypes) t)
                FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid
                    AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
                JOIN pg_extension e ON e.oid = d.refobjid
                WHERE e.extname = %s AND p.prokind = 'f'
                ORDER BY 1, 2""", (self.env.method.extension,))
            all_of_them = cursor.fetchall()
        known = self.values()
        usable = [function for function in all_of_them
                  if function[1] and all(kind in known
                                         for kind in function[1])]
        for _ in range(rounds):
            name, kinds = self.rng.choice(usable)
            arguments = [self.values()[kind] for kind in kinds]
            sql = "SELECT %s(%s)::text" % (name, ", ".join(arguments))
            self.attempt(sql[:200], lambda cursor: cursor.execute(sql))
            self.row.rounds += 1
        return len(usable)


def run(env):
    """G2, G5: mutated binary and text input, casts, and all functions."""
    row = Row("G2-G5", "mutated binary and text input, casts, functions")
    fuzz = Fuzz(env, row)
    fuzz.attempt("timeout", lambda cursor: cursor.execute(
        patience.timeout(20)))
    rounds = env.rounds(800, 100000)
    fuzz.binary(rounds)
    fuzz.text(rounds)
    number = fuzz.functions(rounds)
    for alarm in fuzz.cluster.alarms():
        row.fail("signals", alarm)
    row.note("%(accepted)d accepted, %(refused)d refused, " % row.counts +
             "%d functions" % number)
    return row.done()
