"""The report card: what was tried, and what came of it."""
import datetime
import subprocess
import time

FIGURES = ("lost", "wrong", "hung", "signals")


class Row:
    """One row of the matrix.

    lost, wrong, hung and signals count what must not be: rows that were
    acknowledged and are missing; answers, findings and errors that are not
    right; statements that did not end in time; processes that died unbidden.
    """

    def __init__(self, ident, what):
        self.ident = ident
        self.what = what
        self.rounds = 0
        self.lost = self.wrong = self.hung = self.signals = 0
        self.notes = []
        self.failures = []
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


class Card:
    def __init__(self, method, form, seed, version, commit):
        self.head = ("%s, %s form, seed %d, %s, commit %s, %s" % (
            method, form, seed, version, commit,
            datetime.date.today().isoformat()))
        self.rows = []

    def add(self, row):
        self.rows.append(row)
        print(self.line(row), flush=True)
        for failure in row.failures:
            print("    " + failure, flush=True)

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


def commit_of(directory):
    """Return the commit that is checked out, or unknown."""
    done = subprocess.run(["git", "-C", directory, "describe", "--always",
                           "--dirty"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True)
    return done.stdout.strip() or "unknown"
