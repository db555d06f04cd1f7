"""The benchmark's command line.

Imports nothing beyond Python, so that run.sh can check the arguments before
it installs and builds anything.
"""
import argparse
import os

TESTS = ("build", "query", "growth", "memory", "insert", "vacuum", "plans",
         "scale", "hard")
METHODS = ("omen", "hnsw", "ivfflat", "vchordrq", "diskann")
METRICS = ("l2", "cosine", "ip", "l1")
SUFFIXES = (".npy", ".fvecs", ".bvecs", ".ivecs", ".hdf5", ".h5")


def one_of(known):
    """Return the type of a list of known names; their order is that of known.
    """
    def names(text):
        given = text.split(",")
        for name in given:
            if name not in known:
                raise argparse.ArgumentTypeError(
                    "\"%s\": there are %s" % (name, ", ".join(known)))
        return [name for name in known if name in given]
    return names


def numbers(text):
    """Return a list of positive whole numbers, ascending."""
    values = sorted(int(word) for word in text.split(","))
    if values[0] < 1:
        raise argparse.ArgumentTypeError("%d is too small" % values[0])
    return values


def count(text):
    return numbers(text)[0]


def matrix(path):
    if not path.endswith(SUFFIXES):
        raise argparse.ArgumentTypeError(
            "%s: known are files %s" % (path, ", ".join(SUFFIXES)))
    if not os.path.isfile(path):
        raise argparse.ArgumentTypeError("%s: no such file" % path)
    return path


def parse(arguments=None):
    parser = argparse.ArgumentParser(
        prog="run.sh", description="Measure omen, and other index access "
        "methods for vectors where they are installed, in one throw-away "
        "cluster; write a report.")
    data = parser.add_argument_group("data")
    data.add_argument("--base", type=matrix, metavar="FILE",
                      help="vectors to index: .npy, .fvecs, .bvecs, or an "
                      "ann-benchmarks .hdf5 that has queries too; without it, "
                      "Fashion-MNIST")
    data.add_argument("--queries", type=matrix, metavar="FILE",
                      help="vectors to look for; without it, the last "
                      "rows of the base, which are then not indexed")
    data.add_argument("--truth", type=matrix, metavar="FILE",
                      help="numbers (from 0) of the nearest base rows of each "
                      "query: .npy, .ivecs; without it, they are computed")
    data.add_argument("--metric", choices=METRICS,
                      help="distance; without it, that of the .hdf5, or l2")
    data.add_argument("--rows", type=count, metavar="N",
                      help="index the first N vectors only")
    data.add_argument("--query-rows", type=count, metavar="N", default=1000,
                      help="use the first N queries (%(default)s)")

    what = parser.add_argument_group("what is measured")
    what.add_argument("--methods", type=one_of(METHODS), metavar="LIST",
                      help="of %s; without it, all that are installed"
                      % ", ".join(METHODS))
    what.add_argument("--tests", type=one_of(TESTS), metavar="LIST",
                      default=",".join(TESTS),
                      help="some of %(default)s; without it, all")
    what.add_argument("--k", type=count, default=10,
                      help="neighbors that a query asks for (%(default)s)")
    what.add_argument("--ef", type=numbers, metavar="LIST",
                      default="10,20,40,80,160,320,640",
                      help="values of omen's and hnsw's ef_search (%(default)s)")
    what.add_argument("--sizes", type=numbers, metavar="LIST",
                      default="1000,5000,10000,50000,100000,500000",
                      help="rows of growing tables, the whole one besides "
                      "(%(default)s)")
    what.add_argument("--low-memory", metavar="LIST",
                      default="16MB,64MB,256MB,1GB",
                      help="values of maintenance_work_mem to build with "
                      "(%(default)s)")
    what.add_argument("--insert-rows", type=count, metavar="N", default=20000,
                      help="rows of the COPY into an indexed table "
                      "(%(default)s, at most a fifth of all)")
    what.add_argument("--scale-sizes", type=numbers, metavar="LIST",
                      default="1000,5000,10000,50000,100000,1000000",
                      help="rows of generated tables of 128 dimensions "
                      "(%(default)s)")
    what.add_argument("--scale-rows", type=count, metavar="N", default=100000,
                      help="the most of these rows for methods other than "
                      "omen (%(default)s)")
    what.add_argument("--hard-rows", type=count, metavar="N", default=20000,
                      help="rows of each hard data set (%(default)s)")
    what.add_argument("--hard-queries", type=count, metavar="N", default=200,
                      help="queries of hard and of generated data "
                      "(%(default)s)")

    how = parser.add_argument_group("how")
    how.add_argument("--memory", metavar="SIZE",
                     help="maintenance_work_mem of the other builds; without "
                     "it, a quarter of the machine's memory")
    how.add_argument("--workers", type=int, metavar="N", default=0,
                     help="parallel workers of a build (%(default)s)")
    how.add_argument("--timeout", type=count, metavar="SECONDS", default=3600,
                     help="give a build up after this time (%(default)s)")
    how.add_argument("--output", metavar="PATH", default=os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "report"),
        help="what is written, without .html and .json "
        "(%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    parse()
