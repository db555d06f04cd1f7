"""What users may see through functions that they may not select (P)."""
import psycopg2

import oracle
from card import Row

ALLOWED = ("42501",)

# What functions are called with; others with the index alone.
ARGUMENTS = {"omen_build_estimate": "'tab', 'v'"}


def run(env):
    """P: all functions that take a relation, as a user without rights."""
    row = Row("P", "functions on an index of a table that is not mine")
    cluster = env.cluster("privileges")
    rng = oracle.seeded(env.seed, "privileges")
    with cluster.connect() as connection, connection.cursor() as cursor:
        oracle.make_table(cursor, env.method, 1500, rng)
        cursor.execute("CREATE ROLE mallory LOGIN")
        cursor.execute("""
            SELECT p.oid::regproc::text FROM pg_proc p
            JOIN pg_depend d ON d.objid = p.oid
                AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
            WHERE 'regclass'::regtype = ANY (p.proargtypes) ORDER BY 1""")
        functions = cursor.fetchall()
    mallory = cluster.connect(user="mallory")
    told = []
    for name, in functions:
        try:
            with mallory.cursor() as cursor:
                cursor.execute("SELECT * FROM %s(%s)" %
                               (name, ARGUMENTS.get(name, "'idx'")))
                told.append(name)
        except psycopg2.Error as error:
            if error.pgcode not in ALLOWED:
                row.fail("wrong", "%s: %s" % (name, error))
        row.rounds += 1
    for sql in ("SELECT id FROM tab ORDER BY v <-> '[1,0,0,0,0,0,0,0]'",
                "SET omen.fault = 'any:error'"):
        try:
            with mallory.cursor() as cursor:
                cursor.execute(sql)
            row.fail("wrong", "allowed: " + sql)
        except psycopg2.Error as error:
            if error.pgcode not in ALLOWED:
                row.fail("wrong", "%s: %s" % (sql, error))
        row.rounds += 1
    # Sizes are no secret: pg_class shows them, too.
    for name in told:
        if name != "omen_index_info":
            row.fail("wrong", "%s tells a user without rights" % name)
    row.note("open to all: %s" % (", ".join(told) or "none"))
    mallory.close()
    return row.done()
