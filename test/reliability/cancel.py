"""Statements that are cancelled or terminated at any moment (E)."""
import os
import threading
import time

import psycopg2

import card
import oracle
import patience
from card import Row

LIMIT_S = 30                    # who takes longer hangs

SLOW = "INSERT INTO tab (v) SELECT v FROM tab LIMIT %d"


class Statement(threading.Thread):
    """A statement in a session of its own; says how it ended, and when."""

    def __init__(self, cluster, setup, sql):
        super().__init__(daemon=True)
        self.connection = cluster.connect()
        self.pid = self.connection.info.backend_pid
        with self.connection.cursor() as cursor:
            for line in setup:
                cursor.execute(line)
        self.sql = sql
        self.code = "none"
        self.start()

    def run(self):
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(self.sql)
        except psycopg2.Error as error:
            self.code = error.pgcode or "lost"
        self.ended = time.monotonic()
        self.connection.close()


def statements(method):
    """Return {name: (setup, statement, what comes after)}."""
    small = ["SET omen.pending_limit = 1000"]
    every = oracle.BY_INDEX + method.full
    return {
        "build": ([], method.create("other", opclass="vector_ip_ops"),
                  "DROP INDEX IF EXISTS other"),
        "build, small memory": (
            ["SET maintenance_work_mem = '1MB'"],
            method.create("other", opclass="vector_ip_ops"),
            "DROP INDEX IF EXISTS other"),
        "concurrent build": (
            [], method.create("other", how="CONCURRENTLY",
                              opclass="vector_ip_ops"),
            "DROP INDEX IF EXISTS other"),
        "insert and flush": (small, SLOW % 3000, None),
        "delete and vacuum": (
            ["DELETE FROM tab WHERE id IN (SELECT id FROM tab ORDER BY id"
             " LIMIT 3000)"] + small, "VACUUM tab", None),
        "check": ([], "SELECT * FROM omen_check('idx', true)", None),
        "scan": (["SET " + setting for setting in every],
                 "SELECT count(*) FROM (SELECT v FROM tab ORDER BY v <-> "
                 "(SELECT v FROM tab LIMIT 1)) s", None),
    }


def duration(cluster, setup, sql):
    """Return how long a statement takes if nothing happens to it."""
    start = time.monotonic()
    statement = Statement(cluster, setup, sql)
    statement.join()
    return statement.ended - start


def files(cluster):
    """Return the files of relations that no relation owns any more."""
    base, = cluster.run("SELECT 'base/' || oid FROM pg_database"
                        " WHERE datname = 'postgres'")[0]
    there = {name.split(".")[0].split("_")[0]
             for name in os.listdir(os.path.join(cluster.data, base))
             if name[0].isdigit()}
    known = {str(number) for (number,) in cluster.run(
        "SELECT pg_relation_filenode(oid) FROM pg_class"
        " WHERE relkind IN ('r', 'i', 't', 'm', 'S')") if number}
    return there - known


def left_behind(cluster, row):
    """Locks and files that outlive the statement."""
    locks = cluster.run(
        "SELECT locktype, mode FROM pg_locks WHERE pid <> pg_backend_pid()"
        " AND locktype IN ('page', 'extend', 'relation') AND pid IN (SELECT"
        " pid FROM pg_stat_activity WHERE backend_type = 'client backend')")
    if locks:
        row.fail("wrong", "locks are left: %s" % locks)
    temporary = cluster.run("SELECT name FROM pg_ls_tmpdir()")
    if temporary:
        row.fail("wrong", "temporary files are left: %s" % temporary)
    cluster.run("CHECKPOINT")
    orphans = files(cluster)
    if orphans:
        row.fail("wrong", "files are left: %s" % orphans)


def run(env):
    """E1-E4: cancelled and terminated, what is left, and how long it took."""
    row = Row("E1-E4", "cancelled and terminated at random moments")
    cluster = env.cluster("cancel")
    rng = oracle.seeded(env.seed, "cancel")
    with cluster.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE tab (id bigserial PRIMARY KEY, v"
                       " vector(%d))" % oracle.DIMS)
        for _ in range(env.choice(8, 60)):
            oracle.insert(cursor, rng, 1000)
        cursor.execute(env.method.create("idx"))
    durations = {}
    for number in env.numbers(21, 500):
        all_of_them = statements(env.method)
        names = sorted(all_of_them)
        name = names[number % len(names)]
        setup, sql, after = all_of_them[name]
        how = rng.choice(("cancel", "cancel", "terminate"))
        if name not in durations:
            durations[name] = duration(cluster, setup, sql)
            if after:
                cluster.run(after)
        statement = Statement(cluster, setup, sql)
        time.sleep(rng.random() * durations[name])
        sent = time.monotonic()
        cluster.run("SELECT pg_%s_backend(%d)" % (how, statement.pid))
        statement.join(patience.limit(LIMIT_S))
        row.rounds += 1
        if statement.is_alive():
            row.fail("hung", "%s after %s" % (name, how))
            break
        if statement.code in ("57014", "57P01") or (
                how == "terminate" and statement.code == "lost"):
            row.counts["in time"] += 1
            row.samples[name].append(1000 * (statement.ended - sent))
        elif statement.code != "none":
            row.fail("wrong", "%s: %s" % (name, statement.code))
        if after:
            cluster.run(after)
        if number % env.choice(7, 25) == 0:
            examine(cluster, env, rng, row)
    examine(cluster, env, rng, row)
    for alarm in cluster.alarms():
        row.fail("signals", alarm)
    row.note("%d came in time; latency in ms: %s" % (
        row.counts["in time"], "; ".join(
            "%s p50 %.0f p99 %.0f" % (name, card.percentile(values, 0.5),
                                      card.percentile(values, 0.99))
            for name, values in sorted(row.samples.items()))))
    return row.done()


def examine(cluster, env, rng, row):
    left_behind(cluster, row)
    connection = cluster.connect()
    oracle.examine(connection, env.method, rng, row)
    connection.close()
