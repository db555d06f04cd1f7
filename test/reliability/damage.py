"""Damaged files (H): refused, or worked around, but never worse.

An index is damaged while the server runs: moving it to another tablespace
copies the file without leaving a page of it in shared buffers, so what is then
changed in the file is what the server reads next.
"""
import os
import struct

import psycopg2

import oracle
import patience
from card import Row
from cluster import NO_WORKERS

PAGE = 8192
PAGE_ID = 0xFE0E
TYPES = {1: "meta", 2: "quantizer", 3: "slots", 4: "tids", 5: "directory",
         6: "pending"}
HEADER = 24
SPECIAL = PAGE - 16
TIMEOUT_S = 10

# What the server may say of a damaged index: that the file or the index is
# damaged.
REFUSALS = ("XX001", "XX002")

# What the executor says if a distance that it computes from a row of the table
# is below the bound that the index gave: a refusal, too, by other means.
BY_EXECUTOR = "index returned tuples in wrong order"


def refused(error):
    return error.pgcode in REFUSALS or BY_EXECUTOR in str(error)

USES = (
    "SELECT count(*) FROM (SELECT id FROM tab ORDER BY v <-> %(q)s"
    " LIMIT 20) s",
    "INSERT INTO tab (v) SELECT v FROM tab LIMIT 20",
    "DELETE FROM tab WHERE id IN (SELECT id FROM tab LIMIT %(some)s)",
    "VACUUM tab",
    "INSERT INTO tab (v) SELECT v FROM tab LIMIT 7 * %(some)s",
    "SELECT omen_compact('idx')",
    "SELECT * FROM omen_index_info('idx')",
)


