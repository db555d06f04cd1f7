"""Exact nearest neighbours by NumPy, and recall against them."""
import numpy as np

METRICS = ("l2", "cosine", "ip", "l1")
BLOCK = 1 << 24                 # elements of base rows looked at together
QUERIES = 256                   # queries looked at together
MARGIN = 64                     # candidates beyond k whose distance is exact


def distances(query, rows, metric):
    """Return the distances, in double precision, of one vector to others.

    For "l2" they are squared: of whole numbers, they are exact.  A vector
    without direction is infinitely far away by "cosine".
    """
    query, rows = query.astype(np.float64), rows.astype(np.float64)
    if metric == "l2":
        difference = rows - query
        return np.einsum("ij,ij->i", difference, difference)
    if metric == "l1":
        return np.abs(rows - query).sum(axis=1)
    product = rows @ query
    if metric == "ip":
        return -product
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = product / np.sqrt(np.einsum("ij,ij->i", rows, rows)
                                   * (query @ query))
    return np.where(np.isfinite(cosine), 1 - cosine, np.inf)


def approximate(queries, rows, metric):
    """Return a matrix, in single precision, that ranks rows as distances do."""
    if metric == "l1":
        return np.stack([np.abs(rows - query).sum(axis=1)
                         for query in queries])
    products = queries @ rows.T
    if metric == "ip":
        return -products
    norms = np.einsum("ij,ij->i", rows, rows)
    if metric == "l2":
        return norms - 2 * products
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = products / np.sqrt(norms)
    return np.where(np.isfinite(cosine), -cosine, np.inf)


def candidates(queries, base, metric, count, alive):
    """Return the rows that seem nearest to each query."""
    best = np.zeros((len(queries), 0), np.float32)
    rows = np.zeros((len(queries), 0), np.int64)
    step = max(count, BLOCK // base.shape[1])
    for start in range(0, len(base), step):
        block = np.asarray(base[start:start + step], np.float32)
        found = approximate(queries, block, metric)
        if alive is not None:
            found[:, ~alive[start:start + step]] = np.inf
        best = np.concatenate([best, found], axis=1)
        rows = np.concatenate([rows, np.broadcast_to(
            np.arange(start, start + len(block)), found.shape)], axis=1)
        if best.shape[1] > count:
            keep = np.argpartition(best, count - 1, axis=1)[:, :count]
            best = np.take_along_axis(best, keep, axis=1)
            rows = np.take_along_axis(rows, keep, axis=1)
    return rows


def radii(base, queries, k, metric="l2", alive=None):
    """Return the distance of the k-th nearest base row to each query.

    Where alive is given, it tells which rows count.  Matrix products in single
    precision find k and some more candidates, which double precision ranks.
    """
    count = min(k + MARGIN, len(base) if alive is None else alive.sum())
    result = np.empty(len(queries))
    for start in range(0, len(queries), QUERIES):
        part = np.asarray(queries[start:start + QUERIES], np.float32)
        rows = candidates(part, base, metric, count, alive)
        for i, row in enumerate(rows):
            exact = distances(part[i], base[np.sort(row)], metric)
            result[start + i] = np.partition(exact, k - 1)[k - 1]
    return result


def recall(base, queries, radius, answers, k, metric="l2"):
    """Return the share of the true k nearest that was found.

    Rows as far away as the k-th nearest are as good as it is.
    """
    hits = 0
    for query, limit, answer in zip(queries, radius, answers):
        found = distances(query, base[sorted(set(answer))], metric)
        hits += int((found <= limit + 1e-7 * abs(limit)).sum())
    return hits / (k * len(radius))
