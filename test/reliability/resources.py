"""Memory, disk and I/O that fail (D), by a shim that the server preloads."""
import errno
import mmap
import os
import struct
import subprocess

import psycopg2

import oracle
from card import Row
from cluster import NO_WORKERS

MALLOC, WRITE, EXTEND, READ = range(1, 5)
LAYOUT = "=5i"

# Each is done in a session of its own, which suffers.
STEPS = (
    ("build", ["DROP INDEX IF EXISTS other",
               "SET maintenance_work_mem = '%(memory)s'"],
     "CREATE INDEX other ON tab USING omen (v vector_ip_ops)"),
    ("insert", ["SET omen.pending_limit = 1000"],
     "INSERT INTO tab (v) SELECT v FROM tab LIMIT 1600"),
    ("vacuum", ["DELETE FROM tab WHERE id IN (SELECT id FROM tab ORDER BY id"
                " LIMIT 1500)"], "VACUUM tab"),
    ("scan", ["SET enable_seqscan = off", "SET enable_sort = off"],
     "SELECT count(*) FROM (SELECT v FROM tab"
     " ORDER BY v <-> '[1,0,0,0,0,0,0,0]' LIMIT 200) s"),
)

# The error that must come, by what fails.
CODES = {MALLOC: ("53200",), WRITE: ("58030", "53100"),
         EXTEND: ("53100",), READ: ("58030",)}


class Shim:
    """The file that tells the preloaded library what to do."""

    def __init__(self, source, directory):
        self.path = os.path.join(directory, "shim.so")
        path = os.path.join(directory, "shim.control")
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-w", "-o",
                        self.path,
                        os.path.join(source, "test/reliability/shim.c"),
                        "-ldl"], check=True)
        with open(path, "w+b") as file:
            file.write(bytes(4096))
            file.flush()
            self.map = mmap.mmap(file.fileno(), 4096)
        self.env = {"LD_PRELOAD": self.path, "OMEN_SHIM": path}

    def arm(self, what=0, pid=0, countdown=0, error=0):
        # What comes last: no call may see half of it.
        self.map[4:20] = struct.pack("=4i", pid, countdown, 0, error)
        self.map[0:4] = struct.pack("=i", what)

    def fired(self):
        return struct.unpack_from(LAYOUT, self.map)[3]


class Sufferer:
    def __init__(self, env, row):
        self.env = env
        self.row = row
        self.rng = oracle.seeded(env.seed, row.ident)
        self.shim = Shim(env.source, env.work)
        # Few buffers, so that a session has to write and read by itself.
        self.cluster = env.cluster(
            "resources", "shared_buffers = 1MB\n" + NO_WORKERS, self.shim.env)
        with self.cluster.connect() as connection, \
                connection.cursor() as cursor:
            oracle.make_table(cursor, env.method, 2500, self.rng)

    def one(self, step, what, error, nth, memory):
        """Let the n-th call fail; False if there were not so many."""
        name, setup, sql = step
        connection = self.cluster.connect()
        label = "%s, call %d of kind %d" % (name, nth, what)
        try:
            with connection.cursor() as cursor:
                for line in setup:
                    cursor.execute(line % {"memory": memory})
                cursor.execute("SELECT 1")
                self.shim.arm(what, connection.info.backend_pid, nth, error)
                cursor.execute(sql)
            failed = None
        except psycopg2.Error as problem:
            failed = problem
        finally:
            fired = self.shim.fired()
            self.shim.arm()
        self.judge(label, failed, CODES[what])
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except psycopg2.Error:
            # Core ends a session that has no memory to go on.
            if what != MALLOC:
                self.row.fail("signals", label + ": the session is gone")
        connection.close()
        if not self.cluster.wait_until_up():
            self.row.fail("hung", label + ": the server is gone")
        return fired > 0

    def judge(self, label, error, codes):
        if error is None:
            return
        if error.pgcode is None:
            if "out of memory" not in str(error):
                self.row.fail("signals", "%s: %s" % (label, error))
        elif error.pgcode not in codes:
            self.row.fail("wrong", "%s: %s %s" % (label, error.pgcode,
                                                  str(error).strip()))

    def settle(self):
        """Look at the index, and keep the table at its size."""
        connection = self.cluster.connect()
        oracle.examine(connection, self.env.method, self.rng, self.row)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM tab")
            count = cursor.fetchone()[0]
            if count > 4000:
                cursor.execute("DELETE FROM tab WHERE id IN (SELECT id FROM"
                               " tab ORDER BY id LIMIT %d)" % (count - 2500))
                cursor.execute("VACUUM tab")
            elif count < 1500:
                oracle.insert(cursor, self.rng, 1000)
        connection.close()


def kinds():
    yield MALLOC, errno.ENOMEM, "memory"
    yield WRITE, errno.EIO, "EIO writing"
    yield EXTEND, errno.ENOSPC, "no space"
    yield READ, errno.EIO, "EIO reading"


def run(env):
    """D1-D7: each call of a kind fails in turn, in each kind of statement."""
    row = Row("D1-D7", "memory, disk space and I/O fail, call by call")
    sufferer = Sufferer(env, row)
    for what, error, name in kinds():
        for step in STEPS:
            last = env.choice(200, 2000)
            nth = 1
            tried = 0
            while nth <= last and tried < env.rounds(4, 60):
                memory = sufferer.rng.choice(("1MB", "64MB"))
                hit = sufferer.one(step, what, error, nth, memory)
                row.rounds += 1
                tried += 1
                row.counts[name] += hit
                if not hit:
                    break
                nth += 1 + sufferer.rng.randrange(env.choice(
                    1 + nth, 1 + nth // 8))
            sufferer.settle()
    limits(sufferer, row)
    for alarm in sufferer.cluster.alarms(allowed="could not read block"):
        row.fail("signals", alarm)
    row.note("failed: " + ", ".join("%s %d" % item for item in
                                     row.counts.items()))
    return row.done()


def limits(sufferer, row):
    """temp_file_limit, and the smallest memory."""
    connection = sufferer.cluster.connect()
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '1MB';"
                       " SET omen.pending_limit = 1000")
        for limit in (0, 300, 1000, 5000):
            cursor.execute("SET temp_file_limit = %d" % limit)
            for sql in (STEPS[0][1][0], STEPS[0][2], STEPS[1][2], "VACUUM tab"):
                try:
                    cursor.execute(sql)
                except psycopg2.Error as error:
                    sufferer.judge("temp_file_limit %d" % limit, error,
                                   ("53400", "53000"))
                row.rounds += 1
    connection.close()
    sufferer.settle()
