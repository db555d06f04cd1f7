"""Clients that work on a table while other things happen to it."""
import subprocess
import threading
import time

import psycopg2

import oracle
import patience


class Journal(threading.Thread):
    """A client that knows which of its rows must be there.

    known maps the ids of its range to True (acknowledged) or False (deleted,
    or rolled back, for sure).  What was under way when the connection broke is
    taken out: it may be there or not.
    """

    SPAN = 10_000_000

    def __init__(self, cluster, method, number, rng):
        super().__init__(daemon=True)
        self.cluster = cluster
        self.method = method
        self.number = number
        self.rng = rng
        self.next = (number + 1) * self.SPAN
        self.known = {}
        self.wanted = True
        self.errors = []
        self.transactions = 0

    def run(self):
        try:
            connection = self.cluster.connect()
            with connection.cursor() as cursor:
                cursor.execute(self.method.load or "SELECT 1")
                while self.wanted:
                    self.step(cursor)
                    self.transactions += 1
        except psycopg2.Error as error:
            if error.pgcode and error.pgcode[:2] not in ("57", "08"):
                self.errors.append(str(error).strip())

    def step(self, cursor):
        choice = self.rng.random()
        if choice < 0.65:
            self.change(cursor, self.fresh(self.rng.randint(1, 60)), True)
        elif choice < 0.75:
            self.change(cursor, self.fresh(30), False)
        elif choice < 0.85:
            self.prepared(cursor)
        else:
            self.delete(cursor)

    def fresh(self, count):
        first = self.next
        self.next += count
        return first, count

    def change(self, cursor, span, commit):
        """Insert a run of rows, and commit or roll back."""
        first, count = span
        if not commit:
            for ident in range(first, first + count):
                self.known[ident] = False
            cursor.execute("BEGIN")
        oracle.insert(cursor, self.rng, count, first)
        if not commit:
            cursor.execute("ROLLBACK")
            return
        for ident in range(first, first + count):
            self.known[ident] = True

    def prepared(self, cursor):
        """Insert in a prepared transaction.

        It outlives a crash; recover() then ends it as the number of its name
        says.
        """
        first, count = self.fresh(10)
        commit = self.rng.random() < 0.5
        cursor.execute("BEGIN")
        oracle.insert(cursor, self.rng, count, first)
        cursor.execute("PREPARE TRANSACTION '%s:%d:%d'" %
                       ("commit" if commit else "rollback", first, count))
        cursor.execute("%s PREPARED '%s:%d:%d'" % (
            "COMMIT" if commit else "ROLLBACK",
            "commit" if commit else "rollback", first, count))
        for ident in range(first, first + count):
            self.known[ident] = commit

    def delete(self, cursor):
        here = [ident for ident, there in self.known.items() if there]
        gone = self.rng.sample(here, len(here) // 3)
        if not gone:
            return
        for ident in gone:
            del self.known[ident]
        cursor.execute("DELETE FROM tab WHERE id = ANY(%s)", (gone,))
        for ident in gone:
            self.known[ident] = False


def recover(cluster):
    """End prepared transactions that a crash left; return what is known."""
    known = {}
    for (name,) in cluster.run("SELECT gid FROM pg_prepared_xacts"):
        end, first, count = name.split(":")
        cluster.run("%s PREPARED '%s'" % (end.upper(), name))
        for ident in range(int(first), int(first) + int(count)):
            known[ident] = end == "commit"
    return known


def account(cluster, known, row):
    """Compare what is known with the table."""
    ids = {ident for (ident,) in cluster.run("SELECT id FROM tab")}
    for ident, there in known.items():
        if there and ident not in ids:
            row.fail("lost", "row %d is not in the table" % ident)
        if not there and ident in ids:
            row.fail("wrong", "row %d is in the table" % ident)


class Repeat(threading.Thread):
    """Do something over and over; stop at an error that is not expected."""

    def __init__(self, cluster, action, expected=(), pause=0.0):
        super().__init__(daemon=True)
        self.cluster = cluster
        self.action = action
        self.expected = expected
        self.pause = pause
        self.wanted = True
        self.times = 0
        self.errors = []

    def run(self):
        connection = None
        while self.wanted:
            try:
                if connection is None or connection.closed:
                    connection = self.cluster.connect()
                self.action(connection)
                self.times += 1
            except psycopg2.Error as error:
                if not self.harmless(error):
                    self.errors.append(str(error).strip())
                if len(self.errors) > 20:
                    return
                time.sleep(0.05)
                if connection is not None and not connection.closed:
                    connection.rollback()
            time.sleep(self.pause)

    def harmless(self, error):
        """Connections end in crashes; and what was expected is no fault."""
        return (error.pgcode is None or error.pgcode[:2] in ("57", "08") or
                error.pgcode in self.expected)


def activity(cluster):
    """Return what each session is at, and its stack if gdb can tell."""
    try:
        sessions = cluster.run(
            "SELECT pid, backend_type, wait_event_type, wait_event, query"
            " FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND query <> ''")
    except psycopg2.Error as error:
        return "the server says: %s" % error
    return "\n".join("%s\n%s" % (session, stack(session[0]))
                     for session in sessions)


def stack(pid):
    try:
        done = subprocess.run(["gdb", "-p", str(pid), "-batch", "-ex", "bt"],
                              stdin=subprocess.DEVNULL, text=True, timeout=20,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "\n".join(line for line in done.stdout.splitlines()
                     if line.startswith("#"))


def finish(threads, row, seconds=60):
    """Tell clients to end, and wait; who does not end hangs."""
    for thread in threads:
        thread.wanted = False
    seconds = patience.limit(seconds)
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.1, end - time.monotonic()))
        if thread.is_alive():
            row.fail("hung", "a client did not end in %d s; %s" %
                     (seconds, activity(thread.cluster)))
        for error in thread.errors:
            row.fail("wrong", error)
