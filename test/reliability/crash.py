"""Crashes: what was acknowledged is there, whatever was going on (A)."""
import glob
import itertools
import os
import re
import signal
import time

import psycopg2

import load
import oracle
import patience
from card import Row

POINT = re.compile(r'OMEN_FAULT_POINT\("([a-z-]+)"\)')

# A leader that loses both workers and postmaster raises this error while it
# aborts, and then does not hold what core asserts at the end of a process.
CORES_OWN = "postmaster exited during a parallel transaction"

LIMIT = 10000                   # rows; more are too slow to look at


def points(source):
    """Return the names of all fault points in the sources."""
    names = set()
    for path in glob.glob(os.path.join(source, "src", "**", "*.c"),
                          recursive=True):
        with open(path) as file:
            names.update(POINT.findall(file.read()))
    return sorted(names)


def keep_house(method, rng):
    """VACUUM, a second index, REINDEX: what writes most records."""
    def step(connection):
        with connection.cursor() as cursor:
            cursor.execute(method.load or "SELECT 1")
            choice = rng.random()
            if choice < 0.5:
                cursor.execute("VACUUM tab")
            elif choice < 0.75:
                cursor.execute("DROP INDEX IF EXISTS idx2")
                cursor.execute(method.create("idx2", opclass="vector_ip_ops"))
            else:
                cursor.execute("REINDEX INDEX idx")
    return step


class Survivor:
    """A cluster that comes back, sooner or later."""

    def __init__(self, env, row, cluster):
        self.env = env
        self.row = row
        self.cluster = cluster

    def settle(self):
        if not self.cluster.wait_until_up():
            self.row.fail("hung", "the server did not come back")
            self.cluster.stop("immediate")
            self.cluster.start()

    def patiently(self, action):
        """Do something, again if the server goes down once more meanwhile.

        A process that was in the middle of a statement may come to the fault
        point only now.
        """
        for _ in range(5):
            self.settle()
            connection = None
            try:
                connection = self.cluster.connect()
                return action(connection)
            except psycopg2.OperationalError as error:
                problem = error
                time.sleep(0.2)
            finally:
                if connection is not None:
                    connection.close()
        self.row.fail("wrong", str(problem).strip())
        return {}


class Crashes(Survivor):
    """One table in one cluster, and crash after crash."""

    def __init__(self, env, row, cluster):
        super().__init__(env, row, cluster)
        self.rng = oracle.seeded(env.seed, "crash", row.ident)
        with cluster.connect() as connection, connection.cursor() as cursor:
            oracle.make_table(cursor, env.method, 1200, self.rng)

    def immediate(self):
        self.cluster.stop("immediate")
        self.cluster.start()

    def postmaster(self):
        self.cluster.kill_postmaster()
        self.cluster.start()

    def twice(self):
        """Recovery is killed, too."""
        self.cluster.kill_postmaster()
        try:
            self.cluster.start()
        finally:
            self.cluster.kill_postmaster()
        self.cluster.start()

    def backend(self):
        """SIGKILL a process that serves a client, or any worker."""
        pids = [pid for (pid,) in self.cluster.run(
            "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND (backend_type = 'client backend' OR backend_type ~ 'omen')")]
        if pids:
            os.kill(self.rng.choice(pids), signal.SIGKILL)

    def fault(self):
        """Any fault point, at some passage."""
        self.cluster.everywhere("omen.fault", "any:kill:%d" %
                                self.rng.choice((1, 3, 10, 40, 150, 600)))
        time.sleep(1.0)

    def one(self):
        """Load, a crash, and a look at what is left."""
        journals = [load.Journal(self.cluster, self.env.method,
                                 self.row.rounds * 8 + i,
                                 oracle.seeded(self.env.seed, "journal",
                                               self.row.rounds, i))
                    for i in range(3)]
        house = load.Repeat(self.cluster,
                            keep_house(self.env.method, self.rng),
                            ("42P01", "42704", "40P01"))
        for thread in journals + [house]:
            thread.start()
        time.sleep(self.rng.random() * 0.6)
        kinds = [self.immediate, self.postmaster, self.twice, self.backend]
        if self.env.faults:
            kinds += [self.fault] * 4
        kind = self.rng.choice(kinds)
        self.row.counts[kind.__name__] += 1
        kind()
        self.look(house, journals)

    def look(self, house, journals):
        if self.env.faults:
            self.cluster.everywhere("omen.fault", "")
        house.wanted = False
        load.finish(journals, self.row)
        # A REINDEX waits for prepared transactions, so end them first.
        known = self.patiently(lambda connection: load.recover(self.cluster))
        load.finish([house], self.row)
        for journal in journals:
            known.update(journal.known)
        self.patiently(lambda connection: load.account(self.cluster, known,
                                                       self.row))
        self.patiently(self.examine)
        # Processes that we killed are reported, and the others by core.
        for alarm in self.cluster.alarms(allowed="terminated by signal 9"):
            if CORES_OWN in alarm:
                continue
            self.row.fail("signals", alarm)
        self.row.rounds += 1

    def examine(self, connection):
        oracle.examine(connection, self.env.method, self.rng, self.row)
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM tab")
            if cursor.fetchone()[0] <= LIMIT:
                return
            cursor.execute("DELETE FROM tab WHERE random() < 0.8")
            cursor.execute("VACUUM tab")
        oracle.examine(connection, self.env.method, self.rng, self.row)


