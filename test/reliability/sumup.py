#!/usr/bin/env python3
"""Add up the results of several runs of the driver.

Its argument is the file that the driver's --results named.  The table has the
rows that there are, and what follows the sums of what they counted.
"""
import json
import sys

import card


def read(path):
    """Return {ident: Row}, and what the runs have in common."""
    rows, runs = {}, set()
    with open(path) as file:
        for line in file:
            piece = json.loads(line)
            runs.add("%(method)s, %(version)s, commit %(commit)s" % piece)
            row = rows.setdefault(piece["ident"], card.Row(piece["ident"],
                                                           piece["what"]))
            for figure in card.FIGURES + ("rounds", "seconds"):
                setattr(row, figure, getattr(row, figure) + piece[figure])
            row.counts.update(piece["counts"])
            for name, values in piece["samples"].items():
                row.samples[name] += values
            row.failures += ["seed %d: %s" % (piece["seed"], failure)
                             for failure in piece["failures"]]
    return rows, runs


def main():
    rows, runs = read(sys.argv[1])
    print("\n".join(sorted(runs)) + "\n")
    print(card.Card.heading())
    for ident in sorted(rows):
        print(card.Card.line(rows[ident]))
    for ident in sorted(rows):
        row = rows[ident]
        print("\n%s" % ident)
        for name, number in sorted(row.counts.items()):
            print("    %-40s %8d" % (name, number))
        for name, values in sorted(row.samples.items()):
            print("    %-40s %8d, p50 %.0f p99 %.0f max %.0f ms" %
                  (name, len(values), card.percentile(values, 0.5),
                   card.percentile(values, 0.99), max(values)))
        for failure in row.failures:
            print("    " + failure)


if __name__ == "__main__":
    main()
