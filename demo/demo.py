"""Load, index and search Fashion-MNIST in PostgreSQL, and report on it.

The server is the one that libpq's environment variables name; run.sh starts
it.  Everything that is told was measured in this run: see measure() for the
order of events and report.py for the page that is written.
"""
import argparse
import datetime
import os
import subprocess
import sys
import tempfile
import time

import numpy as np

import exact
import report
from server import BuildWatch, Database, cpu_name, read_idx
from terminal import Bar, say

DATA = "/usr/share/datasets/fashion-mnist"
CLASSES = ("T-shirt", "trousers", "pullover", "dress", "coat",
           "sandal", "shirt", "sneaker", "bag", "ankle boot")
DIMENSIONS = 28 * 28
K = 10
EF_SEARCH = (10, 20, 40, 80, 160, 320)
SAMPLE = 1000                   # queries whose exact answer is computed
EXACT_SCANS = 10
LOAD_SECONDS = 3                # of pgbench

NEAREST = ("SELECT id FROM images ORDER BY image <-> "
           "(SELECT image FROM queries WHERE id = {}) LIMIT %d" % K)


def load(db, table, images, labels):
    """Copy images into a new table and return the seconds of the COPY."""
    db.run("CREATE TABLE %s (id integer, label smallint, image vector(%d))"
           % (table, DIMENSIONS))
    # 3 kB are better kept in the row than out of line.
    db.run("ALTER TABLE %s ALTER image SET STORAGE PLAIN" % table)
    bar = Bar("COPY", len(images))
    seconds = db.copy(table, [np.arange(len(images), dtype=np.int32),
                              labels.astype(np.int16), images], bar.show)
    bar.end("%s rows in %.1f s" % (format(len(images), ","), seconds))
    return seconds


