"""Write what bench.py measured as one self-contained page."""
import html
import math
import os
import string

from matplotlib.ticker import LogLocator, NullFormatter

import summary
from plot import SERIES, INK, axes, bars, duration, finish, number

HERE = os.path.dirname(os.path.abspath(__file__))
STYLE = os.path.join(HERE, "..", "demo", "page.css")
UNITS = {"kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
RECALLS = (0.5, 0.8, 0.9, 0.95, 0.99, 0.999)


def color(report, method):
    return SERIES[list(report["methods"]).index(method) % len(SERIES)]


def size_bytes(text):
    """Return the bytes of a size as PostgreSQL writes it; kB without unit."""
    digits = text.rstrip("kMGTB ")
    return float(digits) * UNITS.get(text[len(digits):].strip(), 1 << 10)


def short(value):
    """Return a number as an axis has room for it."""
    return "%gM" % (value / 1e6) if value >= 1e6 else (
        "%gK" % (value / 1e3) if value >= 1e3 else "%g" % value)


def mark(ax, values, text):
    """Mark values on the logarithmic axis of x, as far as there is room."""
    ticks = []
    for value in sorted(set(values)):
        if not ticks or value > 1.5 * ticks[-1]:
            ticks.append(value)
    ax.set_xscale("log")
    ax.set_xticks(ticks, [text(x) for x in ticks])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.tick_params(axis="x", which="minor", length=0)


def lines(report, title, curves, labels, prepare):
    """Return a plot with one line for each method that has a curve."""
    curves = {name: sorted(points) for name, points in curves.items() if points}
    if not curves:
        return ""
    figure, ax = axes()
    for name, points in curves.items():
        ax.plot(*zip(*points), color=color(report, name), linewidth=2,
                marker="o", markersize=4, label=name)
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(lambda value, _: short(value))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(labels[0])
    ax.set_ylabel(labels[1])
    prepare(ax, [x for points in curves.values() for x, _ in points])
    ax.legend(labelcolor=INK, fontsize=8)
    return finish(figure, title)


def plot_recall(report):
    """Speed against recall, on a scale of the share that is missed."""
    about = report["about"]
    floor = 0.5 / (about["queries"] * about["k"])

    def place(recall):
        return -math.log10(max(1 - recall, floor))

    def prepare(ax, values):
        ticks = [r for r in RECALLS if min(values) - 0.3 <= place(r)
                 <= max(values) + 0.1]
        ax.set_xticks([place(r) for r in ticks], ["%g" % r for r in ticks])

    return lines(report, "Queries a second over recall", {
        name: [(place(p["recall"]), p["qps"]) for p in m.get("query", ())]
        for name, m in report["methods"].items()},
        ("recall@%d" % about["k"], "queries a second"), prepare)


def plot_growth(report):
    def prepare(ax, values):
        mark(ax, values, short)

    curves = {}
    for name, method in report["methods"].items():
        builds = method.get("growth", [])
        if builds and "build" in method:
            builds = builds + [method["build"]]
        curves[name] = [(b["rows"], b["vectors_per_second"]) for b in builds]
    return lines(report, "Rate of the build over rows", curves,
                 ("rows", "vectors a second"), prepare)


def plot_scale(report):
    def prepare(ax, values):
        mark(ax, values, short)

    return lines(report, "Rate of the build over generated rows", {
        name: [(b["rows"], b["vectors_per_second"])
               for b in method.get("scale", ())]
        for name, method in report["methods"].items()},
        ("rows", "vectors a second"), prepare)


def plot_memory(report):
    def prepare(ax, values):
        mark(ax, values, lambda size: "%g" % (size / 2 ** 20))

    return lines(report, "Time of the build over memory", {
        name: [(size_bytes(size), build["seconds"])
               for size, build in m.get("memory", {}).items()
               if "seconds" in build]
        for name, m in report["methods"].items()},
        ("maintenance_work_mem, MB", "seconds"), prepare)


def table(report):
    names = list(report["methods"])
    parts = ["<table><thead><tr><th></th>%s</tr></thead>" % "".join(
        "<th>%s</th>" % name for name in names)]
    for heading, rows in summary.groups(report):
        parts.append('<tbody><tr><th colspan="%d">%s</th></tr>' % (
            len(names) + 1, heading))
        for row in rows:
            parts.append("<tr><td>%s</td>%s</tr>" % (row.label, "".join(
                "<td>%s<small>%s</small></td>" % cell
                for cell in summary.cells(report, row))))
        parts.append("</tbody>")
    return "\n".join(parts) + "</table>"


def plan_section(report):
    """Return the tables of plans, one for each method that has one."""
    parts = []
    for name, method in report["methods"].items():
        lines = summary.plan_rows(method)
        if not lines:
            continue
        parts.append("<h2>Plans with %s</h2>" % name)
        parts.append('<p class="note">The time of each way to answer a query, '
                     "with what the planner chose, and how many times slower "
                     "that was than the fastest. A way that found fewer rows "
                     "than another has no time.</p>")
        parts.append('<div class="wide"><table><thead><tr>%s</tr></thead>'
                     "<tbody>" % "".join("<th>%s</th>" % cell
                                         for cell in lines[0]))
        parts += ["<tr>%s</tr>" % "".join("<td>%s</td>" % cell
                                          for cell in line)
                  for line in lines[1:]]
        parts.append("</tbody></table></div>")
    return "<section>%s</section>" % "\n".join(parts) if parts else ""


def card(title, note, content):
    if not content:
        return ""
    return '<div class="card"><h2>%s</h2><p class="note">%s</p>%s</div>' % (
        title, note, content)


def phase_cards(report):
    """Return a card for each method whose build told its phases."""
    return "".join(card(
        "Phases of " + name,
        "<code>CREATE INDEX</code>, as its progress view told them.",
        bars([(phase, seconds, duration(seconds)) for phase, seconds
              in method["build"]["phases"] if seconds >= 0.001]))
        for name, method in report["methods"].items()
        if any(seconds >= 0.001
               for _, seconds in method.get("build", {}).get("phases", ())))


def errors(report):
    """Return what went wrong, as a list."""
    found = []
    for name, method in report["methods"].items():
        found += [(name, test, text)
                  for test, text in method["errors"].items()]
        found += [(name, "memory " + size, build["error"])
                  for size, build in method.get("memory", {}).items()
                  if "error" in build]
    if not found:
        return ""
    return "<section><h2>Errors</h2>%s</section>" % "".join(
        "<p><b>%s, %s</b>: %s</p>" % tuple(map(html.escape, item))
        for item in found)


def cards(report):
    k, queries = report["about"]["k"], number(report["about"]["queries"])
    return "".join((
        card("Speed against exactness",
             "Queries a second of one session over the share of the true %d "
             "nearest that is found, on %s queries. Up and to the right is "
             "better." % (k, queries), plot_recall(report)),
        card("Build of growing tables",
             "Vectors indexed a second, from <code>CREATE INDEX</code> to its "
             "commit, over the rows of the table.", plot_growth(report)),
        card("Build of generated tables",
             "Likewise, for 128 dimensions about a plane of 16.",
             plot_scale(report)),
        card("Build in less memory",
             "Seconds of <code>CREATE INDEX</code> over "
             "<code>maintenance_work_mem</code>.", plot_memory(report)),
        phase_cards(report)))


def write(path, report):
    """Fill the template in."""
    about = report["about"]
    values = {key: html.escape(str(about[key])) for key in (
        "data", "dimensions", "metric", "date", "cpu", "cores", "simd",
        "omenvec", "server", "workers", "k")}
    values.update(
        rows=number(about["rows"]), queries=number(about["queries"]),
        load="%.1f" % about["load"],
        memory=number(about["memory"] / 2 ** 30, 1) + " GB",
        versions=html.escape(", ".join(
            "%s by %s" % (name, method["version"])
            for name, method in report["methods"].items())),
        settings=html.escape(", ".join(
            "%s %s" % item for item in about["settings"].items())),
        commands="\n".join(html.escape(method["index"]) + ";"
                           for method in report["methods"].values()),
        usual=html.escape(", ".join(
            "%s = %d" % (method["effort"], method["usual"])
            for method in report["methods"].values())),
        table=table(report), cards=cards(report), plans=plan_section(report),
        errors=errors(report))
    with open(STYLE, encoding="utf-8") as f:
        values["style"] = f.read()
    with open(os.path.join(HERE, "page.html.in"), encoding="utf-8") as f:
        text = string.Template(f.read()).substitute(values)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
