"""Figures of a report, side by side and against a reference."""
import bisect
import math

import plans
from plot import duration, number
from terminal import say

REFERENCE = "hnsw"
TARGETS = (0.9, 0.95, 0.99, 0.999)


class Figure:
    """A value; or what it is at least; or, without one, why there is none."""

    def __init__(self, value=None, at_least=False, text="–"):
        self.value = value
        self.at_least = at_least
        self.text = text


def speed_at(points, target):
    """Return the queries a second at a recall, between two points' if need be.

    Only points count that no other beats in both; between these, the
    logarithm of the speed is taken to be linear in the recall.
    """
    best = []
    for point in sorted(points, key=lambda p: (-p["recall"], -p["qps"])):
        if not best or point["qps"] > best[-1]["qps"]:
            best.append(point)
    best.reverse()
    at = bisect.bisect_left([p["recall"] for p in best], target)
    if at == len(best):
        return Figure(text="not reached")
    above = best[at]
    if above["recall"] == target:
        return Figure(above["qps"])
    if at == 0:
        return Figure(above["qps"], at_least=True)
    below = best[at - 1]
    share = ((target - below["recall"]) / (above["recall"] - below["recall"]))
    return Figure(math.exp((1 - share) * math.log(below["qps"])
                           + share * math.log(above["qps"])))


def usual(result, points):
    """Return the point of a curve with the usual effort."""
    return next(p for p in points if p["effort"] == result["usual"])


class Row:
    """A line of the table: one figure of every method.

    get returns a number or a Figure from a method's results; what was not
    measured is missing there.  better tells the direction: 1 for more, -1 for
    less, 0 if there is no ratio to give.
    """

    def __init__(self, label, better, show, get):
        self.label = label
        self.better = better
        self.show = show
        self.get = get

    def figure(self, result):
        try:
            found = self.get(result)
        except KeyError:
            return Figure()
        return found if isinstance(found, Figure) else Figure(found)

    def text(self, result):
        figure = self.figure(result)
        if figure.value is None:
            return figure.text
        return ("≥ " if figure.at_least else "") + self.show(figure.value)

    def ratio(self, result, reference):
        """Return how many times better than the reference, or nothing."""
        own, other = self.figure(result), self.figure(reference)
        if not self.better or not own.value or not other.value:
            return ""
        if other.at_least:
            return ""
        ratio = (own.value / other.value) ** self.better
        return "%s%.*f×" % ("≥ " if own.at_least else "",
                            2 if ratio < 2 else 1 if ratio < 100 else 0,
                            ratio)


def megabytes(value):
    return number(value / 1e6) + " MB"


def share(value):
    return "%.4f" % value


def build_rows():
    return [
        Row("CREATE INDEX", -1, duration, lambda r: r["build"]["seconds"]),
        Row("vectors a second", 1, number,
            lambda r: r["build"]["vectors_per_second"]),
        Row("peak private memory", -1, megabytes,
            lambda r: r["build"]["peak_memory"]),
        Row("index, bytes a vector", -1, number,
            lambda r: r["build"]["bytes"] / r["build"]["rows"]),
        Row("WAL, bytes a vector", -1, number,
            lambda r: r["build"]["wal"] / r["build"]["rows"])]


def curve_rows(points, targets):
    """Return rows on a curve; points finds it in a method's results."""
    return [
        Row("recall as usual", 0, share,
            lambda r: usual(r, points(r))["recall"]),
        Row("queries a second as usual", 1, number,
            lambda r: usual(r, points(r))["qps"])] + [
        Row("queries a second at recall %s" % str(target)[1:], 1, number,
            lambda r, target=target: speed_at(points(r), target))
        for target in targets]


def insert_rows():
    def single(label, name):
        return Row("INSERT of one row, " + label, -1, duration,
                   lambda r: r["insert"]["single"][name])

    return [Row("COPY, rows a second", 1, number,
                lambda r: r["insert"]["rows_per_second"]),
            single("median", "p50"), single("99 %", "p99"),
            single("longest", "max")] + curve_rows(
                lambda r: r["insert"]["query"], TARGETS[1:3])


def vacuum_rows():
    return [Row("VACUUM", -1, duration, lambda r: r["vacuum"]["seconds"])
            ] + curve_rows(lambda r: r["vacuum"]["query"], TARGETS[1:3])


