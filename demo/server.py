"""What the demonstration and the benchmark ask of a PostgreSQL server.

The server is the one that libpq's environment variables name.
"""
import gzip
import os
import struct
import threading
import time

import numpy as np
import psycopg2

POLL_SECONDS = 0.02


def read_idx(path):
    """Return the array in a gzipped file of the format of MNIST."""
    with gzip.open(path) as f:
        dimensions = f.read(4)[3]
        shape = struct.unpack(">%dI" % dimensions, f.read(4 * dimensions))
        return np.frombuffer(f.read(), np.uint8).reshape(shape)


def cpu_name():
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return os.uname().machine


class Database:
    """One connection in autocommit mode."""

    def __init__(self, name=""):
        self.connection = psycopg2.connect("", dbname=name or None)
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()

    def run(self, sql, parameters=None):
        self.cursor.execute(sql, parameters)

    def rows(self, sql):
        self.cursor.execute(sql)
        return self.cursor.fetchall()

    def value(self, sql):
        return self.rows(sql)[0][0]

    def copy(self, table, columns, on_progress=None):
        """Append rows by COPY and return its seconds."""
        start = time.perf_counter()
        self.cursor.copy_expert("COPY %s FROM STDIN (FORMAT binary)" % table,
                                CopyStream(columns, on_progress), 1 << 20)
        return time.perf_counter() - start


class CopyStream:
    """Rows in COPY's binary format, as a file to read.

    A column is an array: of one dimension for integers of its size, of two
    for vectors, whatever the type of their elements.
    """

    ROWS = 1000

    def __init__(self, columns, on_progress):
        self.columns = columns
        self.on_progress = on_progress
        self.chunks = self.generate()
        self.buffer = b""

    def row_type(self):
        fields = [("count", ">i2")]
        for i, column in enumerate(self.columns):
            fields.append(("length%d" % i, ">i4"))
            if column.ndim == 1:
                fields.append(("value%d" % i, ">i%d" % column.itemsize))
            else:
                fields += [("dimensions%d" % i, ">i2"), ("unused%d" % i, ">i2"),
                           ("value%d" % i, ">f4", (column.shape[1],))]
        return np.dtype(fields)

    def generate(self):
        yield b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
        n = len(self.columns[0])
        row = self.row_type()
        for start in range(0, n, self.ROWS):
            stop = min(n, start + self.ROWS)
            rows = np.zeros(stop - start, row)
            rows["count"] = len(self.columns)
            for i, column in enumerate(self.columns):
                rows["value%d" % i] = column[start:stop]
                if column.ndim == 1:
                    rows["length%d" % i] = column.itemsize
                else:
                    rows["length%d" % i] = 4 + 4 * column.shape[1]
                    rows["dimensions%d" % i] = column.shape[1]
            yield rows.tobytes()
            if self.on_progress:
                self.on_progress(stop)
        yield struct.pack(">h", -1)

    def read(self, size):
        if not self.buffer:
            self.buffer = memoryview(next(self.chunks, b""))
        part, self.buffer = self.buffer[:size], self.buffer[size:]
        return bytes(part)


class BuildWatch(threading.Thread):
    """Follows a CREATE INDEX through its phases, from a second connection."""

    QUERY = ("SELECT phase, tuples_done, tuples_total, blocks_done, "
             "blocks_total FROM pg_stat_progress_create_index")

    def __init__(self, database=""):
        super().__init__(daemon=True)
        self.db = Database(database)
        self.finished = threading.Event()
        self.phases = []        # [name, first seen, last seen]

    def run(self):
        while not self.finished.wait(POLL_SECONDS):
            self.poll()

    def poll(self):
        row = self.db.rows(self.QUERY)
        if row:
            self.see(time.perf_counter(), *row[0])

    def see(self, now, phase, tuples, tuples_total, blocks, blocks_total):
        phase = phase.replace("building index: ", "")
        if not self.phases or self.phases[-1][0] != phase:
            self.close_phase(now)
            self.phases.append([phase, now, now])
        self.phases[-1][2] = now

    def close_phase(self, now):
        if self.phases:
            self.phases[-1][2] = now

    def end(self):
        """Return (phase, seconds) of each."""
        self.finished.set()
        self.join()
        self.close_phase(time.perf_counter())
        self.db.connection.close()
        return [(name, stop - start) for name, start, stop in self.phases]