def run(env):
    """A1, A2, A4, A8: crashes of all kinds at random moments."""
    row = Row("A1-A8", "crashes, journals against table and index")
    crashes = Crashes(env, row, env.cluster("crash"))
    for _ in env.numbers(6, 500):
        crashes.one()
        if not row.clean:
            break
    row.note(", ".join("%s %d" % item for item in sorted(row.counts.items())))
    count_faults(crashes.cluster, row)
    return row.done()


def count_faults(cluster, row):
    """Count what happened at fault points, as "point action"."""
    row.counts.update({"%s %s" % what: times
                       for what, times in cluster.fired.items()})


INDEX2 = "CREATE INDEX idx2 ON tab USING omen (v vector_ip_ops)"

# Passes every fault point, in a session that goes on after errors.
STEPS = (
    "DELETE FROM tab WHERE id % 3 = 0",
    "VACUUM tab",
    "INSERT INTO tab (v) SELECT v FROM tab ORDER BY id LIMIT 1100",
    "INSERT INTO tab (v) SELECT l2_normalize(v) FROM tab ORDER BY id LIMIT 700",
    "DROP INDEX idx2",
    "SET maintenance_work_mem = '1MB'",
    INDEX2,
    # The first flush; then there is little left, and VACUUM cuts off the end.
    "INSERT INTO late SELECT a.v FROM tab a, generate_series(1, 3) LIMIT 6000",
    "VACUUM late",
    "DELETE FROM late WHERE ctid > '(5,0)'",
    "VACUUM late",
    "VACUUM late",
    "TRUNCATE late",
    "INSERT INTO long SELECT v FROM sample LIMIT 6",
    "DELETE FROM long WHERE ctid IN (SELECT ctid FROM long LIMIT 3)",
    "VACUUM long",
    # Workers come late, so that the leader gets more rows than its share.
    "INSERT INTO late SELECT a.v FROM tab a, generate_series(1, 3) LIMIT 6000",
    "SET maintenance_work_mem = '128MB'",
    "REINDEX INDEX lateidx",
    "TRUNCATE late",
    "SET maintenance_work_mem = '1MB'",
    # A flush that fails leaves a reservation and a sealed list to the next.
    "SET omen.fault = 'publish-before-wal:error'",
    "INSERT INTO tab (v) SELECT v FROM tab ORDER BY id LIMIT 1200",
    "RESET omen.fault",
    "VACUUM tab",
    "DELETE FROM tab WHERE random() < 0.4",
    "VACUUM tab",
)

# The same for rows and slots of several pages; with less than a thousand rows
# there would be no segment.
LONG_STEPS = (
    "DELETE FROM tab WHERE random() < 0.1",
    "VACUUM tab",
    "INSERT INTO tab (v) SELECT v FROM sample LIMIT 30",
    "SELECT omen_compact('idx')",
    "SET maintenance_work_mem = '1MB'",
    "INSERT INTO tab (v) SELECT v FROM sample LIMIT 30",
    "REINDEX INDEX idx",
)


