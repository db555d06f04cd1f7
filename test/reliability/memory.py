"""A long life (I): memory, locks, files and workers after much work."""
import os
import re
import subprocess
import time

import oracle
import patience
from card import Row

DIMS = 32
ROWS = 5000

# A new vector is the sum of two of a thousand that are kept for that.
POOL = 1000
FRESH = "(SELECT a.v + b.v FROM pool a, pool b WHERE a.id = :a AND b.id = :b)"

# Rows go when they are about as many behind the last one, so their number
# stays; and any row is one not much further behind.
ANY = "(SELECT id FROM tab WHERE id > (SELECT max(id) FROM tab) - :r" \
      " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)"

# Scripts for pgbench, and how often each is chosen.  The update of a column
# with an index of its own is not HOT, that of the note mostly is.
SCRIPTS = {
    "insert@10": "INSERT INTO tab (note, tag, v) VALUES (:r, :r, " + FRESH + ");",
    "batch@4": "INSERT INTO tab (note, v) SELECT :r, a.v + b.v"
               " FROM pool a, pool b WHERE a.id = :a AND b.id BETWEEN :b"
               " AND :b + 9;",
    "update@4": "UPDATE tab SET v = " + FRESH + " WHERE id = " + ANY + ";",
    "hot@10": "UPDATE tab SET note = :r WHERE id = " + ANY + ";",
    "tag@8": "UPDATE tab SET tag = :r WHERE id = " + ANY + ";",
    "delete@4": "DELETE FROM tab WHERE id = " + ANY + ";",
    "expire@6": "DELETE FROM tab WHERE id IN (SELECT id FROM tab WHERE id <"
                " (SELECT max(id) FROM tab) - %d FOR UPDATE SKIP LOCKED);" %
                ROWS,
    "search@30": "SELECT id FROM tab ORDER BY v <-> (SELECT v FROM tab"
                 " WHERE id > (SELECT max(id) FROM tab) - :r ORDER BY id"
                 " LIMIT 1) LIMIT 10;",
    "filter@10": "SELECT id FROM tab WHERE note % 10 = 3 ORDER BY v <->"
                 " (SELECT v FROM tab WHERE id > (SELECT max(id) FROM tab)"
                 " - :r ORDER BY id LIMIT 1) LIMIT 5;",
    "savepoint@5": "BEGIN; INSERT INTO tab (v) VALUES (" + FRESH + ");"
                   " SAVEPOINT s; INSERT INTO tab (v) SELECT v FROM tab"
                   " LIMIT 3; SELECT id FROM tab ORDER BY v <-> " + FRESH +
                   " LIMIT 3; ROLLBACK TO s; COMMIT;",
    "prepared@3": "BEGIN; INSERT INTO tab (v) VALUES (" + FRESH + ");"
                  " PREPARE TRANSACTION 'p:client_id'; COMMIT PREPARED"
                  " 'p:client_id';",
}

# How much is a kilobyte more than noise: a leak of ten bytes in a statement
# would be more in a run of any length.
SLACK = 4096


