"""Measure index access methods for vectors, all in the same way.

The server is the one that libpq's environment variables name; run.sh starts
it.  Each method gets a database of its own, with the same rows.  README.md
tells how each figure is made.
"""
import datetime
import json
import os
import sys
import time

import numpy as np
import psycopg2

import generate
import methods
import page
import plans
import summary
from datasets import MINIMUM_ROWS, Dataset
from options import METHODS, parse
from server import BuildWatch, Database, cpu_name
from terminal import say

OPERATORS = {"l2": "<->", "ip": "<#>", "cosine": "<=>", "l1": "<+>"}
PLAIN_DIMENSIONS = 2000         # a row of more does not fit a page
REPEATS = 3                     # of queries, and of builds of small tables
REPEAT_SECONDS = 20             # of queries after which there is no repeat
ENOUGH = 0.9999                 # recall beyond which more effort is not tried
SMALL_ROWS = 10000
SINGLE_INSERTS = 300
INSTRUCTION_SETS = ("avx512", "avx2", "neon", "scalar")
RECOVERY_SECONDS = 60


class MemoryWatch(BuildWatch):
    """Follows a CREATE INDEX, and the private memory of its processes."""

    PROCESSES = ("SELECT pid FROM pg_stat_activity "
                 "WHERE pid = %d OR leader_pid = %d")

    def __init__(self, database, pid):
        super().__init__(database)
        self.pid = pid
        self.peak = anonymous(pid)      # bytes; a short build is never seen

    def poll(self):
        super().poll()
        processes = self.db.rows(self.PROCESSES % (self.pid, self.pid))
        self.peak = max(self.peak, sum(anonymous(p) for p, in processes))


def anonymous(pid):
    """Return the bytes of a process's private memory; 0 if it is gone."""
    try:
        with open("/proc/%d/status" % pid) as f:
            for line in f:
                if line.startswith("RssAnon:"):
                    return 1024 * int(line.split()[1])
    except OSError:
        pass
    return 0


