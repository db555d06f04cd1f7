"""What the planner chooses, beside the measured times of all that it could.

A shape is a number of rows, a filter that lets a share of them pass, and a
LIMIT.  Each way to answer it is forced by the planner's own settings; then all
are allowed, and the planner chooses.
"""
import time

SIZES = (1000, 10000)           # and the whole table
SHARES = (1, 0.1, 0.01, 0.001)
LIMITS = (10, 100)
PARTS = 1000                    # values of the column that is filtered
MIX = 7919                      # a prime: near rows get far values
SECONDS = 0.2                   # of statements that are timed
REPEATS = 3

# name: what is allowed of sequential scan, bitmap scan, index scan, sort
WAYS = {"index": "off off on off", "scan": "on off off on",
        "btree": "off on off on"}
SETTINGS = ("seqscan", "bitmapscan", "indexscan", "sort")
ALL = "on on on on"


def nodes(plan):
    """Return all nodes of a plan."""
    return [plan] + [node for child in plan.get("Plans", ())
                     for node in nodes(child)]


def way(plan):
    """Return which way to the rows of the table a plan takes."""
    for node in nodes(plan):
        if node.get("Index Name") == "plans_v_idx":
            return "index"
        if "Index Name" in node:
            return "btree"
    return "scan"


def statement(operator, share, limit, queries):
    """Return a query that counts the rows found for some queries."""
    where = "" if share == 1 else "WHERE part < %d " % (share * PARTS)
    return ("SELECT sum(cardinality(answer)) FROM (SELECT ARRAY("
            "SELECT t.id FROM plans t %sORDER BY t.v %s q.v LIMIT %d) AS answer "
            "FROM queries q WHERE q.id < %d OFFSET 0) a" % (
                where, operator, limit, queries))


def allow(db, settings):
    for name, value in zip(SETTINGS, settings.split()):
        db.run("SET enable_%s = %s" % (name, value))


def plan(db, sql):
    return way(db.value("EXPLAIN (FORMAT JSON) " + sql)[0]["Plan"])


def measure(db, sql, most):
    """Return the seconds and the rows of a search.

    sql(n) searches for n queries; first for one, which tells how many fit.
    """
    db.run(sql(1))
    start = time.perf_counter()
    db.run(sql(1))
    n = max(1, min(most, int(SECONDS / (time.perf_counter() - start))))
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        rows = db.value(sql(n))
        seconds.append(time.perf_counter() - start)
    return min(seconds) / n, int(rows) / n


def shape(db, operator, rows, share, limit, queries):
    """Return the times of all ways, and which one the planner chooses.

    A way that finds fewer rows than another has given up, and has no time.
    """
    def sql(n):
        return statement(operator, share, limit, n)

    found = {}
    for name, settings in WAYS.items():
        allow(db, settings)
        if plan(db, sql(queries)) == name:
            found[name] = measure(db, sql, queries)
    allow(db, ALL)
    most = max(rows for _, rows in found.values())
    return {"rows": rows, "share": share, "limit": limit,
            "chosen": plan(db, sql(queries)),
            "seconds": {name: seconds for name, (seconds, count)
                        in found.items() if count > 0.999 * most}}


def table(db, rows, create):
    """Make the table of the first rows, and its indexes."""
    db.run("CREATE TABLE plans (LIKE items INCLUDING STORAGE)")
    db.run("ALTER TABLE plans ADD part integer")
    db.run("INSERT INTO plans SELECT id, v, id * %d %% %d FROM items "
           "WHERE id < %d" % (MIX, PARTS, rows))
    db.run(create)
    db.run("CREATE INDEX ON plans (part)")
    db.run("VACUUM ANALYZE plans")


def shapes(db, operator, total, queries, create):
    """Return all shapes; create(rows) is the command that makes the index."""
    result = []
    for rows in sorted({min(rows, total) for rows in SIZES + (total,)}):
        table(db, rows, create(rows))
        result += [shape(db, operator, rows, share, limit, queries)
                   for share in SHARES for limit in LIMITS]
        db.run("DROP TABLE plans")
    return result


def slower(found):
    """Return how many times the fastest's time the chosen way takes.

    Nothing if the chosen way gave up before it had found all.
    """
    seconds = found["seconds"]
    if found["chosen"] not in seconds:
        return None
    return seconds[found["chosen"]] / min(seconds.values())