class Victim:
    """A table with an index that is damaged again and again."""

    dims = oracle.DIMS
    rows = 1500
    some = 100                  # rows to delete; seven times so many to insert

    def __init__(self, env, row, cluster):
        self.env = env
        self.row = row
        self.cluster = cluster
        self.rng = oracle.seeded(env.seed, row.ident)
        self.away = False
        tablespace = os.path.join(cluster.dir, "away")
        os.mkdir(tablespace)
        self.connection = cluster.connect()
        self.run("CREATE TABLESPACE away LOCATION '%s'" % tablespace)
        self.fill()
        self.run("ALTER SEQUENCE tab_id_seq RESTART 1000000")
        self.run(env.method.create("idx"))

    def fill(self):
        """Make the table tab, and keep, of which it gets its rows again."""
        self.run("CREATE TABLE tab (id bigserial PRIMARY KEY, v vector(%d))" %
                 self.dims)
        with self.connection.cursor() as cursor:
            oracle.insert(cursor, self.rng, self.rows)
        self.run("CREATE TABLE keep AS SELECT * FROM tab")

    def run(self, sql, args=None):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, args)
            return cursor.fetchall() if cursor.description else None

    def renew(self, sealed):
        """A sound index with all kinds of pages: a segment, some dead rows, a
        pending list, and a sealed one, of rows that nobody sees, if wanted and
        possible.
        """
        self.run("TRUNCATE tab")
        self.run("INSERT INTO tab SELECT * FROM keep LIMIT %d" %
                 (self.rows * 4 // 5))
        self.run("REINDEX INDEX idx")
        self.run("DELETE FROM tab WHERE id % 17 = 0")
        self.run("VACUUM tab")
        if self.env.faults and sealed:
            self.run("SET omen.fault = 'store-alloc:error'")
            try:
                self.run("INSERT INTO tab SELECT id + 10000, v FROM keep"
                         " LIMIT %d; SELECT omen_compact('idx')" %
                         (self.rows // 5))
            except psycopg2.Error:
                pass
            self.run("RESET omen.fault")
        self.run("INSERT INTO tab SELECT id + 20000, v FROM keep"
                 " LIMIT %d" % (self.rows // 5))

    def move(self):
        """Put the index out of shared buffers; return its file's path."""
        self.away = not self.away
        self.run("ALTER INDEX idx SET TABLESPACE %s" %
                 ("away" if self.away else "pg_default"))
        path, = self.run("SELECT pg_relation_filepath('idx')")[0]
        return os.path.join(self.cluster.data, path)

    def reconnect(self):
        self.connection.close()
        if not self.cluster.wait_until_up():
            self.row.fail("hung", "the server did not come back")
            return
        self.connection = self.cluster.connect()
        self.run(patience.timeout(TIMEOUT_S))
        for setting in oracle.BY_INDEX:
            self.run("SET " + setting)

    def attempt(self, what, sql, args=None):
        """Run a statement on the damaged index; False if it was refused."""
        try:
            self.run(sql, args)
            return True
        except psycopg2.Error as error:
            if error.pgcode == "57014":
                self.row.fail("hung", "%s: %s" % (what, sql))
            elif error.pgcode is None or error.pgcode[:2] in ("57", "08"):
                self.row.fail("signals", "%s: %s: %s" % (what, sql, error))
                self.reconnect()
            elif not refused(error):
                self.row.fail("wrong", "%s: %s: %s %s" % (
                    what, sql, error.pgcode, str(error).strip()))
            return False

    def query(self):
        return oracle.vector(self.rng, self.dims)

    def answers(self, what, limit):
        """Rows that a damaged index gives must be rows, once, in order.

        Rows that are missing are no fault here: what a damaged graph does not
        lead to is not found.
        """
        query = self.query()
        try:
            with self.connection.cursor() as cursor:
                cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
                oracle.settings(cursor, oracle.BY_INDEX)
                if limit is None:
                    oracle.settings(cursor, self.env.method.full)
                found = oracle.scan(cursor, query, limit=limit)
                oracle.settings(cursor, oracle.EXACT)
                expected = oracle.scan(cursor, query)
                cursor.execute("ROLLBACK")
        except psycopg2.Error as error:
            if not refused(error):
                self.row.fail("hung" if error.pgcode == "57014" else
                              "signals" if error.pgcode is None else "wrong",
                              "%s: scan: %s" % (what, str(error).strip()))
            if error.pgcode is None:
                self.reconnect()
            else:
                self.connection.rollback()
                self.run("ROLLBACK")
            return
        there = {row[0] for row in found}
        verdict = oracle.judge(self.env.method, found,
                               [pair for pair in expected
                                if pair[0] in there],
                               ordered=limit is not None)
        if verdict:
            self.row.fail(verdict[0], "%s: %s" % (what, verdict[1]))


class LongVictim(Victim):
    """The same with rows and slots of several pages."""

    dims = oracle.LONG
    rows = 1300
    some = 10

    def fill(self):
        self.run(oracle.long_rows("tab", self.rows))
        self.run(oracle.long_rows("keep", 0))
        self.run("INSERT INTO keep SELECT * FROM tab")


def page_types(path):
    """Return {type: [block]} of an index file's pages."""
    found = {}
    with open(path, "rb") as file:
        for block in range(os.path.getsize(path) // PAGE):
            data = file.read(PAGE)
            kind, _, _, ident = struct.unpack_from("<HHHH", data, PAGE - 8)
            if ident == PAGE_ID and kind in TYPES:
                found.setdefault(TYPES[kind], []).append(block)
    return found


def poke(path, offset, data):
    """Overwrite bytes of a file; return what was there."""
    with open(path, "r+b") as file:
        file.seek(offset)
        before = file.read(len(data))
        file.seek(offset)
        file.write(data)
    return before


class Damage:
    """Ways to damage a file; each says what it did."""

    def __init__(self, rng, path):
        self.rng = rng
        self.path = path
        self.blocks = os.path.getsize(path) // PAGE
        self.types = page_types(path)

    def any_block(self):
        """A block, each type of page as often as the others."""
        return self.rng.choice(self.types[self.rng.choice(
            sorted(self.types))])

    def bytes_changed(self):
        block = self.any_block()
        count = self.rng.choice((1, 4, 64))
        changes = [(self.rng.randrange(HEADER, PAGE), self.rng.randrange(256))
                   for _ in range(count)]
        for offset, value in changes:
            poke(self.path, block * PAGE + offset, bytes([value]))
        return "block %d, bytes %s" % (block, changes)

    def number_changed(self):
        """An aligned number becomes one that is easily not expected."""
        block = self.any_block()
        offset = self.rng.randrange(HEADER, 1200, 4)
        value = self.rng.choice((0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
                                 0x7FC00000, 0xFF800000, self.blocks,
                                 self.rng.randrange(2000)))
        poke(self.path, block * PAGE + offset, struct.pack("<I", value))
        return "0x%X at %d of block %d" % (value, offset, block)

    def zeroed(self):
        block = self.any_block()
        poke(self.path, block * PAGE, bytes(PAGE))
        return "block %d zeroed" % block

    def truncated(self):
        left = self.rng.randrange(self.blocks)
        os.truncate(self.path, left * PAGE)
        return "truncated to %d blocks" % left

    def extended(self):
        with open(self.path, "ab") as file:
            file.write(bytes(PAGE * self.rng.randint(1, 20)))
        return "extended"

    def exchanged(self):
        a, b = self.any_block(), self.any_block()
        with open(self.path, "rb") as file:
            file.seek(a * PAGE)
            data = file.read(PAGE)
        poke(self.path, a * PAGE, poke(self.path, b * PAGE, data))
        return "blocks %d and %d exchanged" % (a, b)

    def foreign(self):
        """A page that is none of ours, of what kind ever."""
        block = self.any_block()
        page = bytearray(self.rng.randbytes(PAGE))
        struct.pack_into("<HHHH", page, 12, 40, 8176, 8176, 8196)
        poke(self.path, block * PAGE, bytes(page))
        return "block %d foreign" % block

    def one(self):
        kinds = [self.bytes_changed] * 6 + [self.number_changed] * 6 + [
            self.zeroed, self.truncated, self.extended, self.exchanged,
            self.foreign]
        return self.rng.choice(kinds)()


def run(env):
    """H1-H9: random damage, then everything that one does with an index."""
    row = Row("H1-H9", "damaged files: used, vacuumed, reindexed")
    victim = Victim(env, row, env.cluster("damage", NO_WORKERS))
    return ill_treat(env, victim, env.numbers(30, 5000))


def run_long(env):
    """The same with rows and slots that take several pages."""
    row = Row("H1-H9l", "the same of rows and slots of several pages")
    victim = LongVictim(env, row, env.cluster("long", NO_WORKERS))
    return ill_treat(env, victim, env.numbers(5, 1000))


def ill_treat(env, victim, numbers):
    row = victim.row
    victim.reconnect()
    for _ in numbers:
        victim.renew(victim.rng.random() < 0.3)
        path = victim.move()
        what = Damage(victim.rng, path).one()
        try:
            found = bool(victim.run("SELECT * FROM omen_check('idx', true)"))
        except psycopg2.Error as error:
            found = True
            if not refused(error):
                row.fail("hung" if error.pgcode == "57014" else "signals",
                         "%s: omen_check: %s" % (what, error))
                victim.reconnect()
        row.counts["found"] += found
        victim.answers(what, None)
        victim.answers(what, 20)
        for use in USES:
            victim.attempt(what, use, {"q": victim.query(),
                                       "some": victim.some})
        victim.answers(what, 20)
        row.rounds += 1
    victim.run("REINDEX INDEX idx")
    oracle.examine(victim.connection, env.method, victim.rng, row,
                   dims=victim.dims)
    for alarm in victim.cluster.alarms(
            allowed="invalid page|could not read block|beyond EOF|wrong order"):
        row.fail("signals", alarm)
    row.note("omen_check found %.1f %%" % (
        100 * row.counts["found"] / max(1, row.rounds)))
    victim.connection.close()
    return row.done()


def in_use(victim, blocks):
    """Return one of these blocks that somebody owns.

    What a free block holds does not matter, so it may be a page that was.
    """
    for block in victim.rng.sample(blocks, len(blocks)):
        path = victim.move()
        old = poke(path, block * PAGE, bytes(PAGE))
        found = detected(victim)
        poke(path, block * PAGE, old)
        if found:
            return block
    raise RuntimeError("no page in use")


def detected(victim):
    """Does the checker find something?"""
    try:
        return bool(victim.run("SELECT * FROM omen_check('idx', true)"))
    except psycopg2.Error as error:
        if not refused(error):
            victim.row.fail("signals", str(error))
            victim.reconnect()
        return True


def offsets(env, victim, types):
    """The (type, block, offset) to change, one byte each."""
    rng = oracle.seeded(env.seed, "bytes")
    for kind in sorted(types):
        block = in_use(victim, types[kind])
        places = list(range(PAGE))
        if env.short or env.args.rounds:
            places = rng.sample(places, env.rounds(20, PAGE))
        for offset in places:
            yield kind, block, offset


def run_bytes(env):
    """H1b: each single byte of a page of each type, changed."""
    row = Row("H1b", "single bytes changed, found by omen_check")
    victim = Victim(env, row, env.cluster("bytes", NO_WORKERS))
    victim.reconnect()
    victim.renew(False)
    path = victim.move()
    tried, missed = {}, {}
    places = list(offsets(env, victim, page_types(path)))
    victim.rng.shuffle(places)
    for kind, block, offset in env.in_time(places):
        path = victim.move()
        at = block * PAGE + offset
        with open(path, "rb") as file:
            file.seek(at)
            old = file.read(1)
        poke(path, at, bytes([old[0] ^ (1 << victim.rng.randrange(8))]))
        hit = detected(victim)
        poke(path, at, old)
        tried[kind] = tried.get(kind, 0) + 1
        row.counts["%s %s" % (kind, "found" if hit else "missed")] += 1
        if not hit:
            missed.setdefault(kind, []).append(offset)
        row.rounds += 1
    row.note(", ".join("%s %d of %d" % (
        kind, row.counts[kind + " found"], tried[kind])
                       for kind in sorted(tried)))
    victim.connection.close()
    if env.args.verbose:
        for kind in sorted(missed):
            print("missed in %s: %s" % (kind, ranges(sorted(missed[kind]))))
    return row.done()


def ranges(numbers):
    """Write ascending numbers as ranges."""
    parts = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return " ".join("%d-%d" % tuple(part) if part[0] < part[1] else
                    str(part[0]) for part in parts)
