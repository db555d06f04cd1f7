"""Vectors that are made up: for any number of rows, and hard ones.

All come from NumPy's default generator with a fixed seed.  "uniform" below is
uniform between 0 and 1, "normal" has a standard deviation of 1.
"""
import numpy as np

from datasets import Dataset

SEED = 1
PLACE = 128                     # dimensions of data about places
SCALE_DIMENSIONS = 128
SCALE_INTRINSIC = 16
SCALE_NOISE = 0.2
SCALE_BLOCK = 50000


def about_places(rows_of_each, spread, reach=1.0):
    """Return a generator of normal clusters at uniform places."""
    def make(random, rows):
        places = reach * random.uniform(
            size=(max(rows // rows_of_each, 1), PLACE))
        return (places[random.integers(0, len(places), rows)]
                + spread * random.normal(size=(rows, PLACE)))
    return make


def uniform(dimensions):
    return lambda random, rows: random.uniform(size=(rows, dimensions))


def normal(dimensions):
    return lambda random, rows: random.normal(size=(rows, dimensions))


def line(random, rows):
    return random.uniform(size=(rows, 1)) * random.normal(size=(1, 64))


def two_strong(random, rows):
    """Two of the dimensions are a thousand times as wide."""
    vectors = random.normal(size=(rows, 64))
    vectors[:, :2] *= 1000
    return vectors


def outliers(random, rows):
    """One value in a thousand is a hundred times as large."""
    vectors = (random.normal(size=(rows, 12)) @ random.normal(size=(12, 64))
               + 0.1 * random.normal(size=(rows, 64)))
    vectors[random.uniform(size=vectors.shape) < 0.001] *= 100
    return vectors


def heavy_tails(random, rows):
    return random.standard_t(2, size=(rows, 64))


def many_lengths(random, rows):
    """Lengths over six orders of magnitude."""
    return (random.normal(size=(rows, 32))
            * 10 ** random.uniform(-3, 3, size=(rows, 1)))


def log_normal_lengths(random, rows):
    return (random.normal(size=(rows, 96))
            * np.exp(random.normal(size=(rows, 1))))


def copies(random, rows):
    """All but one in a hundred rows are equal."""
    vectors = np.zeros((rows, 32))
    different = random.uniform(size=rows) < 0.01
    vectors[different] = random.normal(size=(int(different.sum()), 32))
    return vectors


# name: generator, metric
HARD = {
    "tight clusters": (about_places(100, 0.01), "l2"),
    "clusters of 32": (about_places(32, 0.01), "l2"),
    "near duplicates": (about_places(25, 0.001), "l2"),
    "clusters finer than a code": (about_places(100, 0.01, 100), "l2"),
    "two strong dimensions": (two_strong, "l2"),
    "outliers": (outliers, "l2"),
    "heavy tails": (heavy_tails, "l2"),
    "uniform, 1 dimension": (uniform(1), "l2"),
    "uniform, 8 dimensions": (uniform(8), "l2"),
    "uniform, 32 dimensions": (uniform(32), "l2"),
    "normal, 64 dimensions": (normal(64), "l2"),
    "normal, 64, cosine": (normal(64), "cosine"),
    "normal, 64, L1": (normal(64), "l1"),
    "on a line": (line, "l2"),
    "lengths 1 to 1e6, product": (many_lengths, "ip"),
    "log-normal lengths": (log_normal_lengths, "ip"),
    "copies": (copies, "l2"),
}


class Generated(Dataset):
    """Generated rows, and queries from the same distribution."""

    def __init__(self, name, base, queries, metric, k):
        self.name = name
        self.metric = metric
        self.k = k
        self.base = base.astype(np.float32)
        self.queries = queries.astype(np.float32)
        self.known = {}


def hard(name, options):
    """Return one of the hard data sets."""
    make, metric = HARD[name]
    rows = options.hard_rows
    vectors = make(np.random.default_rng(SEED), rows + options.hard_queries)
    return Generated(name, vectors[:rows], vectors[rows:], metric, options.k)


def scale(rows, options):
    """Return rows of 128 dimensions about a plane of 16, and queries.

    A vector is z A + 0.2 e: normal z of 16 and e of 128 values, A of 16 x 128
    values that are normal and the same for all.  Smaller sets are the first
    rows of larger ones.
    """
    random = np.random.default_rng(SEED)
    plane = random.normal(size=(SCALE_INTRINSIC, SCALE_DIMENSIONS))

    def make(count):
        return (random.normal(size=(count, SCALE_INTRINSIC)) @ plane
                + SCALE_NOISE * random.normal(
                    size=(count, SCALE_DIMENSIONS))).astype(np.float32)

    queries = make(options.hard_queries)
    base = np.empty((rows, SCALE_DIMENSIONS), np.float32)
    for start in range(0, rows, SCALE_BLOCK):
        base[start:start + SCALE_BLOCK] = make(SCALE_BLOCK)[:rows - start]
    return Generated("generated", base, queries, "l2", options.k)