def memory_rows(report):
    sizes = {size: None for method in report["methods"].values()
             for size in method.get("memory", ())}

    def get(key, size):
        def figure(result):
            build = result["memory"][size]
            return Figure(text="error") if "error" in build else build[key]
        return figure

    return [row for size in sizes for row in (
        Row("CREATE INDEX with " + size, -1, duration, get("seconds", size)),
        Row("peak private memory with " + size, -1, megabytes,
            get("peak_memory", size)))]


def growth_rows(report, test):
    """Return rows on the builds of a test, "growth" or "scale"."""
    sizes = sorted({build["rows"] for method in report["methods"].values()
                    for build in method.get(test, ())})

    def get(key, rows):
        return lambda r: next((build[key] for build in r[test]
                               if build["rows"] == rows), Figure())

    return [row for rows in sizes for row in (
        Row("vectors a second of %s" % number(rows), 1, number,
            get("vectors_per_second", rows)),
        Row("recall as usual of %s" % number(rows), 0, share,
            get("recall", rows)))]


def hard_rows(report):
    names = {name: None for method in report["methods"].values()
             for name in method.get("hard", ())}

    def rows(name):
        return [
            Row(name + ": recall", 0, share, lambda r: usual(
                r, r["hard"][name]["query"])["recall"]),
            Row("  vectors a second", 1, number, lambda r:
                r["hard"][name]["build"]["vectors_per_second"]),
            Row("  queries a second at .95", 1, number,
                lambda r: speed_at(r["hard"][name]["query"], 0.95))]

    return [row for name in names for row in rows(name)]


def groups(report):
    """Return (title, rows) of every part of the table that has figures."""
    result = []
    for title, rows in (
            ("Build", build_rows()),
            ("Search", curve_rows(lambda r: r["query"], TARGETS)),
            ("Build of growing tables", growth_rows(report, "growth")),
            ("Build in less memory", memory_rows(report)),
            ("Insert into the indexed table", insert_rows()),
            ("Delete every tenth row", vacuum_rows()),
            ("Build of generated tables", growth_rows(report, "scale")),
            ("Hard data", hard_rows(report))):
        rows = [row for row in rows if any(
            row.text(m) != Figure().text for m in report["methods"].values())]
        if rows:
            result.append((title, rows))
    return result


def plan_rows(result):
    """Return a method's table of plans: a heading, then a line for a shape."""
    lines = [("rows", "filter", "LIMIT") + tuple(plans.WAYS)
             + ("chosen", "× fastest")]
    for shape in result.get("plans", ()):
        factor = plans.slower(shape)
        lines.append((
            number(shape["rows"]), "%g" % shape["share"],
            number(shape["limit"])) + tuple(
                duration(shape["seconds"][way]) if way in shape["seconds"]
                else Figure().text for way in plans.WAYS)
            + (shape["chosen"],
               "too few rows" if factor is None else "%.1f" % factor))
    return lines if len(lines) > 1 else []


def cells(report, row):
    """Return (text, ratio) of each method."""
    reference = report["methods"].get(REFERENCE)
    return [(row.text(result), row.ratio(result, reference)
             if reference and result is not reference else "")
            for result in report["methods"].values()]


def title(about):
    return ("%s: %s rows of %d dimensions, by %s; omenvec %s on %s; "
            "%d cores of %s, %s" % (
                about["data"], number(about["rows"]), about["dimensions"],
                about["metric"], about["omenvec"], about["server"],
                about["cores"], about["cpu"], about["simd"]))


def show(report):
    """Print the table; in brackets, how many times better than hnsw."""
    say("\n%-36s" % "" + "".join("%24s" % name for name in report["methods"]),
        "title")
    for heading, rows in groups(report):
        say(heading, "title")
        for row in rows:
            say("  %-34s" % row.label + "".join("%24s" % (
                text + (" (%s)" % ratio if ratio else ""))
                for text, ratio in cells(report, row)))
    for name, result in report["methods"].items():
        lines = plan_rows(result)
        if lines:
            say("Plans with " + name, "title")
        for line in lines:
            say("  %8s%8s%8s" % line[:3] + "".join(
                "%14s" % cell for cell in line[3:]))
