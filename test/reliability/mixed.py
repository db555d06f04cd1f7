"""Everything at once (C2, C3, C4, C8): the oracle under mixed load."""
import time

import load
import oracle
from card import Row

TARGET = 2500                   # rows, about

# Index builds must not meet each other, nor a check of an index that goes.
DDL_LOCK = 4711

# What two sessions may do to each other: serialization failures, deadlocks,
# an index that is dropped, or that a deadlock left without being finished.
EXPECTED = ("40001", "40P01", "42P01", "42704", "55000")


def writer(method, rng):
    def step(connection):
        with connection.cursor() as cursor:
            cursor.execute(method.load or "SELECT 1")
            for _ in range(20):
                choice = rng.random()
                if choice < 0.5:
                    oracle.insert(cursor, rng, rng.randint(1, 40))
                elif choice < 0.6:
                    cursor.execute("BEGIN")
                    oracle.insert(cursor, rng, 10)
                    cursor.execute("SAVEPOINT s")
                    oracle.insert(cursor, rng, 20)
                    cursor.execute("ROLLBACK TO s")
                    cursor.execute("COMMIT" if rng.random() < 0.5
                                   else "ROLLBACK")
                elif choice < 0.7:
                    change(cursor, "v = v + v", rng)
                elif choice < 0.8:
                    change(cursor, "note = coalesce(note, 0) + 1", rng)
                else:
                    thin_out(cursor, rng)
    return step


def change(cursor, what, rng):
    cursor.execute("UPDATE tab SET %s WHERE id IN (SELECT id FROM tab"
                   " OFFSET %d LIMIT 5 FOR UPDATE SKIP LOCKED)" %
                   (what, rng.randint(0, TARGET)))


