"""The report card: what was tried, and what came of it."""
import collections
import datetime
import json
import subprocess
import time

FIGURES = ("lost", "wrong", "hung", "signals")


class Row:
    """One row of the matrix.

    lost, wrong, hung and signals count what must not be: rows that were
    acknowledged and are missing; answers, findings and errors that are not
    right; statements that did not end in time; processes that died unbidden.

    counts and samples are what makes sense over many runs: numbers to be
    added up, and milliseconds.
    """

    def __init__(self, ident, what):
        self.ident = ident
        self.what = what
        self.rounds = 0
        self.lost = self.wrong = self.hung = self.signals = 0
        self.notes = []
        self.failures = []
        self.counts = collections.Counter()
        self.samples = collections.defaultdict(list)
        self.start = time.monotonic()
        self.seconds = 0

    def fail(self, figure, message, count=1):
        """Count a failure; the first few messages are shown."""
        setattr(self, figure, getattr(self, figure) + count)
        if len(self.failures) < 5:
            self.failures.append("%s: %s" % (figure, message))

    def note(self, text):
        self.notes.append(text)

    def done(self):
        self.seconds = time.monotonic() - self.start
        return self

    @property
    def clean(self):
        return not any(getattr(self, figure) for figure in FIGURES)

    def figures(self):
        """Return all that is known of the row, for a file of results."""
        return {name: value for name, value in vars(self).items()
                if name != "start"}


class Card:
    """All rows.  If there is a file for results, each is added to it, as JSON
    in a line of its own (sumup.py).
    """

    def __init__(self, method, form, seed, version, commit, results=None):
        self.run = {"method": method, "form": form, "seed": seed,
                    "version": version, "commit": commit,
                    "date": datetime.date.today().isoformat()}
        self.results = results
        self.rows = []

    @property
    def head(self):
        return ("%(method)s, %(form)s form, seed %(seed)d, %(version)s,"
                " commit %(commit)s, %(date)s" % self.run)

    def add(self, row):
        self.rows.append(row)
        print(self.line(row), flush=True)
        for failure in row.failures:
            print("    " + failure, flush=True)
        if self.results:
            with open(self.results, "a") as file:
                file.write(json.dumps(dict(self.run, **row.figures())) + "\n")

    @staticmethod
    def line(row):
        return "| %-5s | %-46s | %6d | %4d | %5d | %4d | %7d | %5.0f | %s |" % (
            row.ident, row.what, row.rounds, row.lost, row.wrong, row.hung,
            row.signals, row.seconds, "; ".join(row.notes))

    @staticmethod
    def heading():
        return ("| %-5s | %-46s | %6s | %4s | %5s | %4s | %7s | %5s | notes |\n"
                "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
                % ("row", "what", "rounds", "lost", "wrong", "hung",
                   "signals", "s"))

    def total(self):
        sums = ", ".join("%s %d" % (figure, sum(getattr(row, figure)
                                                for row in self.rows))
                         for figure in FIGURES)
        return "%d rows, %d rounds: %s" % (
            len(self.rows), sum(row.rounds for row in self.rows), sums)

    @property
    def clean(self):
        return all(row.clean for row in self.rows)


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


def commit_of(directory):
    """Return the commit that is checked out, or unknown."""
    done = subprocess.run(["git", "-C", directory, "describe", "--always",
                           "--dirty"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True)
    return done.stdout.strip() or "unknown"
