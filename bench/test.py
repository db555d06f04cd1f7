"""Tests of the benchmark; the last needs a server that has omenvec."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

import numpy as np

import exact
import generate
import plans
import summary
from datasets import Dataset, read_matrix
from options import parse

HERE = os.path.dirname(os.path.abspath(__file__))


def vectors(rows, dimensions, seed):
    """Return vectors about as hard to search as real ones: few directions."""
    random = np.random.default_rng(seed)
    directions = np.random.default_rng(0).normal(size=(8, dimensions))
    return (random.normal(size=(rows, 8)) @ directions
            + 0.1 * random.normal(size=(rows, dimensions))).astype(np.float32)


def write_texmex(path, rows, element):
    """Write a matrix as .fvecs, .bvecs or .ivecs have it."""
    with open(path, "wb") as f:
        for row in rows:
            f.write(np.int32(len(row)).tobytes())
            f.write(row.astype(element).tobytes())


class Exact(unittest.TestCase):
    def check(self, metric, distance, alive=None):
        base, queries = vectors(3000, 24, 1), vectors(300, 24, 2)
        full = np.array([distance(query.astype(float), base.astype(float))
                         for query in queries])
        if alive is not None:
            full[:, ~alive] = np.inf
        exact.BLOCK = 24 * 500      # several blocks
        self.assertTrue(np.allclose(np.sort(full, axis=1)[:, 9], exact.radii(
            base, queries, 10, metric, alive), rtol=1e-9))

    def test_l2(self):
        self.check("l2", lambda q, b: ((b - q) ** 2).sum(axis=1))

    def test_ip(self):
        self.check("ip", lambda q, b: -(b * q).sum(axis=1))

    def test_cosine(self):
        self.check("cosine", lambda q, b: 1 - (b * q).sum(axis=1)
                   / np.linalg.norm(b, axis=1) / np.linalg.norm(q))

    def test_l1(self):
        self.check("l1", lambda q, b: np.abs(b - q).sum(axis=1))

    def test_deleted(self):
        self.check("l2", lambda q, b: ((b - q) ** 2).sum(axis=1),
                   np.arange(3000) % 10 != 3)

    def test_recall(self):
        base = np.array([[0.], [1.], [-1.], [2.], [5.]])
        queries = np.array([[0.], [4.]])
        radius = exact.radii(base, queries, 2)
        self.assertEqual([1, 4], list(radius))
        for share, answers in ((1, ([0, 2], [4, 3])), (0.75, ([0, 3], [3, 4])),
                               (0.25, ([0, 0], []))):
            self.assertEqual(share, exact.recall(base, queries, radius,
                                                 answers, 2))


class Speed(unittest.TestCase):
    POINTS = [{"recall": 0.9, "qps": 1000}, {"recall": 0.85, "qps": 900},
              {"recall": 0.98, "qps": 10}]

    def test_between(self):
        self.assertAlmostEqual(100, summary.speed_at(self.POINTS, 0.94).value)

    def test_beyond(self):
        self.assertIsNone(summary.speed_at(self.POINTS, 0.99).value)

    def test_below(self):
        figure = summary.speed_at(self.POINTS, 0.8)
        self.assertEqual((1000, True), (figure.value, figure.at_least))


class Plans(unittest.TestCase):
    def test_way(self):
        index = {"Node Type": "Index Scan", "Index Name": "plans_v_idx"}
        btree = {"Node Type": "Bitmap Index Scan", "Index Name": "part_idx"}
        for wanted, leaf in (("index", index), ("btree", btree),
                             ("scan", {"Node Type": "Seq Scan"})):
            self.assertEqual(wanted, plans.way(
                {"Node Type": "Aggregate", "Plans": [
                    {"Node Type": "Seq Scan"},
                    {"Node Type": "Limit", "Plans": [leaf]}]}))

    def test_slower(self):
        seconds = {"index": 3, "scan": 2}
        self.assertEqual(1.5, plans.slower({"chosen": "index",
                                            "seconds": seconds}))
        self.assertIsNone(plans.slower({"chosen": "btree",
                                        "seconds": seconds}))


class Files(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def test_formats(self):
        rows = np.arange(60).reshape(5, 12)
        np.save(self.path("a.npy"), rows)
        write_texmex(self.path("a.fvecs"), rows, "<f4")
        write_texmex(self.path("a.bvecs"), rows, "u1")
        write_texmex(self.path("a.ivecs"), rows, "<i4")
        for suffix in ("npy", "fvecs", "bvecs", "ivecs"):
            self.assertTrue(np.array_equal(
                rows, read_matrix(self.path("a." + suffix))), suffix)

    def test_wrong_truth(self):
        np.save(self.path("base.npy"), vectors(1500, 8, 1))
        np.save(self.path("truth.npy"), np.tile(np.arange(10), (500, 1)))
        with self.assertRaisesRegex(SystemExit, "not the nearest"):
            Dataset(parse(["--base", self.path("base.npy"), "--query-rows",
                           "500", "--truth", self.path("truth.npy")]))

    def test_benchmark(self):
        write_texmex(self.path("base.fvecs"), vectors(5000, 32, 1), "<f4")
        subprocess.run(
            [sys.executable, "-B", os.path.join(HERE, "bench.py"),
             "--base", self.path("base.fvecs"), "--query-rows", "200",
             "--methods", "omen", "--ef", "20,40,80", "--low-memory", "64MB",
             "--scale-sizes", "1000,3000", "--hard-rows", "2000",
             "--hard-queries", "100",
             "--output", self.path("report")],
            check=True, stdout=subprocess.DEVNULL)
        with open(self.path("report.json"), encoding="utf-8") as f:
            report = json.load(f)
        omen = report["methods"]["omen"]
        self.assertEqual({}, omen["errors"])
        self.assertEqual(4800, omen["build"]["rows"])
        self.assertGreater(omen["build"]["peak_memory"], 1 << 20)
        for points in (omen["query"], omen["insert"]["query"],
                       omen["vacuum"]["query"]):
            self.assertGreater(summary.usual(omen, points)["recall"], 0.95)
        self.assertEqual([1000], [b["rows"] for b in omen["growth"]])
        self.assertIn("seconds", omen["memory"]["64MB"])
        self.assertEqual([1000, 3000], [b["rows"] for b in omen["scale"]])
        self.assertGreater(omen["scale"][1]["recall"], 0.98)
        self.assertEqual(list(generate.HARD), list(omen["hard"]))
        for name, result in omen["hard"].items():
            self.assertGreater(summary.usual(omen, result["query"])["recall"],
                               0.75, name)
        self.check_plans(omen["plans"])
        with open(self.path("report.html"), encoding="utf-8") as f:
            text = f.read()
        self.assertEqual(4, text.count("<svg"))
        self.assertIn("<h2>Plans with omen</h2>", text)
        self.assertNotRegex(text, r"<link|src=.http|\$[a-z]")

    def check_plans(self, shapes):
        """All ways were timed where there are several, and the best is clear.

        Which one is faster elsewhere is for the time to tell, not for a test.
        """
        self.assertEqual(
            [(rows, share, limit) for rows in (1000, 4800)
             for share in plans.SHARES for limit in plans.LIMITS],
            [(s["rows"], s["share"], s["limit"]) for s in shapes])
        for shape in shapes:
            self.assertIn("scan", shape["seconds"])
            self.assertEqual(shape["share"] < 1, "btree" in shape["seconds"])
        whole = [s for s in shapes if s["rows"] == 4800 and s["limit"] == 10]
        self.assertEqual("index", whole[0]["chosen"])
        self.assertIn("index", whole[0]["seconds"])
        self.assertEqual("btree", whole[-1]["chosen"])


if __name__ == "__main__":
    unittest.main()