def thin_out(cursor, rng):
    cursor.execute("SELECT count(*) FROM tab")
    surplus = cursor.fetchone()[0] - TARGET
    cursor.execute("DELETE FROM tab WHERE id IN (SELECT id FROM tab"
                   " OFFSET %d LIMIT %d FOR UPDATE SKIP LOCKED)" %
                   (rng.randint(0, TARGET // 2), max(20, surplus)))


def asker(method, rng, row, shares):
    def step(connection):
        shares.append(oracle.compare(connection, method, rng, row,
                                     rng.choice(("<->", "<#>"))))
    return step


def nearest(method, rng, row):
    """Few rows, as users ask for them, by a cursor that is slow."""
    def step(connection):
        query = oracle.vector(rng)
        with connection.cursor() as cursor:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            try:
                oracle.settings(cursor, oracle.BY_INDEX)
                cursor.execute("DECLARE c CURSOR FOR SELECT id, v <-> '%s'"
                               " FROM tab ORDER BY v <-> '%s' LIMIT 30" %
                               (query, query))
                found = []
                for _ in range(3):
                    cursor.execute("FETCH 10 FROM c")
                    found += cursor.fetchall()
                    time.sleep(rng.random() * 0.02)
                oracle.settings(cursor, oracle.EXACT)
                expected = oracle.scan(cursor, query)
            finally:
                cursor.execute("ROLLBACK")
        if method.complete and len(found) < min(30, len(expected)):
            row.fail("lost", "%d rows of 30" % len(found))
            return
        verdict = oracle.judge(method, found,
                               [pair for pair in expected
                                if not method.complete or
                                pair in found], ordered=True)
        if verdict:
            row.fail(*verdict)
    return step


def checker(method, row):
    def step(connection):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%d)" % DDL_LOCK)
            try:
                for index in ("idx", "idx2"):
                    for finding in method.findings(cursor, index,
                                                   quiet=False)[:5]:
                        row.fail("wrong", "omen_check: %s" % (finding,))
            finally:
                cursor.execute("SELECT pg_advisory_unlock(%d)" % DDL_LOCK)
    return step


def rebuilder(method, rng):
    def step(connection):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%d)" % DDL_LOCK)
            try:
                if rng.random() < 0.5:
                    cursor.execute("REINDEX INDEX CONCURRENTLY idx")
                else:
                    cursor.execute("DROP INDEX CONCURRENTLY idx2")
                    cursor.execute(method.create("idx2", how="CONCURRENTLY",
                                                 opclass="vector_ip_ops"))
            finally:
                cursor.execute("SELECT pg_advisory_unlock(%d)" % DDL_LOCK)
    return step


def finished(connection, method):
    """Make what a deadlock left undone."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT bool_and(indisvalid) FROM pg_index"
                       " WHERE indexrelid = to_regclass('idx2')")
        if not cursor.fetchone()[0]:
            cursor.execute("DROP INDEX IF EXISTS idx2")
            cursor.execute(method.create("idx2", opclass="vector_ip_ops"))


def vacuumer(connection):
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '1MB'")
        cursor.execute("VACUUM tab")


def start_load(cluster, method, seed, row, writers=3):
    """Start writers and VACUUM; return the threads."""
    threads = [load.Repeat(cluster, writer(method, oracle.seeded(seed, i)),
                           EXPECTED) for i in range(writers)]
    threads.append(load.Repeat(cluster, vacuumer, EXPECTED, pause=0.2))
    for thread in threads:
        thread.start()
    return threads


def run(env):
    """Mixed load for some seconds, with oracles, checks and rebuilding."""
    row = Row("C2-C4", "mixed load, oracle, CIC, REINDEX, VACUUM")
    cluster = env.cluster("mixed")
    method = env.method
    rng = oracle.seeded(env.seed, "mixed")
    connection = cluster.connect()
    shares = []
    with connection.cursor() as cursor:
        oracle.make_table(cursor, method, 1500, rng, ("idx", "idx2"))
    threads = start_load(cluster, method, env.seed, row)
    actions = [asker(method, oracle.seeded(env.seed, "ask", i), row, shares)
               for i in range(2)]
    actions += [nearest(method, oracle.seeded(env.seed, "near"), row),
                checker(method, row)]
    if env.option("rebuild", True):
        actions.append(rebuilder(method, oracle.seeded(env.seed, "ddl")))
    for action in actions:
        threads.append(load.Repeat(cluster, action, EXPECTED, pause=0.02))
        threads[-1].start()
    end = time.monotonic() + env.seconds(10, 1800)
    while time.monotonic() < end and row.clean:
        time.sleep(0.5)
    load.finish(threads, row)
    finished(connection, method)
    for index in ("idx", "idx2"):
        oracle.examine(connection, method, rng, row, index)
    vacuumer(connection)
    oracle.examine(connection, method, rng, row)
    for alarm in cluster.alarms():
        row.fail("signals", alarm)
    row.rounds = len(shares)
    row.counts.update({
        "batches": sum(thread.times for thread in threads[:3]),
        "vacuums": threads[3].times,
        "rebuilds": threads[-1].times if env.option("rebuild", True) else 0})
    row.note("%(batches)d statements' batches, %(vacuums)d vacuums,"
             " %(rebuilds)d rebuilds, " % row.counts +
             "share found mean %.4f, least %.4f" %
             (sum(shares) / max(1, len(shares)), min(shares, default=0)))
    connection.close()
    return row.done()


def churner(method, rng):
    """Few rows that come and go fast."""
    def step(connection):
        with connection.cursor() as cursor:
            cursor.execute(method.load or "SELECT 1")
            for _ in range(20):
                oracle.insert(cursor, rng, rng.randint(1, 8))
                cursor.execute("DELETE FROM tab WHERE id IN (SELECT id FROM"
                               " tab WHERE random() < 0.5 LIMIT 10"
                               " FOR UPDATE SKIP LOCKED)")
    return step


def churn(env):
    """A small index, of which most is dead at any time; checked at rest."""
    row = Row("C2s", "small table in fast churn, checked at rest")
    cluster = env.cluster("churn")
    method = env.method
    rng = oracle.seeded(env.seed, "churn")
    with cluster.connect() as connection, connection.cursor() as cursor:
        oracle.make_table(cursor, method, 50, rng)
    connection = cluster.connect()
    end = time.monotonic() + env.seconds(4, 300)
    while time.monotonic() < end and row.clean:
        threads = [load.Repeat(cluster, churner(method, oracle.seeded(
            env.seed, "churn", row.rounds, i)), EXPECTED) for i in range(6)]
        threads.append(load.Repeat(cluster, vacuumer, EXPECTED))
        for thread in threads:
            thread.start()
        time.sleep(min(2, max(0.5, end - time.monotonic())))
        load.finish(threads, row)
        row.counts["batches"] += sum(thread.times for thread in threads[:-1])
        row.counts["vacuums"] += threads[-1].times
        vacuumer(connection)
        oracle.examine(connection, method, rng, row)
        row.rounds += 1
    for alarm in cluster.alarms():
        row.fail("signals", alarm)
    row.note("%(batches)d batches of 20 inserts and deletes,"
             " %(vacuums)d vacuums" % row.counts)
    connection.close()
    return row.done()