class Points(Survivor):
    """Each fault point in turn."""

    script = STEPS
    indexes = ("idx", "idx2", "lateidx", "longidx")

    def __init__(self, env, row):
        super().__init__(env, row, env.cluster(
            "points", "session_preload_libraries = omenvec"))
        self.rng = oracle.seeded(env.seed, row.ident)
        with self.cluster.connect() as connection, \
                connection.cursor() as cursor:
            self.make(cursor)

    def make(self, cursor):
        oracle.make_table(cursor, self.env.method, 1500, self.rng,
                          ("idx", "idx2"))
        cursor.execute("CREATE TABLE late (v vector(%d))"
                       " WITH (parallel_workers = 2)" % oracle.DIMS)
        cursor.execute("CREATE INDEX lateidx ON late USING omen (v)")
        cursor.execute("CREATE TABLE long (v vector(%d))" % oracle.LONG)
        cursor.execute("CREATE INDEX longidx ON long USING omen (v)")
        cursor.execute(oracle.long_rows("sample", 6))

    def steps(self):
        """Run the script; what fails fails, and is not tried again."""
        connection = None
        for step in self.script:
            try:
                if connection is None or connection.closed:
                    if not self.cluster.wait_until_up():
                        self.row.fail("hung", "the server did not come back")
                        return
                    connection = self.cluster.connect()
                    with connection.cursor() as cursor:
                        cursor.execute(
                            "SET omen.pending_limit = 1000; " +
                            patience.timeout(30))
                with connection.cursor() as cursor:
                    cursor.execute(step)
            except psycopg2.Error as error:
                if error.pgcode == "57014":
                    self.row.fail("hung", step)
                elif error.pgcode not in (None, "XX000", "57P02", "57P01",
                                          "42704", "42P07", "57P03"):
                    self.row.fail("wrong", "%s: %s" % (step, error))
        if connection is not None:
            connection.close()

    def one(self, point, action, nth):
        self.cluster.everywhere("omen.fault", "%s:%s:%d" % (point, action,
                                                           nth))
        time.sleep(0.05)
        self.steps()
        self.cluster.everywhere("omen.fault", "")
        self.cluster.wait_until_up()
        time.sleep(0.1)
        for line in self.cluster.new_log().splitlines():
            if re.search("PANIC|TRAP|by signal (?!9)|leak", line):
                self.row.fail("signals", line)
        before = len(self.row.failures)
        self.patiently(self.look)
        if len(self.row.failures) > before:
            self.row.fail("wrong", "the above after %s:%s:%d" %
                          (point, action, nth), 0)
        self.row.rounds += 1

    def look(self, connection):
        self.mend(connection)
        for index in self.indexes:
            with connection.cursor() as cursor:
                for finding in self.env.method.findings(cursor, index)[:3]:
                    self.row.fail("wrong", "%s %s" % (index, finding))
        self.compare(connection)

    def compare(self, connection):
        for operator in ("<->", "<#>"):
            oracle.compare(connection, self.env.method, self.rng, self.row,
                           operator)

    def mend(self, connection):
        """Make what failed to be made, and keep the table at its size."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('idx2')::text")
            if cursor.fetchone()[0] is None:
                cursor.execute(INDEX2)
            cursor.execute("SELECT count(*) FROM tab")
            short = 2500 - cursor.fetchone()[0]
            if short > 0:
                oracle.insert(cursor, self.rng, short)
            elif short < -2500:
                cursor.execute("DELETE FROM tab WHERE random() < 0.6")


class LongPoints(Points):
    """Each fault point in turn, with rows and slots of several pages."""

    script = LONG_STEPS
    indexes = ("idx",)

    def make(self, cursor):
        cursor.execute(oracle.long_rows("sample", 200))
        cursor.execute(oracle.long_rows("tab", 1100))
        cursor.execute(self.env.method.create("idx"))

    def compare(self, connection):
        oracle.compare(connection, self.env.method, self.rng, self.row,
                       dims=oracle.LONG)

    def mend(self, connection):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM tab")
            count, = cursor.fetchone()
            if count < 1050:
                cursor.execute("INSERT INTO tab (v) SELECT v FROM sample")
            elif count > 1500:
                cursor.execute("DELETE FROM tab WHERE random() < 0.2")


def run_points(env):
    """A3: an error, and a kill, at each fault point."""
    row = Row("A3", "error and SIGKILL at each fault point")
    return each_point(env, Points(env, row),
                      env.choice((1,), (1, 2, 5, 20, 100)), 8)


def run_long_points(env):
    """A3 for rows and slots that take several pages."""
    row = Row("A3l", "the same, rows and slots of several pages")
    return each_point(env, LongPoints(env, row), (1, 50), 1)


def each_point(env, state, nths, some):
    names = points(env.source)
    tried = set()
    todo = list(itertools.product(nths, env.some(names, some, state.rng),
                                  ("error", "kill")))
    state.rng.shuffle(todo)
    for nth, name, action in env.in_time(todo):
        state.one(name, action, nth)
        tried.add((name, action))
    never = sorted(tried - set(state.cluster.fired))
    state.row.note("%d of %d points, in vain: %s" % (
        len({name for name, _ in tried}), len(names),
        ", ".join("%s (%s)" % item for item in never) or "none"))
    count_faults(state.cluster, state.row)
    return state.row.done()