class Bench:
    """A pgbench with the scripts, each statement prepared or not."""

    CLIENTS = 2

    def __init__(self, env, cluster, protocol):
        self.sizes = []
        arguments = self.length(env)
        for name, sql in SCRIPTS.items():
            base, weight = name.split("@")
            # The name of a prepared transaction can be no parameter.
            if base == "prepared" and protocol != "simple":
                continue
            arguments += ["-f", "%s@%s" % (self.script(env, base, sql),
                                           weight)]
            self.sizes.append(sql.count(";"))
        self.process = subprocess.Popen(
            [os.path.join(env.bindir, "pgbench"), "--no-vacuum", "--jobs=1",
             "--client=%d" % self.CLIENTS, "--protocol=" + protocol, "-h",
             cluster.dir, "-U", "postgres", *arguments, "postgres"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def length(self, env):
        """Return what ends a run: a number of statements, or time if told."""
        if env.args.seconds:
            return ["--time=%d" % env.args.seconds]
        weights = [int(name.split("@")[1]) for name in SCRIPTS]
        statements = sum(weight * sql.count(";") for weight, sql in
                         zip(weights, SCRIPTS.values()))
        return ["--transactions=%d" % (
            env.rounds(6000, 10_000_000) * sum(weights) / statements /
            (2 * self.CLIENTS) + 1)]

    @staticmethod
    def script(env, name, sql):
        path = os.path.join(env.work, name + ".sql")
        with open(path, "w") as file:
            for name, most in (("r", ROWS), ("a", POOL), ("b", POOL)):
                if ":" + name in sql:
                    file.write("\\set %s random(1, %d)\n" % (name, most))
            file.write(sql.replace("; ", ";\n") + "\n")
        return path

    def finish(self, row):
        """Wait for the end; count statements."""
        out = self.process.communicate()[0]
        if self.process.returncode != 0:
            row.fail("wrong", "pgbench: " + out[-400:])
        done = re.findall(r"^ - (\d+) transactions \(", out, re.M)
        row.rounds += sum(int(number) * size
                          for number, size in zip(done, self.sizes))


def private_memory(pids):
    """Return the kilobytes that processes have for themselves."""
    total = 0
    for pid in pids:
        try:
            with open("/proc/%d/status" % pid) as status:
                for line in status:
                    if line.startswith("RssAnon:"):
                        total += int(line.split()[1])
        except OSError:
            pass
    return total


def descriptors(pids):
    total = 0
    for pid in pids:
        try:
            total += len(os.listdir("/proc/%d/fd" % pid))
        except OSError:
            pass
    return total


def contexts(cluster, pids):
    """Return the kilobytes that sessions say their contexts have.

    They say it in the log, when they come to it.
    """
    cluster.run("SELECT pg_log_backend_memory_contexts(pid)"
                " FROM unnest(%s) pid", (pids,))
    time.sleep(patience.limit(0.2))
    with open(cluster.log, errors="replace") as log:
        log.seek(cluster.log_seen)
        said = re.findall(r"\[(\d+)\].*Grand total: (\d+) bytes", log.read())
    return sum(int(size) for size in dict(said).values()) // 1024


class Samples:
    """What is looked at while the load goes on, in order."""

    SQL = """
        SELECT (SELECT count(*) FROM tab), pg_table_size('tab') / 1024,
            pg_relation_size('idx') / 1024,
            (SELECT count(*) FROM pg_stat_activity
                WHERE backend_type ~ 'omen|parallel'),
            (SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid()),
            (SELECT count(*) FROM pg_ls_dir('base', true, false) d,
                pg_ls_dir('base/' || d, true, false))"""
    NAMES = ("kB private", "kB of contexts", "descriptors", "rows",
             "kB of table", "kB of index", "workers", "locks", "files")

    # Which of them must not grow, and the share by which they may.
    FLAT = {"kB private": 1.1, "kB of contexts": 1.1, "kB of index": 1.5}

    def __init__(self, cluster):
        self.cluster = cluster
        self.all = []
        self.alarms = []

    def take(self):
        """Look once, unless the sessions are gone."""
        pids = [pid for (pid,) in self.cluster.run(
            "SELECT pid FROM pg_stat_activity WHERE application_name ="
            " 'pgbench'")]
        if len(pids) < 2 * Bench.CLIENTS:
            return
        said = contexts(self.cluster, pids)
        self.alarms += self.cluster.alarms()
        self.all.append((private_memory(pids), said, descriptors(pids),
                         *self.cluster.run(self.SQL)[0]))

    def greatest(self, name, quarter):
        """Return the greatest of a quarter of the samples."""
        at = self.NAMES.index(name)
        size = len(self.all) / 4
        return max(sample[at] for sample in
                   self.all[int(size * quarter):int(size * (quarter + 1))])

    def judge(self, row):
        """The last quarter is not above the second: the first warms up."""
        if len(self.all) < 4:
            row.note("too short to tell whether anything grows")
            return
        for name in self.NAMES:
            before, after = self.greatest(name, 1), self.greatest(name, 3)
            row.note("%s %d, %d" % (name, before, after))
            if after > before * self.FLAT.get(name, 1e9) + SLACK:
                row.fail("wrong", "%s: %s" % (name, [
                    sample[self.NAMES.index(name)] for sample in self.all]))


def run(env):
    """I1, and section 9 of the plan: mixed load by pgbench, autovacuum on."""
    row = Row("I1", "long life: pgbench, eleven kinds of transactions")
    cluster = env.cluster("life", "autovacuum = on\nautovacuum_naptime = 1s\n"
                          "max_wal_size = 512MB")
    rng = oracle.seeded(env.seed, "life")
    with cluster.connect() as connection, connection.cursor() as cursor:
        oracle.make_table(cursor, env.method, ROWS, rng, dims=DIMS)
        cursor.execute("ALTER TABLE tab ADD tag int;"
                       " CREATE INDEX ON tab (tag);"
                       " CREATE TABLE pool AS SELECT id, v FROM tab"
                       " WHERE id < %d; CREATE INDEX ON pool (id)" %
                       (POOL + 10))
        if env.method.load:
            cursor.execute("ALTER DATABASE postgres " + env.method.load)
    benches = [Bench(env, cluster, protocol)
               for protocol in ("simple", "prepared")]
    samples = Samples(cluster)
    while all(bench.process.poll() is None for bench in benches):
        time.sleep(env.choice(0.2, 60))
        samples.take()
    for bench in benches:
        bench.finish(row)
    row.note("%d scans of the index" % cluster.run(
        "SELECT idx_scan FROM pg_stat_user_indexes"
        " WHERE indexrelname = 'idx'")[0])
    after(env, cluster, rng, row)
    for alarm in samples.alarms:
        row.fail("signals", alarm)
    samples.judge(row)
    return row.done()


def after(env, cluster, rng, row):
    """Nothing may be left when all clients are gone."""
    for what, sql in (
            ("prepared transactions", "SELECT gid FROM pg_prepared_xacts"),
            ("temporary files", "SELECT name FROM pg_ls_tmpdir()"),
            ("advisory or page locks", "SELECT locktype FROM pg_locks WHERE"
             " locktype IN ('page', 'advisory', 'extend')"),
            ("background workers", "SELECT backend_type FROM pg_stat_activity"
             " WHERE backend_type ~ 'omen|parallel'"),):
        # Autovacuum, or a worker, may have to come to its end.
        for _ in patience.attempts(10, 0.1):
            left = cluster.run(sql)
            if not left:
                break
        if left:
            row.fail("wrong", "%s are left: %s" % (what, left[:3]))
    connection = cluster.connect()
    oracle.examine(connection, env.method, rng, row, dims=DIMS)
    for _ in range(env.choice(3, 50)):
        oracle.compare(connection, env.method, rng, row, dims=DIMS)
    connection.close()
    for alarm in cluster.alarms():
        row.fail("signals", alarm)
