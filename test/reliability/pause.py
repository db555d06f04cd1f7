"""Exact interleavings (C6): one session pauses at a fault point, others go on."""
import os
import threading

import psycopg2

import crash
import oracle
import patience
from card import Row
from cancel import Statement
from cluster import NO_WORKERS

WAIT_FILE = "omen_wait"

# What pauses.  Each passes many points; memory is small, so that temporary
# files are made, in a tablespace that has to be looked up.
PAUSED = {
    "insert and flush": "INSERT INTO tab (v) SELECT v FROM keep LIMIT 1500",
    "vacuum": "VACUUM tab",
    "build": "CREATE INDEX other ON tab USING omen (v vector_ip_ops)",
}

SETUP = ["SET maintenance_work_mem = '1MB'",
         "SET temp_tablespaces = away",
         "SET omen.pending_limit = 1000"]


class Pause:
    def __init__(self, env, row):
        self.env = env
        self.row = row
        self.rng = oracle.seeded(env.seed, "pause")
        # What is freed becomes garbage at once.
        self.cluster = env.cluster("pause", NO_WORKERS, {"MALLOC_PERTURB_": "165"})
        self.file = os.path.join(self.cluster.data, WAIT_FILE)
        tablespace = os.path.join(self.cluster.dir, "away")
        os.mkdir(tablespace)
        self.cluster.run("CREATE TABLESPACE away LOCATION '%s'" % tablespace)
        with self.cluster.connect() as connection, \
                connection.cursor() as cursor:
            oracle.make_table(cursor, env.method, 2500, self.rng)
            cursor.execute("CREATE TABLE keep AS SELECT * FROM tab")

    def paused(self, statement):
        """Wait until the statement pauses; False if it ends without."""
        for _ in patience.attempts(30):
            if not statement.is_alive():
                return False
            state = self.cluster.run(
                "SELECT wait_event_type FROM pg_stat_activity"
                " WHERE pid = %s OR leader_pid = %s",
                (statement.pid, statement.pid))
            if ("Extension",) in state:
                return True
        self.row.fail("hung", statement.sql)
        return False

    def meanwhile(self):
        """What others do; locks on the table may keep them waiting."""
        connection = self.cluster.connect()
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '400ms'")
        for action in (
                lambda: oracle.compare(connection, self.env.method, self.rng,
                                       self.row),
                lambda: self.execute(connection, "ANALYZE tab"),
                lambda: self.execute(connection, "INSERT INTO tab (v)"
                                     " SELECT v FROM keep LIMIT 3"),
                lambda: self.execute(connection, "SET omen.pending_limit ="
                                     " 1000; INSERT INTO tab (v) SELECT v"
                                     " FROM keep LIMIT 1200"),
                lambda: self.execute(connection, "DELETE FROM tab WHERE id ="
                                     " (SELECT min(id) FROM tab)"),
                lambda: oracle.compare(connection, self.env.method, self.rng,
                                       self.row)):
            try:
                action()
                self.row.counts["others' statements"] += 1
            except psycopg2.Error as error:
                if error.pgcode != "57014":
                    self.row.fail("wrong", str(error).strip())
                connection.rollback()
        connection.close()

    @staticmethod
    def execute(connection, sql):
        with connection.cursor() as cursor:
            cursor.execute(sql)

    def one(self, point, name, nth):
        with open(self.file, "w"):
            pass
        try:
            statement = Statement(
                self.cluster,
                SETUP + ["SET omen.fault = '%s:wait:%d'" % (point, nth)],
                PAUSED[name])
            hit = self.paused(statement)
            if hit:
                # Who wants a page that the paused one has locked waits for as
                # long as the pause lasts, and no timeout ends that.
                others = threading.Thread(target=self.meanwhile, daemon=True)
                others.start()
                others.join(1.5)
        finally:
            os.unlink(self.file)
        statement.join(patience.limit(30))
        if hit:
            others.join(patience.limit(30))
            if others.is_alive():
                self.row.fail("hung", "others, with %s at %s" % (name, point))
        if statement.is_alive():
            self.row.fail("hung", "%s at %s" % (name, point))
        elif statement.code != "none":
            self.row.fail("wrong", "%s at %s: %s" % (name, point,
                                                     statement.code))
        self.settle()
        return hit

    def settle(self):
        connection = self.cluster.connect()
        oracle.examine(connection, self.env.method, self.rng, self.row)
        with connection.cursor() as cursor:
            cursor.execute("DROP INDEX IF EXISTS other")
            cursor.execute("DELETE FROM tab WHERE id NOT IN (SELECT id FROM"
                           " tab ORDER BY id DESC LIMIT 2500)")
        connection.close()


def run(env):
    """C6: pauses at each point, in each statement that passes it."""
    row = Row("C6", "pauses at fault points, others go on")
    pause = Pause(env, row)
    names = crash.points(env.source)
    names = env.some(names, 6, pause.rng)
    for point in names:
        for name in sorted(PAUSED):
            for nth in env.choice((pause.rng.choice((1, 7)),), (1, 7)):
                row.rounds += pause.one(point, name, nth)
    temporary = pause.cluster.run(
        "SELECT count(*) FROM pg_ls_tmpdir((SELECT oid FROM pg_tablespace"
        " WHERE spcname = 'away'))")[0][0]
    if temporary:
        row.fail("wrong", "%d temporary files are left" % temporary)
    for alarm in pause.cluster.alarms():
        row.fail("signals", alarm)
    row.note("%d statements of others came through" %
             row.counts["others' statements"])
    crash.count_faults(pause.cluster, row)
    return row.done()
