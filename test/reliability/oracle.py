"""Answers of an index, compared with what the table itself says."""
import random

DIMS = 8

# With so many, a pending row takes four pages, and a slot of a segment two.
LONG = 7000

EXACT = ["enable_seqscan = on", "enable_indexscan = off",
         "enable_bitmapscan = off", "enable_sort = on"]
BY_INDEX = ["enable_seqscan = off", "enable_indexscan = on",
            "enable_bitmapscan = off", "enable_sort = off"]


def vector(rng, dims=DIMS):
    """Return a random vector as text."""
    return "[" + ",".join("%.3f" % rng.uniform(-1, 1)
                          for _ in range(dims)) + "]"


def make_table(cursor, method, rows, rng, indexes=("idx",), unlogged=False,
               dims=DIMS):
    """Make the table tab with some rows and its index."""
    cursor.execute("CREATE %s TABLE tab (id bigserial PRIMARY KEY, note int,"
                   " v vector(%d)) WITH (fillfactor = 80)" %
                   ("UNLOGGED" if unlogged else "", dims))
    insert(cursor, rng, rows, dims=dims)
    for index, opclass in zip(indexes, ("vector_l2_ops", "vector_ip_ops")):
        cursor.execute(method.create(index, opclass=opclass))


def long_rows(table, rows):
    """Return statements that make a table of rows with many dimensions."""
    return ("CREATE TABLE %s (id bigserial PRIMARY KEY, v vector(%d));"
            " ALTER TABLE %s ALTER v SET STORAGE EXTERNAL;"
            " INSERT INTO %s (v) SELECT array_agg(random())"
            " FROM generate_series(1, %d) i, generate_series(1, %d)"
            " GROUP BY i" % (table, LONG, table, table, rows, LONG))


def insert(cursor, rng, rows, first=None, dims=DIMS):
    """Insert some rows in one statement, ids from first on if given."""
    values = ",".join("('%s'%s)" % (vector(rng, dims), "" if first is None else
                                    "," + str(first + i))
                      for i in range(rows))
    if rows:
        cursor.execute("INSERT INTO tab (v%s) VALUES %s" %
                       ("" if first is None else ", id", values))


def settings(cursor, values):
    cursor.execute("; ".join("SET LOCAL " + value for value in values))


def scan(cursor, query, operator="<->", limit=None):
    """Return (id, distance) of the nearest rows, or of all."""
    cursor.execute("SELECT id, v %s '%s' FROM tab WHERE v IS NOT NULL"
                   " ORDER BY v %s '%s'%s" %
                   (operator, query, operator, query,
                    " LIMIT %d" % limit if limit else ""))
    return cursor.fetchall()


def judge(method, found, expected, ordered):
    """Say what is wrong with an answer: (figure, message) or None."""
    truth = dict(expected)
    ids = [row[0] for row in found]
    if len(set(ids)) != len(ids):
        return "wrong", "%d rows twice" % (len(ids) - len(set(ids)))
    for ident, distance in found:
        if ident not in truth:
            return "wrong", "row %d is not visible" % ident
        if distance != truth[ident]:
            return "wrong", "row %d at %r, not %r" % (ident, distance,
                                                     truth[ident])
    if ordered and any(a[1] > b[1] for a, b in zip(found, found[1:])):
        return "wrong", "not in order"
    if method.complete and len(found) != len(expected):
        missing = sorted(set(truth) - set(ids))
        return "lost", "%d of %d rows missing, %d the first" % (
            len(missing), len(expected), missing[0])
    return None


def compare(connection, method, rng, row, operator="<->", dims=DIMS):
    """All rows by the index and by the table, in one snapshot.

    Returns the share of rows that the index found.
    """
    query = vector(rng, dims)
    with connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        try:
            settings(cursor, BY_INDEX + method.full)
            found = scan(cursor, query, operator)
            settings(cursor, EXACT)
            expected = scan(cursor, query, operator)
        finally:
            cursor.execute("ROLLBACK")
    verdict = judge(method, found, expected, ordered=False)
    if verdict:
        row.fail(*verdict)
    return len(found) / max(1, len(expected))


def examine(connection, method, rng, row, index="idx", dims=DIMS):
    """The method's checker, and the index against the table."""
    with connection.cursor() as cursor:
        for finding in method.findings(cursor, index)[:5]:
            row.fail("wrong", "omen_check: %s" % (finding,))
    return compare(connection, method, rng, row, dims=dims)


def seeded(seed, *what):
    """Return a generator of random numbers of its own for a purpose."""
    return random.Random("%s %s" % (seed, " ".join(map(str, what))))
