"""A standby gives the primary's answers, from the primary's pages (B)."""
import os
import shutil
import time

import psycopg2

import load
import mixed
import oracle
import patience
from card import Row

PAGE = 8192

PRIMARY = """
wal_consistency_checking = 'all'
full_page_writes = off
checkpoint_timeout = 1h
max_wal_size = 512MB
wal_keep_size = 512MB
"""

# A round ends after so much WAL, of which each record has its pages for
# comparison: it has to be kept until the standby has replayed it.
WAL_BYTES = 512 * 1024 * 1024

# What leaves records of each class.
STEPS = (
    "CREATE INDEX late ON tab USING omen (v vector_ip_ops)",
    "INSERT INTO tab (v) SELECT v FROM tab LIMIT 1300",
    "DELETE FROM tab WHERE id % 5 = 0",
    "VACUUM tab",
    "INSERT INTO tab (v) SELECT v FROM tab LIMIT 40",
    "REINDEX INDEX idx",
    "DELETE FROM tab WHERE id % 2 = 0",
    "VACUUM tab",
)


def replayed(primary, standby, seconds=60):
    """Wait until the standby has what the primary has; False if it never."""
    target, = primary.run("SELECT pg_current_wal_lsn()")[0]
    for _ in patience.attempts(seconds, 0.05):
        try:
            if standby.run("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn",
                           (target,))[0][0]:
                return True
        except psycopg2.Error:
            return False
    return False


def written(primary, start):
    """Return the bytes of WAL since a position."""
    return int(primary.run("SELECT pg_current_wal_lsn() - %s::pg_lsn",
                           (start,))[0][0])


def answers(cluster, method, queries):
    connection = cluster.connect()
    found = []
    with connection.cursor() as cursor:
        for query in queries:
            cursor.execute("BEGIN")
            oracle.settings(cursor, oracle.BY_INDEX)
            found.append(oracle.scan(cursor, query, limit=20))
            cursor.execute("ROLLBACK")
    connection.close()
    return found


def pages(cluster, index):
    """Return an index's pages, without what may differ: the checksum."""
    cluster.run("CHECKPOINT")
    path, = cluster.run("SELECT pg_relation_filepath(%s)", (index,))[0]
    with open(os.path.join(cluster.data, path), "rb") as file:
        data = file.read()
    return [data[i:i + 8] + data[i + 10:i + PAGE]
            for i in range(0, len(data), PAGE)]


def compare(primary, standby, env, rng, row):
    """At rest: answers, the checker, and the pages."""
    if not replayed(primary, standby):
        row.fail("hung", "the standby does not come after")
        return
    queries = [oracle.vector(rng) for _ in range(20)]
    first, second = (answers(cluster, env.method, queries)
                     for cluster in (primary, standby))
    differing = sum(a != b for a, b in zip(first, second))
    if differing:
        row.fail("wrong", "%d answers differ" % differing)
    connection = standby.connect()
    oracle.examine(connection, env.method, rng, row)
    connection.close()
    # Blocks at the end of the primary's file may not be written yet.
    a, b = pages(primary, "idx"), pages(standby, "idx")
    differing = [block for block, (x, y) in enumerate(zip(a, b)) if x != y
                 and x.strip(b"\0") and y.strip(b"\0")]
    if differing:
        row.note("%d blocks of %d not alike" % (len(differing), len(a)))
    row.rounds += 1


