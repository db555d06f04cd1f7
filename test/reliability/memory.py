"""A long life (I): memory, locks, files and workers after much work."""
import os
import subprocess
import time

import oracle
import patience
from card import Row

# Scripts for pgbench, and how often each is chosen.
SCRIPTS = {
    "insert@20": "INSERT INTO tab (v) SELECT v + v FROM tab WHERE id > :r"
                 " LIMIT 5;",
    "update@10": "UPDATE tab SET v = l2_normalize(v) WHERE id = (SELECT id"
                 " FROM tab WHERE id > :r ORDER BY id LIMIT 1"
                 " FOR UPDATE SKIP LOCKED);",
    "hot@15": "UPDATE tab SET note = :r WHERE id = (SELECT id FROM tab"
              " WHERE id > :r ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED);",
    "delete@15": "DELETE FROM tab WHERE id IN (SELECT id FROM tab ORDER BY id"
                 " LIMIT greatest(4, (SELECT n - 4000 FROM counted))"
                 " FOR UPDATE SKIP LOCKED);",
    "search@30": "SELECT id FROM tab ORDER BY v <-> (SELECT v FROM tab"
                 " WHERE id > :r LIMIT 1) LIMIT 10;",
    "savepoint@5": "BEGIN; INSERT INTO tab (v) SELECT v FROM tab LIMIT 2;"
                   " SAVEPOINT s; INSERT INTO tab (v) SELECT v FROM tab"
                   " LIMIT 3; ROLLBACK TO s; COMMIT;",
    "prepared@3": "BEGIN; INSERT INTO tab (v) SELECT v FROM tab LIMIT 2;"
                  " PREPARE TRANSACTION 'p:client_id';"
                  " COMMIT PREPARED 'p:client_id';",
    "count@1": "REFRESH MATERIALIZED VIEW counted;",
}


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


def run_pgbench(env, cluster, row):
    """Start pgbench with all scripts; return the process."""
    directory = os.path.join(env.work, "scripts")
    os.makedirs(directory, exist_ok=True)
    arguments = []
    for name, sql in SCRIPTS.items():
        base, weight = name.split("@")
        path = os.path.join(directory, base)
        with open(path, "w") as file:
            if ":r" in sql:
                file.write("\\set r random(1, 2000000000) % 100000\n")
            file.write(sql.replace("; ", ";\n") + "\n")
        arguments += ["-f", "%s@%s" % (path, weight)]
    return subprocess.Popen(
        [os.path.join(env.bindir, "pgbench"), "--no-vacuum", "--client=4",
         "--jobs=1", "--time=%d" % env.seconds(6, 1200), "-h", cluster.dir,
         "-U", "postgres", *arguments, "postgres"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def run(env):
    """I1, and section 9 of the plan: mixed load by pgbench, autovacuum on."""
    row = Row("I1", "long life: pgbench, six kinds of transactions")
    cluster = env.cluster("life", "autovacuum = on\nautovacuum_naptime = 1s")
    rng = oracle.seeded(env.seed, "life")
    with cluster.connect() as connection, connection.cursor() as cursor:
        oracle.make_table(cursor, env.method, 3000, rng)
        cursor.execute("CREATE MATERIALIZED VIEW counted AS"
                       " SELECT count(*) AS n FROM tab")
        if env.method.load:
            cursor.execute("ALTER DATABASE postgres " + env.method.load)
    bench = run_pgbench(env, cluster, row)
    time.sleep(1)
    samples = []
    while bench.poll() is None:
        pids = [pid for (pid,) in cluster.run(
            "SELECT pid FROM pg_stat_activity WHERE application_name ="
            " 'pgbench'")]
        samples.append((private_memory(pids), descriptors(pids)))
        time.sleep(env.choice(0.5, 5))
    out = bench.communicate()[0]
    if bench.returncode != 0:
        row.fail("wrong", "pgbench: " + out[-400:])
    row.rounds = sum(int(line.split(":")[1].split("/")[0])
                     for line in out.splitlines()
                     if line.startswith("number of transactions actually"))
    after(env, cluster, rng, row)
    samples = [sample for sample in samples if sample[0] > 0]
    half = samples[len(samples) // 2:] or [(0, 0)]
    row.note("%d kB private and %d descriptors in the middle, %d and %d at"
             " the end" % (half[0] + half[-1]))
    # A leak of a kilobyte in a hundred statements would be far more.
    if half[-1][0] > half[0][0] * 1.5 + 8192:
        row.fail("wrong", "memory grows: %s" % [s[0] for s in half])
    return row.done()


def after(env, cluster, rng, row):
    """Nothing may be left when all clients are gone."""
    for what, sql in (
            ("prepared transactions", "SELECT gid FROM pg_prepared_xacts"),
            ("temporary files", "SELECT name FROM pg_ls_tmpdir()"),
            ("advisory or page locks", "SELECT locktype FROM pg_locks WHERE"
             " locktype IN ('page', 'advisory', 'extend')"),):
        # Autovacuum, or a worker, may have to come to its end.
        for _ in patience.attempts(10, 0.1):
            left = cluster.run(sql)
            if not left:
                break
        if left:
            row.fail("wrong", "%s are left: %s" % (what, left[:3]))
    connection = cluster.connect()
    oracle.examine(connection, env.method, rng, row)
    connection.close()
    for alarm in cluster.alarms():
        row.fail("signals", alarm)