class Runner:
    """Runs the tests of one method in its database."""

    def __init__(self, method, data, options, suffix=""):
        self.method = method
        self.data = data
        self.options = options
        self.n = len(data.base)
        self.database = "bench_" + method.name + suffix
        self.memory = options.memory
        self.result = {"effort": method.effort, "usual": method.usual,
                       "index": method.create("items", self.n, data.metric),
                       "errors": {}}
        self.db = None
        admin = Database()
        admin.run("CREATE DATABASE " + self.database)
        admin.connection.close()
        self.connect()
        self.db.run("CREATE EXTENSION %s CASCADE" % method.extension)
        self.result["version"] = "%s %s" % (method.extension, self.db.value(
            "SELECT extversion FROM pg_extension WHERE extname = '%s'"
            % method.extension))

    def connect(self):
        """Take a new connection, so that memory is not what others left."""
        if self.db:
            self.db.connection.close()
        self.db = Database(self.database)
        self.db.run("SET enable_seqscan = off")
        self.db.run("SET max_parallel_workers_per_gather = 0")
        self.db.run("SET max_parallel_maintenance_workers = %d"
                    % self.options.workers)
        if self.memory:
            self.db.run("SET maintenance_work_mem = %s", [self.memory])

    def recover(self):
        """Connect again after an error, which may have been a crash."""
        end = time.monotonic() + RECOVERY_SECONDS
        while True:
            try:
                return self.connect()
            except psycopg2.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def tell(self, text):
        say("  %-9s %s" % (self.method.name, text))

    def load(self):
        dimensions = self.data.base.shape[1]
        for table, rows in (("items", self.data.base),
                            ("queries", self.data.queries)):
            self.db.run("CREATE TABLE %s (id integer, v vector(%d))"
                        % (table, dimensions))
            if dimensions <= PLAIN_DIMENSIONS:
                self.db.run("ALTER TABLE %s ALTER v SET STORAGE PLAIN" % table)
            self.copy(table, rows, 0)
            self.db.run("VACUUM ANALYZE " + table)

    def copy(self, table, rows, first):
        ids = np.arange(first, first + len(rows), dtype=np.int32)
        return self.db.copy(table, [ids, rows])

    def create(self, table, rows):
        """Make the index of a table; return what that took."""
        self.connect()
        self.db.run("DROP INDEX IF EXISTS %s_v_idx" % table)
        self.db.run("CHECKPOINT")
        self.db.run("SET statement_timeout = '%d s'" % self.options.timeout)
        watch = MemoryWatch(self.database,
                            self.db.value("SELECT pg_backend_pid()"))
        wal = self.db.value("SELECT pg_current_wal_insert_lsn()")
        watch.start()
        start = time.perf_counter()
        try:
            self.db.run(self.method.create(table, rows, self.data.metric))
            seconds = time.perf_counter() - start
        finally:
            phases = watch.end()
        self.db.run("RESET statement_timeout")
        return {"rows": rows, "seconds": seconds,
                "vectors_per_second": rows / seconds, "phases": phases,
                "peak_memory": watch.peak, "bytes": self.size(table),
                "wal": int(self.db.value(
                    "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), "
                    "'%s')" % wal)),
                "notices": [x.strip() for x in self.db.connection.notices]}

    def size(self, table):
        return self.db.value("SELECT pg_relation_size('%s_v_idx')" % table)

    def answers(self, table):
        """Return a query for the answers to all queries, one a row."""
        return ("SELECT id, ARRAY(SELECT t.id FROM %s t ORDER BY t.v %s q.v "
                "LIMIT %d) AS answer FROM queries q" % (
                    table, OPERATORS[self.data.metric], self.data.k))

    def point(self, table, rows, effort, without_deleted=False):
        """Return recall and speed with one value of the effort.

        The first run gives the answers, and brings what it reads into memory.
        """
        sql = self.answers(table)
        self.db.run("SET %s = '%d'" % (self.method.effort, effort))
        plan = "\n".join(r[0] for r in self.db.rows("EXPLAIN " + sql))
        if "Index Scan using %s_v_idx" % table not in plan:
            raise psycopg2.ProgrammingError("the index is not used:\n" + plan)
        answers = [answer for _, answer in sorted(self.db.rows(sql))]
        timed = "SELECT count(answer) FROM (%s OFFSET 0) a" % sql
        seconds = []
        while len(seconds) < REPEATS and sum(seconds) < REPEAT_SECONDS:
            start = time.perf_counter()
            self.db.run(timed)
            seconds.append(time.perf_counter() - start)
        return {"effort": effort, "qps": len(answers) / min(seconds),
                "recall": self.data.recall(answers, rows, without_deleted)}

    def curve(self, without_deleted=False):
        points = []
        for effort in self.method.efforts:
            points.append(self.point("items", self.n, effort, without_deleted))
            if (points[-1]["recall"] > ENOUGH
                    and effort >= self.method.usual):
                break
        usual = summary.usual(self.result, points)
        self.tell("%s %d: recall %.4f, %.0f queries/s" % (
            self.method.effort, usual["effort"], usual["recall"],
            usual["qps"]))
        return points

    def ensure_index(self):
        if self.db.value("SELECT to_regclass('items_v_idx')") is None:
            self.create("items", self.n)

    def best_build(self, table, rows):
        return min((self.create(table, rows) for _ in range(
            REPEATS if rows <= SMALL_ROWS else 1)),
            key=lambda build: build["seconds"])

    def test_build(self):
        build = self.best_build("items", self.n)
        self.result["build"] = build
        self.tell("%d rows in %.2f s, %.0f rows/s" % (
            self.n, build["seconds"], build["vectors_per_second"]))

    def test_query(self):
        self.ensure_index()
        self.result["query"] = self.curve()

    def test_growth(self):
        self.result["growth"] = []
        for rows in self.options.sizes:
            if not MINIMUM_ROWS <= rows < self.n:
                continue
            self.db.run("CREATE TABLE part (LIKE items INCLUDING STORAGE)")
            self.db.run("INSERT INTO part SELECT * FROM items WHERE id < %d"
                        % rows)
            self.db.run("VACUUM ANALYZE part")
            build = self.best_build("part", rows)
            build.update(self.point("part", rows, self.method.usual))
            self.result["growth"].append(build)
            self.tell("%d rows in %.2f s, %.0f rows/s; recall %.4f" % (
                rows, build["seconds"], build["vectors_per_second"],
                build["recall"]))
            self.db.run("DROP TABLE part")

    def test_memory(self):
        self.result["memory"] = {}
        for memory in self.options.low_memory.split(","):
            self.memory = memory
            try:
                build = self.create("items", self.n)
                self.tell("%s: %.2f s" % (memory, build["seconds"]))
            except psycopg2.Error as error:
                build = {"error": message(error)}
                self.tell("%s: %s" % (memory, build["error"]))
            self.result["memory"][memory] = build
        self.memory = self.options.memory
        self.recover()

    def test_insert(self):
        """Index the first rows, then let the others come."""
        bulk = min(self.options.insert_rows, self.n // 5)
        first = self.n - bulk - SINGLE_INSERTS
        self.db.run("DROP INDEX IF EXISTS items_v_idx")
        self.db.run("DELETE FROM items WHERE id >= %d" % first)
        self.db.run("VACUUM ANALYZE items")
        self.create("items", first)
        rows = self.data.base[first:]
        seconds = self.copy("items", rows[:bulk], first)
        single = self.insert_singly(rows[bulk:], first + bulk)
        self.result["insert"] = {
            "rows": bulk, "rows_per_second": bulk / seconds,
            "single": {name: float(np.percentile(single, percent))
                       for name, percent in (("p50", 50), ("p99", 99),
                                             ("max", 100))},
            "bytes": self.size("items")}
        self.tell("COPY of %d rows: %.0f rows/s" % (bulk, bulk / seconds))
        self.result["insert"]["query"] = self.curve()

    def insert_singly(self, rows, first):
        """Insert row by row; return the seconds of each."""
        seconds = []
        for number, row in enumerate(rows, first):
            text = "[%s]" % ",".join("%.9g" % x for x in row)
            start = time.perf_counter()
            self.db.run("INSERT INTO items VALUES (%s, %s)", [number, text])
            seconds.append(time.perf_counter() - start)
        return seconds

    def test_vacuum(self):
        self.ensure_index()
        self.db.run("DELETE FROM items WHERE id % 10 = 3")
        start = time.perf_counter()
        self.db.run("VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) items")
        seconds = time.perf_counter() - start
        self.result["vacuum"] = {"seconds": seconds,
                                 "rows": int(self.data.deleted().sum()),
                                 "bytes": self.size("items")}
        self.tell("VACUUM: %.2f s" % seconds)
        self.result["vacuum"]["query"] = self.curve(without_deleted=True)

    def test_plans(self):
        """Compare the planner's choice with the times of all ways."""
        self.connect()
        self.db.run("SET %s = '%d'" % (self.method.effort, self.method.usual))
        found = plans.shapes(
            self.db, OPERATORS[self.data.metric], self.n,
            len(self.data.queries),
            lambda rows: self.method.create("plans", rows, self.data.metric))
        self.result["plans"] = found
        factors = [plans.slower(shape) for shape in found]
        self.tell("plans: %d of %d at most 1.5 times slower than the fastest"
                  % (sum(f is not None and f <= 1.5 for f in factors),
                     len(found)))

    def on_generated(self, data, tests):
        """Return the results of tests on other data, in another database."""
        runner = Runner(self.method, data, self.options, "_generated")
        try:
            runner.load()
            for test in tests:
                getattr(runner, "test_" + test)()
        finally:
            runner.drop()
        return runner.result

    def test_usual(self):
        self.result["point"] = self.point("items", self.n, self.method.usual)

    def test_scale(self):
        """Build generated tables of growing size."""
        self.result["scale"] = []
        for rows in self.options.scale_sizes:
            if rows > self.options.scale_rows and self.method.name != "omen":
                continue
            result = self.on_generated(generate.scale(rows, self.options),
                                       ("build", "usual"))
            self.result["scale"].append({**result["build"],
                                         **result["point"]})

    def test_hard(self):
        self.result["hard"] = {}
        for name in generate.HARD:
            self.tell(name)
            result = self.on_generated(generate.hard(name, self.options),
                                       ("build", "query"))
            self.result["hard"][name] = {key: result[key]
                                         for key in ("build", "query")}

    def run(self, on_result):
        """Run all tests; one that fails is told, and the next is run."""
        self.load()
        for test in self.options.tests:
            try:
                getattr(self, "test_" + test)()
            except psycopg2.Error as error:
                self.result["errors"][test] = message(error)
                self.tell("%s: %s" % (test, message(error)))
                self.recover()
            on_result()
        self.drop()

    def drop(self):
        self.db.connection.close()
        admin = Database()
        admin.run("DROP DATABASE " + self.database)
        admin.connection.close()


def message(error):
    """Return what an error says, and what it advises, in one line."""
    return " ".join(line for line in (
        error.diag.message_primary or str(error).strip().split("\n")[0],
        error.diag.message_hint) if line)


def choose(options, rows, metric):
    """Return the methods to measure: the named, or all that can be."""
    db = Database()
    installed = {name for name, in db.rows(
        "SELECT name FROM pg_available_extensions")}
    db.connection.close()
    known = methods.known(options.ef, rows)
    for name in options.methods or ():
        if known[name].extension not in installed:
            raise SystemExit("%s: extension %s is not installed"
                             % (name, known[name].extension))
        if metric == "l1" and not known[name].l1:
            raise SystemExit("%s: no operator class for l1" % name)
    return [known[name] for name in METHODS
            if name in (options.methods or METHODS)
            and known[name].extension in installed
            and (metric != "l1" or known[name].l1)]


def instruction_set(db):
    """Return the best set that omen may use here, which is what it uses."""
    for name in INSTRUCTION_SETS:
        try:
            db.run("SET omen.simd = '%s'" % name)
            return name
        except psycopg2.Error:
            continue
    return "unknown"


def environment(options, data):
    """Return what the figures depend on."""
    db = Database()
    db.run("CREATE EXTENSION omenvec")
    about = {
        "date": datetime.date.today().isoformat(), "cpu": cpu_name(),
        "cores": os.cpu_count(), "load": os.getloadavg()[0], "memory": os.sysconf("SC_PAGE_SIZE")
        * os.sysconf("SC_PHYS_PAGES"),
        "omenvec": db.value("SELECT omenvec_version()"),
        "server": "PostgreSQL " + db.value("SHOW server_version"),
        "settings": {name: db.value("SHOW " + name) for name in (
            "shared_buffers", "maintenance_work_mem", "max_wal_size",
            "fsync")},
        "simd": instruction_set(db), "workers": options.workers,
        "data": data.name, "rows": len(data.base),
        "dimensions": data.base.shape[1], "metric": data.metric,
        "queries": len(data.queries), "k": data.k}
    db.run("DROP EXTENSION omenvec")
    db.connection.close()
    if options.memory:
        about["settings"]["maintenance_work_mem"] = options.memory
    return about


def main():
    options = parse()
    start = time.perf_counter()
    data = Dataset(options)
    report = {"about": environment(options, data), "methods": {}}

    def save():
        with open(options.output + ".json", "w", encoding="utf-8") as f:
            json.dump(report, f, indent=1)
            f.write("\n")

    say(summary.title(report["about"]), "title")
    for method in choose(options, len(data.base), data.metric):
        runner = Runner(method, data, options)
        report["methods"][method.name] = runner.result
        runner.run(save)
    summary.show(report)
    page.write(options.output + ".html", report)
    say("%s.html and .json, in %.0f s" % (
        options.output, time.perf_counter() - start), "title")
    return any(m["errors"] for m in report["methods"].values())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