def run(env):
    """B1-B5: mixed load on the primary, pauses to compare, promotion."""
    row = Row("B1-B5", "standby, WAL consistency, promotion")
    primary = env.cluster("primary", PRIMARY)
    rng = oracle.seeded(env.seed, "standby")
    with primary.connect() as connection, connection.cursor() as cursor:
        oracle.make_table(cursor, env.method, 1500, rng, ("idx", "idx2"))
    standby = env.another("standby", "max_standby_streaming_delay = 10s\n"
                          "hot_standby = on")
    standby.copy_of(primary).start()
    for number in range(env.choice(2, 20)):
        threads = mixed.start_load(primary, env.method, "%s %d" % (
            env.seed, number), row)
        end = time.monotonic() + env.seconds(2, 60)
        start, = primary.run("SELECT pg_current_wal_lsn()::text")[0]
        connection = standby.connect()
        while time.monotonic() < end and written(primary, start) < WAL_BYTES:
            try:
                oracle.compare(connection, env.method, rng, row)
                row.counts["compared"] += 1
            except psycopg2.Error as error:
                # The heap's conflicts with recovery are core's.
                if error.pgcode not in ("40001", "57014"):
                    row.fail("wrong", str(error).strip())
                connection.close()
                connection = standby.connect()
            time.sleep(0.02)
        connection.close()
        load.finish(threads, row)
        compare(primary, standby, env, rng, row)
    standby.tool("pg_ctl", "promote", "--wait", "--pgdata", standby.data)
    threads = mixed.start_load(standby, env.method, env.seed, row)
    time.sleep(env.seconds(1, 20))
    load.finish(threads, row)
    connection = standby.connect()
    oracle.examine(connection, env.method, rng, row)
    connection.close()
    for cluster in (primary, standby):
        for alarm in cluster.alarms():
            row.fail("signals", alarm)
    row.note("%d comparisons on the standby during replay" %
             row.counts["compared"])
    return row.done()


def positions(primary, start):
    """Return where records of generic WAL, and page images, end."""
    primary.run("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
    return [lsn for (lsn,) in primary.run(
        "SELECT end_lsn::text FROM pg_get_wal_records_info(%s,"
        " pg_current_wal_flush_lsn()) WHERE resource_manager = 'Generic'"
        " OR record_type = 'FPI' ORDER BY end_lsn", (start,))]


def recover_to(env, primary, backup, lsn, number):
    """Recover a copy of the backup up to a position, and promote it."""
    cluster = env.another("pitr%d" % number)
    shutil.copytree(backup.data, cluster.data, symlinks=True)
    cluster.configure(
        "restore_command = 'cp %s/pg_wal/%%f %%p'\n"
        "recovery_target_lsn = '%s'\nrecovery_target_action = promote\n" %
        (primary.data, lsn))
    return cluster.start()


def run_pitr(env):
    """A9: recovery to positions within steps of several records."""
    row = Row("A9", "recovery to positions within a step")
    primary = env.cluster("source", "wal_keep_size = 1GB")
    rng = oracle.seeded(env.seed, "pitr")
    with primary.connect() as connection, connection.cursor() as cursor:
        oracle.make_table(cursor, env.method, 1800, rng)
    backup = env.another("backup")
    backup.copy_of(primary)
    os.unlink(os.path.join(backup.data, "standby.signal"))
    open(os.path.join(backup.data, "recovery.signal"), "w").close()
    start, = primary.run("SELECT pg_current_wal_flush_lsn()::text")[0]
    connection = primary.connect()
    for step in STEPS:
        with connection.cursor() as cursor:
            cursor.execute(env.method.load or "SELECT 1")
            cursor.execute(step)
    connection.close()
    known = positions(primary, start)
    primary.run("SELECT pg_switch_wal()")
    for number in env.numbers(2, 100):
        cluster = recover_to(env, primary, backup, rng.choice(known), number)
        for _ in patience.attempts(10, 0.05):
            if not cluster.run("SELECT pg_is_in_recovery()")[0][0]:
                break
        connection = cluster.connect()
        oracle.examine(connection, env.method, rng, row)
        connection.close()
        cluster.run("INSERT INTO tab (v) SELECT v FROM tab LIMIT 1200")
        cluster.run("VACUUM tab")
        connection = cluster.connect()
        oracle.examine(connection, env.method, rng, row)
        connection.close()
        for alarm in cluster.alarms():
            row.fail("signals", alarm)
        cluster.remove()
        row.rounds += 1
    row.note("of %d positions" % len(known))
    return row.done()
