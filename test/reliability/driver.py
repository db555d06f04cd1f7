#!/usr/bin/env python3
"""Ill-treat an access method, and say what came of it.

Each row of the matrix is a function in one of the modules here.  It gets an
Env, makes what clusters it needs, and returns a Row of the report card.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

import cancel
import card
import crash
import damage
import fuzz
import memory
import method
import mixed
import patience
import pause
import privileges
import resources
import standby
from cluster import Cluster

# The rows, and what they are for: "omen" ones make use of what only omen has.
ROWS = {
    "crash": (crash.run, "any"),
    "points": (crash.run_points, "faults"),
    "longpoints": (crash.run_long_points, "faults"),
    "pause": (pause.run, "faults"),
    "mixed": (mixed.run, "any"),
    "churn": (mixed.churn, "any"),
    "cancel": (cancel.run, "omen"),
    "resources": (resources.run, "omen"),
    "standby": (standby.run, "any"),
    "pitr": (standby.run_pitr, "omen"),
    "life": (memory.run, "any"),
    "fuzz": (fuzz.run, "any"),
    "privileges": (privileges.run, "omen"),
    "damage": (damage.run, "omen"),
    "longdamage": (damage.run_long, "omen"),
    "bytes": (damage.run_bytes, "omen"),
}

# Rows that take half a minute to begin with are not for the short form.
SLOW = ("longpoints", "longdamage")


class Env:
    """What a row is told: the method, where things are, how much to do."""

    def __init__(self, args, work):
        self.args = args
        self.work = work
        self.method = method.METHODS[args.am]
        self.seed = args.seed
        self.short = args.form == "short"
        self.bindir = args.bindir
        self.source = os.path.dirname(os.path.dirname(
            os.path.dirname(os.path.abspath(__file__))))
        self.faults = args.faults
        self.clusters = []

    def cluster(self, name, settings="", env=None, start=True):
        """Make a cluster with the extension."""
        cluster = Cluster(self.bindir, self.work, name, settings, env)
        self.clusters.append(cluster)
        cluster.init()
        if start:
            cluster.start()
            cluster.run("CREATE EXTENSION " + self.method.extension)
        return cluster

    def another(self, name, settings=""):
        """Make a directory for a cluster that is a copy of another one."""
        cluster = Cluster(self.bindir, self.work, name, settings)
        self.clusters.append(cluster)
        return cluster

    def choice(self, short, long):
        return short if self.short else long

    def some(self, points, count, rng):
        """Return the fault points to go through.

        In the short form that is a share of them each time: all, over some
        runs.
        """
        if self.args.points:
            return self.args.points.split(",")
        return rng.sample(points, count) if self.short else points

    def rounds(self, short, long):
        return self.args.rounds or self.choice(short, long)

    def numbers(self, short, long):
        """Return 0, 1, ... for so many rounds, or so many seconds, if told."""
        return self.in_time(range(self.rounds(short, long)))

    def in_time(self, what):
        """Yield what a sequence has, for so many seconds, if told."""
        end = time.monotonic() + (self.args.seconds or 86400)
        for item in what:
            if time.monotonic() > end:
                break
            yield item

    def seconds(self, short, long):
        return self.args.seconds or self.choice(short, long)

    def option(self, name, default):
        return default if name not in self.args.without else False

    def clean_up(self):
        for cluster in self.clusters:
            cluster.remove()
        self.clusters = []


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--am", choices=sorted(method.METHODS),
                        default="omen")
    parser.add_argument("--form", choices=("short", "long"), default="long")
    parser.add_argument("--rows", default="", help="names, comma-separated")
    parser.add_argument("--rounds", type=int, help="instead of the usual")
    parser.add_argument("--seconds", type=float, help="instead of the usual")
    parser.add_argument("--points", help="instead of all fault points")
    parser.add_argument("--without", default="", help="parts of rows")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--bindir", required=True)
    parser.add_argument("--faults", action="store_true",
                        help="the build has fault points")
    parser.add_argument("--commit", default="")
    parser.add_argument("--patience", type=float, default=1,
                        help="how many times the limits to wait")
    parser.add_argument("--results", help="a file to add the rows to")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--keep", action="store_true",
                        help="keep the clusters of a row that failed")
    args = parser.parse_args()
    args.without = args.without.split(",")
    return args


def chosen(args):
    names = args.rows.split(",") if args.rows else [
        name for name in ROWS if args.form == "long" or name not in SLOW]
    for name in names:
        run, needs = ROWS[name]
        if needs == "omen" and args.am != "omen":
            continue
        if needs == "faults" and not args.faults:
            continue
        yield name, run


def quiet():
    """Keep libpq from telling of each connection that a crash ends."""
    errors = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    sys.stderr = os.fdopen(errors, "w")


def main():
    args = arguments()
    quiet()
    patience.factor = args.patience
    work = tempfile.mkdtemp(prefix="omenvec-rel.")
    version = subprocess.run([os.path.join(args.bindir, "postgres"),
                              "--version"], stdout=subprocess.PIPE,
                             text=True).stdout.strip()
    env = Env(args, work)
    report = card.Card(args.am, args.form, args.seed, version,
                       args.commit or card.commit_of(env.source),
                       args.results)
    print(report.head)
    print(report.heading())
    try:
        for name, run in chosen(args):
            try:
                report.add(run(env))
            except Exception:
                row = card.Row(name, "ended by an exception")
                row.fail("wrong", traceback.format_exc())
                report.add(row.done())
            if not (args.keep and not report.rows[-1].clean):
                env.clean_up()
            else:
                env.clusters = []
    finally:
        env.clean_up()
        if not (args.keep and not report.clean):
            shutil.rmtree(work, ignore_errors=True)
        else:
            print("kept: " + work)
    print(report.total())
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main())