class BuildBars(BuildWatch):
    """Shows the progress of CREATE INDEX, one bar for each phase."""

    def __init__(self, rows):
        super().__init__()
        self.n = rows
        self.bar = None

    def see(self, now, phase, tuples, tuples_total, blocks, blocks_total):
        known = len(self.phases)
        super().see(now, phase, tuples, tuples_total, blocks, blocks_total)
        if len(self.phases) > known:
            self.bar = Bar(self.phases[-1][0], self.n)
        if tuples_total:
            self.bar.show(tuples * self.n // tuples_total)
        elif blocks_total:
            self.bar.show(blocks * self.n // blocks_total)

    def close_phase(self, now):
        super().close_phase(now)
        if self.phases:
            seconds = now - self.phases[-1][1]
            self.bar.end("%.2f s  %s rows/s" % (
                seconds, format(round(self.n / max(seconds, 1e-9)), ",")))


def build(db, using, rows):
    """Create the index; return the seconds, and those of each phase."""
    watch = BuildBars(rows)
    watch.start()
    start = time.perf_counter()
    try:
        db.run("CREATE INDEX images_image_idx ON images USING %s "
               "(image vector_l2_ops)" % using)
        seconds = time.perf_counter() - start
    finally:
        phases = watch.end()
    return seconds, phases


class Searcher:
    """Runs the prepared nearest-neighbour query and takes the time."""

    def __init__(self, db, ef_setting):
        self.db = db
        self.ef_setting = ef_setting
        db.run("PREPARE nearest (integer) AS " + NEAREST.format("$1"))
        plan = "\n".join(r[0] for r in db.rows("EXPLAIN EXECUTE nearest (0)"))
        if "Index Scan using images_image_idx" not in plan:
            raise RuntimeError("the index is not used:\n" + plan)

    def use(self, ef):
        self.db.run("SET %s = %d" % (self.ef_setting, ef))

    def one(self, query):
        start = time.perf_counter()
        rows = self.db.rows("EXECUTE nearest (%d)" % query)
        return time.perf_counter() - start, [row[0] for row in rows]

    def many(self, queries, bar=None):
        """Return seconds and answers; the bar gets the number done."""
        seconds, answers = np.empty(len(queries)), []
        for i, query in enumerate(queries):
            seconds[i], answer = self.one(query)
            answers.append(answer)
            if bar:
                bar.show(i + 1)
        return seconds, answers


def sweep(searcher, images, queries, sample, radii):
    """Return (ef_search, recall, queries/s, median s) for each ef_search."""
    results = []
    bar = Bar("recall", len(EF_SEARCH))
    searcher.many(sample)       # brings index and table into memory
    for i, ef in enumerate(EF_SEARCH):
        searcher.use(ef)
        seconds, answers = searcher.many(sample)
        results.append((ef, exact.recall(images, queries[sample], radii,
                                         answers, K),
                        len(sample) / seconds.sum(), np.median(seconds)))
        bar.show(i + 1)
    bar.end("%d values of %s" % (len(EF_SEARCH), searcher.ef_setting))
    return results


def exact_scans(db, queries, sample, radii):
    """Time the same query without the index, and check it against NumPy."""
    db.run("SET enable_indexscan = off")
    seconds = []
    for i in range(EXACT_SCANS):
        sql = ("SELECT (image <-> (SELECT image FROM queries WHERE id = %d))"
               "FROM images ORDER BY 1 LIMIT %d" % (sample[i], K))
        start = time.perf_counter()
        rows = db.rows(sql)
        seconds.append(time.perf_counter() - start)
        if not np.isclose(rows[-1][0] ** 2, radii[i], rtol=1e-5):
            raise RuntimeError("the exact scan disagrees with NumPy")
    db.run("RESET enable_indexscan")
    return np.median(seconds)


def throughput(clients, n_queries, options):
    """Return queries per second of some clients at once, by pgbench."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write("\\set i random(0, %d)\n%s;\n"
                     % (n_queries - 1, NEAREST.format(":i")))
        script.flush()
        output = subprocess.run(
            ["pgbench", "-n", "-M", "prepared", "-c", str(clients),
             "-j", str(clients), "-T", str(LOAD_SECONDS), "-f", script.name],
            env=dict(os.environ, PGOPTIONS=options), check=True,
            capture_output=True, text=True).stdout
    line = next(x for x in output.splitlines() if x.startswith("tps = "))
    return float(line.split()[2])


def vote(labels, answers):
    """Return the label that most of each answer's images have."""
    return [np.bincount(labels[answer]).argmax() for answer in answers]


def measure(options):
    """Do everything; return the figures, as report.write() wants them."""
    figures = {"classes": CLASSES, "k": K, "sample": SAMPLE,
               "extension_name": options.extension, "using": options.using,
               "ef_setting": options.ef_setting,
               "cores": os.cpu_count(), "cpu": cpu_name(),
               "exact_scans": EXACT_SCANS, "load_seconds": LOAD_SECONDS,
               "date": datetime.date.today().isoformat()}
    images = read_idx(options.data + "/train-images-idx3-ubyte.gz")
    labels = read_idx(options.data + "/train-labels-idx1-ubyte.gz")
    queries = read_idx(options.data + "/t10k-images-idx3-ubyte.gz")
    query_labels = read_idx(options.data + "/t10k-labels-idx1-ubyte.gz")
    figures.update(images=images, labels=labels, queries=queries,
                   query_labels=query_labels)
    images = images.reshape(len(images), -1)
    queries = queries.reshape(len(queries), -1)

    db = Database()
    db.run("CREATE EXTENSION " + options.extension)
    figures["server"] = "PostgreSQL " + db.value("SHOW server_version")
    figures["extension"] = "%s %s" % db.rows(
        "SELECT extname, extversion FROM pg_extension WHERE extname = '%s'"
        % options.extension)[0]

    say("%s, %s on %d cores of %s" % (
        figures["extension"], figures["server"], figures["cores"],
        figures["cpu"]), "title")
    figures["copy_seconds"] = load(db, "images", images, labels)
    load(db, "queries", queries, query_labels)
    db.run("CREATE INDEX ON queries (id)")
    db.run("VACUUM ANALYZE images")
    db.run("VACUUM ANALYZE queries")

    figures["build_seconds"], figures["phases"] = build(
        db, options.using, len(images))
    figures["index_bytes"] = db.value(
        "SELECT pg_relation_size('images_image_idx')")
    figures["table_bytes"] = db.value("SELECT pg_table_size('images')")

    sample = np.sort(np.random.default_rng(1).choice(
        len(queries), SAMPLE, replace=False))
    radii = exact.radii(images, queries[sample], K)
    figures["exact_seconds"] = exact_scans(db, queries, sample, radii)

    searcher = Searcher(db, options.ef_setting)
    figures["ef"] = int(db.value("SHOW " + options.ef_setting))
    figures["sweep"] = sweep(searcher, images, queries, sample, radii)
    db.run("RESET " + options.ef_setting)

    bar = Bar("search", len(queries))
    figures["latencies"], figures["answers"] = searcher.many(
        range(len(queries)), bar)
    bar.end("%s held-out queries" % format(len(queries), ","))
    figures["recall"] = exact.recall(
        images, queries[sample], radii,
        [figures["answers"][i] for i in sample], K)
    figures["voted"] = float(np.mean(
        vote(labels, figures["answers"]) == query_labels))
    figures["throughput"] = throughput(figures["cores"], len(queries),
                                       "-c jit=off")
    return figures


def summarize(figures):
    """Print the figures that the report shows."""
    n = len(figures["images"])
    milliseconds = 1000 * figures["latencies"]
    say("")
    say("Build", "title")
    say("  %-28s %8.2f s   %9s rows/s" % (
        "CREATE INDEX", figures["build_seconds"],
        format(round(n / figures["build_seconds"]), ",")))
    for name, seconds in figures["phases"]:
        say("    %-26s %8.2f s   %9s rows/s" % (
            name, seconds, format(round(n / max(seconds, 1e-9)), ",")))
    say("  %-28s %8.0f MB  table %.0f MB" % (
        "index", figures["index_bytes"] / 1e6, figures["table_bytes"] / 1e6))
    say("Search", "title")
    say("  %-10s %10s %12s %10s" % (
        "ef_search", "recall@10", "queries/s", "median"))
    for ef, found, rate, median in figures["sweep"]:
        say("  %-10d %10.4f %12s %7.2f ms" % (
            ef, found, format(round(rate), ","), 1000 * median))
    say("  %s queries at ef_search %d: median %.2f ms, 95 %% %.2f ms, "
        "99 %% %.2f ms" % (
            format(len(milliseconds), ","), figures["ef"],
            *np.percentile(milliseconds, (50, 95, 99))))
    say("  %d clients at once: %s queries/s" % (
        figures["cores"], format(round(figures["throughput"]), ",")))
    say("  without the index: %.1f ms a query" % (
        1000 * figures["exact_seconds"]))
    say("  the ten nearest vote for the right garment in %.1f %% of all "
        "queries" % (100 * figures["voted"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=DATA)
    parser.add_argument("--report", default="report.html")
    parser.add_argument("--extension", default="omenvec")
    parser.add_argument("--using", default="omen", help="access method")
    parser.add_argument("--ef-setting", default="omen.ef_search")
    options = parser.parse_args()
    start = time.perf_counter()
    figures = measure(options)
    summarize(figures)
    report.write(options.report, figures)
    say("")
    say("%s, in %.0f s" % (options.report, time.perf_counter() - start),
        "title")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
