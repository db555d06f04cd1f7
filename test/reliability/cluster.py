"""A throw-away cluster that is meant to be ill-treated."""
import collections
import os
import re
import shutil
import signal
import subprocess

import psycopg2

import patience

# What must not be in a server's log, unless the test brings it about.
ALARMS = re.compile(
    r"PANIC|TRAP:|terminated by signal|refcount leak|reference leak|"
    r"resource was not closed|invalid page|unexpected data beyond EOF|"
    r"inconsistent page|wrong order|stuck spinlock|could not read block")

# What a fault point says when it does something.
FAULT = re.compile(r'fault point "([a-z-]+)": (\w+)')

# Everything is then done by the session that a test looks at.
NO_WORKERS = "omen.compaction_workers = 0\n"

SETTINGS = """
listen_addresses = ''
fsync = off
autovacuum = off
max_prepared_transactions = 10
max_connections = 60
log_min_messages = info
log_line_prefix = '%m [%p] '
log_checkpoints = off
restart_after_crash = on
shared_buffers = 64MB
"""


class Cluster:
    """A server in a directory of its own, reached by a socket there."""

    def __init__(self, bindir, top, name, settings="", env=None):
        self.bindir = bindir
        self.dir = os.path.join(top, name)
        self.data = os.path.join(self.dir, "data")
        self.log = os.path.join(self.dir, "log")
        self.env = dict(os.environ, **(env or {}))
        self.log_seen = 0
        self.fired = collections.Counter()
        self.settings = settings
        os.mkdir(self.dir, 0o700)

    def tool(self, name, *args, check=True):
        """Run a program of the server's and return what it printed."""
        done = subprocess.run([os.path.join(self.bindir, name), *args],
                              env=self.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if check and done.returncode != 0:
            raise RuntimeError("%s failed: %s" % (name, done.stdout))
        return done.stdout

    def init(self):
        self.tool("initdb", "--pgdata", self.data, "--auth=trust",
                  "--username=postgres", "--encoding=UTF8", "--no-locale",
                  "--no-sync")
        self.configure(SETTINGS)
        return self

    def configure(self, settings):
        """Add the socket's place and settings to the configuration."""
        with open(os.path.join(self.data, "postgresql.conf"), "a") as conf:
            conf.write("%s\nunix_socket_directories = '%s'\n%s\n" %
                       (settings, self.dir, self.settings))

    def copy_of(self, other):
        """Make this cluster a standby of another one."""
        other.tool("pg_basebackup", "-D", self.data, "-R", "-h", other.dir,
                   "-U", "postgres", "--checkpoint=fast", "--no-sync")
        self.configure("")
        return self

    def start(self):
        with open(os.devnull, "rb") as null, open(self.log, "ab") as log:
            subprocess.run([os.path.join(self.bindir, "pg_ctl"), "start",
                            "--wait", "--silent", "--pgdata", self.data,
                            "--log", self.log, "--timeout",
                            "%d" % patience.limit(120)],
                           env=self.env, stdin=null, stdout=log, stderr=log,
                           check=True)
        return self

    def stop(self, mode="fast"):
        if os.path.exists(os.path.join(self.data, "postmaster.pid")):
            self.tool("pg_ctl", "stop", "--wait", "--silent", "--pgdata",
                      self.data, "--mode", mode)

    def postmaster(self):
        with open(os.path.join(self.data, "postmaster.pid")) as file:
            return int(file.readline())

    def children(self):
        """Return the ids of the server's processes."""
        pid = self.postmaster()
        with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
            return [int(word) for word in file.read().split()]

    def kill_postmaster(self):
        """SIGKILL the postmaster, and wait until its children are gone."""
        children = self.children()
        os.kill(self.postmaster(), signal.SIGKILL)
        for _ in patience.attempts(10):
            if not any(os.path.exists("/proc/%d" % pid) for pid in children):
                break
        os.unlink(os.path.join(self.data, "postmaster.pid"))

    def connect(self, autocommit=True, user="postgres", **options):
        connection = psycopg2.connect(
            host=self.dir, user=user, dbname="postgres",
            options="-c client_min_messages=error", **options)
        connection.autocommit = autocommit
        return connection

    def wait_until_up(self, seconds=60):
        """Wait for a server that recovers by itself; False if it does not."""
        for _ in patience.attempts(seconds, 0.02):
            try:
                self.connect().close()
                return True
            except psycopg2.Error:
                pass
        return False

    def run(self, sql, args=None):
        """Run SQL in a session of its own; return the rows of the last."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, args)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def everywhere(self, setting, value):
        """Set something for all processes, now and after a crash."""
        path = os.path.join(self.data, "postgresql.auto.conf")
        with open(path, "w") as conf:
            if value:
                conf.write("%s = '%s'\n" % (setting, value))
        os.kill(self.postmaster(), signal.SIGHUP)

    def new_log(self):
        """Return what was logged since the last call.

        Faults in it are added to fired, which has how often each happened.
        """
        with open(self.log, errors="replace") as log:
            log.seek(self.log_seen)
            text = log.read()
            self.log_seen = log.tell()
        self.fired.update(FAULT.findall(text))
        return text

    def alarms(self, allowed=None):
        """Return alarming lines that were logged since the last call.

        With a failed assertion, what its process logged before.
        """
        lines = self.new_log().splitlines()
        return [line + "".join("; " + other for other in
                               self.of_process(lines[:number], line))
                for number, line in enumerate(lines)
                if ALARMS.search(line) and
                not (allowed and re.search(allowed, line))]

    @staticmethod
    def of_process(lines, alarm):
        pid = re.search(r"PID: (\d+)", alarm)
        return [line for line in lines
                if pid and "[%s]" % pid.group(1) in line][-4:]

    def remove(self):
        try:
            self.stop("immediate")
        except (RuntimeError, OSError):
            pass
        shutil.rmtree(self.dir, ignore_errors=True)
