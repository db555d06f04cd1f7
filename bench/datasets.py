"""Vectors to index and to look for, from the usual files."""
import numpy as np

import exact
from server import read_idx

FASHION = "/usr/share/datasets/fashion-mnist/%s-images-idx3-ubyte.gz"
ELEMENTS = {"bvecs": "u1", "fvecs": "<f4", "ivecs": "<i4"}
MINIMUM_ROWS = 1000
HDF5 = (".hdf5", ".h5")
HDF5_METRICS = {"euclidean": "l2", "angular": "cosine", "dot": "ip",
                "ip": "ip"}


def read_matrix(path):
    """Return the matrix in a file; it is read as it is used."""
    if path.endswith(".npy"):
        return np.load(path, mmap_mode="r")
    dimensions = int(np.fromfile(path, "<i4", 1)[0])
    element = ELEMENTS[path.rsplit(".", 1)[1]]
    return np.memmap(path, [("dimensions", "<i4"),
                            ("row", element, (dimensions,))], "r")["row"]


def read_hdf5(path):
    """Return base, queries, truth and metric of an ann-benchmarks file."""
    import h5py     # its package is installed only for such files
    with h5py.File(path) as f:
        distance = f.attrs.get("distance", "euclidean")
        if distance not in HDF5_METRICS:
            raise SystemExit("%s: distance \"%s\" has no operator class"
                             % (path, distance))
        return (f["train"][:], f["test"][:], f["neighbors"][:],
                HDF5_METRICS[distance])


class Dataset:
    """A base, queries, and the radii within which the k nearest lie."""

    def __init__(self, options):
        self.k = options.k
        base, queries, truth, metric = self.read(options)
        self.metric = options.metric or metric
        if truth is not None and self.metric != metric:
            truth = None
        if queries is None:
            held_out = min(options.query_rows, len(base) // 2)
            base, queries = base[:-held_out], base[-held_out:]
        if options.rows and options.rows < len(base):
            base, truth = base[:options.rows], None
        self.base = base
        self.queries = np.asarray(queries[:options.query_rows])
        self.known = {}
        self.check()
        if truth is not None:
            self.known[len(base), False] = self.given(truth)

    def read(self, options):
        if not options.base:
            self.name = "Fashion-MNIST"
            train, test = (read_idx(FASHION % part)
                           for part in ("train", "t10k"))
            return (train.reshape(len(train), -1), test.reshape(len(test), -1),
                    None, "l2")
        self.name = options.base.rsplit("/", 1)[-1]
        if options.base.endswith(HDF5):
            base, queries, truth, metric = read_hdf5(options.base)
        else:
            base, queries, truth = read_matrix(options.base), None, None
            metric = options.metric or "l2"
        if options.queries:
            queries, truth = read_matrix(options.queries), None
        if options.truth:
            truth = read_matrix(options.truth)
        return base, queries, truth, metric

    def check(self):
        if self.base.ndim != 2 or self.queries.ndim != 2 or (
                self.base.shape[1] != self.queries.shape[1]):
            raise SystemExit("base %s and queries %s do not go together"
                             % (self.base.shape, self.queries.shape))
        if len(self.base) < MINIMUM_ROWS or self.k > MINIMUM_ROWS // 10:
            raise SystemExit("%d rows are too few for k = %d"
                             % (len(self.base), self.k))

    def given(self, truth):
        """Return the radii that the data set's own truth gives.

        Some are compared with ours, for files differ in what they count.
        """
        truth = np.asarray(truth[:len(self.queries), :self.k])
        if (truth.shape != (len(self.queries), self.k) or truth.min() < 0
                or truth.max() >= len(self.base)):
            raise SystemExit("the given nearest neighbors are not of these "
                             "vectors")
        radii = np.array([
            exact.distances(query, self.base[np.sort(rows)],
                            self.metric).max()
            for query, rows in zip(self.queries, truth)])
        few = slice(0, 10)
        if not np.allclose(radii[few], exact.radii(
                self.base, self.queries[few], self.k, self.metric), 1e-4):
            raise SystemExit("the given nearest neighbors are not the nearest "
                             "by %s" % self.metric)
        return radii

    def deleted(self):
        """Return which rows the test of VACUUM deletes: one in ten."""
        return np.arange(len(self.base)) % 10 == 3

    def radii(self, rows, without_deleted=False):
        """Return the radii among the first rows, computed once."""
        key = rows, without_deleted
        if key not in self.known:
            alive = ~self.deleted()[:rows] if without_deleted else None
            self.known[key] = exact.radii(self.base[:rows], self.queries,
                                          self.k, self.metric, alive)
        return self.known[key]

    def recall(self, answers, rows, without_deleted=False):
        return exact.recall(self.base, self.queries,
                            self.radii(rows, without_deleted), answers,
                            self.k, self.metric)
